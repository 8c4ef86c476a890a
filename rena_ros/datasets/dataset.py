"""Reading a dataset: the goals that were commanded, the positions at rest, and the readings of the pictures.

A dataset is a directory: ``meta.json`` (how it was made), ``shards/NNNNN.npz`` (arrays of up to 100 samples each, no
pickles) and ``images/NNNNN.jpg`` (one picture per sample). ``shards`` writes it; docs/dataset.md describes all of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.base.array_files import read_arrays
from rena_ros.base.arrays import Array, BoolArray, FloatArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, user_path

FORMAT = 1
_CHECK = "rena dataset check lists every fault"
ARRAYS = ("goals", "positions", "features", "landmarks", "groups", "attempts")
OPTIONAL = ("identities", "rest_features", "rest_landmarks")  # in all shards of a dataset, or in none


@dataclass(frozen=True)
class Dataset:
    """n samples of a robot with s servos; row i of every array, and ``image(i)``, belong to sample i.

    goals: float32 (n, s) in [0, 1], as commanded, in the order of ``names``
    positions: float64 (n, s) rad, as reported by the servos at rest
    features: float32 (n, 55), one reading per sample, in the order of ``feature_names``
    landmarks: float32 (n, 478, 3), normalised image coordinates; all NaN for a sample of a bag that holds none
    groups: str (n,), the constraint group that moved last
    attempts: uint8 (n,), how many expressions were replaced before this one because no face was found
    meta: the contents of meta.json
    index: int (n,), the numbers of the samples in the directory
    identities: int32 (n,), 0: the robot's own face, else the seed of the drawn one; all 0 where none are recorded
    rest_features: float32 (n, 55), the reading of this identity's neutral face; None where none is recorded
    rest_landmarks: float32 (n, 478, 3), of the same reading, as ``landmarks``; None where none are recorded
    """

    goals: FloatArray
    positions: FloatArray
    features: FloatArray
    landmarks: FloatArray
    groups: Array
    attempts: IntArray
    names: tuple[str, ...]
    feature_names: tuple[str, ...]
    meta: dict[str, Any]
    directory: Path
    index: IntArray
    identities: IntArray
    rest_features: FloatArray | None = None
    rest_landmarks: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.goals)

    def image(self, i: int) -> Path:
        """Return the path of sample i's picture."""
        return image_path(self.directory, int(self.index[i]))

    def split(self, test: int = 1000) -> tuple["Dataset", "Dataset"]:
        """Return (train, test), both in the order of the samples.

        The test set is the last ``test`` samples, or, where meta.json has ``split``, blocks of samples (see
        ``block_rows``). Raises RenaError when no sample would be left to train on.
        """
        if test < 1:
            raise RenaError(f"--test must be at least 1, not {test}")
        if test >= len(self):
            raise RenaError(
                f"{self.directory} has {len(self)} samples, too few to keep {test} for the test; "
                f"keep fewer (--test {max(1, len(self) // 10)}) or collect more"
            )
        if (rule := self.meta.get("split")) is None:
            return self.part(slice(None, -test)), self.part(slice(-test, None))
        held_out = block_rows(len(self), test, rule)
        return self.part(np.flatnonzero(~held_out)), self.part(np.flatnonzero(held_out))

    def part(self, rows: slice | IntArray) -> "Dataset":
        """Return the samples ``rows``: a slice, or an array of row numbers."""
        there = [name for name in (*ARRAYS, *OPTIONAL) if getattr(self, name) is not None]
        return replace(self, index=self.index[rows], **{name: getattr(self, name)[rows] for name in there})


def block_rows(samples: int, test: int, rule: Mapping[str, Any]) -> BoolArray:
    """Return which of ``samples`` rows are held out for the test, (n,), ``test`` of them.

    ``rule``: {"rule": "blocks", "block": b, "seed": s}. Rows 0 to b - 1 are the first block, and so on: b neighbours of
    the walk. ``np.random.default_rng(s).permutation`` of the blocks says in which order they are held out; the last one
    of these gives only its first rows, as many as are still needed. So each block but that one lies in one part.
    Raises RenaError for another rule.
    """
    block, seed = rule.get("block"), rule.get("seed")
    if rule.get("rule") != "blocks" or not isinstance(block, int) or not isinstance(seed, int) or block < 1 or seed < 0:
        raise RenaError(f"meta.json has a split that this version of Rena does not know: {dict(rule)}")
    order = np.random.default_rng(seed).permutation(-(-samples // block))
    rows = np.concatenate([np.arange(i * block, min((i + 1) * block, samples)) for i in order])
    held_out: BoolArray = np.zeros(samples, bool)
    held_out[rows[:test]] = True
    return held_out


def load_dataset(directory: str | Path) -> Dataset:
    """Load a whole dataset into memory (9,000 samples: about 56 MB); the pictures stay on disk.

    Raises RenaError when the directory holds no dataset, samples are missing, or a file is damaged.
    """
    directory = user_path(directory)
    meta = read_meta(directory)
    if meta is None:
        raise RenaError(_none_there(directory))
    _refuse_incomplete(directory, meta)
    there = sorted(int(path.stem) for path in (directory / "shards").glob("*.npz") if path.stem.isdecimal())
    firsts = [first for first in there if first < meta["samples"] and first % meta["shard_size"] == 0]
    shards = [shard for shard in (read_shard(directory, first, ARRAYS, OPTIONAL) for first in firsts) if shard]
    found = sum(len(shard["goals"]) for shard in shards)
    if found != meta["samples"]:
        raise RenaError(
            f"{directory} is unfinished: {found} of {meta['samples']} samples; "
            f"finish it with the same command: {meta['command']}"
        )
    extra = [name for name in OPTIONAL if any(name in shard for shard in shards)]
    if torn := [name for name in extra if not all(name in shard for shard in shards)]:
        raise RenaError(f"{directory}: only some of its shards hold {torn[0]}; {_CHECK}; collect it again")
    try:
        arrays = {name: np.concatenate([shard[name] for shard in shards]) for name in (*ARRAYS, *extra)}
    except ValueError as error:
        raise RenaError(f"the shards of {directory} do not fit each other ({error}); {_CHECK}") from error
    rows = {"goals": len(meta["names"]), "positions": len(meta["names"]), "features": len(meta["feature_names"])}
    if wrong := [name for name in rows if arrays[name].shape != (found, rows[name])]:
        raise RenaError(f"{directory}: {wrong[0]} do not have {rows[wrong[0]]} columns, as meta.json says; {_CHECK}")
    like = {"identities": "attempts", "rest_features": "features", "rest_landmarks": "landmarks"}
    if wrong := [name for name in extra if arrays[name].shape != arrays[like[name]].shape]:
        raise RenaError(f"{directory}: {wrong[0]} do not have the shape of {like[wrong[0]]}; {_CHECK}")
    return Dataset(
        **{"identities": np.zeros(found, np.int32), **arrays},
        names=tuple(meta["names"]),
        feature_names=tuple(meta["feature_names"]),
        meta=meta,
        directory=directory,
        index=np.arange(meta["samples"]),
    )


def read_meta(directory: Path) -> dict[str, Any] | None:
    """Return the contents of meta.json, or None when the file does not exist.

    Raises RenaError when it cannot be read or belongs to another format.
    """
    path = directory / "meta.json"
    if not path.is_file():
        return None
    try:
        meta = json.loads(read_text(path, "file"), parse_constant=_refuse_constant)
    except ValueError as error:
        raise RenaError(f"{path} is no JSON ({error}); make the dataset again") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise RenaError(f"{path} does not describe a dataset of format {FORMAT}; collect it with this version of Rena")
    return meta


def read_shard(
    directory: Path, first: int, names: Sequence[str] = ARRAYS, optional: Sequence[str] = ()
) -> dict[str, Array] | None:
    """Return the arrays ``names`` of the shard that starts with sample ``first``, or None when the file does not exist.

    Those of ``optional`` are returned where the shard holds them. Raises RenaError when the file is damaged, or lacks
    one of ``names``.
    """
    path = shard_path(directory, first)
    try:
        return read_arrays(path, names, optional)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RenaError(f"{path} is damaged ({error}); {_CHECK}; make it again") from error


def _refuse_incomplete(directory: Path, meta: Mapping[str, Any]) -> None:
    """Raise RenaError where meta.json lacks what every reader needs; `rena dataset check` looks at the rest."""
    for key, is_one in (("samples", is_count), ("shard_size", is_count), ("names", _are_names)):
        if not is_one(meta.get(key)):
            raise RenaError(f"{directory / 'meta.json'}: {key} is missing or impossible; {_CHECK}")
    if not _are_names(meta.get("feature_names")) or not isinstance(meta.get("command"), str):
        raise RenaError(f"{directory / 'meta.json'}: feature_names or command are missing; {_CHECK}")


def _none_there(directory: Path) -> str:
    if (directory / "session.json").is_file():
        return f"{directory} is a session, not yet a dataset: rena dataset build {directory} --out DIR"
    return f"{directory} holds no dataset (no meta.json); collect one: rena collect --fast --out {directory}"


def is_count(value: object) -> bool:
    """Return whether a value from JSON is a number of things, from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _are_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def shard_path(directory: Path, first: int) -> Path:
    """Return the path of the shard that starts with sample ``first``."""
    return directory / "shards" / f"{first:05d}.npz"


def image_path(directory: Path, sample: int) -> Path:
    """Return the path of one sample's picture."""
    return directory / "images" / f"{sample:05d}.jpg"
