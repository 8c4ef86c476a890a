"""How much later than its capture a picture is stamped: the neck moves, and picture and horn are matched.

The stamps of a camera tell when a picture arrived; exposure, transfer and buffers lie before that. While the neck turns
smoothly, the yaw that is read in the pictures is the horn's angle some time ago: that time is the delay.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.robot.model import Robot

NECK = "neck_yaw"
MOTION_S = 20.0
SHORTEST_S, LONGEST_S = -0.2, 1.0  # delays that are looked for; clocks of two machines may differ a little
MIN_CORRELATION = 0.9
MIN_READINGS = 50
_STEP_S = 0.005
_FREQUENCIES_HZ, _SHARES = (0.23, 0.41, 0.67), (0.45, 0.33, 0.22)  # no common period: one delay fits, not several
_REACH, _REACH_RAD, _FADE_S = 0.6, 0.25, 2.0


@dataclass(frozen=True)
class DelayEstimate:
    """``delay_s``: stamp minus capture. ``correlation``: of picture and horn, negative for a mirrored picture.

    ``readings``: how many pictures it is from.
    """

    delay_s: float
    correlation: float
    readings: int


class DelayMeasurement:
    """The motion of the neck, and what is seen of it meanwhile."""

    def __init__(self, robot: Robot) -> None:
        """Raises RenaError for a robot that has no neck_yaw."""
        if NECK not in robot.index:
            raise RenaError(f"the camera's delay cannot be measured: the robot has no servo {NECK}")
        self._robot, self._neck = robot, robot.index[NECK]
        travel = min(-robot.lower[self._neck], robot.upper[self._neck])
        self._reach_rad = min(_REACH * float(travel), _REACH_RAD)
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._horn: list[tuple[int, float]] = []
        self._seen: list[tuple[int, float]] = []

    def target(self, elapsed_s: float) -> FloatArray:
        """Return where the servos are to be ``elapsed_s`` after the beginning, float64 (n,) rad: the neck turns."""
        target = np.zeros(len(self._robot.names))
        waves = sum(
            share * np.sin(2 * np.pi * frequency_hz * elapsed_s)
            for share, frequency_hz in zip(_SHARES, _FREQUENCIES_HZ, strict=True)
        )
        fade = np.clip(min(elapsed_s, MOTION_S - elapsed_s) / _FADE_S, 0.0, 1.0)
        target[self._neck] = self._reach_rad * fade * waves
        return target

    def horn(self, stamp_ns: int, positions: FloatArray) -> None:
        """Add a state, (n,) rad."""
        if np.isfinite(positions[self._neck]):
            self._horn.append((stamp_ns, float(positions[self._neck])))

    def seen(self, image_ns: int, head_yaw: float) -> None:
        """Add the yaw read in a picture, rad."""
        self._seen.append((image_ns, head_yaw))

    def estimate(self) -> DelayEstimate:
        """Return the delay. Raises RenaError as ``estimate_delay`` does."""
        if not self._horn or not self._seen:
            raise RenaError("the camera's delay cannot be measured: no picture shows the face while the neck moves")
        origin_ns = self._horn[0][0]
        horn, seen = (
            np.array([((stamp_ns - origin_ns) * 1e-9, angle) for stamp_ns, angle in rows]).T
            for rows in (self._horn, self._seen)
        )
        return estimate_delay(horn[0], horn[1], seen[0], seen[1])


def estimate_delay(horn_s: FloatArray, horn_rad: FloatArray, seen_s: FloatArray, seen_rad: FloatArray) -> DelayEstimate:
    """Return by how much ``seen_rad`` (m,), read at ``seen_s``, lags behind ``horn_rad`` (k,) at ``horn_s``, rising.

    For each delay the horn's angle is interpolated at the supposed captures; the best delay is the one at which both
    correlate most, between the steps by a parabola. Raises RenaError when there are too few readings, and when no delay
    makes them correlate.
    """
    covered = (seen_s - LONGEST_S >= horn_s[0]) & (seen_s - SHORTEST_S <= horn_s[-1])
    seen_s, seen_rad = seen_s[covered], seen_rad[covered]
    failed = "the camera's delay cannot be measured: "
    if len(seen_s) < MIN_READINGS:
        raise RenaError(f"{failed}only {len(seen_s)} pictures show the face while the neck moves; check the camera")
    delays_s = np.arange(SHORTEST_S, LONGEST_S + _STEP_S / 2, _STEP_S)
    fits = np.array([_correlation(np.interp(seen_s - delay_s, horn_s, horn_rad), seen_rad) for delay_s in delays_s])
    best = int(np.argmax(np.abs(fits)))
    if abs(fits[best]) < MIN_CORRELATION:
        raise RenaError(
            f"{failed}the pictures do not show how the neck moves (correlation {abs(fits[best]):.2f}); "
            "let the camera see the robot's face alone, without a person in the picture"
        )
    if best in (0, len(delays_s) - 1):
        raise RenaError(f"{failed}it is not between {SHORTEST_S:g} and {LONGEST_S:g} s; check the clocks")
    before, peak, after = np.abs(fits[best - 1 : best + 2])
    curve = before - 2 * peak + after
    shift = 0.5 * (before - after) / curve if curve else 0.0
    return DelayEstimate(float(delays_s[best] + shift * _STEP_S), float(fits[best]), len(seen_s))


def _correlation(first: FloatArray, second: FloatArray) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale else 0.0
