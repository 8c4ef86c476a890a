"""Writing a dataset. An interruption, a crash or a full disk loses at most the shard in progress.

Pictures are written first, then the arrays; each file is written as a whole and flushed to the disk. The contents of a
shard follow from meta.json alone, so a missing shard can be made later.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rena_ros.base.array_files import write_arrays
from rena_ros.base.arrays import Array
from rena_ros.base.errors import RenaError
from rena_ros.base.files import write_bytes, write_json
from rena_ros.datasets.dataset import ARRAYS, FORMAT, image_path, read_meta, read_shard, shard_path

# The samples follow from these entries of meta.json: a dataset in which one of them differs cannot be continued.
# robot_rest, the reading of the neutral face, stands for all else that changes the robot's appearance.
RECIPE = (
    *("seed", "shard_size", "names", "feature_names", "image", "robot", "strategy", "face_model", "versions"),
    *("robot_rest", "body", "people", "nuisance"),
)


@dataclass(frozen=True)
class Shard:
    """k samples, the first one numbered ``first``.

    ``arrays``: by the names in ``dataset.ARRAYS``, and any others, first axis k. ``jpegs``: k encoded pictures.
    """

    first: int
    arrays: dict[str, Array]
    jpegs: list[bytes]


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Create the directory and lock it for this process.

    Raises RenaError when another process holds the lock, or the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise RenaError(f"cannot write into {directory}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise RenaError(
            f"another rena command is writing into {directory}: wait for it, or choose another --out"
        ) from error
    try:
        yield
    finally:
        os.close(lock)


def begin(directory: Path, meta: dict[str, Any]) -> dict[str, Any] | None:
    """Begin a dataset, or continue one of the same recipe; ``samples`` may grow, not shrink.

    Returns the meta of the earlier run that is continued, or None. Raises RenaError when the directory holds other
    files or a dataset of another recipe.
    """
    earlier = read_meta(directory)
    if earlier is None:
        foreign = [path.name for path in directory.iterdir() if path.name != ".lock"]
        if foreign:
            raise RenaError(f"{directory} is not empty and holds no dataset ({foreign[0]} …): choose another --out")
    else:
        changed = [key for key in RECIPE if json.loads(json.dumps(meta.get(key))) != earlier.get(key)]
        if changed:
            listed = "; ".join(
                f"{key}: {_short(earlier.get(key))} there, {_short(meta.get(key))} now" for key in changed
            )
            raise RenaError(f"{directory} holds a dataset of another recipe ({listed}): choose another --out")
        if meta["samples"] < earlier["samples"]:
            raise RenaError(f"{directory} is a dataset of {earlier['samples']} samples: it can grow, not shrink")
    with _remedy(directory):
        (directory / "shards").mkdir(exist_ok=True)
        (directory / "images").mkdir(exist_ok=True)
        write_json(directory / "meta.json", {"format": FORMAT, **meta})
    return earlier


def missing(directory: Path, samples: int, shard_size: int) -> list[range]:
    """Return the samples still to be made, one range per missing, partial or damaged shard."""
    ranges = [range(first, min(first + shard_size, samples)) for first in range(0, samples, shard_size)]
    return [wanted for wanted in ranges if _length(directory, wanted.start) < len(wanted)]


def write_shard(directory: Path, shard: Shard) -> None:
    """Write one shard, pictures first. Raises RenaError when the disk refuses; earlier shards stay whole."""
    with _remedy(directory):
        for sample, jpeg in enumerate(shard.jpegs, shard.first):
            write_bytes(image_path(directory, sample), jpeg)
        others = [name for name in shard.arrays if name not in ARRAYS]
        arrays = {name: shard.arrays[name] for name in (*ARRAYS, *others)}
        write_arrays(shard_path(directory, shard.first), arrays)


def _length(directory: Path, first: int) -> int:
    try:
        shard = read_shard(directory, first)
    except RenaError:
        return 0  # a damaged shard is made again
    return len(shard["goals"]) if shard else 0


@contextmanager
def _remedy(directory: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RenaError) as error:
        cause = f"cannot write into {directory}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise RenaError(
            f"{cause}; finished shards are safe: if the disk is full, make room; then run the same command again"
        ) from error


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
