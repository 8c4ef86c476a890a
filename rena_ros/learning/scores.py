"""Scores of a model and of its baselines on the held-out samples. Needs no torch."""

from dataclasses import dataclass

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.learning import baselines, metrics
from rena_ros.recording.dataset import Dataset

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


def held_out_scores(policy: Policy, dataset: Dataset, test: int, with_baselines: bool = True) -> dict[str, Score]:
    """Return the scores on the last ``test`` samples by model name; the baselines are fitted to all earlier samples.

    The model runs through ``Policy``, so the scores are those of the model that ships. Raises RenaError when
    the data was collected with other servos than the model's, or when it has no more than ``test`` samples.
    """
    if dataset.names != policy.robot.names:
        raise RenaError(f"{dataset.directory} was collected with other servos than those of {policy.path}")
    train, held_out = dataset.split(test)
    predicted = {MODEL: policy.batch(held_out.features)}
    if with_baselines:
        predicted[RIDGE] = baselines.ridge(train.features, train.goals, held_out.features)
        predicted[MEAN] = baselines.training_mean(train.goals, len(held_out))
    return {name: _score(goals, held_out.goals, dataset.names) for name, goals in predicted.items()}


def _score(predicted: FloatArray, goals: FloatArray, servo_names: tuple[str, ...]) -> Score:
    return Score(
        metrics.rmse(predicted, goals),
        metrics.rmse_per_servo(predicted, goals),
        metrics.rmse_per_sample(predicted, goals),
        metrics.left_right_gap(predicted, servo_names),
    )
