"""The gate between commands and servos: limiter, motion, ticks, bus; and what happens when commands stop.

The gate uses no ROS and has no clock: its owner (the servos node) passes the time (that of the port) and calls
``tick`` about 100 times a second, ``read`` about 50 times and ``check_torque`` about once. A method that uses the bus
raises PortLost when the port vanished; the owner then calls ``drop_port`` and, until it succeeds, ``connect``.

*Limp*: this gate drives no servo and refuses commands. Torque is off, except where another program left it on, or until
a lost port is back. The robot is limp until ``set_torque`` switches torque on, and again after a lost port, a ``stop``
(latched until ``reset``), ``set_torque(False)``, or ``command_timeout_s + release_after_s`` without a command.
"""

from collections.abc import Callable, Sequence

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.bus.bus import Bus
from rena_ros.bus.registers import Status
from rena_ros.bus.states import BusState, HealthState
from rena_ros.control.commands import CommandCounts, CommandOutcome, far_outside, velocities_of
from rena_ros.control.goal_writer import GoalWriter
from rena_ros.control.motion import EASE_SCALE, Motion
from rena_ros.control.state_reader import LetIn, StateReader, nothing
from rena_ros.control.torque_state import TorqueState
from rena_ros.robot.model import RAD_PER_TICK, Robot

GENTLE_S = 1.0  # commands within this time after torque went on are followed slowly
MIN_GAP_S = 0.004  # a command is written at once if the last such write is this long ago; otherwise with the next tick
PLANNED_GAP_S = 0.0015  # the same for points of a motion planned before: shorter than a frame of goals takes
STALL_S = 0.06  # after a longer pause between ticks or commands the motion starts again, at rest, from the last goals
_TOLERANCE_RAD = 4 * RAD_PER_TICK  # a servo so little outside its limits counts as inside
STOPPED = "stopped; the service reset lifts it"


class Gate:
    """The servos of one robot; limp and disconnected at first.

    Guarantees: connecting moves no servo; no command causes a goal before torque was switched on and read back; its
    goals have passed the limiter and the motion (limits of position, speed and acceleration hold between any two goals;
    of two antagonists one waits at neutral); a servo that is not driven (see ``TorqueState``) gets no goals.

    Of a motion planned before, goals that were late may catch up: over any time they are at most ``BURST_S`` closer
    together than those limits permit. The horn itself keeps the speed limit, which is in the servo's register.

    ``torque``: torque was switched on and not off again; ``torque_state`` says which servos are driven.
    ``limp_because``: why ``torque`` is False. ``stopped``: ``stop`` is latched. ``bus``: None while there is no port.
    ``torque_off_pending``: the next ``connect`` switches torque off. ``commands``: counters. ``goals``: those sent.
    """

    def __init__(
        self,
        robot: Robot,
        open_bus: Callable[[], Bus],
        period_s: float,
        command_timeout_s: float,
        release_after_s: float = 0.0,
    ) -> None:
        """Take the settings; the port stays closed until ``connect``.

        ``open_bus`` opens a bus on the port and raises RenaError when it cannot. ``period_s``: time between two ticks;
        goals lie that far ahead, because the servo needs that long to reach them. ``command_timeout_s``: time without
        a command after which the robot eases to neutral. ``release_after_s``: time after that until torque is switched
        off (0: never). The last two may be changed between two ticks.
        """
        self.robot = robot
        self.commands, self.torque_state = CommandCounts(), TorqueState(robot)
        self.bus: Bus | None = None
        self.torque = self.stopped = self.torque_off_pending = False
        self.limp_because = "it was not switched on yet"
        self.command_timeout_s, self.release_after_s = command_timeout_s, release_after_s
        self._open_bus, self._period_s = open_bus, period_s
        self._motion = Motion(robot, np.zeros(len(robot.names)), 0.0)
        self._reader = StateReader(robot, self.torque_state, self._motion)
        self.goals = GoalWriter()
        self._written_at_once_s = self._last_call_s = self._command_s = self._gentle_until_s = -np.inf
        self._eased = self._slowed = False  # eases, or is at neutral, until a command; speed limits are still reduced

    def connect(self) -> dict[str, int]:
        """Open the port; read the servos' return delays and torque registers.

        Moves no servo. Switches torque off only where it is pending (after a lost port or a ``stop``), so servos that
        another program left holding keep their torque at the first connection. Returns the return delays in us, by
        name, of the servos that reply. Raises RenaError when the port cannot be opened (PortMissing when it does not
        exist, PortLost when it vanishes meanwhile); the port is closed then.
        """
        bus = self._open_bus()
        self.torque_state.invalidate()
        try:
            delays = bus.read_return_delays()
            if self.torque_off_pending:
                self.torque_state.switch_off(bus)
            self.torque_state.update(bus.read_health())
        except BaseException:
            bus.close()
            raise
        self._reader.forget()
        self.bus, self.torque_off_pending = bus, False
        return delays

    def drop_port(self) -> None:
        """Close a port that has vanished; torque is switched off at the next ``connect``."""
        if self.bus is not None:
            self.bus.close()
        self.bus, self.torque_off_pending = None, True
        self.torque_state.invalidate()
        self._become_limp("the port was lost")

    def command(
        self,
        names: Sequence[str],
        positions: Sequence[float],
        now_s: float,
        new_stream: bool = False,
        velocities: Sequence[float] = (),
        stamp_s: float = np.nan,
    ) -> CommandOutcome:
        """Follow a command (joint names, rad) and write its first goals at once.

        ``new_stream``: the last command was another source's: the way between the two says nothing about a speed. With
        ``velocities``, rad/s, it is a point of a motion planned before, kept as it is where that keeps the limits.
        ``stamp_s``: of what it was made from, s of any clock; NaN: unknown.
        Refused as a whole, and without effect, while the gate is disconnected, stopped or limp, or when the limiter
        refuses it (see ``Robot.limit``). Raises PortLost.
        """
        limited = self.robot.limit(names, positions, self._motion.target)
        if refusal := self.refusal or limited.refusal:
            return self.commands.add(CommandOutcome(refusal=refusal, malformed=self.refusal is None))
        self._notice_stall(now_s)
        if new_stream:
            self._motion.end_stream()
        velocity = velocities_of(self.robot, names, velocities)
        scale = EASE_SCALE if now_s < self._gentle_until_s else 1.0
        self._motion.follow(limited.positions, now_s, scale, velocity, stamp_s)
        self._command_s, self._eased = now_s, False
        last_byte_s = None
        if now_s - self._written_at_once_s >= (MIN_GAP_S if velocity is None else PLANNED_GAP_S):
            self._written_at_once_s = now_s
            last_byte_s = self._write(now_s)
        far = far_outside(self.robot, names, positions) if limited.clamped else ""
        return self.commands.add(CommandOutcome(last_byte_s, clamped=limited.clamped, far=far))

    def tick(self, now_s: float) -> float | None:
        """Write the next goals of the motion; unchanged goals only now and then.

        Eases to neutral after ``command_timeout_s`` without a command and switches torque off ``release_after_s``
        later. Returns when the last byte was on the wire, None when nothing was written. Raises PortLost.
        """
        if self.bus is None or not self.torque:
            return None
        self._notice_stall(now_s)
        quiet_s = now_s - self._command_s
        if self.release_after_s > 0 and quiet_s > self.command_timeout_s + self.release_after_s:
            self._switch_off(f"no command for {quiet_s:.0f} s")
            return None
        if not self._eased and quiet_s > self.command_timeout_s:
            self._ease(now_s)
        self._motion.update(now_s)
        return self._write(now_s, only_if_due=True)

    def read(self, let_in: LetIn = nothing) -> BusState | None:
        """Read the state of all servos in slices, between which ``let_in`` may call every other method but reads.

        A servo that has been silent for ``BLIND_S``, or does not know its position, gets no goals until
        ``check_torque`` finds it well. Returns None when the read was dropped, because torque was switched or the port
        was lost meanwhile. Raises PortLost, and RenaError while disconnected.
        """
        return self._reader.run(self._reader.read(self._connected()), let_in)

    def check_torque(self, now_s: float, let_in: LetIn = nothing) -> HealthState | None:
        """Compare the torque registers with what was commanded; to be called about once a second.

        A servo that was silent and kept its torque is driven again from where it stands; one that did not switch
        off, or lost its speed limit, is switched off again. Restores speed limits when due. As ``read`` otherwise.
        """
        bus = self._connected()
        health = self._reader.run(self._reader.check_torque(bus, now_s, self.torque), let_in)
        if health is not None:
            if (state := self._reader.state) is not None:
                self._restore_speed(self.robot.from_ticks(state.ticks), now_s)
            self.torque_state.retry_torque_off(bus)
        return health

    def neutral(self, now_s: float) -> str | None:
        """Ease to neutral; returns the refusal while disconnected, stopped or limp, or None."""
        if not (refusal := self.refusal):
            self._ease(now_s)
        return refusal

    def set_torque(self, on: bool) -> dict[str, str]:
        """Switch torque; returns failures by servo name.

        On: every servo that is not driven gets torque at its present position; if none was driven, the robot then eases
        to neutral, and commands of the next ``GENTLE_S`` are followed slowly. When no servo comes on, the robot stays
        limp. Off: every servo is switched off, whatever the others reply. Raises PortLost, and RenaError while
        disconnected, or when the robot is stopped and should get torque.
        """
        bus = self._connected()
        self._reader.drop()
        if not on:
            return self._switch_off("the service set_torque switched it off")
        if self.stopped:
            raise RenaError(STOPPED)
        none_driven = not self.torque_state.driven.any()
        self.torque = self.torque and not none_driven  # until torque is known to be on, nothing may be written
        newly_driven, state = self.torque_state.switch_on(bus)
        if not newly_driven.any():
            if none_driven:
                self.torque_state.abandon_switch_on()
                self._become_limp("it could not be switched on")
            return self.torque_state.refusals
        positions, now_s = self.robot.from_ticks(state.ticks), state.stamp_s  # switching on took time
        self._gentle_until_s, self._slowed, self.torque = now_s + GENTLE_S, True, True
        self.goals.forget()
        if none_driven:
            self._motion.reset(np.where(newly_driven, positions, 0.0), now_s)
            self._command_s = self._last_call_s = now_s
            self._ease(now_s)
        else:
            self._motion.place(newly_driven, positions, now_s)
        return self.torque_state.refusals

    def stop(self) -> dict[str, str]:
        """Switch torque off on every servo and latch it until ``reset``; returns failures by servo name.

        While disconnected, the next ``connect`` switches torque off. Raises PortLost; the stop is latched all the same.
        """
        self.stopped = self.torque_off_pending = True
        self._become_limp("stopped")
        return self.torque_state.switch_off(self.bus) if self.bus is not None else {}

    def reset(self) -> None:
        """Lift ``stop``; the robot stays limp."""
        self.stopped = False

    def release(self) -> dict[str, str] | None:
        """Switch torque off on every servo and close the port; returns failures by servo name.

        A port that was lost is opened once more. Returns None when there is no port, or when it vanishes meanwhile
        (nothing is raised): the caller may call again while ``torque_off_pending``.
        """
        try:
            if self.bus is not None:
                return self._switch_off("the node is leaving")
            if self.torque_off_pending:
                self.connect()
                return self.torque_state.refusals
        except RenaError:
            self.torque_off_pending = True
        finally:
            if self.bus is not None:
                self.bus.close()
                self.bus = None
        return None

    @property
    def refusal(self) -> str | None:
        """Why any command would be refused now, or None."""
        if self.bus is None:
            return "the port is not connected: looking for it"
        if self.stopped:
            return STOPPED
        if not self.torque:
            return f"torque is off ({self.limp_because}); the service set_torque switches it on"
        if not self.torque_state.driven.any():
            return "no servo is driven any more; the service set_torque switches torque on again"
        return None

    def _become_limp(self, why: str) -> None:
        self._reader.drop()
        self.torque, self.limp_because = False, why

    def _switch_off(self, why: str) -> dict[str, str]:
        self._become_limp(why)  # first, so that no goal follows whatever happens on the wire
        return self.torque_state.switch_off(self._connected())

    def _notice_stall(self, now_s: float) -> None:
        if now_s - self._last_call_s > STALL_S:  # a busy computer, or long waiting for silent servos
            self._motion.restart_from_sent(now_s)  # else the next goals jump, and servos chase them at top speed
        self._last_call_s = now_s

    def _ease(self, now_s: float) -> None:
        self._eased = True
        self._motion.ease_to_neutral(now_s)

    def _restore_speed(self, positions: FloatArray, now_s: float) -> None:
        """Write the speed limits again once every servo that was switched on outside its limits is inside."""
        inside = (positions > self.robot.lower - _TOLERANCE_RAD) & (positions < self.robot.upper + _TOLERANCE_RAD)
        if self._slowed and self.torque and now_s >= self._gentle_until_s and inside[self.torque_state.driven].all():
            self._connected().set_speed_limits()
            self._slowed = False

    def _write(self, now_s: float, only_if_due: bool = False) -> float | None:
        ticks = self.robot.to_ticks(self._motion.at(now_s + self._period_s))
        if only_if_due and not self.goals.is_due(ticks, now_s):
            return None
        state = self._reader.state
        overloaded = False if state is None else state.reports(Status.OVERLOAD)
        velocity = self._motion.velocity(now_s + self._period_s)
        last_byte_s = self.goals.write(self._connected(), ticks, velocity, self.torque_state.driven, overloaded, now_s)
        self._motion.mark_sent(now_s + self._period_s)
        return last_byte_s

    def _connected(self) -> Bus:
        if self.bus is None:
            raise RenaError("the port is not connected")
        return self.bus
