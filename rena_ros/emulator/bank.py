"""A bank of STS servos at the register level, in virtual time: request bytes in, reply bytes out.

No I/O, no clock. As strict as the real servos (see ``instructions`` and ``registers``): nothing moves while its torque
is off; read-only registers keep their values. The servos are those of a robot that has been set up: ids from the robot
file, everything else as from the factory except the return delay, which is a parameter. Min and max angle are 0..4095,
so only the robot's driver keeps a goal inside the robot's limits. With ``factory`` they are as out of the box: all with
id 1, the slowest return delay, and only the first one attached. Faults: ``inject``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np

from rena_ros.base.arrays import Array, BoolArray, IntArray
from rena_ros.bus.protocol import Parser
from rena_ros.bus.registers import BAUDS, REGISTERS
from rena_ros.emulator.addressing import Addressing
from rena_ros.emulator.fault_effects import alter_reply, eeprom_settings, fault_conditions
from rena_ros.emulator.fault_schedule import FaultSchedule, RandomFaults, ScheduledFault
from rena_ros.emulator.faults import Fault, make_fault
from rena_ros.emulator.goal_log import GoalLog
from rena_ros.emulator.instructions import Instructions
from rena_ros.emulator.registers import ServoRegisters
from rena_ros.emulator.servo_motion import TrapezoidMotion
from rena_ros.emulator.wire import TimedReply, superimpose
from rena_ros.robot.model import Robot

SILENCE_S = 0.02  # an unfinished frame is dropped after this long without a byte
FACTORY_RETURN_DELAY_US = 500
_SKEW_US = 3.0  # no two servos begin to reply at exactly the same moment
_TORQUE, _ID = REGISTERS["torque_enable"].address, REGISTERS["id"].address


class ServoBank:
    """All n servos of a robot on one bus, by their names; ``goals`` logs every goal that crosses the wire."""

    def __init__(
        self,
        robot: Robot,
        positions: Array | None = None,
        return_delay_us: int = 0,
        *,
        factory: bool = False,  # servos out of the box
        seed: int = 0,  # of the random choices of faults
        goals: GoalLog | None = None,
        motion: type[TrapezoidMotion] = TrapezoidMotion,  # how the horns move
    ) -> None:
        """Start with torque off at ``positions`` ticks (n,), neutral without."""
        count = len(robot.servos)
        start = robot.neutral_ticks if positions is None else np.asarray(positions)
        ids = np.ones(count, int) if factory else robot.ids
        delay_us = FACTORY_RETURN_DELAY_US if factory else return_delay_us
        self.robot = robot
        self.goals = GoalLog(robot.names) if goals is None else goals
        self._registers = ServoRegisters(robot, motion(start), ids, delay_us)
        self._addressing = Addressing(self._registers)
        self._instructions = Instructions(self._registers, self._addressing)
        self._faults = FaultSchedule(robot.names, seed, self._begin_fault, self._end_fault)
        self._parser = Parser()
        self._silence_s = 0.0
        if factory:
            self.set_attached(robot.names[0])

    @property
    def now_s(self) -> float:
        """Virtual time since the bank was made."""
        return self._faults.now_s

    @property
    def positions(self) -> IntArray:
        """Present positions, ticks, int64 (n,)."""
        return np.rint(self._registers.motion.state()[0]).astype(np.int64)

    @property
    def moving(self) -> BoolArray:
        """Which servos have not arrived yet, bool (n,)."""
        return self._registers.motion.moving()

    @property
    def torque(self) -> BoolArray:
        """Which servos have torque on, bool (n,)."""
        return self._registers.memory[:, _TORQUE] == 1

    @property
    def attached(self) -> tuple[str, ...]:
        """Names of the servos that are on the bus."""
        return tuple(name for name, there in zip(self.robot.names, self._addressing.attached, strict=True) if there)

    @property
    def unplugged(self) -> bool:
        """Whether the cable is pulled; the owner of the port acts on it."""
        return any(active.fault.kind == "unplugged" for active in self._faults.active)

    @property
    def cable_pulls(self) -> int:
        """How often the cable has been pulled so far: a port that was open before a pull stays lost."""
        return self._faults.begun.get("unplugged", 0)

    def set_attached(self, *names: str) -> None:
        """Put exactly these servos on the bus; a servo that was not there is switched on."""
        there = np.isin(np.arange(len(self.robot.names)), [self.robot.index[name] for name in names])
        fresh = np.flatnonzero(there & ~self._addressing.attached)
        self._addressing.attached = there
        self._registers.power_cycle(fresh)

    def inject(self, kind: str, *servos: str, **fields: object) -> None:
        """Inject a fault on these servos, or on all of them: `inject("late", "jaw", delay_ms=120, for_s=3.0)`.

        ``fields``: as in a fault file (`with_` for `with`); ``at_s`` counts from now. Raises ValueError.
        """
        self._faults.add(make_fault(kind, *servos, **{name.rstrip("_"): value for name, value in fields.items()}))

    def script(self, faults: Iterable[Fault], random: RandomFaults | None = None) -> None:
        """Inject the faults of a fault file or a parameter; their times count from now."""
        for fault in faults:
            self._faults.add(fault)
        if random is not None:
            self._faults.add_random(random)

    def clear(self, kind: str | None = None, *servos: str) -> None:
        """End faults of this kind, or all, on these servos, or all; without kind and servos, random faults end too."""
        self._faults.clear(kind, servos)

    def next_change_s(self) -> float:
        """Return when a fault begins or ends next, in virtual time; inf: never."""
        return self._faults.next_change_s()

    def active_faults(self) -> tuple[str, ...]:
        """Return the active faults as text: the kind, and the servos unless the fault is on all of them."""
        texts = []
        for active in self._faults.active:
            names = [self.robot.names[i] for i in sorted(active.servos)]
            texts.append(" ".join([active.fault.kind, *(names if len(names) < len(self.robot.names) else ())]))
        return tuple(texts)

    def report(self) -> dict:
        """Return what crossed the wire, which servos have torque on and which faults have begun, ready for JSON."""
        frames = self._instructions.tally
        frames.bad_checksums = self._parser.bad_checksums
        on = [name for name, torque in zip(self.robot.names, self.torque, strict=True) if torque]
        return {**asdict(frames), **asdict(self._registers.tally), "torque_on": on, "faults": self._faults.begun}

    def advance(self, dt_s: float) -> None:
        """Let virtual time pass, in steps of any size."""
        self._silence_s += dt_s
        if self._silence_s > SILENCE_S:
            self._parser.reset()
        end_s = self.now_s + dt_s
        while (change_s := self._faults.next_change_s()) < end_s:
            self._advance_to_change(max(change_s - self.now_s, 0.0))
        self._advance_to_change(end_s - self.now_s)

    def receive(self, data: bytes) -> bytes:
        """Receive request bytes; return the bytes of all replies."""
        return b"".join(reply.frame for reply in self.replies(data))

    def replies(self, data: bytes, baud: int | None = None) -> list[TimedReply]:
        """Receive request bytes at this baud rate; return the replies one by one, each with its return delay.

        A servo that is set to another rate does not hear the request; with None every servo hears it.
        """
        self._silence_s = 0.0
        replies = []
        for packet in self._parser.feed(data):
            self._addressing.set_baud(baud)
            self.goals.record(self.now_s, packet, self._addressing.by_id)
            for slot in self._instructions.carry_out(packet):
                replies += self._on_the_wire(slot)
        return replies

    def echoes(self) -> bool:
        """Whether the adapter echoes the next request to its sender; a call counts as one request."""
        return self._faults.hits("echo", -1) is not None

    def power_cycle(self, *servos: str) -> None:
        """Switch these servos, or all, off and on again.

        Torque is off then, RAM as from the factory, EEPROM as saved; latched overloads and pending REG_WRITEs are gone.
        """
        which = [self.robot.index[name] for name in servos or self.robot.names]
        self._faults.clear("overload", servos)
        self._registers.power_cycle(np.array(which))
        self._instructions.forget(which)

    def read_register(self, servo: str, register: str) -> int:
        """Return a register in a servo's memory as an unsigned value, without a request."""
        return self._registers.read(self.robot.index[servo], register)

    def set_register(self, servo: str, register: str, value: int) -> None:
        """Set a register without a request, as another program or a power failure might: ``ServoRegisters.set``."""
        self._registers.set(self.robot.index[servo], register, value)

    def turn_horn(self, servo: str, ticks: float) -> None:
        """Turn a servo's horn to a position, where it rests, as a hand does while torque is off."""
        self._registers.motion.place(np.array([self.robot.index[servo]]), np.array([float(ticks)]))

    def _advance_to_change(self, dt_s: float) -> None:
        self._registers.advance(dt_s)
        self._faults.advance(dt_s)

    def _begin_fault(self, scheduled: ScheduledFault) -> None:
        registers = self._registers
        ids = registers.memory[:, _ID]
        for i in scheduled.servos:
            if scheduled.fault.kind == "torque_lost":
                registers.store(i, _TORQUE, b"\0")
            for name, value in eeprom_settings(scheduled, ids, self.robot.index).items():
                scheduled.saved[i] = registers.read(i, name)
                registers.set(i, name, value)
        self._update_conditions()

    def _end_fault(self, scheduled: ScheduledFault) -> None:
        """Restore the EEPROM settings that the fault changed, except those that were corrected in the meantime."""
        registers = self._registers
        ids = registers.memory[:, _ID]
        for i in scheduled.servos & scheduled.saved.keys():
            for name, value in eeprom_settings(scheduled, ids, self.robot.index).items():
                if registers.read(i, name) == value:
                    registers.set(i, name, scheduled.saved[i])
        self._update_conditions()

    def _update_conditions(self) -> None:
        self._registers.set_conditions(fault_conditions(self._faults.active, len(self.robot.names)))

    def _on_the_wire(self, slot: Sequence[TimedReply]) -> list[TimedReply]:
        """Return the replies of one slot (servos of one id reply at once) as they cross the wire: superimposed."""
        replies = [self._overlap(slot)] if len(slot) > 1 else list(slot)
        if not self._faults.active:
            return replies
        return [altered for reply in replies for altered in alter_reply(reply, self._faults)]

    def _overlap(self, slot: Sequence[TimedReply]) -> TimedReply:
        skew_us = self._skew_us()
        begins_s = [reply.delay_s + k * skew_us * 1e-6 for k, reply in enumerate(slot)]
        bit_s = 1 / (self._addressing.baud or BAUDS[0])
        offsets = [round((begin_s - min(begins_s)) / bit_s) for begin_s in begins_s]
        return TimedReply(min(begins_s), superimpose([reply.frame for reply in slot], offsets), servo=slot[0].servo)

    def _skew_us(self) -> float:
        given = [active.fault.value("skew_us") for active in self._faults.active if active.fault.kind == "same_id"]
        return given[0] if given else _SKEW_US
