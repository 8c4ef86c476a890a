"""The data of a report: what may be trained on, and the parts that are measured."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of
from rena_ros.behaviour.resting_face import RestingFace
from rena_ros.datasets.dataset import ARRAYS, OPTIONAL, Dataset, load_dataset
from rena_ros.report.drawn import FaceTrack, read_film
from rena_ros.report.plan import OWN, PEOPLE, Protocol

TEST, FRESH, KNOWN, STRANGERS = "test", "fresh", "known identities", "unknown identities"
ADAPTED = ", adapted"  # behind the name of a part
_OF_THE_DATA = ("samples", "seed", "commit", "strategy", "versions")  # keys of meta.json that results.json repeats


@dataclass(frozen=True)
class ReportData:
    """All samples of a report.

    own: training samples of the robot's own face; the first ``Protocol.pool`` are those of the comparison
    people: training samples of other identities, or None
    measured: the parts that models are measured on, by name; ``test`` is always among them
    origin: where the datasets come from, JSON data, without their places on this machine
    film: what is read of the frames of a film of a person, or None; ``film_sha256``: of the file, or ""
    """

    own: Dataset
    people: Dataset | None
    measured: dict[str, Dataset]
    origin: dict[str, Any]
    film: FaceTrack | None = None
    film_sha256: str = ""

    @property
    def people_samples(self) -> int:
        """Number of training samples of other identities."""
        return 0 if self.people is None else len(self.people)


def load_data(
    protocol: Protocol,
    data: Path,
    more: Sequence[Path] = (),
    fresh: Path | None = None,
    identities: Path | None = None,
    strangers: Path | None = None,
    film: Path | None = None,
) -> ReportData:
    """Load the datasets of a report, and read the film.

    Raises RenaError when one has too few samples, other servos or features than the first, or numbers that are none.
    """
    first = _checked(data)
    if len(first) < protocol.pool + protocol.test:
        raise RenaError(
            f"{data} has {len(first)} samples; the protocol needs {protocol.pool} to train and {protocol.test} to "
            "test: collect more (rena collect --fast --samples N --out DIR goes on with it)"
        )
    train, test = first.split(protocol.test)
    measured, origin = {TEST: test}, {"data": _origin(first)}
    further = [_fitting(_checked(path), first) for path in more]
    for i, dataset in enumerate(further):
        origin[f"more {i + 1}"] = _origin(dataset)
    if fresh is not None:
        measured[FRESH] = _fitting(_checked(fresh), first)
        origin[FRESH] = _origin(measured[FRESH])
    people = None
    if identities is not None:
        whole = _fitting(_checked(identities), first)
        held_out = later_halves(whole.identities, min(protocol.test, max(1, len(whole) // 5)))
        people, known = whole.part(np.flatnonzero(~held_out)), whole.part(np.flatnonzero(held_out))
        met = np.isin(known.identities, people.identities)
        if not met.any():
            raise RenaError(f"{identities}: no identity of its last {len(met)} samples is among those to train on")
        measured[KNOWN], origin["identities"] = known.part(np.flatnonzero(met)), _origin(whole)
    if strangers is not None:
        measured[STRANGERS] = _fitting(_checked(strangers), first)
        origin["strangers"] = _origin(measured[STRANGERS])
        if people is not None and (met := np.intersect1d(measured[STRANGERS].identities, people.identities)).size:
            raise RenaError(f"{strangers} shows identity {met[0]}, which {identities} trains on; collect others")
    own = joined([train, *further])
    if film is None:
        return ReportData(own, people, measured, origin)
    return ReportData(own, people, measured, origin, read_film(film), sha256_of(film))


def later_halves(identities: IntArray, count: int) -> BoolArray:
    """Choose about ``count`` samples to measure known identities on, bool (n,); all others train.

    They are, of the last samples, the later half of those of each identity.
    """
    first = max(0, len(identities) - 2 * count)
    chosen = np.zeros(len(identities), bool)
    for identity in np.unique(identities[first:]):
        rows = first + np.flatnonzero(identities[first:] == identity)
        chosen[rows[(len(rows) + 1) // 2 :]] = True
    return chosen


def training_samples(data: ReportData, protocol: Protocol, part: str, size: int) -> tuple[list[Dataset], list[Dataset]]:
    """Return what a run trains on, (training, validation), each as datasets in turn, the robot's own face first.

    Own face, up to ``pool`` samples: the first ``size`` ones, the last tenth of them for validation. More samples join
    those of the pool in training, so that the validation part stays that of the pool. With people, the last tenth of
    theirs, too, is for validation.
    """
    own, kept = data.own, protocol.pool - protocol.pool // 10
    if part == OWN and size <= protocol.pool:
        return [own.part(slice(None, size - size // 10))], [own.part(slice(size - size // 10, size))]
    rows = np.arange(len(own) if part == PEOPLE else size)
    training, validation = (
        [own.part(np.delete(rows, slice(kept, protocol.pool)))],
        [own.part(rows[kept : protocol.pool])],
    )
    if part == PEOPLE and data.people is not None:
        tenth = len(data.people) // 10
        training.append(data.people.part(slice(None, -tenth)))
        validation.append(data.people.part(slice(-tenth, None)))
    return training, validation


def with_adapted(measured: Mapping[str, Dataset], robot_rest: FloatArray) -> dict[str, Dataset]:
    """Return the parts of other identities again, their readings mapped to the robot's by each one's resting face.

    That is what ``behaviour`` does for a model that does not read the neutral face itself. ``robot_rest``: (55,).
    """
    return {
        name + ADAPTED: _adapted(part, RestingFace(robot_rest))
        for name, part in measured.items()
        if name in (KNOWN, STRANGERS) and part.rest_features is not None
    }


def _adapted(part: Dataset, face: RestingFace) -> Dataset:
    features, rests = part.features.copy(), part.rest_features
    for i in range(len(part)):
        face.rest = None if rests is None else rests[i]
        features[i] = face.adapt(features[i])
    return replace(part, features=features)


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """Return several datasets as one, in turn, with the names and the meta of the first.

    What only some of them hold (see ``datasets.dataset.OPTIONAL``) is left out.
    """
    if len(datasets) == 1:
        return datasets[0]
    there = [name for name in OPTIONAL if all(getattr(one, name) is not None for one in datasets)]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in datasets]) for name in (*ARRAYS, "index", *there)
    }
    missing: dict[str, Any] = dict.fromkeys(OPTIONAL[1:])
    return replace(datasets[0], **(missing | arrays))


def _checked(path: Path) -> Dataset:
    dataset = load_dataset(path)
    for what, array in (("features", dataset.features), ("goals", dataset.goals)):
        if not np.isfinite(array).all():
            raise RenaError(f"{path}: some {what} are not finite; rena dataset check lists every fault")
    return dataset


def _fitting(dataset: Dataset, first: Dataset) -> Dataset:
    if (dataset.names, dataset.feature_names) != (first.names, first.feature_names):
        raise RenaError(f"{dataset.directory} holds other servos or features than {first.directory}; collect it alike")
    return dataset


def _origin(dataset: Dataset) -> dict[str, Any]:
    digest = hashlib.sha256(dataset.features.tobytes() + dataset.goals.tobytes()).hexdigest()
    return {"sha256": digest, **{key: dataset.meta.get(key) for key in _OF_THE_DATA}}
