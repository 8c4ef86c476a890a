"""A bank of STS servos at the register level, in virtual time: bytes in, bytes out. Pure: no port, no clock.

As strict as the real thing (see ``instructions`` and ``servo_registers``): nothing moves while its torque is off;
read-only registers stay. Servos come as on a robot that has been set up:
ids from the robot file, everything else as from the factory (min and max angle 0..4095, so nothing but the
robot's driver keeps a goal inside the robot's limits), except the return delay, which is a parameter; or, as
``factory`` servos, as out of the box: all with id 1, the slowest return delay, and only the first one attached.
What can go wrong is injected as a ``Fault``.
"""

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from rena_ros.bus.protocol import Parser
from rena_ros.bus.registers import BAUDS, REGISTERS
from rena_ros.emulator.addressing import Addressing
from rena_ros.emulator.fault_effects import alter_reply, eeprom_settings, fault_conditions
from rena_ros.emulator.fault_schedule import FaultSchedule, RandomFaults, ScheduledFault
from rena_ros.emulator.faults import Fault
from rena_ros.emulator.goal_log import GoalLog
from rena_ros.emulator.instructions import Instructions
from rena_ros.emulator.registers import ServoRegisters
from rena_ros.emulator.servo_motion import TrapezoidMotion
from rena_ros.emulator.wire import TimedReply, superimpose
from rena_ros.robot.model import Robot

SILENCE_S = 0.02  # an unfinished frame older than this is forgotten
FACTORY_RETURN_DELAY_US = 500
_SKEW_US = 3.0  # no two servos begin to answer at quite the same moment
_TORQUE = REGISTERS["torque_enable"].address


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
        motion: type[TrapezoidMotion] = TrapezoidMotion,
    ) -> None:
        count = len(robot.servos)
        start = robot.neutral_ticks if positions is None else np.asarray(positions)
        ids = np.ones(count, int) if factory else robot.ids
        delay_us = FACTORY_RETURN_DELAY_US if factory else return_delay_us
        self.robot = robot
        self.goals = GoalLog(robot.names) if goals is None else goals
        self._registers = ServoRegisters(robot, start, ids, delay_us, motion)
        self._addressing = Addressing(self._registers)
        self._instructions = Instructions(self._registers, self._addressing)
        self._faults = FaultSchedule(robot.names, seed, self._fault_began, self._fault_ended)
        self._parser = Parser()
        self._silence_s = 0.0
        if factory:
            self.attach(robot.names[0])

    @property
    def now_s(self) -> float:
        """Virtual time since the bank was made."""
        return self._faults.now_s

    @property
    def positions(self) -> np.ndarray:
        """Present positions, ticks, int64 (n,)."""
        return np.rint(self._registers.motion.state()[0]).astype(np.int64)

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
        return tuple(name for name, there in zip(self.robot.names, self._addressing.attached, strict=True) if there)

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
        there = np.isin(np.arange(len(self.robot.names)), [self.robot.index[name] for name in names])
        fresh = np.flatnonzero(there & ~self._addressing.attached)
        self._addressing.attached = there
        self._registers.power_cycle(fresh)

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
        frames = self._instructions.tally
        frames.bad_checksums = self._parser.bad_checksums
        on = [name for name, torque in zip(self.robot.names, self.torque, strict=True) if torque]
        return {**asdict(frames), **asdict(self._registers.tally), "torque_on": on, "faults": self._faults.begun}

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
        return b"".join(answer.frame for answer in self.replies(data))

    def replies(self, data: bytes, baud: int | None = None) -> list[TimedReply]:
        """Like ``receive``, one by one, with each servo's return delay. ``baud``: the rate at which the bytes come;
        servos that listen at another rate do not hear them (None: everybody does).
        """
        self._silence_s = 0.0
        answers = []
        for packet in self._parser.feed(data):
            self._addressing.listen(baud)
            self.goals.record(self.now_s, packet, self._addressing.by_id)
            for together in self._instructions.carry_out(packet):
                answers += self._sent(together)
        return answers

    def echoes(self) -> bool:
        """Whether the adapter hands the next request back to whoever sent it."""
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
        """Return the unsigned value of a register in a servo's memory, without a request."""
        return self._registers.read(self.robot.index[servo], register)

    def set_register(self, servo: str, register: str, value: int) -> None:
        """Set a register to an unsigned value without a request, as another program or a power failure might.

        Read-only registers and locked EEPROM are set too; ``torque_enable`` takes effect as if it were written.
        """
        self._registers.set(self.robot.index[servo], register, value)

    def turn_horn(self, servo: str, ticks: float) -> None:
        """Turn a servo's horn to a position, where it rests, as a hand does while torque is off."""
        self._registers.motion.place(np.array([self.robot.index[servo]]), np.array([float(ticks)]))

    def _pass_time(self, dt_s: float) -> None:
        self._registers.advance(dt_s)
        self._faults.pass_time(dt_s)

    def _fault_began(self, one: ScheduledFault) -> None:
        registers = self._registers
        ids = registers.memory[:, REGISTERS["id"].address]
        for i in one.servos:
            if one.fault.kind == "torque_lost":
                registers.store(i, _TORQUE, b"\0")
            for name, value in eeprom_settings(one, ids, self.robot.index).items():
                one.saved[i] = registers.read(i, name)
                registers.set(i, name, value)
        self._set_conditions()

    def _fault_ended(self, one: ScheduledFault) -> None:
        """Take back what it did to the settings, unless somebody has mended that meanwhile."""
        registers = self._registers
        ids = registers.memory[:, REGISTERS["id"].address]
        for i in one.servos & one.saved.keys():
            for name, value in eeprom_settings(one, ids, self.robot.index).items():
                if registers.read(i, name) == value:
                    registers.set(i, name, one.saved[i])
        self._set_conditions()

    def _set_conditions(self) -> None:
        self._registers.set_conditions(fault_conditions(self._faults.active, len(self.robot.names)))

    def _sent(self, together: list[TimedReply]) -> list[TimedReply]:
        """What comes of servos that answer at the same time: of several, only what their overlap leaves."""
        if len(together) > 1:
            together = [self._overlap(together)]
        if not self._faults.active:
            return together
        return [spoilt for answer in together for spoilt in alter_reply(answer, self._faults)]

    def _overlap(self, together: list[TimedReply]) -> TimedReply:
        skews = [k * self._skew_us(answer.servo) * 1e-6 for k, answer in enumerate(together)]
        begins = [answer.delay_s + skew for answer, skew in zip(together, skews, strict=True)]
        bit_s = 1 / (self._addressing.baud or BAUDS[0])
        offsets = [round((begin - min(begins)) / bit_s) for begin in begins]
        return TimedReply(
            min(begins), superimpose([answer.frame for answer in together], offsets), servo=together[0].servo
        )

    def _skew_us(self, i: int) -> float:
        given = [one.fault.value("skew_us") for one in self._faults.active if one.fault.kind == "same_id"]
        return given[0] if given else _SKEW_US
