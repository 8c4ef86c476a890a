"""The command `rena train`: from a dataset to a model file.

The folder RUN holds ``run.json`` (the settings), ``checkpoint.safetensors`` (the state after the last whole epoch),
``model.onnx`` and ``curves.png``. The same command continues an interrupted run and ends with the same weights as
a run without interruption.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.base.missing import require
from rena_ros.behaviour.policy import Policy, RestReading
from rena_ros.datasets.dataset import Dataset, load_dataset
from rena_ros.learning.export import export_onnx, labels_of, replace_provenance, run_exported
from rena_ros.learning.provenance import provenance
from rena_ros.learning.readings import readings_of
from rena_ros.learning.samples import (
    TEST_SAMPLES,
    Samples,
    joined,
    robot_rest,
    samples_of,
    split_validation,
    training_part,
    with_mirror_images,
)
from rena_ros.learning.scores import MODEL, held_out_scores
from rena_ros.learning.settings import Settings, add_options, record, settings_from
from rena_ros.learning.source import SourceModel, load_source
from rena_ros.learning.teachers import Teacher, all_reads, load_teacher, taught
from rena_ros.learning.trainer import Trainer
from rena_ros.measures.errors import rmse
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena train`."""
    parser.add_argument("--data", type=user_path, metavar="DIR", required=True, help="a dataset")
    parser.add_argument(
        "--more",
        type=user_path,
        metavar="DIR",
        nargs="+",
        default=[],
        help="further datasets of the same robot, of which every sample is trained on, as of drawn people",
    )
    parser.add_argument(
        "--faces",
        type=user_path,
        metavar="DIR",
        nargs="+",
        default=[],
        help="datasets of other faces, of which the readings alone are used, with --round-trip",
    )
    parser.add_argument(
        "--out", type=user_path, metavar="RUN", required=True, help="folder of the run, continued if it holds one"
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=user_path,
        metavar="MODEL",
        help="fine-tune this model (model.onnx, or the folder of its run) instead of starting from random weights",
    )
    parser.add_argument(
        "--teacher",
        type=user_path,
        metavar="FILE",
        nargs="+",
        default=[],
        help="learn from the mean of these models' goals as well (see --teacher-share): several models in one",
    )
    add_options(parser)
    # On a busy machine a second thread waits for its core at every step: hundreds of times slower, not twice as fast.
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; 2 help only on idle cores (default 1)")
    parser.add_argument(
        "--test",
        type=int,
        default=TEST_SAMPLES,
        help="number of samples never trained on: the last ones, or blocks where the dataset says so "
        "(default %(default)s)",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="use the first N samples only, those for the validation included"
    )
    parser.add_argument(
        "--robot-file", type=user_path, metavar="FILE", help="the robot that the data was collected with; default: Rena"
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="at the end, measure the error on the test samples and write it into the model; "
        "use it once, for the model that ships",
    )
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write the figures of the run to this file")


def run(args: argparse.Namespace) -> int:
    """Train, export the best network and print its error. Returns 0, or 130 after Ctrl-C."""
    require("matplotlib")  # for the curves, after the training
    robot = load_robot(args.robot_file)
    source = load_source(args.source, robot) if args.source else None
    if args.threads < 1:
        raise RenaError(f"--threads must be at least 1, not {args.threads}")
    torch.set_num_threads(args.threads)
    console, dataset = Console(), load_dataset(args.data)
    more = [load_dataset(path) for path in args.more]
    faces = [load_dataset(path) for path in args.faces]
    for one in (dataset, *more, *faces):
        _check_names(one, robot, source)
    teachers = [load_teacher(path, dataset.names, dataset.feature_names) for path in args.teacher]
    hashes = [teacher.sha256 for teacher in teachers]
    settings = settings_from(args, source, any(one.rest_features is not None for one in (dataset, *more)), hashes)
    _announce_round_trip(console, settings, faces)
    part, reads = training_part(dataset, args.test, args.limit), settings.network.reads
    rest = robot_rest(part, landmarks="landmarks" in reads)
    trainer = _trainer(args.out, settings, (part, *more), faces, source, rest, teachers)
    done = len(trainer.history)
    if done:
        console.print(f"continuing after epoch {done} of {settings.epochs}")
    start_s = time.monotonic()
    try:
        _train(trainer, console)
    except KeyboardInterrupt:
        console.print(f"stopped; {len(trainer.history)} epochs are saved in {args.out}; the same command continues")
        return 130
    figures = _figures(trainer, time.monotonic() - start_s, len(trainer.history) - done)
    path = args.out / "model.onnx"
    labels = labels_of(dataset, rest, provenance(settings, figures, (dataset, *more), source, faces))
    export_onnx(trainer.best_network(), path, labels)
    _check_parity(trainer, path, samples_of(part.part(slice(256)), reads))
    if args.held_out:
        figures["held_out"] = _held_out(Policy(path, robot), dataset, args.test)
        replace_provenance(path, provenance(settings, figures, (dataset, *more), source, faces))
    _draw_curves(args.out / "curves.png", trainer)
    shown = "no validation part"
    if trainer.best_rmse is not None:
        shown = f"validation RMSE {100 * trainer.best_rmse:.2f} %, epoch {trainer.best_epoch + 1}"
    console.print(f"{path}: {shown}")
    if args.held_out:
        console.print(f"held-out RMSE {100 * figures['held_out']['rmse']:.2f} %")
    if args.json:
        write_json(args.json, figures)
    return 0


def _announce_round_trip(console: Console, settings: Settings, faces: Sequence[Dataset]) -> None:
    """Say that the forward model is learned first. Raises RenaError when ``faces`` are given, but no round trip."""
    if settings.round_trip:
        console.print("first learning what the robot's face shows of goals, for the round trip; this takes minutes")
    elif faces:
        raise RenaError("--faces are used by the round trip alone: give --round-trip a weight, such as 0.05")


def _check_names(dataset: Dataset, robot: Robot, source: SourceModel | None) -> None:
    """Raise RenaError before the training, not after it, when the data does not fit the robot or the model."""
    if dataset.names != robot.names:
        raise RenaError(
            f"{dataset.directory} was collected with other servos than those of {robot.source}; "
            f"name its robot with --robot-file (a dataset that was built or imported holds it: DIR/robot.yaml)"
        )
    if source is not None and dataset.feature_names != source.feature_names:
        raise RenaError(f"{dataset.directory} holds other features than those that {source.path} reads")


def _trainer(
    folder: Path,
    settings: Settings,
    parts: Sequence[Dataset],
    faces: Sequence[Dataset],
    source: SourceModel | None,
    rest: RestReading,
    teachers: Sequence[Teacher],
) -> Trainer:
    """Return the trainer of the run in ``folder`` at its present state.

    ``parts``: of the first one the last samples are for the validation; all others are trained on.
    ``faces``: of which the readings alone are used.
    """
    part, *more = parts
    reads = all_reads(settings.network.reads, teachers)
    training, validation = split_validation(part, settings.validation, reads)
    training = joined(training, *(samples_of(one, reads) for one in more))
    training = taught(training, teachers, settings.teacher_share)
    others = joined(*(samples_of(one, reads) for one in faces)) if faces else None
    if settings.mirror:
        training = with_mirror_images(training, part.feature_names, part.names)
        others = others and with_mirror_images(others, part.feature_names, part.names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenaError(f"cannot make the folder {folder}: {error.strerror}") from error
    record(folder / "run.json", settings)
    start = source.weights if source else None
    trainer = Trainer(folder / "checkpoint.safetensors", settings, part.names, start)
    trainer.begin(training, validation, rest, others)
    return trainer


def _train(trainer: Trainer, console: Console) -> None:
    """Train the epochs that are left, with a progress bar."""
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[errors]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("", total=trainer.settings.epochs, completed=len(trainer.history), errors="")
        while not trainer.finished:
            epoch = trainer.train_epoch()
            validation = "" if epoch.rmse is None else f", validation {100 * epoch.rmse:.2f} %"
            progress.update(bar, advance=1, errors=f"loss {epoch.loss:.5f}{validation}")


def _figures(trainer: Trainer, seconds: float, epochs: int) -> dict[str, Any]:
    """Return the figures of a finished run, of which this command trained ``epochs`` epochs in ``seconds``."""
    return {
        "epochs": trainer.settings.epochs,
        "best_epoch": trainer.best_epoch + 1,
        "training_samples": len(trainer.goals),
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "validation_rmse": trainer.best_rmse,
        "seconds_per_epoch": round(seconds / epochs, 3) if epochs else None,
    }


def _check_parity(trainer: Trainer, path: Path, samples: Samples) -> None:
    """Raise RuntimeError when the exported graph computes other goals than the trained network."""
    exported = run_exported(path, readings_of(samples, trainer.network.config.reads))
    difference = rmse(exported, trainer.predict(samples))
    if not difference < 1e-4:
        raise RuntimeError(f"the exported model differs from the trained one: RMSE {difference}")


def _held_out(policy: Policy, dataset: Dataset, test: int) -> dict[str, Any]:
    """Return the figures of the model on the last ``test`` samples, as JSON data."""
    score = held_out_scores(policy, dataset, test, with_baselines=False)[MODEL]
    return {
        "samples": test,
        "rmse": round(score.rmse, 5),
        "rmse_per_servo": dict(zip(dataset.names, score.per_servo.round(5).tolist(), strict=True)),
        "left_right_gap": round(score.left_right_gap, 5),
    }


def _draw_curves(path: Path, trainer: Trainer) -> None:
    from rena_ros.learning import plots  # matplotlib takes a second to import

    losses, errors = zip(*((epoch.loss, epoch.rmse) for epoch in trainer.history), strict=True)
    plots.learning_curves(path, losses, errors, trainer.best_epoch)
