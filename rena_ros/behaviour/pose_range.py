"""The head poses that a model answers sensibly; poses beyond hold the edge.

A network has learnt the poses of the robot's own head. Turned further, its answer bends back: a person who looks away
by 45 degrees would make the robot look ahead again. The range is measured on the network itself, by turning the robot's
resting face.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.robot.model import Robot

NECK = ("neck_yaw", "neck_pitch", "neck_roll")  # in the order of the pose at the end of a reading
_SWEEP_RAD = np.deg2rad(np.arange(-60.0, 61.0))
_MIDDLE = len(_SWEEP_RAD) // 2
_EQUAL, _BACK = 0.003, 0.01  # goals that differ by less count as equal; a turn back is larger than this
_MARGIN = 1.1  # poses within the robot's own range, and a tenth more, are never held
_LEAD_RAD = np.deg2rad(5.0)  # so far beyond the edge, the coefficients of the turned face no longer move the neck
_NEAR_END = 0.15  # an edge so near to 0 or 1 stands for it


@dataclass(frozen=True)
class PoseRange:
    """The range of yaw, pitch and roll, rad (3,) each, and the servo that answers each of them.

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
            goals[:, self.servos] += share * (end - goals[:, self.servos])
        return goals


def measure_pose_range(run: Callable[[FloatArray], FloatArray], rest: FloatArray, robot: Robot) -> PoseRange | None:
    """Measure the range of a model, or return None when its answer never turns back within 60 degrees.

    ``run``: features (n, 55) -> goals (n, servos) in [0, 1]; ``rest``: features (55,) of the robot's face at rest.
    """
    edges, servos, ends = [], [], []
    turns_back = False
    for axis, name in enumerate(NECK):
        features = np.repeat(np.asarray(rest, np.float32)[None], len(_SWEEP_RAD), axis=0)
        features[:, axis - 3] += _SWEEP_RAD
        goals = run(features)
        near = goals[_MIDDLE - 10 : _MIDDLE + 11]
        servo = int(np.abs(near[-1] - near[0]).argmax())  # the one that answers this axis
        rising = 1 if near[-1, servo] >= near[0, servo] else -1
        answer = rising * goals[:, servo]
        upper, lower = _furthest(answer[_MIDDLE:]), _furthest(-answer[_MIDDLE::-1])
        turns_back |= bool(answer[_MIDDLE + upper :].min() < answer[_MIDDLE + upper] - _BACK)
        turns_back |= bool(answer[: _MIDDLE - lower + 1].max() > answer[_MIDDLE - lower] + _BACK)
        edge = rest[axis - 3] + _SWEEP_RAD[[_MIDDLE - lower, _MIDDLE + upper]]
        edges.append(_widened(edge, rest[axis - 3], name, robot))
        ends.append([_end(goals[place, servo]) for place in (_MIDDLE - lower, _MIDDLE + upper)])
        servos.append(servo)
    low, high = np.array(edges, np.float32).T
    return PoseRange(low, high, np.array(servos), np.array(ends, np.float32).T) if turns_back else None


def _furthest(answer: FloatArray) -> int:
    """The first place at which a sweep that begins at rest has come as far as it comes."""
    return int(np.argmax(answer >= answer.max() - _EQUAL))


def _widened(edge: FloatArray, rest_rad: float, name: str, robot: Robot) -> FloatArray:
    if name not in robot.index:
        return edge
    i = robot.index[name]
    low, high = rest_rad + _MARGIN * robot.lower[i], rest_rad + _MARGIN * robot.upper[i]
    return np.array([min(edge[0], low), max(edge[1], high)])


def _end(goal: float) -> float:
    return float(np.round(goal)) if min(goal, 1 - goal) < _NEAR_END else float(goal)
