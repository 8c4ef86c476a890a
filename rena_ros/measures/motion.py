"""Table III of the paper: how alike a person's and the robot's movements are, and how smooth the servos move.

Eq. 13 to 16. What is unclear in the paper, and what is done here:

- **Unit of displacement**: not given. Here landmarks are aligned (``perception.landmark_frame``), so the unit is the
  distance between the outer corners of the eyes, about 9 cm of an adult, and turning the head displaces nothing.
- **b and T_D**: not given; values from 0 to 1 can be had by choosing them. ``B_SPACE``, ``B_TIME`` and ``STEP_GROWTH``
  are chosen here for what a viewer sees, before any model was measured, and each says its reason. Figures of this
  project compare with each other; with the paper's Table III they compare in name only.
- **L = 30**, "the frame rate of camera", is taken as the length of its sequences, one second. Displacements count from
  one initial moment, so cutting a longer sequence into seconds would change nothing but the order of the sum: L is the
  number of frames.
- **The ends of the sums**: k runs from 1 in the paper, with t_0 the initial moment and t_-1 undefined. Each mean here
  goes over the moments at which its term exists: a displacement needs its frame, a step two successive frames, a
  growth of steps three.
- **A distance has no direction**: a mouth corner that goes down as far as the person's goes up counts as alike, in the
  paper and here. Eq. 12 (``expression.landmark_distance``) sees the difference.
- **Hops**: Eq. 16 has no bars around the difference of the two steps, so a servo that starts abruptly hops, and one
  that stops abruptly does not. It is kept.
- **A robot that stands still** is far from 0 in Eq. 13 and 15, for most points of a face move little most of the time;
  in Eq. 15 it may even be above one that follows, because the noise of its own readings is missing. So no similarity
  means anything without that of the still robot beside it (``film.MotionScores`` holds both).
"""

import math

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray
from rena_ros.base.errors import RenaError

FRAME_RATE_HZ = 30.0  # of the paper's camera; steps are those from one frame to the next at this rate
HALF_SPACE = 0.05
"""Deviation of displacement that counts one half: 4.5 mm of an adult, about a third of the way of a smile's corner."""
HALF_TIME = 0.015
"""Deviation of a step that counts one half: a brow that rises .1 within .2 s (6 frames) while the robot's stays."""
B_SPACE = HALF_SPACE**2 / math.log(2)  # F(HALF_SPACE, b) = 1/2
B_TIME = HALF_TIME**2 / math.log(2)
STEP_GROWTH = 0.05
"""T_D of Eq. 16: growth of a servo's step from one frame to the next that counts as a hop, in units of the goal range.

A twentieth of a servo's travel within 1/30 s is seen as a twitch, whether the servo could follow or not: 80 rad/s² over
a travel of .6 rad permits a growth of .15. The abrupt beginning of a blink counts as a hop, too.
"""


def fit(deviation: FloatArray, b: float) -> FloatArray:
    """Return F(x, b) = exp(-x² / b) of the paper, element by element: 1 for no deviation, towards 0 for a large one."""
    if not b > 0:
        raise ValueError(f"b must be above 0, not {b}")
    similarity: FloatArray = np.exp(-np.square(deviation, dtype=np.float64) / b)
    return similarity


def displacements(track: FloatArray, initial: FloatArray) -> FloatArray:
    """Return how far each point is from its initial position in the picture plane, float64 (t, p): d of Eq. 13.

    ``track``: aligned landmarks (t, p, 2 or 3) of successive frames, NaN in a frame without a face; ``initial``:
    (p, 2 or 3), the same points at the initial moment. Only x and y count.
    """
    if track.shape[1] != len(initial):
        raise ValueError(f"the track has {track.shape[1]} points, the initial moment {len(initial)}")
    across = np.subtract(track[..., :2], initial[..., :2], dtype=np.float64)
    moved: FloatArray = np.hypot(across[..., 0], across[..., 1])
    return moved


def seen(*moved: FloatArray) -> BoolArray:
    """Return the mask of the frames in which every point of every track was found, bool (t,)."""
    found: BoolArray = np.all([np.isfinite(one).all(axis=1) for one in moved], axis=0)
    return found


def space_similarity(person: FloatArray, robot: FloatArray, b: float = B_SPACE) -> float:
    """Return G_s, Eq. 13, of displacements (t, p) of a person and of the robot: in (0, 1], 1 for equal ones.

    The mean goes over the frames in which both were seen. Leave out the initial frame if it is one of them: it is alike
    by definition. Raises RenaError where there is no such frame.
    """
    usable = seen(person, robot)
    if not usable.any():
        raise RenaError("person and robot are never seen in the same frame; nothing can be compared")
    return float(fit(person[usable] - robot[usable], b).mean())


def time_similarity(
    person: FloatArray, robot: FloatArray, b: float = B_TIME, frame_rate_hz: float = FRAME_RATE_HZ
) -> float:
    """Return G_t, Eq. 15, of displacements (t, p) of a person and of the robot: in (0, 1], 1 for equal steps.

    The mean goes over the steps between two successive frames in both of which both were seen. Steps at another
    ``frame_rate_hz`` are scaled to those of FRAME_RATE_HZ. Raises RenaError where there is no such step.
    """
    usable = seen(person, robot)
    usable = usable[1:] & usable[:-1]
    if not usable.any():
        raise RenaError("person and robot are never seen in two successive frames; no step can be compared")
    steps = (np.diff(person, axis=0) - np.diff(robot, axis=0))[usable]
    return float(fit(steps * (frame_rate_hz / FRAME_RATE_HZ), b).mean())


def hops(goals: FloatArray, growth: float = STEP_GROWTH) -> FloatArray:
    """Return the share of moments at which each servo hops, float64 (s,) in [0, 1]: the mean over time of Eq. 16.

    ``goals``: (t, s) in [0, 1] of successive frames. A servo hops where the size of its step grows by more than
    ``growth`` over that of the step before. A growth of exactly ``growth`` is none. The paper gives c as the
    displacement of a servo; here it is the goal. Raises RenaError for fewer than three frames.
    """
    if len(goals) < 3:
        raise RenaError(f"{len(goals)} frames are too few to see whether a servo hops; three are the least")
    steps = np.abs(np.diff(goals.astype(np.float64), axis=0))
    share: FloatArray = (np.diff(steps, axis=0) > growth).mean(axis=0)
    return share


def smoothness(goals: FloatArray, growth: float = STEP_GROWTH) -> float:
    """Return G_d, Eq. 14: 1 less the share of moments and servos that hop, in [0, 1]; see ``hops``."""
    return 1 - float(hops(goals, growth).mean())
