"""Reading a dataset: what the robot was told, where its servos came to rest, and what was seen of it.

A dataset is a directory: ``meta.json`` (how it was made), ``shards/NNNNN.npz`` (the numbers of up to 100
samples each, no pickles) and ``images/NNNNN.jpg`` (one picture a sample). ``shards.py`` writes it.
"""

import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rena_ros.base.errors import RenaError

FORMAT = 1
ARRAYS = ("goals", "positions", "features", "landmarks", "groups", "attempts")


@dataclass(frozen=True)
class Dataset:
    """n samples of a robot with s servos; row i of every array, and ``image(i)``, belong together.

    goals: float32 (n, s) in [0, 1], as commanded, in the order of ``names``
    positions: float64 (n, s) rad, as the servos reported once settled
    features: float32 (n, 55), a reading each, in the order of ``feature_names``
    landmarks: float32 (n, 478, 3), normalised image coordinates
    groups: str (n,), the constraint group that moved last
    attempts: uint8 (n,), how many expressions were replaced before this one because no face was found
    meta: the contents of meta.json; index: int (n,), the samples' numbers in the directory
    """

    goals: np.ndarray
    positions: np.ndarray
    features: np.ndarray
    landmarks: np.ndarray
    groups: np.ndarray
    attempts: np.ndarray
    names: tuple[str, ...]
    feature_names: tuple[str, ...]
    meta: dict
    directory: Path
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.goals)

    def image(self, i: int) -> Path:
        """Path of sample i's picture."""
        return image_path(self.directory, int(self.index[i]))

    def split(self, test: int = 1000) -> tuple["Dataset", "Dataset"]:
        """Return (train, test): the last ``test`` samples are the test set, always the same ones.

        Raises RenaError when that would leave nothing to train on.
        """
        if not 0 < test < len(self):
            raise RenaError(
                f"{self.directory} has {len(self)} samples: too few to keep {test} for the test; "
                f"collect more (rena collect --samples {max(9000, 2 * test)} …)"
            )
        return self.part(slice(None, -test)), self.part(slice(-test, None))

    def part(self, rows: slice | np.ndarray) -> "Dataset":
        """Return the samples ``rows``: a slice, or an array of row numbers."""
        return replace(self, index=self.index[rows], **{name: getattr(self, name)[rows] for name in ARRAYS})


def load_dataset(directory: str | Path) -> Dataset:
    """Load a whole dataset into memory (9,000 samples: about 56 MB); the pictures stay on disk.

    Raises RenaError when there is none, when samples are missing, or when a file is damaged.
    """
    directory = Path(directory)
    meta = read_meta(directory)
    if meta is None:
        raise RenaError(f"{directory} holds no dataset (no meta.json); make one: rena collect --out {directory}")
    shards = {first: read_shard(directory, first) for first in range(0, meta["samples"], meta["shard_size"])}
    there = sum(len(shard["goals"]) for shard in shards.values() if shard)
    if there != meta["samples"]:
        raise RenaError(
            f"{directory} is unfinished: {there} of {meta['samples']} samples; "
            f"the same command finishes it: {meta['command']}"
        )
    arrays = {name: np.concatenate([shard[name] for shard in shards.values()]) for name in ARRAYS}
    names, feature_names = tuple(meta["names"]), tuple(meta["feature_names"])
    return Dataset(
        **arrays,
        names=names,
        feature_names=feature_names,
        meta=meta,
        directory=directory,
        index=np.arange(meta["samples"]),
    )


def read_meta(directory: Path) -> dict | None:
    """Return the contents of meta.json, or None when there is none; RenaError when it cannot be used."""
    path = directory / "meta.json"
    try:
        meta = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RenaError(f"cannot read {path}: {error}") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise RenaError(f"{path} is not of a dataset of format {FORMAT}; collect it again with this version of Rena")
    return meta


def read_shard(directory: Path, first: int) -> dict[str, np.ndarray] | None:
    """Return the arrays of the shard whose first sample is ``first``, or None when it is not there."""
    path = shard_path(directory, first)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ARRAYS}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RenaError(f"{path} is damaged ({error}); remove it and run the same collect command again") from error


def shard_path(directory: Path, first: int) -> Path:
    """Path of the shard whose first sample is ``first``."""
    return directory / "shards" / f"{first:05d}.npz"


def image_path(directory: Path, sample: int) -> Path:
    """Path of one sample's picture."""
    return directory / "images" / f"{sample:05d}.jpg"
