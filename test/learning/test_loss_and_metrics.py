"""Eq. 8 to 10 and the reported figures against values computed by hand."""

import numpy as np
import pytest
import torch

from rena_ros.learning.losses import FaceLoss
from rena_ros.learning.metrics import left_right_gap
from rena_ros.robot.file import load_robot

NAMES = load_robot().names


def goals_with(**values) -> np.ndarray:
    goals = np.full((1, 25), 0.5, np.float32)
    for name, value in values.items():
        goals[0, NAMES.index(name)] = value
    return goals


def test_the_left_right_gap_counts_eyes_and_brows_only():
    assert left_right_gap(goals_with(), NAMES) == 0
    # Each term is the mean of two servos: yaw and pitch of the eyes, raise and frown of the brows. A wink is allowed.
    assert left_right_gap(goals_with(eye_left_yaw=0.9), NAMES) == pytest.approx(0.4 / 2)
    both = goals_with(brow_right_frown=0.2, eye_left_pitch=0.6)
    assert left_right_gap(both, NAMES) == pytest.approx(0.3 / 2 + 0.1 / 2)
    assert left_right_gap(goals_with(lid_left=1.0, corner_left_up=1.0), NAMES) == 0


def test_the_loss_is_the_mean_squared_error_plus_lambda_times_the_gap():
    rng = np.random.default_rng(0)
    predicted, goals = rng.random((2, 8, 25)).astype(np.float32)
    gap = left_right_gap(predicted, NAMES)
    for weight in (0.0, 0.01, 1.0):
        found = FaceLoss(NAMES, weight)(torch.from_numpy(predicted), torch.from_numpy(goals))
        assert float(found) == pytest.approx(((predicted - goals) ** 2).mean() + weight * gap, rel=1e-5)
