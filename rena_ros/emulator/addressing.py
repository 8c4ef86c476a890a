"""Which emulated servos hear a request, and which of them it addresses. No I/O, no clock."""

import numpy as np

from rena_ros.bus.protocol import BROADCAST_ID
from rena_ros.bus.registers import BAUDS, REGISTERS
from rena_ros.emulator.registers import ServoRegisters

_ID, _BAUD = REGISTERS["id"].address, REGISTERS["baud_code"].address


class Addressing:
    """An index of the servos that hear requests at the present baud rate."""

    def __init__(self, registers: ServoRegisters) -> None:
        self._registers = registers
        self.attached = np.ones(len(registers.memory), bool)  # which servos are on the bus
        self.baud: int | None = None
        self.set_baud(None)

    def set_baud(self, baud: int | None) -> None:
        """Set the rate of the next request (None: every servo hears it); rebuild the index if anything changed.

        A servo hears when it is attached, not dead, and its baud code is that of ``baud``.
        """
        registers = self._registers
        if baud == self.baud and not registers.settings_changed:
            return
        hears = self.attached & ~registers.conditions.dead
        if baud is not None:
            hears = hears & (registers.memory[:, _BAUD] == (BAUDS.index(baud) if baud in BAUDS else -1))
        self.hearing = np.flatnonzero(hears)  # indices of servos
        ids = registers.memory[self.hearing, _ID]
        self.by_id = np.full(256, -1)  # index of the first servo with an id, -1 for none
        self.by_id[ids[::-1]] = self.hearing[::-1]
        self.shared = len(np.unique(ids)) < len(ids)  # whether several servos have the same id
        self.baud, registers.settings_changed = baud, False

    def addressed(self, servo_id: int) -> list[int]:
        """Return the indices of the servos that a request to this id addresses: none, one, several or all."""
        if servo_id == BROADCAST_ID:
            return self.hearing.tolist()
        i = int(self.by_id[servo_id])
        if i < 0 or not self.shared:
            return [i] if i >= 0 else []
        return self.hearing[self._registers.memory[self.hearing, _ID] == servo_id].tolist()
