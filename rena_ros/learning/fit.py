"""One training run for a comparison: from samples and settings to an exported model and its figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rena_ros.base.arrays import FloatArray
from rena_ros.behaviour.policy import RestReading
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.export import export_onnx, labels_of, run_exported
from rena_ros.learning.network import Network
from rena_ros.learning.readings import readings_of
from rena_ros.learning.samples import Samples, joined, robot_rest, samples_of
from rena_ros.learning.settings import Settings
from rena_ros.learning.teachers import all_reads, load_teacher, taught
from rena_ros.learning.trainer import Epoch, Trainer


@dataclass(frozen=True)
class FittedModel:
    """A trained run. ``network``: with the weights of its best epoch; ``validation_rmse``: of that epoch.

    ``rest``: the robot's own neutral face, as the exported model names it.
    """

    network: Network
    rest: RestReading
    history: tuple[Epoch, ...]
    best_epoch: int
    validation_rmse: float | None
    parameters: int


def use_threads(threads: int) -> None:
    """Let torch compute with so many threads."""
    torch.set_num_threads(threads)


def fit(
    settings: Settings,
    training: Sequence[Dataset],
    validation: Sequence[Dataset],
    checkpoint: Path,
    tell: Callable[[int], None],
    teachers: Sequence[Path] = (),
) -> FittedModel:
    """Train on the samples of some datasets, those of others choose the epoch; continue from the checkpoint.

    The first dataset shows the robot's own face. ``teachers``: exported models whose goals are mixed with the true ones
    by ``settings.teacher_share``. ``tell(epochs)`` is called with the number of finished epochs. Raises
    RenaError as ``Trainer`` does; Diverged where the loss is no longer finite.
    """
    reads = settings.network.reads
    rest = robot_rest(training[0], "landmarks" in reads)
    trainer = Trainer(checkpoint, settings, training[0].names)
    loaded = [load_teacher(path, training[0].names, training[0].feature_names) for path in teachers]
    learned = taught(_joined(training, all_reads(reads, loaded)), loaded, settings.teacher_share)
    trainer.begin(learned, _joined(validation, reads), rest)
    while not trainer.finished:
        tell(len(trainer.history))
        trainer.train_epoch()
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    history, best_rmse = tuple(trainer.history), trainer.best_rmse
    return FittedModel(trainer.best_network(), rest, history, trainer.best_epoch, best_rmse, parameters)


def export_fitted(fitted: FittedModel, part: Dataset, path: Path, provenance: dict[str, Any]) -> None:
    """Write the model as ``Policy`` reads it. Raises RenaError."""
    export_onnx(fitted.network, path, labels_of(part, fitted.rest, provenance))


def model_goals(path: Path, part: Dataset) -> FloatArray:
    """Return the goals (n, 25), clipped to [0, 1], that an exported graph gives for the samples of ``part``.

    Raises RenaError when there is no such model, or when the dataset lacks what it reads.
    """
    reads = load_teacher(path, part.names, part.feature_names).reads
    return run_exported(path, readings_of(samples_of(part, reads), reads))


def _joined(datasets: Sequence[Dataset], reads: Sequence[str]) -> Samples:
    """Return the samples of several datasets in turn."""
    return joined(*(samples_of(dataset, reads) for dataset in datasets))
