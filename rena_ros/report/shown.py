"""What a model's goals look like: Table II on faces of the robot, Table III and the round trip on a person's film."""

from typing import Any

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray
from rena_ros.measures.expression import landmark_distance, pixel_distance, structural_similarity
from rena_ros.measures.film import FilmTracks, motion_scores
from rena_ros.mimic.round_trip import correlations
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.report.drawn import FaceTrack, Mirror

FACES = 185  # "comparing 185 salient frames", section V.C
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


def held(goals: FloatArray, seen: BoolArray, neutral: FloatArray) -> FloatArray:
    """Return goals for all t frames: ``goals`` (k, 25) where a face was ``seen``, bool (t,), else those before.

    Before the first face the robot is at ``neutral``, (25,).
    """
    known: FloatArray = np.concatenate((np.asarray(neutral)[None], goals))
    return known[np.cumsum(seen)]
