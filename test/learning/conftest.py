"""A small dataset on disk, written as `rena collect` writes one, of an invented face that is easy to read."""

from importlib.util import find_spec

import numpy as np
import pytest

from rena_ros.datasets.dataset import load_dataset
from rena_ros.datasets.shards import Shard, begin, missing, write_shard
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

SHARD = 100
# `colcon test` names no folder to leave out, as `make test` does.
collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]


def invented_readings(goals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Goals (n, 25) -> features float32 (n, 55): smooth, not linear, with a little noise; the pose is the neck's."""
    mixing = np.random.default_rng(5).uniform(-1, 1, (25, 52)) * (np.random.default_rng(6).random((25, 52)) < 0.15)
    coefficients = 1 / (1 + np.exp(-3 * (goals @ mixing) + 1)) + rng.normal(0, 0.01, (len(goals), 52))
    pose = (goals[:, -3:] - 0.5) * [1.05, 0.63, 0.63]
    return np.concatenate((np.clip(coefficients, 0, 1), pose), axis=1).astype(np.float32)


@pytest.fixture(scope="session")
def dataset_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dataset")
    robot, rng = load_robot(), np.random.default_rng(1)
    meta = {
        "command": "invented by a test",
        "samples": 500,
        "seed": 1,
        "shard_size": SHARD,
        "names": list(robot.names),
        "feature_names": list(READING_NAMES),
        "robot_rest": invented_readings(robot.neutral_goals[None], rng)[0].tolist(),
        **dict.fromkeys(("image", "robot", "strategy", "face_model", "versions", "commit")),
    }
    begin(directory, meta)
    for part in missing(directory, 500, SHARD):
        goals = rng.random((len(part), 25)).astype(np.float32)
        arrays = {
            "goals": goals,
            "positions": robot.positions(goals),
            "features": invented_readings(goals, rng),
            "landmarks": np.zeros((len(part), 478, 3), np.float32),
            "groups": np.array(["mouth"] * len(part), "U32"),
            "attempts": np.zeros(len(part), np.uint8),
        }
        write_shard(directory, Shard(part.start, arrays, [b""] * len(part)))
    return directory


@pytest.fixture(scope="session")
def dataset(dataset_directory):
    return load_dataset(dataset_directory)
