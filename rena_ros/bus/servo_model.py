"""A bank of STS servos at the register level, in virtual time: bytes in, bytes out. Pure: no port, no clock.

As strict as the real thing: what is malformed, for somebody else or broadcast is met with silence; nothing
moves while its torque is off; read-only registers stay. Servos come as on a robot that has been set up:
ids from the robot file, everything else as from the factory (min and max angle 0..4095, so nothing but the
robot's driver keeps a goal inside the robot's limits), except the return delay, which is a parameter; or, as
``factory`` servos, as out of the box: all with id 1, the slowest return delay, and only the first one attached.
What can go wrong is injected as a ``Fault``.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np

from rena_ros.bus import protocol
from rena_ros.bus.fault_effects import conditions, registers_of, spoil
from rena_ros.bus.fault_schedule import FaultSchedule, Injected, RandomFaults
from rena_ros.bus.faults import Fault
from rena_ros.bus.goal_log import GoalLog
from rena_ros.bus.protocol import BROADCAST_ID, Instruction, Packet, Parser
from rena_ros.bus.registers import BAUDS, REGISTERS
from rena_ros.bus.servo_registers import ServoRegisters
from rena_ros.bus.wire import Answer, collide
from rena_ros.robot import Robot

SILENCE_S = 0.02  # an unfinished frame older than this is forgotten
FACTORY_RETURN_DELAY_US = 500
_SKEW_US = 3.0  # no two servos begin to answer at quite the same moment
_GOAL = REGISTERS["goal_position"].address
_GOAL_BYTES = 6  # position, time, speed
_TORQUE = REGISTERS["torque_enable"].address


@dataclass
class FrameTally:
    """Which frames crossed the wire."""

    packets: int = 0
    bad_checksums: int = 0
    sync_writes: int = 0
    sync_reads: int = 0
    unknown_instructions: int = 0


class ServoBank:
    """All servos of a robot on one bus. They start at ``positions`` ticks (default: neutral), torque off.

    ``goals`` logs every goal that crosses the wire; ``seed`` is of everything that happens by chance.
    """

    def __init__(
        self,
        robot: Robot,
        positions: np.ndarray | None = None,
        return_delay_us: int = 0,
        *,
        factory: bool = False,
        seed: int = 0,
        goals: GoalLog | None = None,
    ) -> None:
        count = len(robot.servos)
        start = robot.neutral_ticks if positions is None else np.asarray(positions)
        ids = np.ones(count, int) if factory else robot.ids
        delay_us = FACTORY_RETURN_DELAY_US if factory else return_delay_us
        self.robot = robot
        self.goals = GoalLog(robot.names) if goals is None else goals
        self._registers = ServoRegisters(robot, start, ids, delay_us)
        self._attached = np.arange(count) < (1 if factory else count)
        self._faults = FaultSchedule(robot.names, seed, self._fault_began, self._fault_ended)
        self._conditions = conditions([], count)
        self._heard_at: int | None = None  # the rate that the index of ids below is for
        self._index_ids(None)
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
    def now_s(self) -> float:
        """Virtual time since the bank was made."""
        return self._faults.now_s

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
        return self._registers.memory[:, _TORQUE] == 1

    @property
    def attached(self) -> tuple[str, ...]:
        """Names of the servos that are on the bus."""
        return tuple(name for name, there in zip(self.robot.names, self._attached, strict=True) if there)

    @property
    def unplugged(self) -> bool:
        """Whether the cable is pulled, for whoever plays the port."""
        return any(one.fault.kind == "unplugged" for one in self._faults.active)

    @property
    def pulls(self) -> int:
        """How often the cable has been pulled so far: a port that was open before is lost, even if it is back."""
        return self._faults.begun.get("unplugged", 0)

    def attach(self, *names: str) -> None:
        """Have exactly these servos on the bus; those that were not there get their power now."""
        there = np.zeros(len(self._attached), bool)
        there[[self.robot.index[name] for name in names]] = True
        fresh = np.flatnonzero(there & ~self._attached)
        self._attached = there
        self._registers.power_cycle(fresh)
        self._index_ids(self._heard_at)

    def inject(self, kind: str, *servos: str, **options: object) -> Fault:
        """Let something go wrong from now on, on these servos or on all: `inject("late", "jaw", delay_ms=120)`.

        ``options``: at_s, for_s, every, probability as in ``Fault``, and the kind's own values (`same_id` takes
        `with_`). Raises ValueError for what cannot be.
        """
        options = {name.rstrip("_"): value for name, value in options.items()}
        own = {name: options.pop(name) for name in ("at_s", "for_s", "every", "probability") if name in options}
        fault = Fault(kind, servos, values=options, **own)
        self._faults.add(fault)
        return fault

    def script(self, faults: Iterable[Fault], random: RandomFaults | None = None) -> None:
        """Inject faults that were read from a file or a parameter; their times count from now."""
        for fault in faults:
            self._faults.add(fault)
        if random is not None:
            self._faults.add_random(random)

    def clear(self, kind: str | None = None, *servos: str) -> None:
        """End faults of this kind, or all of them (what comes at random, too); on these servos, or on all."""
        self._faults.clear(kind, servos)

    def next_change_s(self) -> float:
        """When a fault begins or ends next, in virtual time; inf: never."""
        return self._faults.next_change_s()

    def active_faults(self) -> tuple[str, ...]:
        """What goes wrong now, in words: the kind, and the servos unless it is all of them."""
        texts = []
        for one in self._faults.active:
            names = [self.robot.names[i] for i in sorted(one.servos)]
            texts.append(" ".join([one.fault.kind, *(names if len(names) < len(self.robot.names) else ())]))
        return tuple(texts)

    def report(self) -> dict:
        """What crossed the wire, whose torque is on and which faults have begun, ready for JSON."""
        self._tally.bad_checksums = self._parser.bad_checksums
        on = [name for name, torque in zip(self.robot.names, self.torque, strict=True) if torque]
        return {**asdict(self._tally), **asdict(self._registers.tally), "torque_on": on, "faults": self._faults.begun}

    def advance(self, dt_s: float) -> None:
        """Let virtual time pass, in steps of any size."""
        self._silence_s += dt_s
        if self._silence_s > SILENCE_S and self._parser.pending:
            self._parser.reset()
        end_s = self.now_s + dt_s
        while (change_s := self._faults.next_change_s()) < end_s:
            self._pass_time(max(change_s - self.now_s, 0.0))
        self._pass_time(end_s - self.now_s)

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the bus in; return all the bytes that the servos answer."""
        return b"".join(answer.frame for answer in self.answers(data))

    def answers(self, data: bytes, baud: int | None = None) -> list[Answer]:
        """Like ``receive``, one by one, with each servo's return delay. ``baud``: the rate at which the bytes come;
        servos that listen at another rate do not hear them (None: everybody does)."""
        self._silence_s = 0.0
        answers = []
        for packet in self._parser.feed(data):
            self._tally.packets += 1
            if baud != self._heard_at or self._registers.settings_changed:
                self._index_ids(baud)
            if packet.code in self._instructions:
                self.goals.note(self.now_s, packet, self._by_id)
                answers += self._instructions[packet.code](packet)
            else:
                self._tally.unknown_instructions += 1
        return answers

    def echoes(self) -> bool:
        """Whether the adapter hands the next request back to whoever sent it."""
        return self._faults.hits("echo", -1) is not None

    def power_cycle(self) -> None:
        """Off and on again: torque off, RAM as from the factory, EEPROM as saved, latched overloads gone."""
        self._faults.clear("overload")
        self._registers.power_cycle(np.arange(len(self._attached)))
        self._kept.clear()

    def _pass_time(self, dt_s: float) -> None:
        self._registers.advance(dt_s)
        self._faults.pass_time(dt_s)

    def _fault_began(self, one: Injected) -> None:
        registers = self._registers
        ids = registers.memory[:, REGISTERS["id"].address]
        for i in one.servos:
            if one.fault.kind == "torque_lost":
                registers.store(i, _TORQUE, b"\0")
            for name, value in registers_of(one, ids, self.robot.index).items():
                one.saved[i] = registers.set_eeprom(i, name, bytes((value,)))
        self._set_conditions()

    def _fault_ended(self, one: Injected) -> None:
        """Take back what it did to the settings, unless somebody has mended that meanwhile."""
        registers = self._registers
        ids = registers.memory[:, REGISTERS["id"].address]
        for i in one.servos & one.saved.keys():
            for name, value in registers_of(one, ids, self.robot.index).items():
                if registers.byte(i, name) == value:
                    registers.set_eeprom(i, name, one.saved[i])
        self._set_conditions()

    def _set_conditions(self) -> None:
        self._conditions = conditions(self._faults.active, len(self._attached))
        self._registers.set_conditions(self._conditions)
        self._registers.settings_changed = True

    def _index_ids(self, baud: int | None) -> None:
        """Who hears what is sent at this rate: index by id, -1 for nobody; several of one id in ``_doubles``."""
        registers = self._registers
        hears = self._attached & ~self._conditions.deaf
        if baud is not None:
            codes = registers.memory[:, REGISTERS["baud_code"].address]
            hears = hears & (codes == (BAUDS.index(baud) if baud in BAUDS else -1))
        which = np.flatnonzero(hears)
        ids = registers.memory[which, REGISTERS["id"].address]
        self._hearing = which
        self._by_id = np.full(256, -1)
        self._by_id[ids[::-1]] = which[::-1]
        self._doubles = {
            int(one): which[ids == one].tolist() for one in np.flatnonzero(np.bincount(ids, minlength=256) > 1)
        }
        self._heard_at, registers.settings_changed = baud, False

    def _ping(self, packet: Packet) -> list[Answer]:
        if packet.params:
            return []
        if packet.id == BROADCAST_ID:
            return [answer for i in self._hearing.tolist() for answer in self._sent([self._answer(i)])]
        return self._sent([self._answer(i) for i in self._addressed(packet.id)])

    def _read(self, packet: Packet) -> list[Answer]:
        if len(packet.params) != 2 or packet.id == BROADCAST_ID:
            return []
        self._registers.refresh()
        return self._slot(packet.id, *packet.params)

    def _write(self, packet: Packet) -> list[Answer]:
        if len(packet.params) < 2:
            return []
        acknowledgement = self._acknowledgement(packet)
        for i in self._obeying(packet.id):
            self._registers.store(i, packet.params[0], packet.params[1:])
        return acknowledgement

    def _reg_write(self, packet: Packet) -> list[Answer]:
        if len(packet.params) < 2:
            return []
        for i in self._obeying(packet.id):
            self._kept[i] = (packet.params[0], packet.params[1:])
        return self._acknowledgement(packet)

    def _action(self, packet: Packet) -> list[Answer]:
        if packet.params:
            return []
        acknowledgement = self._acknowledgement(packet)
        for i in self._obeying(packet.id):
            if i in self._kept:
                self._registers.store(i, *self._kept.pop(i))
        return acknowledgement

    def _sync_read(self, packet: Packet) -> list[Answer]:
        if packet.id != BROADCAST_ID or len(packet.params) < 3:
            return []
        self._tally.sync_reads += 1
        self._registers.refresh()
        address, size, *ids = packet.params
        return [answer for servo_id in ids for answer in self._slot(servo_id, address, size)]

    def _sync_write(self, packet: Packet) -> list[Answer]:
        row = packet.params[1] + 1 if len(packet.params) > 1 else 0
        if packet.id != BROADCAST_ID or row < 2 or (len(packet.params) - 2) % row:
            return []
        self._tally.sync_writes += 1
        address, table = packet.params[0], np.frombuffer(packet.params[2:], np.uint8).reshape(-1, row)
        which = self._by_id[table[:, 0]]
        simple = not self._doubles and not self._conditions.rejecting.any()
        if simple and address == _GOAL and 3 <= row <= _GOAL_BYTES + 1:
            table, which = table[which >= 0], which[which >= 0]
            if len(np.unique(which)) == len(which):
                self._registers.store_goals(which, table[:, 1:])
                return []
        for line in table:
            for i in self._obeying(int(line[0])):
                self._registers.store(i, address, line[1:].tobytes())
        return []

    def _addressed(self, servo_id: int) -> list[int]:
        """Who feels addressed, indices."""
        if servo_id == BROADCAST_ID:
            return self._hearing.tolist()
        i = int(self._by_id[servo_id])
        return self._doubles.get(servo_id, [i]) if i >= 0 else []

    def _obeying(self, servo_id: int) -> list[int]:
        return [i for i in self._addressed(servo_id) if not self._conditions.rejecting[i]]

    def _acknowledgement(self, packet: Packet) -> list[Answer]:
        """Silence on broadcast, and from servos whose response level says so."""
        if packet.id == BROADCAST_ID:
            return []
        answering = [i for i in self._addressed(packet.id) if self._registers.byte(i, "response_level")]
        return self._sent([self._answer(i) for i in answering])

    def _slot(self, servo_id: int, address: int, size: int) -> list[Answer]:
        """What comes when it is the turn of this id."""
        registers = self._registers
        return self._sent([self._answer(i, registers.span(i, address, size)) for i in self._addressed(servo_id)])

    def _answer(self, i: int, params: bytes = b"") -> Answer:
        registers = self._registers
        frame = protocol.reply(registers.byte(i, "id"), registers.byte(i, "status"), params)
        return Answer(registers.byte(i, "return_delay") * 2e-6, frame, servo=i)

    def _sent(self, together: list[Answer]) -> list[Answer]:
        """What comes of servos that answer at the same time: of several, only what their overlap leaves."""
        if len(together) > 1:
            together = [self._overlap(together)]
        if not self._faults.active:
            return together
        return [spoilt for answer in together for spoilt in spoil(answer, self._faults)]

    def _overlap(self, together: list[Answer]) -> Answer:
        skews = [k * self._skew_us(answer.servo) * 1e-6 for k, answer in enumerate(together)]
        begins = [answer.delay_s + skew for answer, skew in zip(together, skews, strict=True)]
        bit_s = 1 / (self._heard_at or BAUDS[0])
        offsets = [round((begin - min(begins)) / bit_s) for begin in begins]
        return Answer(min(begins), collide([answer.frame for answer in together], offsets), servo=together[0].servo)

    def _skew_us(self, i: int) -> float:
        given = [one.fault.value("skew_us") for one in self._faults.active if one.fault.kind == "same_id"]
        return given[0] if given else _SKEW_US
