"""A small dataset with real pictures, for tests of what reads datasets."""

import cv2
import numpy as np

from rena_ros.datasets.dataset import load_dataset
from rena_ros.datasets.shards import Shard, begin, write_shard
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
SHARD = 40
GROUPS = ("mouth", "head")


def jpeg(seed, width=32, height=24):
    """A picture of noise, as JPEG."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def small_dataset(directory, samples=130, **changes):
    """Write samples with random numbers for the robot that ships; return the dataset."""
    meta = {
        **{"command": "rena collect", "samples": samples, "seed": 3, "shard_size": SHARD, "names": list(ROBOT.names)},
        **{"feature_names": list(READING_NAMES), "neutral_goals": ROBOT.neutral_goals.tolist()},
        **{"robot_rest": [0.25] * 55, "lower_rad": ROBOT.lower.tolist()},
        **{"span_rad": (ROBOT.upper - ROBOT.lower).tolist(), "image": {"width": 32, "height": 24}},
        **{"robot": "r", "strategy": "s", "face_model": "m", "versions": {}, "commit": "c", **changes},
    }
    directory.mkdir()
    begin(directory, meta)
    for first in range(0, samples, SHARD):
        count, rng = min(SHARD, samples - first), np.random.default_rng(first)
        goals = rng.random((count, len(ROBOT.names)), np.float32)
        arrays = {
            "goals": goals,
            "positions": ROBOT.positions(goals),
            "features": rng.random((count, 55), np.float32),
            "landmarks": rng.random((count, 478, 3), np.float32),
            "groups": np.array([GROUPS[i % 2] for i in range(count)], "U32"),
            "attempts": rng.integers(0, 3, count, np.uint8),
        }
        write_shard(directory, Shard(first, arrays, [jpeg(first + i) for i in range(count)]))
    return load_dataset(directory)
