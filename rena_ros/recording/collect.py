"""`rena collect`: the robot babbles natural expressions and what is seen of it becomes a dataset."""

import argparse
import hashlib
import importlib.metadata
import json
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rena_ros import __version__
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.model_file import find_face_model
from rena_ros.recording.dataset import Dataset, load_dataset
from rena_ros.recording.plan import planned
from rena_ros.recording.shards import begin, locked, missing
from rena_ros.recording.stage import Stage
from rena_ros.recording.workers import Job, record_shards, worker_count
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot
from rena_ros.strategy.expert import Strategy, load_strategy
from rena_ros.twin.asset import PATH as TWIN_ASSET

SHARD_SIZE = 100
WIDTH, HEIGHT = 640, 480
# Packages whose version may change a sample: the reader, the renderer, the number generator.
DECIDING = ("mediapipe", "numba", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rena collect`."""
    parser.add_argument("--robot", default="twin", help="twin (default); a device comes later")
    parser.add_argument("--fast", action="store_true", help="without ROS and without waiting, in virtual time")
    parser.add_argument("--samples", type=int, default=9000, help="size of the dataset (default 9000)")
    parser.add_argument("--seed", type=int, default=0, help="which walk through the expressions (default 0)")
    parser.add_argument(
        "--out", type=Path, required=True, help="directory of the dataset; an unfinished one is continued"
    )
    parser.add_argument(
        "--workers", type=int, help="processes that film side by side (default: one per core, at most 2)"
    )
    parser.add_argument("--robot-file", type=Path, help="another robot than config/rena.yaml")
    parser.add_argument("--strategy", type=Path, help="another strategy than config/strategy.yaml")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")


def run(args: argparse.Namespace) -> int:
    """Collect until the dataset is whole. Returns 0, or 130 when Ctrl-C came first (the same command continues)."""
    _refuse(args)
    robot = load_robot(args.robot_file)
    strategy = load_strategy(args.strategy, robot)
    workers = worker_count(args.workers)
    console = Console(soft_wrap=True)
    with locked(args.out):
        meta = _meta(args, robot, strategy)
        earlier = begin(args.out, meta)
        wanted = missing(args.out, args.samples, SHARD_SIZE)
        todo = sum(map(len, wanted))
        if earlier:
            console.print(f"continuing {args.out}: {args.samples - todo} of {args.samples} samples are there")
            if todo and earlier.get("commit") != meta["commit"]:
                console.print(f"note: it was begun by commit {earlier.get('commit')}, this is {meta['commit']}")
        plan = planned(robot, strategy, args.seed, args.samples)
        shards = [(part.start, plan[part.start : part.stop]) for part in wanted]
        job = Job(args.out, robot.source, strategy.source, args.seed, WIDTH, HEIGHT)
        began = time.monotonic()
        try:
            _film(console, job, shards, workers, args.samples)
        except KeyboardInterrupt:
            left = sum(map(len, missing(args.out, args.samples, SHARD_SIZE)))
            console.print(
                f"stopped: {args.samples - left} of {args.samples} samples are safe in {args.out}; "
                "the same command continues"
            )
            return 130
        figures = _figures(load_dataset(args.out), todo, time.monotonic() - began, workers)
    _report(console, args.out, figures)
    if args.json:
        _write_json(args.json, figures)
    return 0


def _refuse(args: argparse.Namespace) -> None:
    if args.robot != "twin":
        raise RenaError(
            f"collecting from a robot on {args.robot} goes over ROS, which is not built yet; "
            "today: rena collect --robot twin --fast"
        )
    if not args.fast:
        raise RenaError("collecting in real time goes over ROS, which is not built yet; today: add --fast")
    if args.samples < 1:
        raise RenaError(f"--samples must be at least 1, not {args.samples}")
    if args.seed < 0:
        raise RenaError(f"--seed must not be negative, not {args.seed}")


def _film(console: Console, job: Job, shards: list, workers: int, samples: int) -> None:
    if not shards:
        return
    columns = (TextColumn("collecting"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        todo = sum(len(plan) for _, plan in shards)
        bar = progress.add_task("", total=samples, completed=samples - todo, rate="")
        began, done = 0.0, 0

        def seen(_: int) -> None:
            nonlocal began, done
            began = began or time.monotonic()  # the rate counts from the first sample on, not from the start-up
            elapsed = time.monotonic() - began
            progress.update(bar, advance=1, rate=f"{done / elapsed:.0f} samples/s" if elapsed > 1 else "")
            done += 1

        record_shards(job, shards, workers, seen)


def _figures(dataset: Dataset, collected: int, seconds: float, workers: int) -> dict:
    """What `--json` holds. ``samples_per_s`` counts this run, with the start of its processes."""
    replaced = int(dataset.attempts.sum())
    groups, counts = np.unique(dataset.groups, return_counts=True)
    neutral = np.array(dataset.meta["neutral_goals"], np.float32)
    error = dataset.positions - np.array(dataset.meta["lower_rad"]) - dataset.goals * np.array(dataset.meta["span_rad"])
    return {
        "samples": len(dataset),
        "collected_now": collected,
        "seconds": round(seconds, 3),
        "samples_per_s": round(collected / seconds, 2) if collected else None,
        "workers": workers,
        "frames": len(dataset) + replaced,
        "frames_with_face": len(dataset),
        "settled_within_rad": float(np.abs(error).max()),
        "groups": {str(group): int(count) for group, count in zip(groups, counts, strict=True)},
        "servos": {
            name: {
                "mean": round(float(column.mean()), 4),
                "spread": round(float(column.std()), 4),
                "at_rest": round(float(np.mean(np.abs(column - rest) < 1e-6)), 4),
                "lowest": round(float(column.min()), 4),
                "highest": round(float(column.max()), 4),
            }
            for name, column, rest in zip(dataset.names, dataset.goals.T, neutral, strict=True)
        },
    }


def _report(console: Console, directory: Path, figures: dict) -> None:
    table = Table("servo", *(["mean", "spread", "at rest", "lowest", "highest"]), title="goals, 0 … 1")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, servo in figures["servos"].items():
        table.add_row(
            name,
            f"{servo['mean']:.3f}",
            f"{servo['spread']:.3f}",
            f"{servo['at_rest']:.0%}",
            f"{servo['lowest']:.3f}",
            f"{servo['highest']:.3f}",
        )
    console.print(table)
    if figures["collected_now"]:
        speed = f"{figures['samples_per_s']:.1f} samples/s with {figures['workers']} process(es)"
    else:
        speed = "all of them there already"
    console.print(
        f"{figures['samples']} samples in {directory}, {speed}; "
        f"face found in {figures['frames_with_face']} of {figures['frames']} frames; "
        f"servos settled within {figures['settled_within_rad']:.4f} rad of their goals"
    )


def _write_json(path: Path, figures: dict) -> None:
    try:
        path.write_text(json.dumps(figures, indent=1) + "\n")
    except OSError as error:
        raise RenaError(f"cannot write the figures to {path}: {error.strerror}") from error


def _meta(args: argparse.Namespace, robot: Robot, strategy: Strategy) -> dict:
    return {
        "command": shlex.join(["rena", *sys.argv[1:]]),
        "samples": args.samples,
        "seed": args.seed,
        "shard_size": SHARD_SIZE,
        "names": list(robot.names),
        "feature_names": list(READING_NAMES),
        "neutral_goals": robot.neutral_goals.tolist(),
        "robot_rest": _rest_reading(robot),
        "lower_rad": robot.lower.tolist(),
        "span_rad": (robot.upper - robot.lower).tolist(),
        "image": {"width": WIDTH, "height": HEIGHT, "source": "twin", "twin_asset": _sha256(TWIN_ASSET)},
        "robot": _sha256(robot.source),
        "strategy": _sha256(strategy.source),
        "face_model": _sha256(find_face_model()),
        "versions": {name: importlib.metadata.version(name) for name in DECIDING},
        "rena_version": __version__,
        "commit": source_commit(),
    }


def _rest_reading(robot: Robot) -> list[float]:
    """The features (55,) that the robot's own neutral face reads as: what people's resting faces are mapped to."""
    with Stage(robot, WIDTH, HEIGHT) as stage:
        reading = stage.show(robot.neutral_goals).reading
    if reading is None:
        raise RenaError("no face is found in the robot's neutral face; look at the twin's picture")
    return reading.features.tolist()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
