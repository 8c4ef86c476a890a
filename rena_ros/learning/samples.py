"""The samples that training sees: their split from a dataset, their check, and their mirror images."""

import hashlib
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.symmetry import mirror_features, mirror_goals

TEST_SAMPLES = 1000  # as in the paper: 8,000 to train, the last 1,000 to test


@dataclass(frozen=True)
class Samples:
    """Readings and the goals that belong to them, row by row; what no model of the run reads may be None.

    features: float32 (n, 55), coefficients in [0, 1] and the head pose in rad
    goals: float32 (n, 25) in [0, 1]
    landmarks: float32 (n, 478, 3), aligned (see ``perception.landmark_frame``)
    rest_features: float32 (n, 55), the reading of the same identity's neutral face
    rest_landmarks: float32 (n, 478, 3), aligned, of the same reading
    """

    features: FloatArray
    goals: FloatArray
    landmarks: FloatArray | None = None
    rest_features: FloatArray | None = None
    rest_landmarks: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.goals)


def training_part(dataset: Dataset, test: int, limit: int | None = None) -> Dataset:
    """Return what may be trained on: all but the last ``test`` samples, or the first ``limit`` of these.

    Raises RenaError when none is left, or when there are fewer than ``limit``.
    """
    part = dataset.split(test)[0]
    if limit is None:
        return part
    if not 0 < limit <= len(part):
        raise RenaError(
            f"--limit must be from 1 to the {len(part)} training samples of {dataset.directory}, not {limit}"
        )
    return part.part(slice(None, limit))


def split_validation(dataset: Dataset, validation: int) -> tuple[Samples, Samples]:
    """Split a training part into (training, validation): the last ``validation`` samples, as one block.

    Neighbouring samples may resemble each other, so validation samples from among the training samples would
    show too small an error. With ``validation`` 0 that part is empty. Raises RenaError when no training sample
    is left, or when a sample is not finite or has goals outside [0, 1].
    """
    rows = len(dataset) - validation
    if validation < 0 or rows < 1:
        raise RenaError(
            f"--validation {validation} leaves none of the {len(dataset)} samples to train on: keep fewer, such as "
            f"--validation {len(dataset) // 10} (0: train on all, keep the last epoch)"
        )
    _check(dataset)
    return (
        Samples(dataset.features[:rows], dataset.goals[:rows]),
        Samples(dataset.features[rows:], dataset.goals[rows:]),
    )


def with_mirror_images(samples: Samples, feature_names: tuple[str, ...], servo_names: tuple[str, ...]) -> Samples:
    """Return the samples followed by their mirror images, (2n, ...), so that the model favours neither side."""
    return Samples(
        np.concatenate((samples.features, mirror_features(samples.features, feature_names))),
        np.concatenate((samples.goals, mirror_goals(samples.goals, servo_names))),
    )


def robot_rest(dataset: Dataset) -> FloatArray:
    """Return the robot's own reading with its face at neutral, float32 (55,).

    Raises RenaError when the dataset does not hold it.
    """
    rest = dataset.meta.get("robot_rest")
    if rest is None or len(rest) != len(dataset.feature_names):
        raise RenaError(
            f"{dataset.directory} does not say how the robot reads at rest (robot_rest in meta.json); collect it again"
        )
    return np.asarray(rest, np.float32)


def fingerprint(*parts: Samples) -> str:
    """Return the SHA-256 of the features and goals of all parts in turn, 64 hexadecimal digits."""
    return hashlib.sha256(b"".join(part.features.tobytes() + part.goals.tobytes() for part in parts)).hexdigest()


def _check(dataset: Dataset) -> None:
    for what, array in (("features", dataset.features), ("goals", dataset.goals)):
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if bad.size:
            raise RenaError(
                f"{dataset.directory}: the {what} of sample {dataset.index[bad[0]]} are not finite; collect it again"
            )
    if dataset.goals.min() < 0 or dataset.goals.max() > 1:
        raise RenaError(f"{dataset.directory} holds goals outside [0, 1]; collect it again")
