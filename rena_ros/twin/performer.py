"""The performer: a second drawn head that plays a scripted half minute, to be used instead of a camera."""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.base.easing import least_jerk
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot
from rena_ros.twin.actuators import LEFT_RIGHT, goals_of
from rena_ros.twin.face import TwinFace


@dataclass(frozen=True)
class Chapter:
    """One part of the script.

    ``face``: servo -> goal; ``{}`` stands for both sides; a servo that is not named is at neutral. The face is reached
    within ``ease_s`` from ``start_s`` on, with the least jerk, and held until the next chapter.
    """

    name: str
    start_s: float
    ease_s: float
    face: dict[str, float]


JOY = {"corner_{}_up": 0.9, "corner_{}_back": 0.35, "lip_upper_{}": 0.4, "lid_{}": 0.42, "brow_{}_raise": 0.12}
SURPRISE = {"brow_{}_raise": 0.95, "lid_{}": 0.03, "jaw": 0.62}
SORROW = {"corner_{}_down": 0.95, "lid_{}": 0.45, "brow_{}_raise": 0.3, "neck_pitch": 0.68, "eye_{}_pitch": 0.6}
ANGER = {"brow_{}_frown": 0.95, "lip_upper_{}": 0.35, "lid_{}": 0.36, "neck_pitch": 0.57}
SCRIPT = (
    Chapter("rest", 0.0, 0.1, {}),
    Chapter("joy", 3.2, 0.7, JOY),
    Chapter("laugh", 4.6, 0.4, {**JOY, "jaw": 0.38, "neck_pitch": 0.4}),
    Chapter("calm", 6.0, 0.8, {}),
    Chapter("surprise", 7.2, 0.35, SURPRISE),
    Chapter("calm", 9.0, 0.7, {}),
    Chapter("sorrow", 10.0, 1.1, SORROW),
    Chapter("calm", 12.6, 0.8, {}),
    Chapter("anger", 13.6, 0.6, ANGER),
    Chapter("calm", 15.4, 0.6, {}),
    Chapter("wink", 16.3, 0.16, {"lid_left": 1.0, "corner_left_up": 0.6, "brow_right_raise": 0.15}),
    Chapter("calm", 17.0, 0.4, {}),
    Chapter("glance left", 17.7, 0.18, {"eye_{}_yaw": 0.92}),
    Chapter("glance right", 18.5, 0.22, {"eye_{}_yaw": 0.1}),
    Chapter("glance up", 19.3, 0.2, {"eye_{}_pitch": 0.2, "brow_{}_raise": 0.2}),
    Chapter("calm", 20.0, 0.2, {}),
    Chapter("turn left", 20.5, 0.8, {"neck_yaw": 0.86, "eye_{}_yaw": 0.38}),
    Chapter("turn right", 21.8, 1.1, {"neck_yaw": 0.14, "eye_{}_yaw": 0.62}),
    Chapter("nod", 23.3, 0.5, {"neck_pitch": 0.78, "corner_{}_up": 0.3}),
    Chapter("look up", 24.0, 0.5, {"neck_pitch": 0.24, "corner_{}_up": 0.3}),
    Chapter("tilt", 24.9, 0.6, {"neck_roll": 0.82, "corner_{}_up": 0.4}),
    Chapter("calm", 26.0, 0.6, {}),
    Chapter("ooh", 26.8, 0.4, {"pucker": 0.85}),
    # the one abrupt change: within two frames, from pursed lips to a wide grin with the head turned
    Chapter("abrupt grin", 27.8, 0.06, {**JOY, "lip_upper_{}": 0.6, "lip_lower_{}": 0.35, "neck_yaw": 0.66}),
    Chapter("calm", 29.0, 0.8, {}),
)
BLINKS_S = (1.5, 2.7, 6.4, 9.5, 13.1, 15.8, 17.35, 20.15, 23.1, 26.3, 29.5)
BLINK_S = (0.09, 0.05, 0.14)  # closing, closed, opening
DURATION_S = 30.5
CHAPTERS = tuple((chapter.name, chapter.start_s) for chapter in SCRIPT)
# Breathing and sway: servo -> (amplitude in goals, period in s, phase) of each wave; the sum hardly repeats
IDLE = {
    "neck_pitch": ((0.022, 3.9, 0.0), (0.010, 1.7, 1.0)),
    "neck_yaw": ((0.020, 5.3, 0.7), (0.008, 2.3, 2.0)),
    "neck_roll": ((0.018, 6.7, 1.9),),
    "corner_left_up": ((0.02, 7.9, 0.0),),
    "corner_right_up": ((0.02, 7.9, 0.3),),
}
FIXATION_S = 0.7  # the eyes fix one point for this long, then move to the next
FIXATION = 0.025  # standard deviation of the points, in goals
SACCADE_S = 0.04  # duration of a movement of the eyes


def performance(t_s: float, robot: Robot) -> FloatArray:
    """Return the goals of the performer at ``t_s``, float32 (25,) in [0, 1], order of ``robot.names``.

    The script repeats after ``DURATION_S``. Raises ValueError when the time is not finite.
    """
    if not np.isfinite(t_s):
        raise ValueError(f"{t_s} is not a time")
    t_s = float(t_s) % DURATION_S
    goals = _scripted(t_s, robot)
    _breathe(t_s, robot, goals)
    _blink(t_s, robot, goals)
    return np.clip(goals, 0, 1).astype(np.float32)


def _scripted(t_s: float, robot: Robot) -> FloatArray:
    goals = robot.neutral_goals.astype(np.float64)
    for chapter in SCRIPT:
        if t_s <= chapter.start_s:
            break
        goals += least_jerk((t_s - chapter.start_s) / chapter.ease_s) * (goals_of(robot, chapter.face) - goals)
    return goals


def _breathe(t_s: float, robot: Robot, goals: FloatArray) -> None:
    """Add breathing, sway and small movements of the eyes to the goals, in place."""
    fade = least_jerk(t_s) * least_jerk(DURATION_S - t_s)  # 0 at start and end, so that the script can repeat
    for name, waves in IDLE.items():
        for amplitude, period_s, phase in waves:
            goals[robot.index[name]] += fade * amplitude * np.sin(2 * np.pi * t_s / period_s + phase)
    point = int(t_s / FIXATION_S)
    share = least_jerk((t_s - point * FIXATION_S) / SACCADE_S)
    seeds = point - 1 if point else 10**6, point
    before, after = (np.random.default_rng((7, seed)).normal(0, FIXATION, 2) for seed in seeds)
    shift = fade * (before + share * (after - before))
    for side in LEFT_RIGHT:
        goals[robot.index[f"eye_{side}_yaw"]] += shift[0]
        goals[robot.index[f"eye_{side}_pitch"]] += shift[1]


def _blink(t_s: float, robot: Robot, goals: FloatArray) -> None:
    """Close the lids in the goals where the script blinks, in place."""
    closing, closed, opening = BLINK_S
    for start_s in BLINKS_S:
        since = t_s - start_s
        shut = min(least_jerk(since / closing), least_jerk((closing + closed + opening - since) / opening))
        for side in LEFT_RIGHT:
            lid = robot.index[f"lid_{side}"]
            goals[lid] += shut * (1 - goals[lid])


class Performer:
    """Draws the performance, with the servos of the default robot file."""

    def __init__(self) -> None:
        self._robot = load_robot()
        self._face = TwinFace(self._robot, look="performer")

    def frame(self, t_s: float) -> ByteArray:
        """Draw the frame at ``t_s``, uint8 RGB (480, 640, 3), C-contiguous; equal times give equal pixels."""
        return self._face.render(performance(t_s, self._robot))
