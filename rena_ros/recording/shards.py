"""Writing a dataset so that an interruption, a crash or a full disk loses at most the shard being made.

A shard appears whole or not at all: pictures first, then the numbers under a temporary name, synced, then
renamed. Whatever a shard holds follows from meta.json alone, so a shard that is missing can be made later.
"""

import fcntl
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.recording.dataset import ARRAYS, FORMAT, image_path, read_meta, read_shard, shard_path

# What the samples follow from: a dataset that differs in one of these cannot be continued.
RECIPE = ("seed", "shard_size", "names", "feature_names", "image", "robot", "strategy", "face_model", "versions")
# The reading of the neutral face stands for everything else: a robot that looks different now would be mixed in.
RECIPE += ("robot_rest",)


@dataclass(frozen=True)
class Shard:
    """k samples. ``arrays``: by the names in ``dataset.ARRAYS``, first axis k; ``jpegs``: k encoded pictures."""

    first: int
    arrays: dict[str, np.ndarray]
    jpegs: list[bytes]


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make the directory and hold it for this process. Raises RenaError when another one writes there."""
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
            f"another rena collect is writing into {directory}: wait for it, or use another --out"
        ) from error
    try:
        yield
    finally:
        os.close(lock)


def begin(directory: Path, meta: dict) -> dict | None:
    """Begin a dataset, or continue one of the same recipe; ``samples`` may grow, not shrink.

    Returns the meta of the earlier run that is being continued, or None. Raises RenaError when the
    directory holds something else, or a dataset that was made in another way.
    """
    earlier = read_meta(directory)
    if earlier is None:
        foreign = [path.name for path in directory.iterdir() if path.name != ".lock"]
        if foreign:
            raise RenaError(f"{directory} is not empty and holds no dataset ({foreign[0]} …): choose another --out")
    else:
        changed = [key for key in RECIPE if json.loads(json.dumps(meta[key])) != earlier.get(key)]
        if changed:
            listed = "; ".join(f"{key}: {_short(earlier.get(key))} there, {_short(meta[key])} now" for key in changed)
            raise RenaError(f"{directory} holds a dataset made in another way ({listed}): choose another --out")
        if meta["samples"] < earlier["samples"]:
            raise RenaError(f"{directory} is a dataset of {earlier['samples']} samples: it can grow, not shrink")
    with _explained(directory):
        (directory / "shards").mkdir(exist_ok=True)
        (directory / "images").mkdir(exist_ok=True)
        text = json.dumps({"format": FORMAT, **meta}, indent=1)
        _write_whole(directory / "meta.json", text.encode())
    return earlier


def missing(directory: Path, samples: int, shard_size: int) -> list[range]:
    """Return the samples still to be made, a range for each missing, partial or damaged shard."""
    ranges = [range(first, min(first + shard_size, samples)) for first in range(0, samples, shard_size)]
    return [wanted for wanted in ranges if _length(directory, wanted.start) < len(wanted)]


def write_shard(directory: Path, shard: Shard) -> None:
    """Write one shard, pictures first. Raises RenaError when the disk refuses; earlier shards stay whole."""
    with _explained(directory):
        for i, jpeg in enumerate(shard.jpegs):
            with open(image_path(directory, shard.first + i), "wb") as file:
                file.write(jpeg)
                file.flush()
                os.fsync(file.fileno())
        _sync(directory / "images")
        packed = io.BytesIO()  # in memory first: a zip file that meets a full disk does not end quietly
        np.savez(packed, **{name: shard.arrays[name] for name in ARRAYS})
        _write_whole(shard_path(directory, shard.first), packed.getvalue())


def _length(directory: Path, first: int) -> int:
    try:
        shard = read_shard(directory, first)
    except RenaError:
        return 0  # damaged: it is made again, and comes out as it was meant to be
    return len(shard["goals"]) if shard else 0


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RenaError(
            f"cannot write into {directory}: {error.strerror} ({error.filename or 'while writing'}); "
            "the samples of finished shards are safe: make room, then run the same command again"
        ) from error


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
