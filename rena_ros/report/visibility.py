"""The floor of a report: what an oracle of the robot's own face would reach, by servo.

The oracle learns the face from all samples of it (``learning.oracle``). The noise is that of the same faces filmed
several times: moved within the picture by a few pixels, and through a webcam (``collecting.nuisance.through_camera``).
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.collecting.nuisance import through_camera
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.oracle import Oracle
from rena_ros.learning.samples import Samples, samples_of
from rena_ros.measures.floor import Floor, jacobians, noise_covariance, servo_floor
from rena_ros.report.drawn import Mirror

FACES, TIMES = 60, 8  # FACES * (TIMES - 1) must exceed the numbers of a reading
SEED = 0
SHIFT = 6.0  # pixels
READ = {"coefficients": slice(0, 55), "with landmarks": slice(None)}  # of the numbers of a reading


def visibility(own: Dataset, test: Dataset, mirror: Mirror, quick: bool) -> dict[str, Any]:
    """Return the floor on ``test`` as JSON data, by what is read; shares of the goal range.

    ``own``: what the oracle learns from. ``quick``: few faces, only to see that it works.
    """
    oracle = Oracle(samples_of(own, ("features", "landmarks")), SEED, *((2,) if quick else ()))
    rows = np.unique(np.linspace(0, len(test) - 1, min(3 if quick else FACES, len(test))).round().astype(int))
    goals = test.goals[rows].astype(np.float64)
    slopes, spread = jacobians(oracle.shown, goals), np.cov(own.goals.T.astype(np.float64))
    found: dict[str, Any] = {"faces": len(rows), "spread": np.sqrt(np.diag(spread)).round(5).tolist()}
    for camera, again in CAMERAS.items():
        noise = noise_covariance(_filmed_again(goals, again, oracle, mirror))
        for what, seen in READ.items():
            of_what = np.sqrt(np.diag(noise)[seen]) if quick else noise[seen, seen]
            found[f"{what}, {camera}"] = _figures(servo_floor(slopes[:, seen], of_what, spread))
    return found


def shifted(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Return the picture moved by up to SHIFT pixels both ways, its border repeated."""
    x, y = rng.uniform(-SHIFT, SHIFT, 2)
    height, width = picture.shape[:2]
    moved = cv2.warpAffine(picture, np.array([[1, 0, x], [0, 1, y]]), (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


CAMERAS = {"moved": shifted, "webcam": through_camera}


def _filmed_again(
    goals: FloatArray, again: Callable[[ByteArray, np.random.Generator], ByteArray], oracle: Oracle, mirror: Mirror
) -> FloatArray:
    """Return the numbers (n, TIMES, m) of each of n faces, filmed TIMES times; faces not found once are left out."""
    rng, found = np.random.default_rng(SEED), []
    for picture in mirror.pictures(goals):
        track = mirror.read([again(picture, rng) for _ in range(TIMES)])
        if np.isfinite(track.features).all():
            empty = np.zeros((TIMES, goals.shape[1]), np.float32)
            found.append(oracle.numbers(Samples(track.features, empty, track.landmarks)))
    return np.array(found)


def _figures(floor: Floor) -> dict[str, Any]:
    return {
        "overall": floor.overall,
        "per_servo": floor.per_servo.round(5).tolist(),
        "unseen": floor.unseen.round(4).tolist(),
    }
