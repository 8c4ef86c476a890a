"""The way to the first pose of a take, and from its last one to neutral: gentle, and no longer than it must be."""

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.playing.take import Point
from rena_ros.robot.model import Robot

EASE_SCALE = 0.5  # of the speed limit, at the fastest moment
SHORTEST_S = 0.3
RATE_HZ = 50.0
NEAR_RAD = 0.05


def easing(robot: Robot, start: FloatArray, end: FloatArray) -> tuple[Point, ...]:
    """Return the points of a way from ``start`` to ``end``, positions of all joints in rad, (n,); the last is ``end``.

    All joints arrive together, after a smoothstep whose highest speed is ``EASE_SCALE`` of the speed limit.
    """
    longest = float(np.max(np.abs(end - start) / robot.max_speed_rad_s))
    duration_s = max(1.5 * longest / EASE_SCALE, SHORTEST_S)
    count = int(np.ceil(duration_s * RATE_HZ))
    points = []
    for k in range(1, count + 1):
        u = k / count
        pose = start + (end - start) * (3 * u**2 - 2 * u**3)
        points.append(Point(u * duration_s, robot.names, tuple(pose.tolist())))
    return tuple(points)


def far_joints(robot: Robot, positions: FloatArray, pose: FloatArray) -> tuple[str, ...]:
    """Return the joints that are farther than ``NEAR_RAD`` from their place in ``pose``; NaN counts as near."""
    target = robot.limit(robot.names, pose.tolist(), np.zeros(len(pose))).positions
    return tuple(robot.names[i] for i in np.flatnonzero(np.abs(positions - target) > NEAR_RAD))
