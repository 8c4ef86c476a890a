"""`rena dataset check`: every fault of a dataset, each with its file and row."""

import argparse
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from rena_ros.base.array_files import read_arrays
from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.datasets.build_pictures import look_at, usable_workers
from rena_ros.datasets.check_meta import META, DatasetFault, loaded_meta, robot_faults, robot_of
from rena_ros.datasets.check_rows import RowCheck
from rena_ros.datasets.dataset import image_path, shard_path
from rena_ros.perception.face_reader import READING_NAMES

_SAME_GOALS = 0.01  # goals nearer than this may look alike: servos move in ticks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rena dataset check`."""
    parser.add_argument("directory", type=user_path, metavar="DIR", help="a dataset")
    parser.add_argument(
        "--robot-file", type=user_path, metavar="FILE", help="the robot it must be of (default: as the dataset says)"
    )
    parser.add_argument("--workers", type=int, help="processes for the pictures (default: one per core, at most 8)")
    parser.add_argument("--json", type=user_path, metavar="FILE", help="also write the faults to this file")


def run(args: argparse.Namespace) -> int:
    """Print every fault. Returns 0 without any, else 1. Raises RenaError where there is no dataset at all."""
    if not (args.directory / META).is_file():
        raise RenaError(f"{args.directory} holds no dataset (no {META}); collect, build or import one")
    console, workers = Console(soft_wrap=True), usable_workers(args.workers)
    faults = list(_faults(console, args.directory, args.robot_file, workers))
    for fault in faults:
        console.print(str(fault), markup=False, highlight=False)
    console.print(f"{args.directory}: " + (f"{len(faults)} fault(s)" if faults else "no fault"))
    if args.json:
        listed = [{"file": one.file, "row": one.row, "sample": one.sample, "problem": one.problem} for one in faults]
        write_json(args.json, {"faults": listed})
    return 1 if faults else 0


def _faults(console: Console, directory: Path, robot_file: Path | None, workers: int) -> Iterator[DatasetFault]:
    meta, faults = loaded_meta(directory)
    yield from faults
    if meta is None:
        return
    robot = robot_of(directory, meta, robot_file)
    if robot is None:
        console.print("the robot is not known, so its names and limits are not looked at; see --robot-file")
    else:
        yield from robot_faults(meta, robot)
    rows = RowCheck(directory, meta, robot)
    yield from rows.shards()
    yield from _picture_faults(console, directory, meta, rows.goals, workers)
    yield from _stray_files(directory, meta)
    yield from _rest_faults(directory)


def _picture_faults(
    console: Console, directory: Path, meta: dict[str, Any], goals: Mapping[int, FloatArray], workers: int
) -> Iterator[DatasetFault]:
    image = meta["image"] if isinstance(meta.get("image"), dict) else {}
    wanted = image.get("width"), image.get("height")
    there, seen = list[int](), dict[bytes, int]()
    for sample in range(meta["samples"]):
        path = image_path(directory, sample)
        name = str(path.relative_to(directory))
        try:
            data = path.read_bytes()
        except OSError as error:
            yield DatasetFault(name, f"it cannot be read: {error.strerror}", sample=sample)
            continue
        if not data.startswith(b"\xff\xd8"):
            yield DatasetFault(name, "it is no JPEG", sample=sample)
            continue
        there.append(sample)
        earlier = seen.setdefault(hashlib.sha256(data).digest(), sample)
        if {sample, earlier} <= set(goals) and np.abs(goals[sample] - goals[earlier]).max() > _SAME_GOALS:
            yield DatasetFault(name, f"it is the picture of sample {earlier}, which has other goals", sample=sample)
    looks = look_at([image_path(directory, sample) for sample in there], read=False, workers=workers)
    numbered = zip(there, looks, strict=True)
    for sample, look in track(numbered, "pictures", total=len(there), console=console, transient=True):
        name = str(image_path(directory, sample).relative_to(directory))
        if look.damage:
            yield DatasetFault(name, f"it cannot be decoded: {look.damage}", sample=sample)
        elif None not in wanted and look.size != wanted:
            size = f"it is {look.size[0]}x{look.size[1]}, {META} says {wanted[0]}x{wanted[1]}"
            yield DatasetFault(name, size, sample=sample)


def _stray_files(directory: Path, meta: dict[str, Any]) -> Iterator[DatasetFault]:
    """Yield the files that belong to no sample: left over, or their samples are missing from meta.json."""
    samples = range(meta["samples"])
    known = {image_path(directory, sample) for sample in samples}
    known |= {shard_path(directory, first) for first in samples[:: meta["shard_size"]]}
    for folder in ("shards", "images"):
        for path in sorted((directory / folder).glob("*")) if (directory / folder).is_dir() else ():
            if path not in known:
                yield DatasetFault(str(path.relative_to(directory)), "it belongs to no sample")


def _rest_faults(directory: Path) -> Iterator[DatasetFault]:
    if not (directory / "rest.npz").exists():
        return
    try:
        rest = read_arrays(directory / "rest.npz", ("stamps_ns", "features"))
    except ValueError as error:
        yield DatasetFault("rest.npz", f"it is damaged: {error}")
        return
    stamps, features = rest["stamps_ns"], rest["features"]
    fit = stamps.ndim == 1 and features.shape == (len(stamps), len(READING_NAMES)) and features.dtype == np.float32
    if not fit or not np.isfinite(features).all():
        yield DatasetFault("rest.npz", f"it does not hold {len(READING_NAMES)} finite features for each stamp")
