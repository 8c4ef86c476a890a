"""What a model is worth on the held-out samples, beside the baselines that it must beat. Needs no torch."""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.learning import baselines, metrics
from rena_ros.recording.dataset import Dataset

MODEL, RIDGE, MEAN = "model", "ridge regression", "training mean"


@dataclass(frozen=True)
class Score:
    """Errors of one model. ``rmse`` and ``per_servo`` (25,) over all samples, ``per_sample`` (n,) over all servos,
    all in units of the goal range; ``left_right_gap``: Eq. 8 of what it predicts.
    """

    rmse: float
    per_servo: np.ndarray
    per_sample: np.ndarray
    left_right_gap: float


def held_out_scores(policy: Policy, dataset: Dataset, test: int, with_baselines: bool = True) -> dict[str, Score]:
    """Scores on the last ``test`` samples by model name, the baselines fitted to all samples before them.

    The model is run through ``Policy``, so what is measured is what ships. Raises RenaError when the data
    is of another robot than the model.
    """
    if dataset.names != policy.robot.names:
        raise RenaError(f"{dataset.directory} was collected with other servos than those of {policy.path}")
    train, held_out = dataset.split(test)
    predicted = {MODEL: policy.batch(held_out.features)}
    if with_baselines:
        predicted[RIDGE] = baselines.ridge(train.features, train.goals, held_out.features)
        predicted[MEAN] = baselines.training_mean(train.goals, len(held_out))
    return {name: _score(goals, held_out.goals, dataset.names) for name, goals in predicted.items()}


def _score(predicted: np.ndarray, goals: np.ndarray, names: tuple[str, ...]) -> Score:
    return Score(
        metrics.rmse(predicted, goals),
        metrics.rmse_per_servo(predicted, goals),
        metrics.rmse_per_sample(predicted, goals),
        metrics.left_right_gap(predicted, names),
    )
