"""`rena dataset import`: a table of servo commands and a folder of pictures become a dataset.

All rows are judged, and all pictures read, before the dataset is written; until then, readings wait in
``OUT.unfinished``.
"""

import argparse
import importlib.metadata
import os
import shlex
import shutil
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros import __version__
from rena_ros.base.arrays import FloatArray
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of, sha256_of_text, user_path, write_text
from rena_ros.datasets import column_map
from rena_ros.datasets.column_map import ImportSource, load_source
from rena_ros.datasets.picture_readings import PictureReading, as_jpeg, read_pictures
from rena_ros.datasets.shards import Shard, begin, locked, write_shard
from rena_ros.datasets.table_rows import BadRow, TableRow, judge_rows, neutral_rows
from rena_ros.perception.engines import engine_version
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.model_file import find_face_model

SHARD_SIZE = 100
SPLIT = {"rule": "blocks", "block": 50, "seed": 0}  # neighbours stay together, and the test set is from all over
Sample = tuple[TableRow, PictureReading]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rena dataset import`."""
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, column_map.__doc__
    parser.add_argument("folder", type=user_path, help="folder with a table (CSV, TSV or Parquet) and its pictures")
    parser.add_argument("--out", type=user_path, required=True, help="directory of the new dataset")
    parser.add_argument(
        "--map",
        type=user_path,
        metavar="FILE",
        help="column map (YAML): which column is what, and its unit; default: FOLDER/columns.yaml where there is one, "
        "else columns with the servos' names, goals 0..1, and file_name",
    )
    parser.add_argument("--robot-file", type=user_path, help="another robot file than that of the map")
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out rows with faults; they are listed all the same"
    )


def run(args: argparse.Namespace) -> int:
    """Import a table. Returns 0, or 130 after Ctrl-C (the same command continues). Raises RenaError for bad rows."""
    source, console = load_source(args.folder, args.map, args.robot_file), Console(soft_wrap=True)
    out, work = args.out.absolute(), args.out.absolute().with_name(f"{args.out.absolute().name}.unfinished")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RenaError(f"{args.out} exists and is not empty: choose another --out, or remove it first")
    rows, bad = judge_rows(source)
    if not args.skip_bad:
        _refuse(source, bad, "no picture was read yet; ")
    at_rest = {row.number for row in neutral_rows(source, rows)}  # before the pictures, which take minutes
    with locked(work):
        try:
            readings = _read(console, rows, work / "readings")
            pairs = list(zip(rows, readings, strict=True))
            bad += [BadRow(row.number, _of_picture(source, reading)) for row, reading in pairs if reading.problem]
            if not args.skip_bad:
                _refuse(source, bad, f"what was read in the others is kept in {work}; ")
            samples = [(row, reading) for row, reading in pairs if not reading.problem]
            meta = _meta(source, samples, _rest(source, samples, at_rest), bad)
            _write(work / "dataset", source, samples, meta)
            os.replace(work / "dataset", out)
        except KeyboardInterrupt:
            console.print(f"stopped: what was read is kept in {work}; the same command continues")
            return 130
        shutil.rmtree(work, ignore_errors=True)
    if bad:
        console.print(f"left out {_rows(bad)} of {len(source.table.rows)} rows:\n{_listed(source, bad)}", markup=False)
    measured = "as measured" if source.columns.measured else "as commanded: the table has no measured ones"
    console.print(f"{len(samples)} samples in {args.out}; positions {measured}")
    return 0


def _write(directory: Path, source: ImportSource, samples: Sequence[Sample], meta: dict[str, Any]) -> None:
    shutil.rmtree(directory, ignore_errors=True)  # of a run that was interrupted here
    directory.mkdir()
    begin(directory, meta)
    for first in range(0, len(samples), SHARD_SIZE):
        write_shard(directory, _shard(first, samples[first : first + SHARD_SIZE]))
    write_text(directory / "robot.yaml", source.robot_text)


def _refuse(source: ImportSource, bad: Sequence[BadRow], state: str) -> None:
    if bad:
        raise RenaError(
            f"{source.table.path} has {_rows(bad)} bad row(s) of {len(source.table.rows)}; {state}"
            f"mend them, or leave them out with --skip-bad:\n{_listed(source, bad)}"
        )


def _rows(bad: Sequence[BadRow]) -> int:
    """Return how many rows these faults are in."""
    return len({row.number for row in bad})


def _listed(source: ImportSource, bad: Sequence[BadRow]) -> str:
    in_order = sorted(bad, key=lambda row: row.number)
    return "\n".join(f"  {source.table.place(row.number)}, {row.problem}" for row in in_order)


def _of_picture(source: ImportSource, reading: PictureReading) -> str:
    return f"column {source.columns.picture}: {reading.problem}"


def _read(console: Console, rows: Sequence[TableRow], kept_in: Path) -> list[PictureReading]:
    """Read all pictures, with a progress bar."""
    columns = (TextColumn("reading pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(rows))
        return read_pictures([row.picture for row in rows], kept_in, lambda: progress.advance(bar))


def _rest(source: ImportSource, samples: Sequence[Sample], at_rest: Collection[int]) -> FloatArray:
    """Return the robot's own reading at neutral: the mean of the rows that show it, float32 (55,)."""
    if source.columns.neutral is not None and (known := source.columns.neutral.reading):
        return np.array(known, np.float32)
    features = [reading.features for row, reading in samples if row.number in at_rest]
    if not features:
        raise RenaError(
            f"no row of {source.table.path} that shows the neutral face can be used; mend one, or name others in the "
            "column map: `neutral: {rows: [1]}`"
        )
    return np.asarray(np.mean(features, axis=0, dtype=np.float64), np.float32)


def _shard(first: int, samples: Sequence[Sample]) -> Shard:
    arrays = {
        "goals": np.stack([row.goals for row, _ in samples]),
        "positions": np.stack([row.positions for row, _ in samples]),
        "features": np.stack([reading.features for _, reading in samples]),
        "landmarks": np.stack([reading.landmarks for _, reading in samples]),
        "groups": np.array([row.group for row, _ in samples], "U32"),
        "attempts": np.zeros(len(samples), np.uint8),
    }
    return Shard(first, arrays, [as_jpeg(row.picture) for row, _ in samples])


def _meta(source: ImportSource, samples: Sequence[Sample], rest: FloatArray, bad: Sequence[BadRow]) -> dict[str, Any]:
    robot = source.robot
    sizes = {reading.size for _, reading in samples}
    width, height = sizes.pop() if len(sizes) == 1 else (None, None)
    return {
        "command": shlex.join(["rena", *sys.argv[1:]]),
        "samples": len(samples),
        "seed": None,
        "shard_size": SHARD_SIZE,
        "names": list(robot.names),
        "feature_names": list(READING_NAMES),
        "neutral_goals": robot.neutral_goals.tolist(),
        "robot_rest": rest.tolist(),
        "lower_rad": robot.lower.tolist(),
        "span_rad": (robot.upper - robot.lower).tolist(),
        "image": {"width": width, "height": height, "source": "import"},
        "robot": sha256_of_text(source.robot_text),
        "strategy": None,
        "face_model": sha256_of(find_face_model()),
        "versions": engine_version() | {"numpy": importlib.metadata.version("numpy")},
        "rena_version": __version__,
        "commit": source_commit(),
        "source": {
            "kind": "import",
            "table": source.table.path.name,
            "table_sha256": sha256_of(source.table.path),
            "column_map": source.text,
            "rows": len(source.table.rows),
            "positions": "measured" if source.columns.measured else "commanded",
        },
        "refused": {"bad row": _rows(bad)} if bad else {},
        "split": SPLIT,
    }
