"""From a dataset to what training sees: the training and validation parts, and mirror images."""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.learning.symmetry import mirror_features, mirror_goals
from rena_ros.recording.dataset import Dataset

TEST_SAMPLES = 1000  # as in the paper: 8,000 to train, the last 1,000 to test


@dataclass(frozen=True)
class Samples:
    """features float32 (n, 55) and goals float32 (n, 25), row by row."""

    features: np.ndarray
    goals: np.ndarray


def training_part(dataset: Dataset, test: int = TEST_SAMPLES) -> Dataset:
    """All but the test samples: nothing in training looks at those."""
    return dataset.split(test)[0]


def split_validation(dataset: Dataset, validation: int) -> tuple[Samples, Samples]:
    """(training, validation): the last ``validation`` samples of a training part, as one block.

    Neighbours in a dataset may resemble each other, so a validation set strewn in among the training
    samples would flatter. ``validation`` 0 leaves that part empty. Raises RenaError when nothing is left.
    """
    rows = len(dataset) - validation
    if validation < 0 or rows < 1:
        raise RenaError(f"--validation {validation} leaves nothing of the {len(dataset)} training samples")
    _check(dataset)
    return (
        Samples(dataset.features[:rows], dataset.goals[:rows]),
        Samples(dataset.features[rows:], dataset.goals[rows:]),
    )


def with_mirror_images(samples: Samples, feature_names: tuple[str, ...], names: tuple[str, ...]) -> Samples:
    """Every sample and its mirror image: twice as many, and no side is favoured."""
    return Samples(
        np.concatenate((samples.features, mirror_features(samples.features, feature_names))),
        np.concatenate((samples.goals, mirror_goals(samples.goals, names))),
    )


def _check(dataset: Dataset) -> None:
    for what, array in (("features", dataset.features), ("goals", dataset.goals)):
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if bad.size:
            raise RenaError(f"{dataset.directory}: the {what} of sample {dataset.index[bad[0]]} are not finite")
    if dataset.goals.min() < 0 or dataset.goals.max() > 1:
        raise RenaError(f"{dataset.directory} holds goals outside [0, 1]; collect it again")
