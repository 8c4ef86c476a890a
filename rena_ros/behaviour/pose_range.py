"""Head poses beyond the reach of the robot's own neck: they hold the edge, and the neck goes to its end.

A network has learnt the poses of the robot's own head. Turned further, its answer bends back: a person who looks away
by 45 degrees would make the robot look ahead again. And the coefficients and landmarks of a face that is turned far are
not as any that it has learnt. Where the neck belongs is known all the same: at its end.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.robot.model import Robot

NECK = ("neck_yaw", "neck_pitch", "neck_roll")  # in the order of the pose at the end of a reading
_TURN_RAD = np.deg2rad(10.0)  # far enough to see which way a model turns the neck
_LEAST_ANSWER = 0.05  # of a goal: a neck that answers less does not follow this axis
_MARGIN = 1.1  # poses within the robot's own range, and a tenth more, are never held
_LEAD_RAD = np.deg2rad(5.0)  # so far beyond the edge, the neck is at its end


@dataclass(frozen=True)
class PoseRange:
    """The range of yaw, pitch and roll, rad (3,) each, and the servo that follows each of them.

    ``servos``: their indices, (3,); ``ends``: their goals beyond the lower and the upper edge, (2, 3).
    """

    low: FloatArray
    high: FloatArray
    servos: IntArray
    ends: FloatArray

    def hold(self, features: FloatArray) -> FloatArray:
        """Return features (n, 55) with the pose clamped to the range."""
        held = features.copy()
        held[:, -3:] = np.clip(features[:, -3:], self.low, self.high)
        return held

    def lead(self, goals: FloatArray, features: FloatArray) -> FloatArray:
        """Lead the neck's goals of held features to the ends while the pose of ``features`` goes beyond an edge.

        ``goals``: (n, servos) of ``hold(features)``. The coefficients of a face that is turned far change, too, and
        would move the neck to and fro.
        """
        goals, pose = goals.copy(), features[:, -3:]
        for end, beyond in zip(self.ends, (self.low - pose, pose - self.high), strict=True):
            share = np.clip(beyond / _LEAD_RAD, 0, 1).astype(np.float32)
            for axis, servo in enumerate(self.servos):
                goals[:, servo] += share[:, axis] * (end[axis] - goals[:, servo])
        return goals


def measure_pose_range(run: Callable[[FloatArray], FloatArray], rest: FloatArray, robot: Robot) -> PoseRange:
    """Return the range of the robot's own neck, and its ends as the model's answer tells which is which.

    ``run``: features (n, 55) -> goals (n, servos) in [0, 1]; ``rest``: features (55,) of the robot's face at rest. An
    axis that no servo of the neck follows has no range.
    """
    low, high = np.full(3, -np.inf, np.float32), np.full(3, np.inf, np.float32)
    servos, ends = np.zeros(3, int), np.zeros((2, 3), np.float32)
    for axis, name in enumerate(NECK):
        if name not in robot.index:
            continue
        turned = np.repeat(np.asarray(rest, np.float32)[None], 2, axis=0)
        turned[:, axis - 3] += [-_TURN_RAD, _TURN_RAD]
        i = robot.index[name]
        left, right = run(turned)[:, i]
        if abs(right - left) < _LEAST_ANSWER:
            continue
        servos[axis] = i
        low[axis], high[axis] = rest[axis - 3] + _MARGIN * np.array([robot.lower[i], robot.upper[i]])
        ends[:, axis] = [0.0, 1.0] if right >= left else [1.0, 0.0]
    return PoseRange(low, high, servos, ends)
