"""What can be wrong with meta.json."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, sha256_of
from rena_ros.base.resources import share_path
from rena_ros.datasets.dataset import FORMAT, block_rows, is_count
from rena_ros.perception.face_reader import COEFFICIENT_NAMES, READING_NAMES
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot

META = "meta.json"
_LIMITS_WITHIN_RAD = 1e-6


@dataclass(frozen=True)
class DatasetFault:
    """Something wrong. ``file``: relative to the dataset; ``row``: in that file, None where it is no row's fault."""

    file: str
    problem: str
    row: int | None = None
    sample: int | None = None

    def __str__(self) -> str:
        """Return the fault as one line."""
        place = self.file if self.row is None else f"{self.file}, row {self.row}"
        return (
            f"{place} (sample {self.sample}): {self.problem}" if self.sample is not None else f"{place}: {self.problem}"
        )


def loaded_meta(directory: Path) -> tuple[dict[str, Any] | None, list[DatasetFault]]:
    """Return the contents of meta.json, None where no sample can be found with them, and their faults."""
    try:
        meta = json.loads(read_text(directory / META, "file"))
    except ValueError as error:
        return None, [DatasetFault(META, f"it is no JSON: {error}")]
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        return None, [DatasetFault(META, f"it does not describe a dataset of format {FORMAT}")]
    faults = [DatasetFault(META, problem) for problem in _problems(meta)]
    names, counts = meta.get("names"), (meta.get("samples"), meta.get("shard_size"))
    usable = isinstance(names, list) and len(names) > 0 and all(is_count(count) for count in counts)
    return (meta if usable else None), faults


def robot_of(directory: Path, meta: dict[str, Any], robot_file: Path | None) -> Robot | None:
    """Return the robot of a dataset: ``robot_file``, else the dataset's own, else Rena where its hash is the same.

    None when it is not known. Raises RenaError when a file is no robot file.
    """
    if robot_file is None and (directory / "robot.yaml").is_file():
        robot_file = directory / "robot.yaml"
    if robot_file is None and sha256_of(share_path("config/rena.yaml")) != meta.get("robot"):
        return None
    return load_robot(robot_file)


def robot_faults(meta: dict[str, Any], robot: Robot) -> Iterator[DatasetFault]:
    """Yield where meta.json differs from the robot."""
    names = [str(name) for name in meta["names"]]
    if names != list(robot.names):
        only_here = [name for name in names if name not in robot.index]
        only_there = [name for name in robot.names if name not in names]
        what = "; ".join(
            f"{text} {', '.join(found)}"
            for text, found in (("the robot has no", only_here), ("missing:", only_there))
            if found
        )
        yield DatasetFault(META, f"names are not those of the robot in {robot.source} ({what or 'other order'})")
        return
    span = robot.upper - robot.lower
    for key, expected in (("lower_rad", robot.lower), ("span_rad", span), ("neutral_goals", robot.neutral_goals)):
        values = numbers_of(meta.get(key), len(names))
        if values is None:
            continue  # reported already
        for i in np.flatnonzero(np.abs(values - expected) > _LIMITS_WITHIN_RAD):
            yield DatasetFault(META, f"{key} of {names[i]} is {values[i]:.6g}, the robot's is {expected[i]:.6g}")


def _problems(meta: dict[str, Any]) -> Iterator[str]:
    for key in ("samples", "shard_size"):
        if not is_count(meta.get(key)):
            yield f"{key} is {meta.get(key)!r}, not a number from 1 on"
    names = meta.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        yield "names is not a list of servo names"
        names = []
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        yield f"names has {twice[0]} twice"
    if meta.get("feature_names") != list(READING_NAMES):
        yield f"feature_names are not the {len(READING_NAMES)} names of a reading"
    yield from _servo_problems(meta, names)
    rest = numbers_of(meta.get("robot_rest"), len(READING_NAMES))
    coefficients = len(COEFFICIENT_NAMES)
    if rest is None:
        yield f"robot_rest, the reading of the robot's neutral face, is not a list of {len(READING_NAMES)} numbers"
    elif rest[:coefficients].min() < 0 or rest[:coefficients].max() > 1:
        yield "robot_rest has coefficients outside [0, 1]"
    yield from _picture_and_split_problems(meta)


def _servo_problems(meta: dict[str, Any], names: list[str]) -> Iterator[str]:
    for key in ("neutral_goals", "lower_rad", "span_rad") if names else ():
        if (values := numbers_of(meta.get(key), len(names))) is None:
            yield f"{key} is not a list of {len(names)} finite numbers, one for each servo"
        elif key == "span_rad" and values.min() <= 0:
            yield f"span_rad of {names[int(values.argmin())]} is not above 0"
        elif key == "neutral_goals" and (values.min() < 0 or values.max() > 1):
            yield "neutral_goals are not in [0, 1]"


def _picture_and_split_problems(meta: dict[str, Any]) -> Iterator[str]:
    image = meta.get("image")
    sizes = [image.get(key) for key in ("width", "height")] if isinstance(image, dict) else [0]
    if not all(size is None or is_count(size) for size in sizes):
        yield "image does not give width and height, pixels (null: several)"
    source = meta.get("source")
    if isinstance(source, dict) and "tolerance_rad" in source:
        stated = numbers_of([source["tolerance_rad"]], 1)
        if stated is None or stated[0] <= 0:
            yield f"source: tolerance_rad is {source['tolerance_rad']!r}, not a number above 0"
    if not isinstance(meta.get("command"), str):
        yield "command, which made the dataset, is missing"
    if (rule := meta.get("split")) is not None:
        try:
            block_rows(2, 1, rule if isinstance(rule, dict) else {"rule": rule})
        except RenaError as error:
            yield str(error).removeprefix("meta.json has ")


def numbers_of(value: object, count: int) -> Any:
    """Return a list of ``count`` finite numbers as an array, or None where it is none."""
    if not isinstance(value, list) or len(value) != count:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
        return None
    array = np.array(value, np.float64)
    return array if np.isfinite(array).all() else None
