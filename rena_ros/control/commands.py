"""What the gate reports about commands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.robot.model import Robot

FAR = 0.05  # of a joint's travel: a policy overshoots its limits by less
_FULL_TURN_DEG, _FULL_TURN_TICKS = 360, 4096


@dataclass(frozen=True)
class CommandOutcome:
    """What became of a command.

    ``last_byte_s``: time of the port at which the last byte of its first goals was on the wire; None when the goals
    leave with the next tick. ``refusal``: why it was refused, None when it is followed; ``malformed``: it would be
    refused at any time. ``clamped``: names of the joints whose positions the limiter changed. ``far``: one line about
    the position farthest outside its limits when that is more than ``FAR`` of the joint's travel, else "".
    """

    last_byte_s: float | None = None
    refusal: str | None = None
    malformed: bool = False
    clamped: tuple[str, ...] = ()
    far: str = ""


@dataclass
class CommandCounts:
    """Numbers of commands since the start: followed (``written``), refused, followed but clamped, clamped far."""

    written: int = 0
    refused: int = 0
    clamped: int = 0
    far: int = 0

    def add(self, outcome: CommandOutcome) -> CommandOutcome:
        """Count what became of a command; returns it."""
        self.refused += outcome.refusal is not None
        self.written += outcome.refusal is None
        self.clamped += bool(outcome.clamped)
        self.far += bool(outcome.far)
        return outcome


def velocities_of(robot: Robot, names: Sequence[str], velocities: Sequence[float]) -> FloatArray | None:
    """Return the velocities of a command for all joints, rad/s (n,), 0 for those it does not name; None without them.

    Velocities of another number than the names, or not finite, count as none. The names have passed the limiter.
    """
    if not len(velocities) or len(velocities) != len(names) or not np.isfinite(velocities).all():
        return None
    planned = np.zeros(len(robot.names))
    planned[[robot.index[name] for name in names]] = velocities
    return planned


def far_outside(robot: Robot, names: Sequence[str], positions: Sequence[float]) -> str:
    """Return the joint farthest outside its limits, its position and the likely cause, or "" (see ``CommandOutcome``).

    The command has passed the limiter: known joints, finite positions.
    """
    where = [robot.index[name] for name in names]
    lower, upper, wanted = robot.lower[where], robot.upper[where], np.asarray(positions, np.float64)
    with np.errstate(over="ignore"):
        beyond = np.maximum(wanted - upper, lower - wanted) / (upper - lower)
    worst = int(np.argmax(beyond))
    if beyond[worst] <= FAR:
        return ""
    name, value, low, high = names[worst], float(wanted[worst]), float(lower[worst]), float(upper[worst])
    text = f"{name} {value:.4g} rad is outside {low:.2f}..{high:.2f} rad"
    if abs(value) <= max(2 * (high - low), 1.0):
        return text
    if abs(value) <= _FULL_TURN_DEG:
        return f"{text}, which looks like degrees: joint positions are radians"
    unit = "ticks" if 0 < value < _FULL_TURN_TICKS else "another unit"
    return f"{text}, which looks like {unit}: joint positions are radians from neutral"
