"""Small invented datasets, written as `rena collect` writes them."""

import numpy as np

from rena_ros.datasets.shards import Shard, begin, write_shard
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

SHARD = 100


def invented_readings(goals, rng, shift=0.0):
    """Goals (n, 25) -> features float32 (n, 55): smooth, not linear, a little noise; ``shift`` is another face."""
    mixing = np.random.default_rng(5).uniform(-1, 1, (25, 52)) * (np.random.default_rng(6).random((25, 52)) < 0.15)
    coefficients = 1 / (1 + np.exp(-3 * (goals @ mixing) + 1 + shift)) + rng.normal(0, 0.01, (len(goals), 52))
    pose = (goals[:, -3:] - 0.5) * [1.05, 0.63, 0.63]
    return np.concatenate((np.clip(coefficients, 0, 1), pose), axis=1).astype(np.float32)


def write_dataset(directory, samples, seed, identities=(0,)):
    """Write a dataset whose samples show the identities in turn; return its directory."""
    robot, rng = load_robot(), np.random.default_rng(seed)
    shape = np.random.default_rng(7).normal(0, 1, (478, 3))
    meta = {
        "command": "invented by a test",
        "samples": samples,
        "seed": seed,
        "shard_size": SHARD,
        "names": list(robot.names),
        "feature_names": list(READING_NAMES),
        "robot_rest": invented_readings(robot.neutral_goals[None], rng)[0].tolist(),
        "image": {"width": 640, "height": 480},
        **dict.fromkeys(("robot", "strategy", "face_model", "versions", "commit")),
    }
    directory.mkdir()
    begin(directory, meta)
    for first in range(0, samples, SHARD):
        n = min(SHARD, samples - first)
        goals = rng.random((n, 25)).astype(np.float32)
        shown = np.array([identities[(first + i) % len(identities)] for i in range(n)], np.int32)
        shift = np.where(shown == 0, 0.0, shown % 5 - 2.0)[:, None]
        landmarks = shape + 0.1 * (goals @ np.random.default_rng(8).normal(0, 1, (25, 1434))).reshape(n, 478, 3)
        arrays = {
            "goals": goals,
            "positions": robot.positions(goals),
            "features": invented_readings(goals, rng, shift),
            "landmarks": landmarks.astype(np.float32),
            "groups": np.array(["mouth"] * n, "U32"),
            "attempts": np.zeros(n, np.uint8),
        }
        if identities != (0,):
            rests = invented_readings(np.repeat(robot.neutral_goals[None], n, 0), rng, shift)
            arrays |= {"identities": shown, "rest_features": rests}
            arrays["rest_landmarks"] = np.broadcast_to(shape, (n, 478, 3)).astype(np.float32)
        write_shard(directory, Shard(first, arrays, [b""] * n))
    return directory
