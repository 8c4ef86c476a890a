"""What can be wrong with the shards of a dataset, and with each of their rows."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.base.array_files import read_arrays
from rena_ros.base.arrays import Array, FloatArray
from rena_ros.datasets.build_judge import TOLERANCE_RAD
from rena_ros.datasets.check_meta import DatasetFault, numbers_of
from rena_ros.datasets.dataset import ARRAYS, OPTIONAL, shard_path
from rena_ros.perception.face_reader import COEFFICIENT_NAMES, READING_NAMES
from rena_ros.robot.model import Robot

_COEFFICIENTS = len(COEFFICIENT_NAMES)


class RowCheck:
    """Looks at the shards of one dataset in turn. ``goals``: of each sample seen, (s,), by its number.

    ``without_landmarks``: how many samples have none. ``robot`` None: antagonists are not looked at.
    """

    def __init__(self, directory: Path, meta: Mapping[str, Any], robot: Robot | None) -> None:
        self._directory, self._meta = directory, meta
        self._names: list[str] = [str(name) for name in meta["names"]]
        self._robot = robot if robot is not None and list(robot.names) == self._names else None
        source = meta.get("source")
        stated = numbers_of([source.get("tolerance_rad")] if isinstance(source, dict) else None, 1)
        self._tolerance_rad = TOLERANCE_RAD if stated is None else float(stated[0])
        self._lower, self._span = (numbers_of(meta.get(key), len(self._names)) for key in ("lower_rad", "span_rad"))
        self.goals: dict[int, FloatArray] = {}
        self.without_landmarks = 0
        self._seen: dict[bytes, int] = {}
        self._repeats: dict[int, int] = {}  # sample -> the earlier one that is equal

    def shards(self) -> Iterator[DatasetFault]:
        """Yield every fault of every shard."""
        samples, size = self._meta["samples"], self._meta["shard_size"]
        for first in range(0, samples, size):
            yield from self._shard(first, min(size, samples - first))
        stated = self._meta.get("landmarks_missing", 0)
        if stated != self.without_landmarks:
            found = f"{self.without_landmarks} samples have no landmarks"
            yield DatasetFault("meta.json", f"landmarks_missing is {stated}, but {found}")

    def _shard(self, first: int, count: int) -> Iterator[DatasetFault]:
        path = shard_path(self._directory, first)
        name = str(path.relative_to(self._directory))
        if not path.exists():
            last = f"samples {first} to {first + count - 1}" if count > 1 else f"sample {first}"
            finish = f"finish it with the same command: {self._meta.get('command')}"
            yield DatasetFault(name, f"it is missing, and with it {last}; {finish}")
            return
        try:
            arrays = read_arrays(path)
        except ValueError as error:
            yield DatasetFault(name, f"it is damaged: {error}")
            return
        whole = True
        for problem in self._shape_problems(arrays, count):
            whole = False
            yield DatasetFault(name, problem)
        if whole:
            for row in range(count):
                for problem in self._row_problems(arrays, row, first + row):
                    yield DatasetFault(name, problem, row, first + row)

    def _shape_problems(self, arrays: Mapping[str, Array], count: int) -> Iterator[str]:
        servos = len(self._names)
        expected = {
            "goals": (np.float32, (count, servos)),
            "positions": (np.float64, (count, servos)),
            "features": (np.float32, (count, len(READING_NAMES))),
            "landmarks": (np.float32, (count, 478, 3)),
            "groups": (np.str_, (count,)),
            "attempts": (np.uint8, (count,)),
            "identities": (np.int32, (count,)),
            "rest_features": (np.float32, (count, len(READING_NAMES))),
            "rest_landmarks": (np.float32, (count, 478, 3)),
        }
        for name in (*ARRAYS, *(name for name in OPTIONAL if name in arrays)):
            if name not in arrays:
                yield f"the array {name} is missing"
                continue
            dtype, shape = expected[name]
            array = arrays[name]
            if not np.issubdtype(array.dtype, dtype):
                yield f"{name} is {array.dtype}, not {np.dtype(dtype).name}"
            if array.shape[1:] == shape[1:] and len(array) < count:
                yield f"{name} has {len(array)} rows, {count} are expected: the dataset is unfinished"
            elif array.shape != shape:
                yield f"{name} has the shape {array.shape}, not {shape}"
        for name in sorted(set(arrays) - {*ARRAYS, *OPTIONAL}):
            if arrays[name].ndim < 1 or len(arrays[name]) != count:
                yield f"{name} has the shape {arrays[name].shape}: its first axis is not the {count} samples"

    def _row_problems(self, arrays: Mapping[str, Array], row: int, sample: int) -> Iterator[str]:
        goals, positions = arrays["goals"][row].astype(np.float64), arrays["positions"][row]
        yield from self._goal_problems(goals)
        yield from self._position_problems(goals, positions)
        features, landmarks = arrays["features"][row], arrays["landmarks"][row]
        yield from _beyond("features", features[:_COEFFICIENTS], READING_NAMES, 0.0, 1.0)
        yield from _beyond("features", features[_COEFFICIENTS:], READING_NAMES[_COEFFICIENTS:], -np.pi, np.pi)
        finite = np.isfinite(landmarks)
        if not finite.any():
            self.without_landmarks += 1
        elif not finite.all():
            yield f"landmarks: {int((~finite).any(axis=1).sum())} of {len(landmarks)} points are not finite"
        if not str(arrays["groups"][row]):
            yield "groups: it names no group"
        self.goals[sample] = goals
        yield from self._repeat_problems(arrays, row, sample)

    def _repeat_problems(self, arrays: Mapping[str, Array], row: int, sample: int) -> Iterator[str]:
        """Yield whether a sample is there twice.

        No camera takes the same picture twice, but the twin draws an expression that comes again as it did before: of
        its samples, only two or more in a row that come again in the same order are the same ones. Samples of bags have
        the stamps of their pictures.
        """
        names, what = ["goals", "features"], "the same goals and the same reading"
        if "image_ns" in arrays:
            names, what = ["image_ns"], "the same stamp of its picture"
        key = hashlib.sha256(b"".join(arrays[name][row].tobytes() for name in names)).digest()
        if (earlier := self._seen.setdefault(key, sample)) == sample:
            return
        self._repeats[sample] = earlier
        if "image_ns" in arrays or not self._is_drawn or self._repeats.get(sample - 1) == earlier - 1:
            yield f"it is sample {earlier} again: {what}"

    def _goal_problems(self, goals: FloatArray) -> Iterator[str]:
        faults = list(_beyond("goals", goals, self._names, 0.0, 1.0))
        yield from faults
        if self._robot is None or faults:
            return
        wanted = self._robot.positions(goals)
        for a, b in self._robot.antagonist_pairs:
            alone = self._robot.limit([self._names[a], self._names[b]], wanted[[a, b]].tolist(), 0 * wanted)
            if alone.clamped:
                yield f"goals: the antagonists {self._names[a]} and {self._names[b]} both pull"

    def _position_problems(self, goals: FloatArray, positions: FloatArray) -> Iterator[str]:
        lower, span = self._lower, self._span
        if lower is None or span is None:
            yield from _beyond("positions", positions, self._names, -np.inf, np.inf)
            return  # meta.json has this fault
        lows, highs = lower - self._tolerance_rad, lower + span + self._tolerance_rad
        beyond = list(_beyond("positions", positions, self._names, lows, highs))
        yield from beyond
        away = np.abs(positions - lower - goals * span)
        for i in np.flatnonzero(away > self._tolerance_rad) if not beyond else ():
            yield f"positions: {self._names[i]} is {away[i]:.3f} rad from its goal: it had not settled"

    @property
    def _is_drawn(self) -> bool:
        image = self._meta.get("image")
        return isinstance(image, dict) and image.get("source") == "twin"


def _beyond(what: str, values: FloatArray, names: Any, low: Any, high: Any) -> Iterator[str]:
    """Yield one line for the values that are not finite, and one for those outside [low, high]."""
    for text, wrong in (
        ("is not finite", ~np.isfinite(values)),
        (
            f"is outside [{low:g}, {high:g}]" if np.ndim(low) == 0 else "is beyond its limits",
            (values < low) | (values > high),
        ),
    ):
        if (found := np.flatnonzero(wrong)).size:
            shown = ", ".join(f"{names[i]} {values[i]:.4g}" for i in found[:3])
            more = f" and {found.size - 3} more" if found.size > 3 else ""
            yield f"{what}: {shown}{more} {text}"
