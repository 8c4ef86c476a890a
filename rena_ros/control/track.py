"""A motion that was planned before: whether its next point keeps the limits, so that it may be followed as it is.

Planning it once more would change it: every trajectory depends on when its commands came and on when goals were sent,
and 0.3 ms more or less move a goal by up to 60 ticks (simulated with a recorded run of `rena mimic`).
"""

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.robot.model import RAD_PER_TICK, Robot

BURST_S = (
    0.06  # points may come this much earlier than the limits permit, once they came that much too late (as STALL_S)
)
_SPARE_RAD = 2 * RAD_PER_TICK  # points are rounded to ticks
_SPARE_RATIO = 1.02  # and speeds to what was sent


class TrackLimits:
    """Keeps the limits of speed and acceleration of points that come at irregular times.

    Each point needs a time: that of the way from the last one at the highest speed, and with the highest acceleration
    from its velocity on, and that of the change of velocity. A point is accepted while the needed times add up to no
    more than the time that has passed, ``BURST_S`` aside: over any longer time, the limits hold.
    """

    def __init__(self, robot: Robot) -> None:
        self._top_speed = robot.max_speed_rad_s * _SPARE_RATIO
        self._top_acceleration = robot.max_acceleration_rad_s2 * _SPARE_RATIO
        self._used_s = -np.inf

    def accepts(
        self, before: tuple[FloatArray, FloatArray], point: tuple[FloatArray, FloatArray], now_s: float
    ) -> bool:
        """Return whether ``point``, its positions rad (n,) and velocities rad/s (n,), may follow ``before``."""
        (position, velocity), (to, towards) = before, point
        way = np.maximum(np.abs(to - position) - _SPARE_RAD, 0.0)
        fastest, top_acceleration = np.maximum(np.abs(velocity), np.abs(towards)), self._top_acceleration
        if (fastest > self._top_speed).any():
            return False
        # In a time t the way may be (fastest + a t / 2) t: the velocity may have risen and fallen in between.
        way_s = (np.sqrt(fastest**2 + 2 * top_acceleration * way) - fastest) / top_acceleration
        turn_s = np.abs(towards - velocity) / top_acceleration
        needed_s = float(np.max([way / self._top_speed, way_s, turn_s]))
        used_s = max(self._used_s, now_s - BURST_S) + needed_s
        if used_s > now_s:
            return False
        self._used_s = used_s
        return True
