"""`rena sequences train`: learn to predict a reading from those of the last half second."""

import argparse
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from rena_ros.base.arrays import FloatArray
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.datasets.sequences import ReadingSequence, read_sequences
from rena_ros.learning.sequence_export import SequenceGraph, export_sequence
from rena_ros.learning.sequence_networks import ENCODERS, SequenceNetwork
from rena_ros.learning.sequence_windows import Basis, Windows, channels_of, draw_windows, landmark_basis

BATCH, RATE, WEIGHT_DECAY = 256, 2e-3, 1e-2
VALIDATION_SHARE = 10  # one of as many persons
CAUTION = 0.6
_NAMES = ("history", "newest", "horizon_s", "shift", "known")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=user_path, help="folder of sequences, as `rena sequences collect` records them")
    parser.add_argument("out", type=user_path, help="the model file to write (ONNX)")
    parser.add_argument("--architecture", choices=tuple(ENCODERS), default="gru", help="default: gru")
    parser.add_argument("--epochs", type=int, default=16, help="passes through the data (default 16)")
    parser.add_argument("--caution", type=float, default=CAUTION, help=f"how soon doubt damps (default {CAUTION})")
    parser.add_argument("--seed", type=int, default=0, help="of weights and windows (default 0)")


def run(args: argparse.Namespace) -> int:
    """Train and export. Returns 0; Ctrl-C writes nothing."""
    if args.epochs < 1 or not 0 <= args.caution < 100:
        raise RenaError("--epochs must be at least 1, and --caution from 0 to 100")
    console, started_s = Console(soft_wrap=True), time.monotonic()
    sequences = list(read_sequences(args.data))
    if len(sequences) < 2:
        raise RenaError(f"{args.data} holds one sequence: at least two persons are needed")
    held = max(1, len(sequences) // VALIDATION_SHARE)
    training, validation = sequences[:-held], sequences[-held:]
    basis = landmark_basis(training)
    network = train_network(training, basis, args.architecture, args.epochs, args.seed, console)
    error, still = validation_error(network, validation, basis)
    frames = sum(len(one.times_s) for one in training)
    provenance = {
        "command": shlex.join(["rena", *sys.argv[1:]]),
        "commit": source_commit(),
        "architecture": args.architecture,
        "caution": args.caution,
        "frames": frames,
        "persons": sorted(one.person for one in training),
        "validation": {"rmse": round(error, 5), "rmse_without": round(still, 5)},
    }
    graph = SequenceGraph(network, torch.from_numpy(basis.rows), args.caution)
    export_sequence(graph, Path(args.out), provenance)
    console.print(
        f"{args.out}: {args.architecture}, {frames} frames, {time.monotonic() - started_s:.0f} s; "
        f"validation RMSE {error:.4f}, without prediction {still:.4f}"
    )
    return 0


def train_network(
    sequences: list[ReadingSequence], basis: Basis, architecture: str, epochs: int, seed: int, console: Console
) -> SequenceNetwork:
    """Return a network trained on one thread; the same arguments give the same one on the same machine."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    channels = [channels_of(one, basis.rows) for one in sequences]
    network = SequenceNetwork(architecture, torch.from_numpy(basis.scale))
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * (sum(map(len, channels)) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs {task.fields[loss]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("", total=epochs, loss="")
        for _ in range(epochs):
            windows = gathered(
                [draw_windows(c, one.times_s, basis.scale, rng) for c, one in zip(channels, sequences, strict=True)]
            )
            losses = []
            order = torch.randperm(len(windows["history"]))
            for rows in order.split(BATCH):
                loss = loss_of(network, {name: values[rows] for name, values in windows.items()})
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                schedule.step()
                losses.append(loss.item())
            progress.update(bar, advance=1, loss=f"loss {np.mean(losses):.3f}")
    return network.eval()


def gathered(windows: list[Windows]) -> dict[str, Tensor]:
    """Return the windows of several sequences as tensors by name; ``horizon_s`` (n, 1)."""
    found = {
        n: torch.from_numpy(np.concatenate([getattr(one, n) for one in windows]).astype(np.float32)) for n in _NAMES
    }
    return {**found, "horizon_s": found["horizon_s"][:, None]}


def loss_of(network: SequenceNetwork, batch: dict[str, Tensor]) -> Tensor:
    """Return the Gaussian negative log likelihood, weighted by the standard deviation.

    Without the weight, changes that are hard to predict would hardly be learned (Seitzer et al., "On the pitfalls of
    heteroscedastic uncertainty estimation", 2022, beta = 1/2).
    """
    change, sigma = network(batch["history"], batch["newest"], batch["horizon_s"])
    relative = sigma / network.scale
    terms = ((batch["shift"] - change) / sigma).square() / 2 + relative.log()
    return (terms * relative.detach() * batch["known"]).sum() / batch["known"].sum()


def validation_error(network: SequenceNetwork, sequences: list[ReadingSequence], basis: Basis) -> tuple[float, float]:
    """Return the mean over channels of RMSE / usual change, of the network and of no prediction."""
    rng = np.random.default_rng(0)
    channels = [channels_of(one, basis.rows) for one in sequences]
    drawn = [draw_windows(c, one.times_s, 0 * basis.scale, rng) for c, one in zip(channels, sequences, strict=True)]
    windows = gathered(drawn)
    with torch.no_grad():
        change, _ = network(windows["history"], windows["newest"], windows["horizon_s"])

    def rmse(difference: Tensor) -> FloatArray:
        squared = ((difference / network.scale).square() * windows["known"]).sum(0) / windows["known"].sum(0)
        return np.asarray(squared.sqrt().numpy())

    return float(rmse(windows["shift"] - change).mean()), float(rmse(windows["shift"]).mean())
