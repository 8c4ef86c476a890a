"""Scores of a model on the held-out samples, and of the baselines that it must beat. Needs no torch."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning import metrics
from rena_ros.learning.samples import training_part

MODEL, RIDGE, MEAN = "model", "ridge regression", "training mean"


@dataclass(frozen=True)
class Score:
    """Errors of one model, in units of the goal range.

    rmse: over all samples and servos
    per_servo: (25,), RMSE over all samples
    per_sample: (n,), RMSE over all servos
    left_right_gap: Eq. 8 of the predicted goals
    """

    rmse: float
    per_servo: FloatArray
    per_sample: FloatArray
    left_right_gap: float


def held_out_scores(
    policy: Policy, dataset: Dataset, test: int, with_baselines: bool = True, limit: int | None = None
) -> dict[str, Score]:
    """Return the scores on the last ``test`` samples by model name.

    The baselines are fitted to all earlier samples, or to the first ``limit`` of them. The model runs through
    ``Policy``, so the scores are those of the model that ships. Raises RenaError when the data was collected with other
    servos than the model's, or when it has too few samples.
    """
    if dataset.names != policy.robot.names:
        raise RenaError(f"{dataset.directory} was collected with other servos than those of {policy.path}")
    train, held_out = training_part(dataset, test, limit), dataset.split(test)[1]
    predicted = {MODEL: policy.batch(held_out.features)}
    if with_baselines:
        predicted[RIDGE] = _ridge(train.features, train.goals, held_out.features)
        predicted[MEAN] = np.broadcast_to(train.goals.mean(axis=0), held_out.goals.shape)
    return {name: _score(goals, held_out.goals, dataset.names) for name, goals in predicted.items()}


def _ridge(features: FloatArray, goals: FloatArray, test_features: FloatArray) -> FloatArray:
    """Fit goals (n, 25) on features (n, 55), alpha by cross-validation; return goals (m, 25), clipped as a model's."""
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 5, 33)))
    model.fit(features.astype(np.float64), goals.astype(np.float64))
    return np.clip(model.predict(test_features.astype(np.float64)), 0, 1)


def _score(predicted: FloatArray, goals: FloatArray, servo_names: tuple[str, ...]) -> Score:
    return Score(
        metrics.rmse(predicted, goals),
        metrics.rmse_over(0, predicted, goals),
        metrics.rmse_over(1, predicted, goals),
        metrics.left_right_gap(predicted, servo_names),
    )
