"""The one gate between commands and servos: limiter, motion, ticks, bus; and what happens without commands.

No ROS and no clock of its own: the servos node tells it the time (that of the port), calls ``tick`` a hundred times a
second, ``read`` fifty times and ``check_torque`` once. Every method that uses the bus raises PortLost when the port
vanished; the gate is then disconnected, and limp once the port is back, until somebody switches torque on again.

``stop`` is latched: connected or not, nothing moves and nobody gets torque until ``reset``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.bus.bus import Bus
from rena_ros.bus.registers import Status
from rena_ros.bus.states import BusState, HealthState
from rena_ros.control.motion import EASE, Motion
from rena_ros.control.torque_state import TorqueState
from rena_ros.robot.model import RAD_PER_TICK, Robot

KEEP_ALIVE_S = 0.25  # goals are unacknowledged: while nothing changes they are repeated this often
GENTLE_S = 1.0  # commands within this time after torque went on are followed slowly
MIN_GAP_S = 0.004  # goals are written at once for one command in so long; in a flood the rest wait for the next tick
STALL_S = 0.06  # after a longer pause between ticks the servos have stopped where they were last sent
_INSIDE_RAD = 4 * RAD_PER_TICK  # as much outside its limits still counts as inside
STOPPED = "stopped; the service reset lifts it"


@dataclass(frozen=True)
class CommandOutcome:
    """What became of a command: ``last_byte_s`` (time of the port) of the goals it caused, None when they leave with
    the next tick, or why it was refused; ``clamped``: joints that were asked too much.
    """

    last_byte_s: float | None = None
    refusal: str | None = None
    clamped: tuple[str, ...] = ()


@dataclass
class Commands:
    """How commands fared since the start."""

    written: int = 0
    refused: int = 0
    clamped: int = 0


class Gate:
    """The servos of one robot. Limp and disconnected at first.

    ``torque``: whether it was switched on (which servos are driven: ``torque_state``); ``limp_because``: why not;
    ``torque_off_pending``: torque is switched off as soon as there is a port.
    """

    def __init__(
        self,
        robot: Robot,
        open_bus: Callable[[], Bus],
        period_s: float,
        command_timeout_s: float,
        release_after_s: float = 0.0,
    ) -> None:
        """``period_s``: time between ticks; goals are sent that much ahead, for the servo is on its way meanwhile.
        ``command_timeout_s``: without a command for this long, ease to neutral; ``release_after_s`` later switch
        torque off (0: never). Both may be changed between two ticks.
        """
        self.robot = robot
        self.commands = Commands()
        self.torque_state = TorqueState(robot)
        self.bus: Bus | None = None
        self.torque, self.stopped = False, False
        self.limp_because = "it was not switched on yet"
        self._open_bus = open_bus
        self._period_s = period_s
        self.command_timeout_s, self.release_after_s = command_timeout_s, release_after_s
        self.torque_off_pending = False
        self._motion = Motion(robot, np.zeros(len(robot.names)), 0.0)
        self._state: BusState | None = None
        self._horns = np.zeros(len(robot.names))  # where they were when that was last known, rad
        self._sent: np.ndarray | None = None
        self._sent_s = self._at_once_s = self._alive_s = self._command_s = self._gentle_until_s = -np.inf
        self._easing = self._slow = False

    def connect(self) -> dict[str, int]:
        """Open the port, ask the servos for their return delays (returned in us, by name of who answers) and learn
        whose torque is on.

        Moves nothing and, the first time, switches nothing: a head that is held stays held. After a lost
        connection or a ``stop`` torque is switched off. Raises RenaError when the port cannot be opened
        (PortMissing when it does not exist).
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
        self.bus, self.torque_off_pending, self._state = bus, False, None
        return delays

    def drop_port(self) -> None:
        """Let go of a port that has vanished."""
        if self.bus is not None:
            self.bus.close()
        self.bus, self.torque_off_pending = None, True
        self.torque_state.invalidate()
        self._limp("the port was lost")

    def command(self, names: Sequence[str], positions: Sequence[float], now_s: float) -> CommandOutcome:
        """Follow a command (joint names and rad) and write the first goals on the way at once.

        Refused as a whole when nothing may move or the limiter refuses it (see Robot.limit).
        """
        refusal = self._refusal()
        limited = None if refusal else self.robot.limit(names, positions, self._motion.target)
        if limited is None or limited.refusal:
            self.commands.refused += 1
            return CommandOutcome(refusal=refusal or limited.refusal)
        self._notice_stall(now_s)
        self._motion.follow(limited.positions, now_s, EASE if now_s < self._gentle_until_s else 1.0)
        self._command_s, self._easing = now_s, False
        last_byte_s = None
        if now_s - self._at_once_s >= MIN_GAP_S:
            self._at_once_s = now_s
            last_byte_s = self._write(now_s)
        self.commands.written += 1
        self.commands.clamped += bool(limited.clamped)
        return CommandOutcome(last_byte_s, clamped=limited.clamped)

    def tick(self, now_s: float) -> float | None:
        """Write the next goals on the way when they differ from the last, or the same again now and then.

        Returns when their last byte was on the wire, None when nothing was written. Without commands for too long
        this is where the robot eases to neutral and, later, goes limp.
        """
        if self.bus is None or not self.torque:
            return None
        self._notice_stall(now_s)
        quiet_s = now_s - self._command_s
        if self.release_after_s > 0 and quiet_s > self.command_timeout_s + self.release_after_s:
            self._switch_off(f"no command for {quiet_s:.0f} s")
            return None
        if not self._easing and quiet_s > self.command_timeout_s:
            self._ease(now_s)
        self._motion.update(now_s)
        return self._write(now_s, only_if_changed=now_s - self._sent_s < KEEP_ALIVE_S)

    def read(self, now_s: float) -> BusState:
        """Read the state of all servos. A silent servo gets no goals until ``check_torque`` finds it well."""
        self._state = state = self._connected().read_state()
        self._horns[state.position_known] = self.robot.from_ticks(state.ticks)[state.position_known]
        pulling = self.torque_state.driven | self.torque_state.silent  # a limp horn does not pull
        self._motion.observe(self._horns, pulling)
        if (missed := self.torque_state.mark_silent(state)).any():
            self._motion.hold(missed, now_s)
        return state

    def check_torque(self, now_s: float) -> HealthState:
        """Compare the torque registers with what the servos were told; to be called about once a second.

        Who is back from a silence is taken up where it is; who refused to switch off is asked again.
        """
        bus = self._connected()
        health = bus.read_health()
        held = self.torque_state.silent.copy()
        self.torque_state.update(health)
        state = self.read(now_s) if self.torque and self.torque_state.silent.any() else self._state
        if state is not None:
            here = self.robot.from_ticks(state.ticks)
            # Who is limp pulls no longer: its antagonists need not wait for it.
            back = self.torque_state.resume(health, state) | (held & ~self.torque_state.silent)
            if back.any():
                self._motion.place(back, here, max(now_s, state.stamp_s))
            self._end_slowness(here, now_s)
        self.torque_state.retry_torque_off(bus)
        return health

    def neutral(self, now_s: float) -> str | None:
        """Ease to the resting face; returns why not, when nothing may move."""
        refusal = self._refusal()
        if refusal is None:
            self._ease(now_s)
        return refusal

    def set_torque(self, on: bool) -> dict[str, str]:
        """Switch torque; returns failures by servo name.

        On: whoever is not driven yet is taken up where it is; from limp, all are then eased to neutral. Raises
        RenaError when the port is not connected, or the robot is stopped and should get torque.
        """
        bus = self._connected()
        if not on:
            return self._switch_off("the service set_torque switched it off")
        if self.stopped:
            raise RenaError(STOPPED)
        anew = not self.torque_state.driven.any()
        self.torque = self.torque and not anew  # until it is known to be on, nothing may be written
        taken, state = self.torque_state.switch_on(bus)
        if not taken.any():
            if anew:
                self.torque_state.abandon_switch_on()
                self._limp("it could not be switched on")
            return self.torque_state.refusals
        here, now_s = self.robot.from_ticks(state.ticks), state.stamp_s  # switching on took its time
        self._gentle_until_s, self._sent, self._slow, self.torque = now_s + GENTLE_S, None, True, True
        if anew:
            self._motion.reset(np.where(taken, here, 0.0), now_s)
            self._command_s = self._alive_s = now_s
            self._ease(now_s)
        else:
            self._motion.place(taken, here, now_s)
        return self.torque_state.refusals

    def stop(self) -> dict[str, str]:
        """Latched: every servo limp, each on its own; returns who refuses and why. Not connected: at reconnection."""
        self.stopped = self.torque_off_pending = True
        return self._switch_off("stopped") if self.bus is not None else self._limp("stopped")

    def reset(self) -> None:
        """Lift ``stop``. The robot stays limp."""
        self.stopped = False

    def release(self) -> dict[str, str] | None:
        """Leave: torque off on every servo, port closed. Returns failures by servo name, None when there is no port.

        A port that was lost, were it in the middle of this, is looked for once more: to be called again while it is
        ``torque_off_pending``.
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

    def _refusal(self) -> str | None:
        if self.bus is None:
            return "the port is not connected: looking for it"
        if self.stopped:
            return STOPPED
        if not self.torque:
            return f"torque is off ({self.limp_because}); the service set_torque switches it on"
        if not self.torque_state.driven.any():
            return "no servo follows any more; the service set_torque takes them up again"
        return None

    def _limp(self, why: str) -> dict[str, str]:
        self.torque, self.limp_because = False, why
        return {}

    def _switch_off(self, why: str) -> dict[str, str]:
        self._limp(why)  # first: whatever happens on the wire, no goal follows
        return self.torque_state.switch_off(self._connected())

    def _notice_stall(self, now_s: float) -> None:
        """After a pause (a busy computer, long waiting for silent servos) motion goes on from where it stopped: goals
        that jump to where it would have been by now would be followed at the servo's top speed.
        """
        if now_s - self._alive_s > STALL_S:
            self._motion.halt(now_s)
        self._alive_s = now_s

    def _ease(self, now_s: float) -> None:
        self._easing = True
        self._motion.ease_to_neutral(now_s)

    def _end_slowness(self, here: np.ndarray, now_s: float) -> None:
        """Servos that were switched on outside their limits come in slowly; afterwards they may be as fast as all."""
        inside = (here > self.robot.lower - _INSIDE_RAD) & (here < self.robot.upper + _INSIDE_RAD)
        if self._slow and self.torque and now_s >= self._gentle_until_s and inside[self.torque_state.driven].all():
            self._connected().set_speed_limits()
            self._slow = False

    def _write(self, now_s: float, only_if_changed: bool = False) -> float | None:
        ticks = self.robot.to_ticks(self._motion.at(now_s + self._period_s))
        if only_if_changed and self._sent is not None and (ticks == self._sent).all():
            return None
        who = self.torque_state.driven
        if self._sent is not None and self._state is not None:
            # A goal clears an overload and lets the servo push on: it gets new ones only.
            who &= ~self._state.reports(Status.OVERLOAD) | (ticks != self._sent)
        last_byte_s = self._connected().write_goals(ticks, who)
        self._motion.mark_sent(now_s + self._period_s)
        self._sent, self._sent_s = ticks, now_s
        return last_byte_s

    def _connected(self) -> Bus:
        if self.bus is None:
            raise RenaError("the port is not connected")
        return self.bus
