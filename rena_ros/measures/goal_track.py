"""What Table III does not show about the goals of a sequence: servos driven to their ends, and restlessness."""

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError

LOW, HIGH = 0.005, 0.995  # a goal at or beyond these is saturated


def saturated(goals: FloatArray, neutral: FloatArray) -> FloatArray:
    """Return the share of frames in which each servo's goal is saturated, float64 (s,) in [0, 1].

    ``goals``: (t, s), raw or clipped; ``neutral``: (s,), ``robot.neutral_goals``. The servos of brows and mouth rest at
    an end of their travel. A goal at the end at which its servo rests is a face at rest and does not count; there only
    a raw goal does, from LOW outside [0, 1] on. Raises RenaError where there are no frames.
    """
    _require(goals, 1)
    low = goals <= np.where(neutral <= LOW, -LOW, LOW)
    high = goals >= np.where(neutral >= HIGH, 2 - HIGH, HIGH)
    share: FloatArray = (low | high).mean(axis=0)
    return share


def jitter(goals: FloatArray) -> FloatArray:
    """Return the mean size of each servo's step from one frame to the next, float64 (s,), units of the goal range.

    ``goals``: (t, s) of successive frames. It holds wanted movement too, so compare models on one film: on the same
    person, more of it at equal similarity is restlessness. Raises RenaError for fewer than two frames.
    """
    _require(goals, 2)
    steps: FloatArray = np.abs(np.diff(goals.astype(np.float64), axis=0)).mean(axis=0)
    return steps


def _require(goals: FloatArray, frames: int) -> None:
    if len(goals) < frames:
        raise RenaError(f"the sequence has {len(goals)} frames, {frames} are the least; take a longer film")
