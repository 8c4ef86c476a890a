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
from rena_ros.learning.metrics import left_right_gap
from rena_ros.learning.samples import training_part
from rena_ros.measures.errors import rmse, rmse_over

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


def held_out_part(dataset: Dataset, test: int | None) -> Dataset:
    """Return the last ``test`` samples of a dataset (see ``Dataset.split``), or the whole of it.

    It is whole with None, and where ``test`` samples are all that it has. Raises RenaError where it has fewer.
    """
    if test is None or test == len(dataset):
        return dataset
    if test > len(dataset):
        raise RenaError(f"{dataset.directory} has {len(dataset)} samples, not {test}; measure all of it: --test all")
    return dataset.split(test)[1]


def held_out_scores(
    policy: Policy, dataset: Dataset, test: int | None, with_baselines: bool = True, limit: int | None = None
) -> dict[str, Score]:
    """Return the scores on ``held_out_part(dataset, test)`` by model name.

    The baselines are fitted to all other samples, or to the first ``limit`` of them; where there are no others, the
    model stands alone. The model runs through ``Policy``, so the scores are those of the model that ships. Raises
    RenaError when the data was collected with other servos than the model's, or when it has too few samples.
    """
    if dataset.names != policy.robot.names:
        raise RenaError(f"{dataset.directory} was collected with other servos than those of {policy.path}")
    held_out = held_out_part(dataset, test)
    whole = len(held_out) == len(dataset)
    if whole and limit is not None:
        raise RenaError("--limit says what the baselines are fitted to, but all samples are measured; leave it out")
    predicted = {MODEL: policy.batch(held_out.features)}
    if with_baselines and not whole:
        train = training_part(dataset, len(held_out), limit)
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
        rmse(predicted, goals),
        rmse_over(0, predicted, goals),
        rmse_over(1, predicted, goals),
        left_right_gap(predicted, servo_names),
    )
