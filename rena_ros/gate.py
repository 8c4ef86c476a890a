"""The one gate between commands and servos: limiter, motion, ticks, bus; and what happens without commands.

No ROS and no clock of its own: the servos node tells it the time (time.monotonic() seconds) and calls
``tick`` a hundred times a second. Every method that uses the bus raises PortLost when the port vanished;
the gate is then disconnected, and limp once the port is back, until somebody switches torque on again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.bus.bus import Bus, BusState
from rena_ros.bus.port import PortLost
from rena_ros.errors import RenaError
from rena_ros.motion import EASE, Motion
from rena_ros.robot import Robot

KEEP_ALIVE_S = 0.25  # goals are unacknowledged: while nothing changes they are repeated this often
GENTLE_S = 1.0  # commands within this time after torque went on are followed slowly


@dataclass(frozen=True)
class Outcome:
    """What became of a command: ``last_byte_s`` (time.monotonic()) of the goals it caused, or why it was
    refused; ``clamped``: joints that were asked too much."""

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
    """The servos of one robot. Limp and disconnected at first."""

    def __init__(
        self,
        robot: Robot,
        open_bus: Callable[[], Bus],
        period_s: float,
        command_timeout_s: float,
        release_after_s: float = 0.0,
    ) -> None:
        """``period_s``: time between ticks; goals are sent that much ahead, for the servo is on its way
        meanwhile. ``command_timeout_s``: without a command for this long, ease to neutral."""
        self.robot = robot
        self.commands = Commands()
        self.bus: Bus | None = None
        self.torque = False
        self._open_bus = open_bus
        self._period_s, self._timeout_s = period_s, command_timeout_s
        self._was_lost = False
        self._motion = Motion(robot, np.zeros(len(robot.names)), 0.0)
        self._sent: np.ndarray | None = None
        self._sent_s = self._command_s = self._gentle_until_s = -np.inf
        self._easing = False

    def connect(self) -> dict[str, int]:
        """Open the port and ask the servos for their return delays, in us by name of who answers.

        Moves nothing. After a lost connection torque is switched off: what the servos still hold is old.
        Raises RenaError when the port cannot be opened (PortMissing when it does not exist).
        """
        bus = self._open_bus()
        try:
            delays = bus.survey()
            if self._was_lost:
                bus.set_torque(False)
        except BaseException:
            bus.close()
            raise
        self.bus, self._was_lost = bus, False
        return delays

    def lost(self) -> None:
        """Let go of a port that has vanished."""
        if self.bus is not None:
            self.bus.close()
        self.bus, self.torque, self._was_lost = None, False, True

    def command(self, names: Sequence[str], positions: Sequence[float], now_s: float) -> Outcome:
        """Follow a command (joint names and rad) and write the first goals on the way at once.

        Refused as a whole when torque is off or the limiter refuses it (see Robot.limit).
        """
        refusal = None if self.bus else "the port is not connected"
        if refusal is None and not self.torque:
            refusal = "torque is off; the service set_torque switches it on"
        limited = None if refusal else self.robot.limit(names, positions, self._motion.target)
        if limited is None or limited.refusal:
            self.commands.refused += 1
            return Outcome(refusal=refusal or limited.refusal)
        self._motion.follow(limited.positions, now_s, EASE if now_s < self._gentle_until_s else 1.0)
        self._command_s, self._easing = now_s, False
        last_byte_s = self._write(now_s)
        self.commands.written += 1
        self.commands.clamped += bool(limited.clamped)
        return Outcome(last_byte_s, clamped=limited.clamped)

    def tick(self, now_s: float) -> None:
        """Write the next goals on the way when they differ from the last, or the same again now and then."""
        if self.bus is None or not self.torque:
            return
        if not self._easing and now_s - self._command_s > self._timeout_s:
            self._ease(now_s)
        self._motion.update(now_s)
        self._write(now_s, only_if_changed=now_s - self._sent_s < KEEP_ALIVE_S)

    def read(self) -> BusState:
        """The state of all servos, now."""
        return self._connected().read_state()

    def neutral(self, now_s: float) -> str | None:
        """Ease to the resting face; returns why not, when torque is off."""
        if not self.torque:
            return "torque is off; the service set_torque switches it on"
        self._ease(now_s)
        return None

    def set_torque(self, on: bool, now_s: float) -> dict[str, str]:
        """Switch torque; returns failures by servo name. On: from where the servos are, eased to neutral."""
        bus = self._connected()
        self.torque = False  # until it is known to be on, nothing may be written
        failures = bus.set_torque(on)
        if 0 < len(failures) < len(self.robot.names) / 2:
            # A busy computer can miss all answers of one servo. (Not when most are silent: leaving must be quick.)
            failures = bus.set_torque(on)
        if on and len(failures) < len(self.robot.names):
            state = bus.read_state()
            known = np.isfinite(state.seen_s)
            self._motion.reset(np.where(known, self.robot.from_ticks(state.ticks), 0.0), now_s)
            self._sent, self._gentle_until_s, self.torque = None, now_s + GENTLE_S, True
            self._ease(now_s)
        return failures

    def release(self) -> dict[str, str]:
        """Leave: torque off on every servo, port closed. Returns failures by servo name."""
        if self.bus is None:
            return {}
        try:
            return self.set_torque(False, 0.0)
        except PortLost as error:
            return dict.fromkeys(self.robot.names, str(error))
        finally:
            if self.bus is not None:
                self.bus.close()
            self.bus = None

    def _ease(self, now_s: float) -> None:
        self._easing = True
        self._motion.ease_to_neutral(now_s)

    def _write(self, now_s: float, only_if_changed: bool = False) -> float | None:
        ticks = self.robot.to_ticks(self._motion.at(now_s + self._period_s))
        if only_if_changed and self._sent is not None and (ticks == self._sent).all():
            return None
        last_byte_s = self._connected().write_goals(ticks)
        self._sent, self._sent_s = ticks, now_s
        return last_byte_s

    def _connected(self) -> Bus:
        if self.bus is None:
            raise RenaError("the port is not connected")
        return self.bus
