"""Table III of one sequence, with everything beside it that its means would hide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.measures import goal_track, motion


@dataclass(frozen=True)
class MotionScores:
    """How well the robot followed one person through one sequence. Shares and similarities are in [0, 1].

    ``space``, ``time``, ``smoothness``: G_s, G_t and G_d of Table III (which gives percent). ``space_still``,
    ``time_still``: G_s and G_t of a robot that never moves from its initial face; a robot is worth what it gains over
    them. ``space_by_second``: G_s of every second, float64 (k,), NaN where nothing could be compared: its least is what
    a mean hides. Of each servo, float64 (s,): ``saturated`` and ``hops``, shares of frames, and ``jitter``, the mean
    step in units of the goal range. ``frames``: of the sequence; ``compared``: those in which both were seen.
    """

    space: float
    time: float
    smoothness: float
    space_still: float
    time_still: float
    space_by_second: FloatArray
    saturated: FloatArray
    hops: FloatArray
    jitter: FloatArray
    frames: int
    compared: int

    @property
    def uncovered(self) -> float:
        """The share of frames that no similarity covers, because person or robot was not seen in them."""
        return 1 - self.compared / self.frames

    def as_dict(self, servo_names: Sequence[str]) -> dict[str, Any]:
        """Return JSON data: every figure, those of servos by name; None for a second without a figure."""
        overall = {name: getattr(self, name) for name in ("space", "time", "smoothness", "space_still", "time_still")}
        seconds = [None if np.isnan(value) else float(value) for value in self.space_by_second]
        of_servos = {name: getattr(self, name) for name in ("saturated", "hops", "jitter")}
        return {
            **overall,
            **{f"mean_{name}": float(values.mean()) for name, values in of_servos.items()},
            "frames": self.frames,
            "compared": self.compared,
            "uncovered": self.uncovered,
            "space_by_second": seconds,
            **{name: dict(zip(servo_names, values.tolist(), strict=True)) for name, values in of_servos.items()},
        }


@dataclass(frozen=True)
class FilmTracks:
    """One sequence of t frames at ``frame_rate_hz``, as seen and as commanded; all arrays are of the same frames.

    ``person``, ``robot``: aligned landmarks (t, p, 2 or 3), NaN in a frame without a face. ``goals``: (t, s) in [0, 1],
    never NaN. ``person_initial``, ``robot_initial``: (p, 2 or 3), the neutral faces of both; None: the first frame in
    which both were seen is the initial moment, as in the paper, whose sequences begin with a neutral face.
    """

    person: FloatArray
    robot: FloatArray
    goals: FloatArray
    frame_rate_hz: float = motion.FRAME_RATE_HZ
    person_initial: FloatArray | None = None
    robot_initial: FloatArray | None = None


def motion_scores(film: FilmTracks, neutral: FloatArray) -> MotionScores:
    """Return the figures of one sequence. ``neutral``: (s,), ``robot.neutral_goals``.

    Where the first frame seen is the initial moment, it is left out of space similarity: it is alike by definition.
    Both initial moments are given, or neither. Raises RenaError where there are fewer than three frames, or where
    person and robot are never seen in two successive ones.
    """
    if not len(film.person) == len(film.robot) == len(film.goals):
        raise ValueError(f"frames differ: {len(film.person)}, {len(film.robot)} and {len(film.goals)} goals")
    if not np.isfinite(film.goals).all():
        raise ValueError("a goal is not finite")
    person, robot, space_from = _displacements(film)
    still = np.where(np.isfinite(robot), 0.0, np.nan)
    compared = motion.seen(person, robot)
    return MotionScores(
        space=motion.space_similarity(person[space_from:], robot[space_from:]),
        time=motion.time_similarity(person, robot, frame_rate_hz=film.frame_rate_hz),
        smoothness=motion.smoothness(film.goals),
        space_still=motion.space_similarity(person[space_from:], still[space_from:]),
        time_still=motion.time_similarity(person, still, frame_rate_hz=film.frame_rate_hz),
        space_by_second=_by_second(person[space_from:], robot[space_from:], film.frame_rate_hz),
        saturated=goal_track.saturated(film.goals, neutral),
        hops=motion.hops(film.goals),
        jitter=goal_track.jitter(film.goals),
        frames=len(film.goals),
        compared=int(compared.sum()),
    )


def _displacements(film: FilmTracks) -> tuple[FloatArray, FloatArray, int]:
    """Return both displacements (t, p), and the first frame that counts for space similarity."""
    if (film.person_initial is None) != (film.robot_initial is None):
        raise ValueError("give the initial faces of both, or of neither")
    if film.person_initial is not None and film.robot_initial is not None:
        initial, first = (film.person_initial, film.robot_initial), 0
    else:
        both = np.isfinite(film.person).all(axis=(1, 2)) & np.isfinite(film.robot).all(axis=(1, 2))
        if not both.any():
            raise RenaError("person and robot are never seen in the same frame; nothing can be compared")
        moment = int(np.argmax(both))
        initial, first = (film.person[moment], film.robot[moment]), moment + 1
    return motion.displacements(film.person, initial[0]), motion.displacements(film.robot, initial[1]), first


def _by_second(person: FloatArray, robot: FloatArray, frame_rate_hz: float) -> FloatArray:
    seconds = (np.arange(len(person)) / frame_rate_hz).astype(int)
    found = np.full(seconds[-1] + 1 if len(seconds) else 0, np.nan)
    usable = motion.seen(person, robot)
    for second in np.unique(seconds[usable]):
        rows = seconds == second
        found[second] = motion.space_similarity(person[rows], robot[rows])
    return found
