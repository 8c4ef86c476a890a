"""Mirror images: mirroring twice changes nothing; left becomes right, and towards the nose stays towards the nose."""

import numpy as np

from rena_ros.learning.symmetry import mirror_features, mirror_goals
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

ROBOT = load_robot()


def test_mirroring_twice_changes_nothing():
    rng = np.random.default_rng(0)
    features, goals = rng.random((9, 55), np.float32), rng.random((9, 25), np.float32)
    np.testing.assert_array_equal(mirror_features(mirror_features(features, READING_NAMES), READING_NAMES), features)
    np.testing.assert_allclose(mirror_goals(mirror_goals(goals, ROBOT.names), ROBOT.names), goals, atol=1e-7)


def test_the_neutral_face_is_its_own_mirror_image():
    neutral = ROBOT.neutral_goals[None]
    np.testing.assert_allclose(mirror_goals(neutral, ROBOT.names), neutral, atol=1e-6)


def test_features_change_sides():
    def features_with(**values):
        row = np.zeros((1, 55), np.float32)
        for name, value in values.items():
            row[0, READING_NAMES.index(name)] = value
        return row

    # A look to the left turns the left eye outwards and the right eye inwards. Its mirror image looks to the right.
    left = features_with(
        eyeLookOutLeft=0.8, eyeLookInRight=0.7, mouthLeft=0.1, jawOpen=0.4, head_yaw=0.2, head_pitch=0.1
    )
    right = features_with(
        eyeLookOutRight=0.8, eyeLookInLeft=0.7, mouthRight=0.1, jawOpen=0.4, head_yaw=-0.2, head_pitch=0.1
    )
    np.testing.assert_array_equal(mirror_features(left, READING_NAMES), right)


def test_goals_are_mirrored_as_positions_would_be():
    """Second implementation: in radians a reflection negates yaw and roll, and keeps everything else."""
    goals = np.random.default_rng(1).random((5, 25)).astype(np.float32)
    positions = ROBOT.positions(goals)
    expected = np.empty_like(positions)
    for i, name in enumerate(ROBOT.names):
        words = [{"left": "right", "right": "left"}.get(word, word) for word in name.split("_")]
        sign = -1 if words[-1] in ("yaw", "roll") else 1
        expected[:, ROBOT.index["_".join(words)]] = sign * positions[:, i]
    np.testing.assert_allclose(ROBOT.positions(mirror_goals(goals, ROBOT.names)), expected, atol=1e-6)
