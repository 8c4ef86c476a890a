"""Settings of a training run: their defaults, the options that set them, and their record in the run's folder."""

import argparse
import json
import math
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, write_json
from rena_ros.learning.network import NetworkConfig
from rena_ros.learning.source import SourceModel


@dataclass(frozen=True)
class Settings:
    """Everything except the data that the result of a run depends on; ``_OPTIONS`` describes each setting.

    The optimiser is AdamW with one cycle of the learning rate. The paper uses Adam at a constant 1e-5, which needs
    about a thousand epochs for the error that this reaches in tens. Noise on the features keeps the model from
    reacting strongly to small changes of a real face. ``source``: SHA-256 of the model that the run starts from, or
    None.
    """

    epochs: int = 60
    seed: int = 0
    learning_rate: float = 5e-3
    batch_size: int = 256
    weight_decay: float = 0.1
    consistency: float = 0.01
    noise: float = 0.001
    mirror: bool = False
    validation: int = 800
    network: NetworkConfig = field(default_factory=NetworkConfig)
    source: str | None = None


# Defaults of a run that starts from a model, found on a foreign robot (``twin.body``) with 100 to 3,000 samples; half
# or twice a value changes the error by .2 % at most. Small batches give a few hundred samples enough steps. A
# validation part of so few samples is too small to choose an epoch.
FINE_TUNING = {"epochs": 30, "learning_rate": 5e-4, "batch_size": 32, "validation": 0}

# Setting -> (help text of its option, least permitted value).
_OPTIONS: dict[str, tuple[str, float]] = {
    "epochs": ("passes over the training samples", 1),
    "seed": ("seed of the initial weights, the order of the samples and the noise", 0),
    "learning_rate": ("peak of the one-cycle schedule", 1e-9),
    "batch_size": ("samples in a step", 2),
    "weight_decay": ("weight decay of AdamW", 0),
    "consistency": ("weight of the left/right term, lambda of Eq. 10", 0),
    "noise": ("standard deviation of the noise on the features in training, in units of a coefficient or rad", 0),
    "mirror": ("also train on the mirror image of every sample", 0),
    "validation": ("samples that choose the best epoch, not trained on; 0: train on all, keep the last epoch", 0),
    "token": ("size of a coefficient's token in the attention, even", 1),
    "readout": ("numbers that each token passes to the KAN layers", 1),
    "hidden": ("width of the two hidden KAN layers", 1),
    "intervals": ("intervals of the splines' grid", 1),
    "floor": ("coefficients below this value are hardly told apart", 1e-6),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare one option for each setting, those of the network's shape included; None stands for its default."""
    for setting in _settable():
        kind = {"action": argparse.BooleanOptionalAction} if setting.type is bool else {"type": setting.type}
        text, _ = _OPTIONS[setting.name]
        tuned = f"; with --from {FINE_TUNING[setting.name]}" if setting.name in FINE_TUNING else ""
        parser.add_argument(_flag(setting.name), help=f"{text} (default {setting.default}{tuned})", **kind)


def settings_from(args: argparse.Namespace, source: SourceModel | None = None) -> Settings:
    """Return the settings that the parsed options give, for a run from scratch or from a model.

    Raises RenaError for a value out of its range, or for another shape of the network than the model's.
    """
    options = {setting.name: getattr(args, setting.name) for setting in _settable()}
    given = {name: value for name, value in options.items() if value is not None}
    values: dict[str, Any] = {setting.name: setting.default for setting in _settable()}
    if source is not None:
        shape = asdict(source.config)
        if changed := [name for name in given if given[name] != shape.get(name, given[name])]:
            raise RenaError(f"{_flag(changed[0])} cannot change: {source.path} has {shape[changed[0]]}; leave it out")
        values |= FINE_TUNING | {name: value for name, value in shape.items() if name in values}
    values |= given
    for name, value in values.items():
        _, least = _OPTIONS[name]
        if not least <= value < math.inf:
            raise RenaError(f"{_flag(name)} must be at least {least} and finite, not {value}")
    if values["token"] % 2:
        raise RenaError(f"--token must be even (sines and cosines come in pairs), not {values['token']}")
    shape = {setting.name: values.pop(setting.name) for setting in fields(NetworkConfig) if setting.name in values}
    return Settings(**values, network=NetworkConfig(**shape), source=source.sha256 if source else None)


def record(path: Path, settings: Settings) -> None:
    """Write the settings of a new run to ``path``; compare them with those of the run that is already there.

    Raises RenaError when they differ, naming every difference, or when the file cannot be read or written.
    """
    present = asdict(settings)
    if not path.exists():
        write_json(path, present)
        return
    try:
        recorded = dict(json.loads(read_text(path, "settings of the run")))
    except (TypeError, ValueError) as error:
        raise RenaError(f"{path} is damaged ({error}); remove the folder to start the run again") from error
    changed = [name for name in present if recorded.get(name) != present[name]]
    if changed:
        listed = "; ".join(f"{name}: {recorded.get(name)} there, {present[name]} now" for name in changed)
        raise RenaError(f"{path.parent} holds a run with other settings ({listed}); use another --out")


def _settable() -> list[Field]:
    return [setting for setting in (*fields(Settings), *fields(NetworkConfig)) if setting.name in _OPTIONS]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
