"""A bank of STS servos at the register level, in virtual time: bytes in, bytes out. Pure: no port, no clock.

As strict as the real thing: what is malformed, for somebody else or broadcast is met with silence; nothing
moves while its torque is off; read-only registers stay. Servos come as on a robot that has been set up:
ids from the robot file, everything else as from the factory (min and max angle 0..4095, so nothing but the
robot's driver keeps a goal inside the robot's limits), except the return delay, which is a parameter.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from rena_ros.bus import protocol
from rena_ros.bus.protocol import BROADCAST_ID, Instruction, Packet, Parser
from rena_ros.bus.registers import REGISTERS
from rena_ros.bus.servo_registers import ServoRegisters
from rena_ros.robot import Robot

SILENCE_S = 0.02  # an unfinished frame older than this is forgotten
_GOAL = REGISTERS["goal_position"].address
_GOAL_BYTES = 6  # position, time, speed


@dataclass(frozen=True)
class Answer:
    """One servo's reply frame, sent ``delay_s`` after the end of what came before it on the wire."""

    delay_s: float
    frame: bytes


@dataclass
class FrameTally:
    """Which frames crossed the wire."""

    packets: int = 0
    bad_checksums: int = 0
    sync_writes: int = 0
    sync_reads: int = 0
    unknown_instructions: int = 0


class ServoBank:
    """All servos of a robot on one bus. They start at ``positions`` ticks (default: neutral), torque off."""

    def __init__(self, robot: Robot, positions: np.ndarray | None = None, return_delay_us: int = 0) -> None:
        start = robot.neutral_ticks if positions is None else np.asarray(positions)
        self.robot = robot
        self._registers = ServoRegisters(robot, start, return_delay_us)
        self._tally = FrameTally()
        self._parser = Parser()
        self._silence_s = 0.0
        self._kept: dict[int, tuple[int, bytes]] = {}  # REG_WRITE: servo index -> address, data
        self._instructions: dict[int, Callable[[Packet], list[Answer]]] = {
            Instruction.PING: self._ping,
            Instruction.READ: self._read,
            Instruction.WRITE: self._write,
            Instruction.REG_WRITE: self._reg_write,
            Instruction.ACTION: self._action,
            Instruction.SYNC_READ: self._sync_read,
            Instruction.SYNC_WRITE: self._sync_write,
        }

    @property
    def positions(self) -> np.ndarray:
        """Present positions, ticks, int64 (n,)."""
        return np.rint(self._registers.motion.now()[0]).astype(np.int64)

    @property
    def moving(self) -> np.ndarray:
        """Which servos have not arrived yet, bool (n,)."""
        return self._registers.motion.moving()

    @property
    def torque(self) -> np.ndarray:
        """Whose torque is on, bool (n,)."""
        return self._registers.memory[:, REGISTERS["torque_enable"].address] == 1

    def report(self) -> dict:
        """What crossed the wire and whose torque is on, ready for JSON."""
        self._tally.bad_checksums = self._parser.bad_checksums
        on = [name for name, torque in zip(self.robot.names, self.torque, strict=True) if torque]
        return {**asdict(self._tally), **asdict(self._registers.tally), "torque_on": on}

    def advance(self, dt_s: float) -> None:
        """Let virtual time pass, in steps of any size."""
        self._registers.motion.advance(dt_s)
        self._silence_s += dt_s
        if self._silence_s > SILENCE_S and self._parser.pending:
            self._parser.reset()

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the bus in; return all the bytes that the servos answer."""
        return b"".join(answer.frame for answer in self.answers(data))

    def answers(self, data: bytes) -> list[Answer]:
        """Like ``receive``, one by one, with each servo's return delay."""
        self._silence_s = 0.0
        answers = []
        for packet in self._parser.feed(data):
            self._tally.packets += 1
            if packet.code in self._instructions:
                answers += self._instructions[packet.code](packet)
            else:
                self._tally.unknown_instructions += 1
        return answers

    def power_cycle(self) -> None:
        """Off and on again: torque off, RAM as from the factory, EEPROM as saved."""
        self._registers.power_cycle()
        self._kept.clear()

    def _ping(self, packet: Packet) -> list[Answer]:
        return [] if packet.params else [self._answer(i) for i in self._addressed(packet)]

    def _read(self, packet: Packet) -> list[Answer]:
        if len(packet.params) != 2 or packet.id == BROADCAST_ID:
            return []
        self._registers.refresh()
        return [self._answer(i, self._registers.span(i, *packet.params)) for i in self._addressed(packet)]

    def _write(self, packet: Packet) -> list[Answer]:
        if len(packet.params) < 2:
            return []
        acknowledgement = self._acknowledgement(packet)
        for i in self._addressed(packet):
            self._registers.store(i, packet.params[0], packet.params[1:])
        return acknowledgement

    def _reg_write(self, packet: Packet) -> list[Answer]:
        if len(packet.params) < 2:
            return []
        for i in self._addressed(packet):
            self._kept[i] = (packet.params[0], packet.params[1:])
        return self._acknowledgement(packet)

    def _action(self, packet: Packet) -> list[Answer]:
        if packet.params:
            return []
        acknowledgement = self._acknowledgement(packet)
        for i in self._addressed(packet):
            if i in self._kept:
                self._registers.store(i, *self._kept.pop(i))
        return acknowledgement

    def _sync_read(self, packet: Packet) -> list[Answer]:
        if packet.id != BROADCAST_ID or len(packet.params) < 3:
            return []
        self._tally.sync_reads += 1
        registers = self._registers
        registers.refresh()
        address, size, *ids = packet.params
        found = [i for i in map(registers.where, ids) if i is not None]
        return [self._answer(i, registers.span(i, address, size)) for i in found]

    def _sync_write(self, packet: Packet) -> list[Answer]:
        row = packet.params[1] + 1 if len(packet.params) > 1 else 0
        if packet.id != BROADCAST_ID or row < 2 or (len(packet.params) - 2) % row:
            return []
        self._tally.sync_writes += 1
        address, table = packet.params[0], np.frombuffer(packet.params[2:], np.uint8).reshape(-1, row)
        which = self._registers.by_id[table[:, 0]]
        table, which = table[which >= 0], which[which >= 0]
        if address == _GOAL and 3 <= row <= _GOAL_BYTES + 1 and len(np.unique(which)) == len(which):
            self._registers.store_goals(which, table[:, 1:])
        else:
            for i, line in zip(which.tolist(), table, strict=True):
                self._registers.store(i, address, line[1:].tobytes())
        return []

    def _addressed(self, packet: Packet) -> list[int]:
        if packet.id == BROADCAST_ID:
            return list(range(len(self.robot.servos)))
        i = self._registers.where(packet.id)
        return [] if i is None else [i]

    def _acknowledgement(self, packet: Packet) -> list[Answer]:
        """Silence on broadcast, and from servos whose response level says so."""
        i = None if packet.id == BROADCAST_ID else self._registers.where(packet.id)
        return [] if i is None or not self._registers.byte(i, "response_level") else [self._answer(i)]

    def _answer(self, i: int, params: bytes = b"") -> Answer:
        registers = self._registers
        frame = protocol.reply(registers.byte(i, "id"), registers.byte(i, "status"), params)
        return Answer(registers.byte(i, "return_delay") * 2e-6, frame)
