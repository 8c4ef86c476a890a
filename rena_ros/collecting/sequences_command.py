"""`rena sequences collect`: drawn people act natural sequences; their pictures are read, and the readings kept."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros.base.arrays import FloatArray
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.collecting.acting import Acting
from rena_ros.collecting.nuisance import draw_roll, draw_webcam, moved_view
from rena_ros.collecting.workers import share_out, worker_count
from rena_ros.datasets.sequences import ReadingSequence, begin_sequences, read_sequence, sequence_path, write_sequence
from rena_ros.datasets.shards import locked
from rena_ros.perception.face_reader import READING_NAMES, FaceReader
from rena_ros.perception.landmark_frame import aligned
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace
from rena_ros.twin.people import PREFIX

RATES_HZ, RATE_SHARES = (24.0, 25.0, 30.0, 50.0, 60.0), (0.1, 0.1, 0.6, 0.1, 0.1)
STAMP_SD_S = 0.002  # by which the time of a frame is off its rate
WEBCAM_SHARE = 0.5  # of the sequences, seen through a webcam in some light; the others are clean
WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class ActingPlan:
    """What all sequences of a folder have in common. ``seconds``: of each sequence; one for each person."""

    folder: Path
    seed: int
    first_person: int
    people: int
    seconds: float

    def recipe(self) -> dict[str, object]:
        """Return all that the sequences follow from, as JSON data."""
        return {
            **{name: getattr(self, name) for name in ("seed", "first_person", "people", "seconds")},
            "feature_names": list(READING_NAMES),
            "servo_names": list(load_robot().names),
            "commit": source_commit(),
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("out", type=user_path, help="folder of the sequences; an unfinished one is continued")
    parser.add_argument("--minutes", type=float, default=25.0, help="of all sequences together (default 25)")
    parser.add_argument("--people", type=int, default=120, help="how many persons act, one sequence each (default 120)")
    parser.add_argument("--first-person", type=int, default=5001, help="number of the first of them (default 5001)")
    parser.add_argument("--seed", type=int, default=1, help="of the scripts (default 1)")
    parser.add_argument("--workers", type=int, help="processes in parallel (default: one per core, at most 2)")


def run(args: argparse.Namespace) -> int:
    """Collect until every person has acted. Returns 0, or 130 after Ctrl-C (the same command continues)."""
    if args.people < 1 or args.first_person < 0 or args.seed < 0:
        raise RenaError("--people must be at least 1, --first-person and --seed at least 0")
    if not 1 <= 60 * args.minutes / args.people < 3600:
        raise RenaError("--minutes must give each person a sequence of at least 1 s and less than an hour")
    plan = ActingPlan(args.out, args.seed, args.first_person, args.people, round(60 * args.minutes / args.people, 3))
    workers, console = worker_count(args.workers), Console(soft_wrap=True)
    with locked(plan.folder):
        continued = begin_sequences(plan.folder, plan.recipe())
        todo = [number for number in range(plan.people) if not _whole(sequence_path(plan.folder, number))]
        if continued:
            console.print(f"continuing {plan.folder}: {plan.people - len(todo)} of {plan.people} sequences are there")
        try:
            _collect(plan, todo, workers, console)
        except KeyboardInterrupt:
            console.print(f"stopped: finished sequences are safe in {plan.folder}; the same command continues")
            return 130
    console.print(f"{plan.people} sequences of {plan.seconds:g} s in {plan.folder}")
    return 0


def _whole(path: Path) -> bool:
    try:
        read_sequence(path)
    except RenaError:
        return False  # missing, or damaged: it is recorded again
    return True


def _collect(plan: ActingPlan, todo: Sequence[int], workers: int, console: Console) -> None:
    columns = (TextColumn("collecting"), BarColumn(), MofNCompleteColumn(), TextColumn("sequences"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("", total=plan.people, completed=plan.people - len(todo))
        share_out(partial(_record_all, plan), todo, workers, lambda: progress.update(bar, advance=1))


def _record_all(plan: ActingPlan, connection: Connection) -> None:
    with FaceReader() as reader:
        connection.send(("ready", None))
        while (number := connection.recv()) is not None:
            write_sequence(sequence_path(plan.folder, number), record(plan, number, reader))
            connection.send(("recorded", None))
            connection.send(("ready", None))


def record(plan: ActingPlan, number: int, reader: FaceReader) -> ReadingSequence:
    """Let the person of this number act, and return the readings. Raises RenaError where no face is found."""
    robot, rng = load_robot(), np.random.default_rng([plan.seed, number])
    person, script = plan.first_person + number, int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0])
    acting, face = Acting(robot, script, plan.seconds), TwinFace(robot, WIDTH, HEIGHT, f"{PREFIX}{person}")
    face.view = moved_view(face.view, rng)
    webcam = draw_webcam(rng, (HEIGHT, WIDTH))[0] if rng.random() < WEBCAM_SHARE else None
    kept: list[tuple[float, FloatArray, FloatArray, FloatArray]] = []
    for t_s in frame_times_s(rng, plan.seconds):
        goals = acting.goals(t_s)
        picture = face.render(goals)
        if webcam is not None:
            picture = webcam.photographed(picture, draw_roll(rng, (HEIGHT, WIDTH)))
        reading = reader.read(picture, round(1e3 * t_s))
        if reading is not None:
            kept.append((t_s, reading.features, aligned(reading.landmarks[None], WIDTH / HEIGHT)[0], goals))
    if not kept:
        raise RenaError(f"no face is found in the pictures of person {person}")
    times_s, features, landmarks, goals_of = (np.array(column) for column in zip(*kept, strict=True))
    return ReadingSequence(f"{number:04d}", times_s, features, landmarks, goals_of, person, script)


def frame_times_s(rng: np.random.Generator, seconds: float) -> FloatArray:
    """Return the times of a camera's frames, float64 (n,) rising from about 0: one of RATES_HZ, each a little off."""
    rate_hz = float(rng.choice(RATES_HZ, p=RATE_SHARES))
    times_s = np.arange(int(seconds * rate_hz)) / rate_hz
    off_s = np.clip(rng.normal(0, STAMP_SD_S, len(times_s)), -0.3 / rate_hz, 0.3 / rate_hz)
    times_s = np.abs(times_s + off_s)
    return np.sort(times_s)
