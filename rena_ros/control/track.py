"""A motion that was planned before: whether its next point keeps the limits, so that it may be followed as it is.

Planning it once more would change it: every trajectory depends on when its commands came and on when goals were sent,
and 0.3 ms more or less move a goal by up to 60 ticks (simulated with a recorded run of `rena mimic`).
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.robot.model import RAD_PER_TICK, Robot

COAST_S = 0.045  # points are 10 ms apart; where two processes share a core, one may be 30 ms late
BURST_S = 0.05  # points may come this much earlier than the limits permit, once they came that much too late
FIRST_S = 0.02  # the same for the first point of a motion: nothing of it was late
_STILL_RAD_S = 1e-3
_SPARE_RAD = 2 * RAD_PER_TICK  # points are rounded to ticks
_SPARE_RATIO = 1.02  # and speeds to what was sent


@dataclass(frozen=True)
class LastPoint:
    """The newest point of a motion, and the way on which the joints stop when none follows.

    ``position`` rad (n,), ``velocity`` rad/s (n,), ``deceleration`` > 0 rad/s2 (n,). ``time_s``: for which time it was
    sent; None while it was not.
    """

    position: FloatArray
    velocity: FloatArray
    deceleration: FloatArray
    time_s: float | None = None

    @property
    def state(self) -> tuple[list[float], list[float], list[float]]:
        """Positions, speeds and accelerations of the point."""
        return self.position.tolist(), self.velocity.tolist(), [0.0] * len(self.position)

    @property
    def end(self) -> FloatArray:
        """Where the joints stop, rad (n,)."""
        way = self.velocity * np.abs(self.velocity) / (2 * self.deceleration)
        end: FloatArray = self.position + np.where(np.abs(self.velocity) > _STILL_RAD_S, way, 0.0)
        return end

    def braking(self, time_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return positions, speeds and accelerations at ``time_s`` of the way to a stop."""
        since_s = 0.0 if self.time_s is None else max(time_s - self.time_s, 0.0)
        stopped = since_s * self.deceleration >= np.abs(self.velocity) - _STILL_RAD_S
        pull = -np.sign(self.velocity) * self.deceleration
        position = np.where(stopped, self.end, self.position + self.velocity * since_s + pull * since_s**2 / 2)
        return position, np.where(stopped, 0.0, self.velocity + pull * since_s), np.where(stopped, 0.0, pull)


class TrackLimits:
    """Keeps the limits of speed and acceleration of points that come at irregular times.

    Each point needs a time: the shortest in which a joint gets there from the last one, from its velocity to the next,
    within the limits. A point is accepted while the needed times add up to no more than the time that has passed,
    ``BURST_S`` aside: over any longer time, the limits hold. There must also be room to stop.
    """

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._top_speed = robot.max_speed_rad_s * _SPARE_RATIO
        self._top_acceleration = robot.max_acceleration_rad_s2 * _SPARE_RATIO
        self._used_s = -np.inf

    def accepts(
        self, before: tuple[FloatArray, FloatArray], point: tuple[FloatArray, FloatArray], now_s: float, first: bool
    ) -> bool:
        """Return whether ``point``, its positions rad (n,) and velocities rad/s (n,), may follow ``before``.

        ``first``: ``before`` is what was sent last, no point of this motion.
        """
        if (np.abs(point[1]) > self._top_speed).any() or not self._can_stop(*point):
            return False
        used_s = max(self._used_s, now_s - (FIRST_S if first else BURST_S)) + self._needed_s(before, point)
        if used_s > now_s:
            return False
        self._used_s = used_s
        return True

    def _can_stop(self, position: FloatArray, velocity: FloatArray) -> bool:
        """Return whether the joints can stop inside their limits, no two antagonists away from neutral."""
        robot = self._robot
        end = LastPoint(position, velocity, self._top_acceleration).end
        inside = (end > robot.lower - _SPARE_RAD) & (end < robot.upper + _SPARE_RAD)
        away = np.abs(end) > RAD_PER_TICK / 2
        return bool(inside.all()) and not any(away[a] and away[b] for a, b in robot.antagonist_pairs)

    def _needed_s(self, before: tuple[FloatArray, FloatArray], point: tuple[FloatArray, FloatArray]) -> float:
        """Return the shortest time from one point to the next, s.

        In a time t, with accelerations up to a, a joint gets m t farther, m the mean of both velocities, give or take
        a t^2 / 4 less (change of velocity)^2 / 4 a.
        """
        (position, velocity), (to, towards) = before, point
        way, mean, a = to - position, (velocity + towards) / 2, self._top_acceleration
        turn_s = np.abs(towards - velocity) / a
        bend = a * turn_s**2 / 4
        needed_s = np.maximum(turn_s, (np.abs(way) - _SPARE_RAD) / self._top_speed)
        for sign in (1.0, -1.0):  # it gets far enough, and no farther
            far = sign * way - _SPARE_RAD
            root = np.sqrt(np.maximum(mean**2 + a * (far + bend), 0.0))
            early_s, late_s = 2 / a * (-sign * mean - root), 2 / a * (-sign * mean + root)
            needed_s = np.where((early_s < needed_s) & (needed_s < late_s), late_s, needed_s)
        return float(needed_s.max())
