"""The robot as data: its servos, their limits, the three units, and the one limiter.

Three units, never mixed: **goal** [0, 1] over a servo's limits, **position** in radians from neutral
(positive towards goal 1), **ticks** in raw counts, 4096 to a turn. Arrays follow the order of
``Robot.names``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from rena_ros.base.arrays import Array, FloatArray, IntArray

RAD_PER_TICK = 2 * np.pi / 4096
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Servo:
    """One servo. ``reversed``: goal 1 lies at ``min_ticks`` (the horn is mounted mirrored)."""

    name: str
    id: int
    region: str  # brows, eyes, lids, mouth or head
    min_ticks: int
    neutral_ticks: int
    max_ticks: int
    reversed: bool
    max_speed_rad_s: float
    max_acceleration_rad_s2: float
    antagonists: tuple[str, ...] = ()


@dataclass(frozen=True)
class Band:
    """The values from which on a measurement is a warning or an error; None: not judged."""

    warn: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Thresholds:
    """Limits for the health of every servo, from `thresholds` of the robot file; a missing one is not judged.

    ``temperature_c``, ``voltage_high_v``, ``load`` (fraction of full torque, mean of one second), ``current_a`` and
    ``age_s`` (time since the last reply) are judged upwards, ``voltage_low_v`` downwards. Only ``age_s`` has a default.
    """

    temperature_c: Band = Band()
    voltage_low_v: Band = Band()
    voltage_high_v: Band = Band()
    load: Band = Band()
    current_a: Band = Band()
    age_s: Band = Band(0.25, 1.0)


@dataclass(frozen=True)
class Limited:
    """A command after the limiter.

    ``positions``: the whole robot's target, float64 (n,) rad, always inside the limits.
    ``refusal``: why the command was refused (then ``positions`` is the unchanged previous target), or None.
    ``clamped``: names of the joints whose commanded position was beyond a limit or pulled against an antagonist.
    """

    positions: FloatArray
    refusal: str | None = None
    clamped: tuple[str, ...] = ()


def _column(field: str, dtype: type) -> cached_property[Array]:
    def read(robot: "Robot") -> Array:
        column: Array = np.array([getattr(servo, field) for servo in robot.servos], dtype)
        column.setflags(write=False)
        return column

    return cached_property(read)


@dataclass(frozen=True)
class Robot:
    """A validated set of servos. Build one with ``rena_ros.robot.file.load_robot``."""

    servos: tuple[Servo, ...]
    source: Path | None = None
    thresholds: Thresholds = Thresholds()

    # One number of every servo, (n,), read-only.
    ids = _column("id", int)
    min_ticks = _column("min_ticks", int)  # the lowest permitted ticks
    max_ticks = _column("max_ticks", int)  # the highest permitted ticks
    neutral_ticks = _column("neutral_ticks", int)  # ticks of the neutral face
    max_speed_rad_s = _column("max_speed_rad_s", float)
    max_acceleration_rad_s2 = _column("max_acceleration_rad_s2", float)
    _reversed = _column("reversed", bool)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Servo names; every array of goals, positions or ticks has this order."""
        return tuple(servo.name for servo in self.servos)

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each servo name in the arrays."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def lower(self) -> FloatArray:
        """Position at goal 0, rad, float64 (n,); at most 0."""
        return self._goal_zero_and_one[0]

    @cached_property
    def upper(self) -> FloatArray:
        """Position at goal 1, rad, float64 (n,); at least 0."""
        return self._goal_zero_and_one[1]

    @cached_property
    def neutral_goals(self) -> FloatArray:
        """Goals of the neutral face, float32 (n,)."""
        return self.goals(np.zeros(len(self.servos)))

    @cached_property
    def antagonist_pairs(self) -> tuple[tuple[int, int], ...]:
        """Index pairs of servos that must not both pull away from neutral, each pair once."""
        pairs = [(i, self.index[other]) for i, servo in enumerate(self.servos) for other in servo.antagonists]
        return tuple(sorted({(min(pair), max(pair)) for pair in pairs}))

    def positions(self, goals: FloatArray) -> FloatArray:
        """Goals [0, 1], (..., n) -> positions in rad, float64 (..., n)."""
        return self.lower + np.asarray(goals, np.float64) * (self.upper - self.lower)

    def goals(self, positions: FloatArray) -> FloatArray:
        """Positions in rad, (..., n) -> goals, float32 (..., n); inside the limits, in [0, 1]."""
        return ((np.asarray(positions, np.float64) - self.lower) / (self.upper - self.lower)).astype(np.float32)

    def to_ticks(self, positions: Array) -> IntArray:
        """Positions in rad inside the limits, (n,) -> ticks, int64 (n,).

        Raises ValueError, naming joint and value, when a position is not finite or more than half a
        tick outside its limits: clamping is the task of ``limit`` alone.
        """
        positions = np.asarray(positions, np.float64)
        if positions.shape != (len(self.servos),):
            raise ValueError(f"expected {len(self.servos)} positions, got shape {positions.shape}")
        if not np.isfinite(positions).all():
            i = int(np.flatnonzero(~np.isfinite(positions))[0])
            raise ValueError(f"{self.names[i]}: position {positions[i]} is not finite")
        ticks: IntArray = np.rint(self.neutral_ticks + self._direction * positions / RAD_PER_TICK).astype(np.int64)
        outside = np.flatnonzero((ticks < self.min_ticks) | (ticks > self.max_ticks))
        if outside.size:
            i = int(outside[0])
            raise ValueError(
                f"{self.names[i]}: position {positions[i]:.4f} rad is {ticks[i]} ticks, "
                f"outside {self.min_ticks[i]}..{self.max_ticks[i]}"
            )
        return ticks

    def from_ticks(self, ticks: Array) -> FloatArray:
        """Ticks (..., n) -> positions in rad, float64 (..., n); they may lie outside the limits."""
        return self._direction * (np.asarray(ticks, np.float64) - self.neutral_ticks) * RAD_PER_TICK

    def limit(self, names: Sequence[str], positions: Sequence[float], previous: FloatArray) -> Limited:
        """THE limiter: every command passes here, from any client.

        ``names`` and ``positions`` (rad): the joints to move; the others keep ``previous``, the last
        limited target (n,) rad. In this order: a malformed command (empty, lengths differ, a value not
        finite, a joint unknown or named twice) is refused whole; a value beyond a limit is clamped to it;
        of two antagonists that both pull, each loses the pull of the weaker one, so at most one is away
        from neutral and the result is continuous in the command. ``control.motion`` limits speed and acceleration.
        """
        refusal = self._refusal(names, positions)
        if refusal is not None:
            return Limited(previous.copy(), refusal=refusal)
        target = previous.copy()
        where = [self.index[name] for name in names]
        target[where] = positions
        wanted = target.copy()
        target = np.clip(target, self.lower, self.upper)
        for a, b in self.antagonist_pairs:
            pull_a, pull_b = self._pull(target, a), self._pull(target, b)
            weaker = min(pull_a, pull_b)
            if weaker > 0:
                target[a] *= 1 - weaker / pull_a
                target[b] *= 1 - weaker / pull_b
        clamped = tuple(self.names[i] for i in np.flatnonzero(np.abs(target - wanted) > 1e-9))
        return Limited(target, clamped=clamped)

    def _refusal(self, names: Sequence[str], positions: Sequence[float]) -> str | None:
        if len(names) != len(positions):
            first = f", the first name is {_shown(names[0])}" if len(names) else ""
            return f"{len(names)} names but {len(positions)} positions{first}"
        if not len(names):
            return "it names no joint"
        if len(names) > len(self.names):  # one of these is repeated or unknown, so the rest need no check
            names, positions = names[: len(self.names) + 1], positions[: len(self.names) + 1]
        for name, position in zip(names, positions, strict=True):
            if not np.isfinite(position):
                return f"{_shown(name)}: {position} is not a finite position"
        for name, position in zip(names, positions, strict=True):
            if name not in self.index:
                return f"{_shown(name)} is not a joint of this robot (position {position:.4g})"
        if len(set(names)) != len(names):
            name = next(name for name in names if list(names).count(name) > 1)
            values = [f"{p:.4g}" for n, p in zip(names, positions, strict=True) if n == name]
            return f"{name} is named twice ({', '.join(values)})"
        return None

    def _pull(self, positions: FloatArray, i: int) -> float:
        """How far servo i is away from neutral, as a fraction of its travel on that side, [0, 1]."""
        travel = self.upper[i] if positions[i] > 0 else self.lower[i]
        return float(positions[i] / travel) if travel else 0.0

    @cached_property
    def _direction(self) -> FloatArray:
        return np.where(self._reversed, -1.0, 1.0)

    @cached_property
    def _goal_zero_and_one(self) -> tuple[FloatArray, FloatArray]:
        ends = np.sort([self.from_ticks(self.min_ticks), self.from_ticks(self.max_ticks)], axis=0)
        ends.setflags(write=False)
        return ends[0], ends[1]


def _shown(name: str) -> str:
    """Return a name from any client in a form that fits one line of a log."""
    printable = "".join(c if c.isprintable() else "?" for c in name[:_SHOWN_CHARACTERS])
    return (printable or "a joint without a name") + ("…" if len(name) > _SHOWN_CHARACTERS else "")
