"""`rena train`: coefficients -> goals, from a dataset to a model file.

RUN holds ``run.json`` (settings and data), ``checkpoint.safetensors`` (after the last whole epoch),
``model.onnx`` and ``curves.png``. The same command takes an interrupted run up again, and comes to the
same weights as one that was never interrupted.
"""

import argparse
import datetime
import hashlib
import json
import time
from dataclasses import Field, asdict, fields
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros import __version__
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.learning.export import Labels, export_onnx, relabel
from rena_ros.learning.metrics import rmse
from rena_ros.learning.network import NetworkConfig
from rena_ros.learning.samples import TEST_SAMPLES, split_validation, training_part, with_mirror_images
from rena_ros.learning.scores import MODEL, held_out_scores
from rena_ros.learning.trainer import Settings, Trainer
from rena_ros.recording.dataset import Dataset, load_dataset
from rena_ros.robot.file import load_robot

_HELP = {
    "epochs": "passes over the training samples",
    "seed": "what all chance follows from",
    "learning_rate": "peak of the one-cycle schedule",
    "batch_size": "samples in a step",
    "weight_decay": "of AdamW",
    "consistency": "weight of the left/right term, lambda of Eq. 10",
    "noise": "standard deviation of noise on the features in training, in units of a coefficient or rad",
    "mirror": "train on mirror images, too",
    "token": "size of a coefficient's token in the attention",
    "readout": "numbers that a token hands on to the KAN",
    "hidden": "width of the two hidden KAN layers",
    "intervals": "intervals of the splines' grid",
    "floor": "coefficients smaller than this are hardly told apart",
    "validation": "samples kept out of training to choose the best epoch by; 0: train on all, the last epoch wins",
}

_COUNTS = ("epochs", "token", "readout", "hidden", "intervals")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena train`."""
    parser.add_argument("--data", metavar="DIR", required=True, help="a dataset made by `rena collect`")
    parser.add_argument("--out", metavar="RUN", required=True, help="directory of the run; continued if it holds one")
    for option in _options():
        kind = {"action": argparse.BooleanOptionalAction} if option.type is bool else {"type": option.type}
        flag = "--" + option.name.replace("_", "-")
        parser.add_argument(flag, default=option.default, help=f"{_HELP[option.name]} (default %(default)s)", **kind)
    # On a busy machine a second thread waits for its core at every step: hundreds of times slower, not twice as fast.
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; 2 pay only on idle cores (default 1)")
    parser.add_argument(
        "--test", type=int, default=TEST_SAMPLES, help="last samples, never trained on (default %(default)s)"
    )
    parser.add_argument(
        "--robot-file", metavar="FILE", help="the robot that the data was collected with; default: Rena"
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="at the end measure on the test samples, and write that into the model: once, for the model that ships",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures of the run there")


def run(args: argparse.Namespace) -> int:
    """Train, export, and say how good it became. Returns 0, or 130 when Ctrl-C came first."""
    settings = _settings(args)
    torch.set_num_threads(args.threads)
    console = Console()
    dataset = load_dataset(args.data)
    rest = robot_rest(dataset)
    trainer, training_samples = _trainer(Path(args.out), settings, dataset, args.test)
    if trainer.history:
        console.print(f"continuing after epoch {len(trainer.history)} of {settings.epochs}")
    began_s, done = time.monotonic(), len(trainer.history)
    try:
        _train(trainer, console)
    except KeyboardInterrupt:
        console.print(f"stopped; {len(trainer.history)} epochs are saved in {args.out}; the same command continues")
        return 130
    epochs_now = len(trainer.history) - done
    figures = {
        "epochs": settings.epochs,
        "best_epoch": trainer.best_epoch + 1,
        "training_samples": training_samples,
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "validation_rmse": trainer.history[trainer.best_epoch].rmse,
        "seconds_per_epoch": round((time.monotonic() - began_s) / epochs_now, 3) if epochs_now else None,
    }
    _export(args, settings, trainer, dataset, rest, figures)
    error = figures["validation_rmse"]
    told = f"validation RMSE {100 * error:.2f} %, epoch {trainer.best_epoch + 1}" if error else "no validation part"
    console.print(f"{Path(args.out) / 'model.onnx'}: {told}")
    if "held_out" in figures:
        console.print(f"held-out RMSE {100 * figures['held_out']['rmse']:.2f} %")
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def robot_rest(dataset: Dataset) -> np.ndarray:
    """What the robot itself read as with its face at neutral, float32 (55,). Raises RenaError when nobody wrote it."""
    rest = dataset.meta.get("robot_rest")
    if rest is None or len(rest) != len(dataset.feature_names):
        raise RenaError(
            f"{dataset.directory} does not say how the robot reads at rest (robot_rest in meta.json); collect it again"
        )
    return np.asarray(rest, np.float32)


def _options() -> list[Field]:
    """The settings that are options of the command, those of the network's shape among them."""
    return [option for option in (*fields(Settings), *fields(NetworkConfig)) if option.name in _HELP]


def _settings(args: argparse.Namespace) -> Settings:
    values = {option.name: getattr(args, option.name) for option in _options()}
    for name, value in values.items():
        least = {"learning_rate": 1e-9, "floor": 1e-6, "batch_size": 2}.get(name, 1 if name in _COUNTS else 0)
        if not value >= least:
            raise RenaError(f"--{name.replace('_', '-')} must be at least {least}, not {value}")
    if values["token"] % 2:
        raise RenaError(f"--token must be even (sines and cosines in pairs), not {values['token']}")
    shape = {option.name: values.pop(option.name) for option in fields(NetworkConfig) if option.name in values}
    return Settings(**values, network=NetworkConfig(**shape))


def _trainer(run: Path, settings: Settings, dataset: Dataset, test: int) -> tuple[Trainer, int]:
    """The run in this directory, where it stands, and how many samples it trains on."""
    part = training_part(dataset, test)
    training, validation = split_validation(part, settings.validation)
    if settings.mirror:
        training = with_mirror_images(training, dataset.feature_names, dataset.names)
    try:
        run.mkdir(parents=True, exist_ok=True)
        _check_settings(run / "run.json", settings)
    except OSError as error:
        raise RenaError(f"cannot write into {run}: {error.strerror}") from error
    fingerprint = hashlib.sha256(part.features.tobytes() + part.goals.tobytes()).hexdigest()
    trainer = Trainer(run / "checkpoint.safetensors", settings, dataset.names, fingerprint)
    trainer.begin(training, validation)
    return trainer, len(training.features)


def _check_settings(path: Path, settings: Settings) -> None:
    wanted = asdict(settings)
    if not path.exists():
        path.write_text(json.dumps(wanted, indent=1) + "\n")
        return
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise RenaError(f"{path} is damaged ({error}); remove the directory to begin anew") from error
    changed = [name for name in wanted if found.get(name) != wanted[name]]
    if changed:
        listed = "; ".join(f"{name}: {found.get(name)} there, {wanted[name]} now" for name in changed)
        raise RenaError(f"{path.parent} holds a run with other settings ({listed}); use another --out")


def _train(trainer: Trainer, console: Console) -> None:
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("", total=trainer.settings.epochs, completed=len(trainer.history), told="")
        while not trainer.finished:
            epoch = trainer.step()
            error = "" if epoch.rmse is None else f", validation {100 * epoch.rmse:.2f} %"
            progress.update(bar, advance=1, told=f"loss {epoch.loss:.5f}{error}")


def _export(
    args: argparse.Namespace, settings: Settings, trainer: Trainer, dataset: Dataset, rest: np.ndarray, figures: dict
) -> None:
    """Write model.onnx and curves.png; adds the held-out figures to ``figures`` when they are asked for."""
    from rena_ros.learning import plots  # matplotlib takes a second to import

    out = Path(args.out)
    path = out / "model.onnx"
    provenance = {
        "rena_version": __version__,
        "commit": source_commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": settings.seed,
        "settings": asdict(settings),
        "training": figures,
        "data": {key: dataset.meta.get(key) for key in ("command", "samples", "seed", "commit", "versions")},
    }
    network = trainer.best_network()
    export_onnx(network, path, Labels(dataset.names, dataset.feature_names, rest, provenance))
    policy = Policy(path, load_robot(args.robot_file))
    _check_parity(trainer, policy, training_part(dataset, args.test).features[:256])
    if args.held_out:
        score = held_out_scores(policy, dataset, args.test, with_baselines=False)[MODEL]
        figures["held_out"] = {
            "samples": args.test,
            "rmse": round(score.rmse, 5),
            "rmse_per_servo": dict(zip(dataset.names, score.per_servo.round(5).tolist(), strict=True)),
            "left_right_gap": round(score.left_right_gap, 5),
        }
        relabel(path, {**provenance, "held_out": figures["held_out"]})
    plots.learning_curves(
        out / "curves.png",
        [epoch.loss for epoch in trainer.history],
        [epoch.rmse for epoch in trainer.history],
        trainer.best_epoch,
    )


def _check_parity(trainer: Trainer, policy: Policy, features: np.ndarray) -> None:
    """The exported model must say what the trained one says."""
    difference = rmse(policy.batch(features), trainer.predict(features))
    if not difference < 1e-4:
        raise RuntimeError(f"the exported model differs from the trained one: RMSE {difference}")
