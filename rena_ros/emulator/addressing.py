"""Who on the bus hears a request, and feels addressed by it. Pure."""

import numpy as np

from rena_ros.bus.protocol import BROADCAST_ID
from rena_ros.bus.registers import BAUDS, REGISTERS
from rena_ros.emulator.registers import ServoRegisters

_ID, _BAUD = REGISTERS["id"].address, REGISTERS["baud_code"].address


class Addressing:
    """The servos that hear at the rate of the moment, by id. ``hearing``: their indices; ``by_id`` int (256,): index
    of the (first) servo with an id, -1 for none; ``shared``: whether several have the same id.
    """

    def __init__(self, registers: ServoRegisters) -> None:
        self._registers = registers
        self.attached = np.ones(len(registers.memory), bool)
        self.baud: int | None = None
        self.find(None)

    def listen(self, baud: int | None) -> None:
        """A request comes at this rate; None: everybody hears it."""
        if baud != self.baud or self._registers.settings_changed:
            self.find(baud)

    def find(self, baud: int | None) -> None:
        """Look again who hears at this rate: attached, not deaf, and at this rate by its own baud code."""
        registers = self._registers
        hears = self.attached & ~registers.conditions.deaf
        if baud is not None:
            hears = hears & (registers.memory[:, _BAUD] == (BAUDS.index(baud) if baud in BAUDS else -1))
        self.hearing = np.flatnonzero(hears)
        ids = registers.memory[self.hearing, _ID]
        self.by_id = np.full(256, -1)
        self.by_id[ids[::-1]] = self.hearing[::-1]
        self.shared = len(np.unique(ids)) < len(ids)
        self.baud, registers.settings_changed = baud, False

    def addressed(self, servo_id: int) -> list[int]:
        """Who feels addressed, indices: one, nobody, everybody, or several that share an id."""
        if servo_id == BROADCAST_ID:
            return self.hearing.tolist()
        i = int(self.by_id[servo_id])
        if i < 0 or not self.shared:
            return [i] if i >= 0 else []
        return self.hearing[self._registers.memory[self.hearing, _ID] == servo_id].tolist()
