"""What servos do with a request: which registers it changes, and which servos reply with what. No I/O, no clock.

As strict as the real servos: malformed requests, requests to other ids and broadcasts get no reply.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from rena_ros.bus import protocol
from rena_ros.bus.protocol import BROADCAST_ID, Instruction, Packet
from rena_ros.bus.registers import REGISTERS, RETURN_DELAY_COUNT_S
from rena_ros.emulator.addressing import Addressing
from rena_ros.emulator.registers import ServoRegisters
from rena_ros.emulator.wire import TimedReply

_GOAL = REGISTERS["goal_position"].address
_GOAL_BYTES = 6  # position, time, speed
_RETURN_DELAY = REGISTERS["return_delay"].address

# Replies to one request: one slot after the other; the replies of one slot, of servos that share an id, overlap.
Slots = list[list[TimedReply]]


@dataclass
class FrameTally:
    """Counts of the frames that crossed the wire."""

    packets: int = 0
    bad_checksums: int = 0
    sync_writes: int = 0
    sync_reads: int = 0
    unknown_instructions: int = 0


class Instructions:
    """Carries requests out on the registers of the servos that hear them."""

    def __init__(self, registers: ServoRegisters, addressing: Addressing) -> None:
        self.tally = FrameTally()
        self._registers = registers
        self._addressing = addressing
        self._pending: dict[int, tuple[int, bytes]] = {}  # REG_WRITE until ACTION: servo index -> address, data
        self._known: dict[int, Callable[[Packet], Slots]] = {
            Instruction.PING: self._ping,
            Instruction.READ: self._read,
            Instruction.WRITE: self._write,
            Instruction.REG_WRITE: self._reg_write,
            Instruction.ACTION: self._action,
            Instruction.SYNC_READ: self._sync_read,
            Instruction.SYNC_WRITE: self._sync_write,
        }

    def carry_out(self, packet: Packet) -> Slots:
        """Carry out one request and return the replies to it."""
        self.tally.packets += 1
        if packet.code not in self._known:
            self.tally.unknown_instructions += 1
            return []
        return self._known[packet.code](packet)

    def forget(self, which: Iterable[int]) -> None:
        """Drop the pending REG_WRITEs of these servos (indices), as they do without power."""
        for i in which:
            self._pending.pop(i, None)

    def _ping(self, packet: Packet) -> Slots:
        if packet.params:
            return []
        replies = [self._reply(i) for i in self._addressing.addressed(packet.id)]
        return [[reply] for reply in replies] if packet.id == BROADCAST_ID else [replies]

    def _read(self, packet: Packet) -> Slots:
        if len(packet.params) != 2 or packet.id == BROADCAST_ID:
            return []
        self._registers.refresh()
        return [self._slot(packet.id, *packet.params)]

    def _write(self, packet: Packet) -> Slots:
        if len(packet.params) < 2:
            return []
        acknowledgement = self._acknowledgement(packet)
        for i in self._obeying(packet.id):
            self._registers.store(i, packet.params[0], packet.params[1:])
        return acknowledgement

    def _reg_write(self, packet: Packet) -> Slots:
        if len(packet.params) < 2:
            return []
        for i in self._obeying(packet.id):
            self._pending[i] = (packet.params[0], packet.params[1:])
        return self._acknowledgement(packet)

    def _action(self, packet: Packet) -> Slots:
        if packet.params:
            return []
        acknowledgement = self._acknowledgement(packet)
        for i in self._obeying(packet.id):
            if i in self._pending:
                self._registers.store(i, *self._pending.pop(i))
        return acknowledgement

    def _sync_read(self, packet: Packet) -> Slots:
        if packet.id != BROADCAST_ID or len(packet.params) < 3:
            return []
        self.tally.sync_reads += 1
        self._registers.refresh()
        address, size, *ids = packet.params
        if self._addressing.shared:
            return [self._slot(servo_id, address, size) for servo_id in ids]
        which = self._addressing.by_id[ids]
        which = which[which >= 0]
        delays_s = self._registers.memory[which, _RETURN_DELAY] * RETURN_DELAY_COUNT_S
        replies = zip(delays_s.tolist(), self._registers.replies(which, address, size), which.tolist(), strict=True)
        return [[TimedReply(delay_s, frame, servo=i)] for delay_s, frame, i in replies]

    def _sync_write(self, packet: Packet) -> Slots:
        row = packet.params[1] + 1 if len(packet.params) > 1 else 0
        if packet.id != BROADCAST_ID or row < 2 or (len(packet.params) - 2) % row:
            return []
        self.tally.sync_writes += 1
        address, table = packet.params[0], np.frombuffer(packet.params[2:], np.uint8).reshape(-1, row)
        simple = not self._addressing.shared and not self._registers.conditions.reject.any()
        if simple and address == _GOAL and 3 <= row <= _GOAL_BYTES + 1:
            which = self._addressing.by_id[table[:, 0]]
            table, which = table[which >= 0], which[which >= 0]
            if len(np.unique(which)) == len(which):
                self._registers.store_goals(which, table[:, 1:])
                return []
        for line in table:
            for i in self._obeying(int(line[0])):
                self._registers.store(i, address, line[1:].tobytes())
        return []

    def _obeying(self, servo_id: int) -> list[int]:
        """Return the addressed servos that carry requests out."""
        return [i for i in self._addressing.addressed(servo_id) if not self._registers.conditions.reject[i]]

    def _acknowledgement(self, packet: Packet) -> Slots:
        """Return empty replies; none to a broadcast, and none of servos whose response level is 0."""
        if packet.id == BROADCAST_ID:
            return []
        addressed = self._addressing.addressed(packet.id)
        return [[self._reply(i) for i in addressed if self._registers.read(i, "response_level")]]

    def _slot(self, servo_id: int, address: int, size: int) -> list[TimedReply]:
        span = self._registers.span
        return [self._reply(i, span(i, address, size)) for i in self._addressing.addressed(servo_id)]

    def _reply(self, i: int, params: bytes = b"") -> TimedReply:
        registers = self._registers
        frame = protocol.reply(registers.read(i, "id"), registers.read(i, "status"), params)
        return TimedReply(registers.read(i, "return_delay") * RETURN_DELAY_COUNT_S, frame, servo=i)
