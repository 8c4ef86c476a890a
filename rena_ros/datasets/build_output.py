"""Writing what a build has found: beside its final place, then moved there as a whole."""

import contextlib
import importlib.metadata
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros import __version__
from rena_ros.base.array_files import write_arrays
from rena_ros.base.arrays import Array
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of, sha256_of_text, write_text
from rena_ros.datasets.build_messages import LANDMARKS
from rena_ros.datasets.build_pairing import Candidate
from rena_ros.datasets.build_rest import RestReadings
from rena_ros.datasets.build_sources import BagSource
from rena_ros.datasets.shards import Shard, begin, locked, write_shard
from rena_ros.perception.engines import engine_version
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.model_file import find_face_model
from rena_ros.robot.model import Robot

SHARD_SIZE = 100
BLOCK = 50  # samples that a split keeps together


@contextlib.contextmanager
def building(out: Path) -> Iterator[tuple[Path, Path]]:
    """Give two empty folders, one for the dataset and one for scratch; the dataset takes the place ``out`` at the end.

    When the block fails or is interrupted, nothing is left. Raises RenaError when ``out`` holds something already, or
    another build is writing there.
    """
    out = out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RenaError(f"{out} exists and is not empty: choose another --out, or remove it first")
    work = out.with_name(f".{out.name}.building")
    with locked(work):
        try:
            dataset, scratch = work / "dataset", work / "scratch"
            for folder in (dataset, scratch):
                shutil.rmtree(folder, ignore_errors=True)  # of a build that was killed
                folder.mkdir()
            yield dataset, scratch
            os.replace(dataset, out)
        except OSError as error:
            raise RenaError(f"cannot write {out}: {error.strerror}; make room, then run the same command") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


def write_samples(directory: Path, samples: Sequence[Candidate], robot: Robot, meta: dict[str, Any]) -> None:
    """Write all samples, in this order, as a dataset. Raises RenaError when the disk refuses."""
    begin(directory, meta)
    for first in range(0, len(samples), SHARD_SIZE):
        part = samples[first : first + SHARD_SIZE]
        pictures = [one.picture for one in part if one.picture is not None]
        write_shard(directory, Shard(first, _arrays(part, robot), [path.read_bytes() for path in pictures]))


def write_beside(directory: Path, robot_text: str, rest: RestReadings) -> None:
    """Write the robot file and the readings at rest into a dataset. Raises RenaError."""
    write_text(directory / "robot.yaml", robot_text)
    write_arrays(directory / "rest.npz", {"stamps_ns": rest.stamps_ns, "features": rest.features})


def meta_of(
    samples: Sequence[Candidate],
    sources: Sequence[BagSource],
    robot: Robot,
    robot_text: str,
    rest: RestReadings,
    *,
    recomputed: bool,
    refused: Mapping[str, int],
    split: dict[str, Any] | None,
    tolerance_rad: float,
) -> dict[str, Any]:
    """Return the contents of meta.json; docs/dataset.md says what each entry means."""
    seeds = sorted({one.marker.seed for one in samples})
    strategies = {source.about.get("strategy_sha256") for source in sources if source.about.get("strategy_sha256")}
    counts = [sum(one.bag == bag for one in samples) for bag in range(len(sources))]
    meta: dict[str, Any] = {
        "command": shlex.join(["rena", *sys.argv[1:]]),
        "samples": len(samples),
        "seed": seeds[0] if len(seeds) == 1 else None,
        "shard_size": SHARD_SIZE,
        "names": list(robot.names),
        "feature_names": list(READING_NAMES),
        "neutral_goals": robot.neutral_goals.tolist(),
        "robot_rest": rest.median().tolist(),
        "lower_rad": robot.lower.tolist(),
        "span_rad": (robot.upper - robot.lower).tolist(),
        "image": {"width": samples[0].size[0], "height": samples[0].size[1], "source": "bags"},
        "robot": sha256_of_text(robot_text),
        "strategy": strategies.pop() if len(strategies) == 1 else None,
        "face_model": sha256_of(find_face_model()) if recomputed else None,
        "versions": engine_version() | {"numpy": importlib.metadata.version("numpy")} if recomputed else {},
        "rena_version": __version__,
        "commit": source_commit(),
        "source": {
            "kind": "bags",
            "bags": [
                {"bag": source.path.name, "session": Path(source.walk).name, "samples": count, **source.about}
                for source, count in zip(sources, counts, strict=True)
            ],
            "seeds": seeds,
            "tolerance_rad": tolerance_rad,
            "readings": "recomputed" if recomputed else "recorded",
        },
        "refused": dict(refused),
        "rest_readings": len(rest.features),
        "landmarks_missing": sum(one.landmarks is None for one in samples),
    }
    return meta | ({"split": split} if split else {})


def _arrays(samples: Sequence[Candidate], robot: Robot) -> dict[str, Array]:
    missing = np.full(LANDMARKS, np.nan, np.float32)
    markers = [one.marker for one in samples]
    return {
        "goals": np.stack([marker.goals_of(robot.names) for marker in markers]),
        "positions": np.stack([np.asarray(one.positions, np.float64) for one in samples]),
        "features": np.stack([np.asarray(one.features, np.float32) for one in samples]),
        "landmarks": np.stack([missing if one.landmarks is None else one.landmarks for one in samples]),
        "groups": np.array([marker.group[:32] for marker in markers], "U32"),
        "attempts": np.array([min(marker.attempt, 255) for marker in markers], np.uint8),
        "sample": np.array([marker.index for marker in markers], np.int64),
        "seed": np.array([marker.seed for marker in markers], np.int64),
        "bag": np.array([one.bag for one in samples], np.int16),
        "image_ns": np.array([marker.image_ns for marker in markers], np.int64),
        "capture_ns": np.array([one.capture_ns for one in samples], np.int64),
        "state_ns": np.array([one.state_ns for one in samples], np.int64),
        "command_ns": np.array([one.command_ns or 0 for one in samples], np.int64),
        "sharpness": np.array([one.sharpness for one in samples], np.float32),
    }
