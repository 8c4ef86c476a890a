"""Scores of a model on the held-out samples, and of the baselines that it must beat. Needs no torch."""

from dataclasses import dataclass

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy, RestReading
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.baselines import make_baseline
from rena_ros.learning.metrics import left_right_gap
from rena_ros.learning.samples import Samples, samples_of, training_part
from rena_ros.measures.errors import rmse, rmse_over

MODEL = "model"
_BASELINES = {"ridge regression": "ridge", "training mean": "mean"}  # title -> name


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
    samples = samples_of(held_out, policy.inputs)
    predicted = {MODEL: _answers(policy, samples)}
    if with_baselines and not whole:
        train = samples_of(training_part(dataset, len(held_out), limit))
        predicted |= {title: make_baseline(name).fit(train).predict(samples) for title, name in _BASELINES.items()}
    return {name: _score(goals, held_out.goals, dataset.names) for name, goals in predicted.items()}


def _answers(policy: Policy, samples: Samples) -> FloatArray:
    """Return the goals (n, 25) of a model; one that reads the neutral face gets that of each sample's person."""
    rest = None
    if samples.rest_features is not None:
        rest = RestReading(samples.rest_features, samples.rest_landmarks)
    return policy.batch(samples.features, samples.landmarks, rest)


def _score(predicted: FloatArray, goals: FloatArray, servo_names: tuple[str, ...]) -> Score:
    return Score(
        rmse(predicted, goals),
        rmse_over(0, predicted, goals),
        rmse_over(1, predicted, goals),
        left_right_gap(predicted, servo_names),
    )
