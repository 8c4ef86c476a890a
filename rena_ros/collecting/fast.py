"""`rena collect --fast`: show natural expressions in virtual time, read the pictures, and write a dataset."""

import argparse
import importlib.metadata
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rena_ros import __version__
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of, write_json
from rena_ros.base.resources import share_path
from rena_ros.collecting.appearance import Appearance
from rena_ros.collecting.stage import Stage
from rena_ros.collecting.workers import Job, PlannedShard, record_shards, worker_count
from rena_ros.datasets.dataset import Dataset, load_dataset
from rena_ros.datasets.shards import begin, locked, missing
from rena_ros.graph import TWIN
from rena_ros.perception.engines import AUTO, chosen_engine, engine_version
from rena_ros.perception.face_reader import READING_NAMES, FaceReading
from rena_ros.perception.model_file import find_face_model
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot
from rena_ros.strategy.file import load_strategy, strategy_path
from rena_ros.strategy.plan import planned
from rena_ros.twin.asset import PATH as TWIN_ASSET
from rena_ros.twin.body import load_body
from rena_ros.twin.people import PATH as PEOPLE_ASSET

SHARD_SIZE = 100  # one face per shard
PERSON_TURN = 25  # for as many samples, more persons teach more than more samples of each
WIDTH, HEIGHT = 640, 480
# A new version of these may change a sample: face reader, renderer, random number generator.
DECISIVE_PACKAGES = ("numba", "numpy")  # beside the engine that reads faces


def run(args: argparse.Namespace) -> int:
    """Collect until the dataset is complete. Returns 0, or 130 after Ctrl-C (the same command continues)."""
    _check(args)
    robot_file = args.robot_file or share_path("config/rena.yaml")
    strategy_file = strategy_path(args.strategy)
    robot = load_robot(robot_file)
    strategy = load_strategy(strategy_file, robot)
    load_body(args.body, robot)  # a faulty file is refused before anything is written
    turn = min(SHARD_SIZE, PERSON_TURN) if args.people else SHARD_SIZE
    appearance = Appearance(args.people or 0, args.first_person or 1, bool(args.nuisance), args.seed, turn)
    job = Job(
        args.out,
        robot_file,
        strategy_file,
        args.seed,
        WIDTH,
        HEIGHT,
        args.body,
        appearance,
        chosen_engine(args.perception or AUTO),
    )
    workers = worker_count(args.workers)
    console = Console(soft_wrap=True)
    with locked(args.out):
        meta = _meta(args, robot, job)
        earlier = begin(args.out, meta)
        ranges = missing(args.out, args.samples, turn)
        todo = sum(map(len, ranges))
        if earlier:
            console.print(f"continuing {args.out}: {args.samples - todo} of {args.samples} samples are there")
            if todo and earlier.get("commit") != meta["commit"]:
                console.print(f"note: commit {earlier.get('commit')} began it, this is {meta['commit']}")
        plan = planned(robot, strategy, args.seed, args.samples)
        shards = [(part.start, plan[part.start : part.stop]) for part in ranges]
        started_s = time.monotonic()
        try:
            _record(console, job, shards, workers, args.samples)
        except KeyboardInterrupt:
            safe = args.samples - sum(map(len, missing(args.out, args.samples, turn)))
            console.print(
                f"stopped: {safe} of {args.samples} samples are safe in {args.out}; the same command continues"
            )
            return 130
        figures = _figures(load_dataset(args.out), todo, time.monotonic() - started_s, workers)
    _report(console, args.out, figures)
    if args.json:
        write_json(args.json, figures)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.robot != TWIN:
        raise RenaError(f"--fast collects from the twin only: leave it out to collect from a robot on {args.robot}")
    for name, value in (("samples", args.samples), ("people", args.people), ("first-person", args.first_person)):
        if value is not None and value < 1:
            raise RenaError(f"--{name} must be at least 1, not {value}")
    if args.first_person and not args.people:
        raise RenaError("--first-person goes with --people N: say how many take turns")


def _record(console: Console, job: Job, shards: Sequence[PlannedShard], workers: int, samples: int) -> None:
    """Record all shards, with a progress bar."""
    if not shards:
        return
    columns = (TextColumn("collecting"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        todo = sum(len(plan) for _, plan in shards)
        bar = progress.add_task("", total=samples, completed=samples - todo, rate="")
        first_s, done = 0.0, 0

        def recorded() -> None:
            nonlocal first_s, done
            first_s = first_s or time.monotonic()  # the rate counts from the first sample, without the start-up
            elapsed_s = time.monotonic() - first_s
            progress.update(bar, advance=1, rate=f"{done / elapsed_s:.0f} samples/s" if elapsed_s > 1 else "")
            done += 1

        record_shards(job, shards, workers, recorded)


def _figures(dataset: Dataset, collected: int, seconds: float, workers: int) -> dict[str, Any]:
    """Return the figures for `--json`. ``samples_per_s`` is of this run, including the start of its processes."""
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


def _report(console: Console, directory: Path, figures: dict[str, Any]) -> None:
    table = Table("servo", title="goals, 0 … 1")
    for title in ("mean", "spread", "at rest", "lowest", "highest"):
        table.add_column(title, justify="right")
    for name, servo in figures["servos"].items():
        table.add_row(name, *(f"{value:.0%}" if key == "at_rest" else f"{value:.3f}" for key, value in servo.items()))
    console.print(table)
    if figures["collected_now"]:
        speed = f"{figures['samples_per_s']:.1f} samples/s with {figures['workers']} process(es)"
    else:
        speed = "all of them collected earlier"
    console.print(
        f"{figures['samples']} samples in {directory}, {speed}; "
        f"face found in {figures['frames_with_face']} of {figures['frames']} frames; "
        f"servos settled within {figures['settled_within_rad']:.4f} rad of their goals"
    )


def _meta(args: argparse.Namespace, robot: Robot, job: Job) -> dict[str, Any]:
    rest = _rest_reading(robot, job)
    return {
        "command": shlex.join(["rena", *sys.argv[1:]]),
        "samples": args.samples,
        "seed": args.seed,
        "shard_size": job.appearance.turn,
        "names": list(robot.names),
        "feature_names": list(READING_NAMES),
        "neutral_goals": robot.neutral_goals.tolist(),
        "robot_rest": [float(value) for value in rest.features],
        "robot_rest_landmarks": rest.landmarks.astype(float).round(6).tolist(),
        "lower_rad": robot.lower.tolist(),
        "span_rad": (robot.upper - robot.lower).tolist(),
        "image": {"width": WIDTH, "height": HEIGHT, "source": "twin", "twin_asset": sha256_of(TWIN_ASSET)},
        "robot": sha256_of(job.robot_file),
        "strategy": sha256_of(job.strategy_file),
        "face_model": sha256_of(find_face_model()),
        "versions": {name: importlib.metadata.version(name) for name in DECISIVE_PACKAGES} | engine_version(job.engine),
        "rena_version": __version__,
        "commit": source_commit(),
        **({"body": sha256_of(job.body_file)} if job.body_file else {}),
        **_said(job.appearance),
    }


def _said(appearance: Appearance) -> dict[str, Any]:
    """Return what meta.json says of the faces: nothing of the robot's own, in its plain light."""
    people = {"first": appearance.first_person, "count": appearance.people, "asset": sha256_of(PEOPLE_ASSET)}
    return {
        **({"people": people} if appearance.people else {}),
        **({"nuisance": True} if appearance.nuisance else {}),
    }


def _rest_reading(robot: Robot, job: Job) -> FaceReading:
    """Return the reading of the robot's own neutral face, the target of people's resting faces."""
    with Stage(robot, job.width, job.height, load_body(job.body_file, robot), job.engine) as stage:
        reading = stage.show(robot.neutral_goals).reading
    if reading is None:
        raise RenaError("no face is found in the robot's neutral face; look at the twin's picture")
    return reading
