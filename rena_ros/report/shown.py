"""What a model's goals look like: Table II on faces of the robot, Table III and the round trip on a person's film."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray
from rena_ros.measures.expression import landmark_distance, pixel_distance, structural_similarity
from rena_ros.measures.film import FilmTracks, motion_scores
from rena_ros.mimic.round_trip import correlations
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.report.drawn import FaceTrack, Mirror

FACES = 185  # "comparing 185 salient frames", section V.C
PEAKS, PEAK_FRAMES = 6, 60  # sequences from neutral to a peak and back, each of 2 s
LEAST_STD = 0.03  # a channel in which the person moves less says nothing about the robot


def table_two(intended: FloatArray, given: FloatArray, mirror: Mirror) -> dict[str, Any]:
    """Return the figures of Table II for intended goals (n, 25) and those that a model gave for their readings.

    Both are drawn by the twin, so that the pictures differ by the goals alone.
    """
    wanted, shown = mirror.pictures(intended), mirror.pictures(given)
    pairs = list(zip(wanted, shown, strict=True))
    distances = landmark_distance(mirror.landmarks(wanted), mirror.landmarks(shown))
    return {
        "faces": len(wanted),
        "structural_similarity": float(np.mean([structural_similarity(*pair) for pair in pairs])),
        "pixel_distance": float(np.mean([pixel_distance(*pair) for pair in pairs])),
        "landmark_distance": float(np.nanmean(distances)),
        "without_a_face": int(np.isnan(distances).sum()),
    }


def on_film(person: FaceTrack, goals: FloatArray, mirror: Mirror) -> dict[str, Any]:
    """Return the figures of Table III, and the correlations of the round trip, of goals (t, 25) for a film's frames."""
    robot, robot_track = mirror.robot, mirror.film(person.times_s, goals)
    tracks = FilmTracks(person.landmarks, robot_track.landmarks, goals, person.rate_hz)
    seen = np.isfinite(person.features).all(axis=1) & np.isfinite(robot_track.features).all(axis=1)
    mine = person.features[seen].astype(np.float64)
    r, moving = correlations(mine, robot_track.features[seen].astype(np.float64)), mine.std(axis=0) >= LEAST_STD
    r = np.nan_to_num(r)  # a channel in which the robot stands still follows nothing
    return {
        **motion_scores(tracks, robot.neutral_goals).as_dict(robot.names),
        "mean_r": float(r[moving].mean()) if moving.any() else None,
        "channels": {name: round(float(r[i]), 4) for i, name in enumerate(READING_NAMES) if moving[i]},
    }


def averaged(films: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the means of the figures of several films, and the number of all frames; {} for none.

    What a film lacks, such as a channel in which its person does not move, counts for nothing.
    """
    if len(films) < 2:
        return dict(films[0]) if films else {}
    names = [name for name, value in films[0].items() if isinstance(value, float) or name == "mean_r"]
    found: dict[str, Any] = {name: _mean([one[name] for one in films]) for name in names}
    channels = dict.fromkeys(name for one in films for name in one["channels"])
    found["channels"] = {name: _mean([one["channels"].get(name) for one in films]) for name in channels}
    return {**found, "frames": sum(one["frames"] for one in films), "films": len(films)}


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(float(np.mean(there)), 4) if there else None


def held(goals: FloatArray, seen: BoolArray, neutral: FloatArray) -> FloatArray:
    """Return goals for all t frames: ``goals`` (k, 25) where a face was ``seen``, bool (t,), else those before.

    Before the first face the robot is at ``neutral``, (25,).
    """
    known: FloatArray = np.concatenate((np.asarray(neutral)[None], goals))
    return known[np.cumsum(seen)]
