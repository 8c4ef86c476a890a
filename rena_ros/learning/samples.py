"""The samples that training sees: what a dataset gives, their split, their check, and their mirror images."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rena_ros.base.arrays import Array, BoolArray, FloatArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import RestReading
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.symmetry import mirror_features, mirror_goals
from rena_ros.perception.landmark_frame import aligned, mirrored

TEST_SAMPLES = 1000  # as in the paper: 8,000 to train, the last 1,000 to test


@dataclass(frozen=True)
class Samples:
    """Readings and the goals that belong to them, row by row; what no model of the run reads may be None.

    features: float32 (n, 55), coefficients in [0, 1] and the head pose in rad
    goals: float32 (n, 25) in [0, 1]
    landmarks: float32 (n, 478, 3), aligned (see ``perception.landmark_frame``)
    rest_features: float32 (n, 55), the reading of the same identity's neutral face
    rest_landmarks: float32 (n, 478, 3), aligned, of the same reading
    identities: int32 (n,), 0 for the robot's own face; None: all show it
    """

    features: FloatArray
    goals: FloatArray
    landmarks: FloatArray | None = None
    rest_features: FloatArray | None = None
    rest_landmarks: FloatArray | None = None
    identities: IntArray | None = None

    def __len__(self) -> int:
        return len(self.goals)

    def part(self, rows: slice | IntArray) -> "Samples":
        """Return the samples ``rows``: a slice, or an array of row numbers."""
        return replace(self, **{name: array[rows] for name, array in vars(self).items() if array is not None})

    @property
    def people(self) -> BoolArray:
        """Return which samples show another face than the robot's own, bool (n,)."""
        return np.zeros(len(self), bool) if self.identities is None else self.identities != 0


def samples_of(dataset: Dataset, reads: Sequence[str] = ("features",)) -> Samples:
    """Return the samples of a dataset with what a network ``reads``, names of fields of ``Samples``.

    Where the dataset holds no rests, all samples show the robot's own face. Raises RenaError when the dataset lacks
    something, or when a sample is not finite or has goals outside [0, 1].
    """
    rest = robot_rest(dataset, "rest_landmarks" in reads) if {*reads} & {"rest_features", "rest_landmarks"} else None
    landmarks = rest_features = rest_landmarks = None
    if "landmarks" in reads:
        landmarks = _aligned(dataset, dataset.landmarks)
    if rest is not None and "rest_features" in reads:
        rest_features = np.broadcast_to(rest.features, dataset.features.shape)
        rest_features = rest_features if dataset.rest_features is None else dataset.rest_features
    if rest is not None and rest.landmarks is not None:
        rest_landmarks = np.broadcast_to(rest.landmarks, dataset.landmarks.shape)
        if dataset.rest_landmarks is not None:
            rest_landmarks = _aligned(dataset, dataset.rest_landmarks)
    samples = Samples(dataset.features, dataset.goals, landmarks, rest_features, rest_landmarks, dataset.identities)
    _check(dataset, samples)
    return samples


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


def split_validation(
    dataset: Dataset, validation: int, reads: Sequence[str] = ("features",)
) -> tuple[Samples, Samples]:
    """Split a training part into (training, validation): the last ``validation`` samples, as one block.

    Neighbouring samples may resemble each other, so validation samples from among the training samples would
    show too small an error. With ``validation`` 0 that part is empty. ``reads``: see ``samples_of``. Raises RenaError
    when no training sample is left, and as ``samples_of`` does.
    """
    rows = len(dataset) - validation
    if validation < 0 or rows < 1:
        raise RenaError(
            f"--validation {validation} leaves none of the {len(dataset)} samples to train on: keep fewer, such as "
            f"--validation {len(dataset) // 10} (0: train on all, keep the last epoch)"
        )
    samples = samples_of(dataset, reads)
    return samples.part(slice(None, rows)), samples.part(slice(rows, None))


def joined(*parts: Samples) -> Samples:
    """Return the samples of all parts, one after another; each part holds the same fields as the first."""
    names = [name for name, array in vars(parts[0]).items() if array is not None]
    return Samples(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def with_mirror_images(samples: Samples, feature_names: tuple[str, ...], servo_names: tuple[str, ...]) -> Samples:
    """Return the samples followed by their mirror images, (2n, ...), so that the model favours neither side."""
    images: dict[str, Array] = {"features": mirror_features(samples.features, feature_names)}
    images["goals"] = mirror_goals(samples.goals, servo_names)
    if samples.identities is not None:
        images["identities"] = samples.identities
    if samples.rest_features is not None:
        images["rest_features"] = mirror_features(samples.rest_features, feature_names)
    for name in ("landmarks", "rest_landmarks"):
        if (points := getattr(samples, name)) is not None:
            images[name] = mirrored(points)
    return Samples(**{name: np.concatenate((getattr(samples, name), image)) for name, image in images.items()})


def robot_rest(dataset: Dataset, landmarks: bool = False) -> RestReading:
    """Return the robot's own reading with its face at neutral; ``landmarks``: with its landmarks.

    Where the dataset does not hold those of its neutral face, the mean of all its landmarks stands for them. Raises
    RenaError when the dataset does not hold the features.
    """
    rest = dataset.meta.get("robot_rest")
    if rest is None or len(rest) != len(dataset.feature_names):
        raise RenaError(
            f"{dataset.directory} does not say how the robot reads at rest (robot_rest in meta.json); collect it again"
        )
    features = np.asarray(rest, np.float32)
    if not landmarks:
        return RestReading(features)
    held = dataset.meta.get("robot_rest_landmarks")
    if held is None:
        return RestReading(features, _aligned(dataset, dataset.landmarks).mean(axis=0))
    if np.shape(held) != dataset.landmarks.shape[1:]:
        raise RenaError(f"{dataset.directory}: robot_rest_landmarks of meta.json are not 478 points; collect it again")
    return RestReading(features, _aligned(dataset, np.asarray(held, np.float32)[None])[0])


def fingerprint(*parts: Samples) -> str:
    """Return the SHA-256 of all arrays of all parts in turn, 64 hexadecimal digits."""
    arrays = [array for part in parts for array in vars(part).values() if array is not None]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _aligned(dataset: Dataset, landmarks: FloatArray) -> FloatArray:
    """Return landmarks (n, 478, 3) of pictures of this dataset in the frame of the face; see ``landmark_frame``."""
    missing = np.flatnonzero(~np.isfinite(landmarks).all(axis=(1, 2)))
    if missing.size:
        raise RenaError(
            f"{dataset.directory}: sample {dataset.index[missing[0] % len(dataset)]} has no landmarks, which this "
            "model reads; choose an --architecture without landmarks, or build the dataset from its pictures"
        )
    image = dataset.meta.get("image") or {}
    if not image.get("width") or not image.get("height"):
        raise RenaError(f"{dataset.directory} does not say how large its pictures are (image in meta.json)")
    return aligned(landmarks, image["width"] / image["height"])


def _check(dataset: Dataset, samples: Samples) -> None:
    for what in ("features", "goals", "rest_features"):
        array = getattr(samples, what)
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1)) if array is not None else np.empty(0, int)
        if bad.size:
            raise RenaError(
                f"{dataset.directory}: the {what} of sample {dataset.index[bad[0]]} are not finite; collect it again"
            )
    if dataset.goals.min() < 0 or dataset.goals.max() > 1:
        raise RenaError(f"{dataset.directory} holds goals outside [0, 1]; collect it again")
