"""Settings of a training run: their defaults, the options that set them, and their record in the run's folder."""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, write_json
from rena_ros.learning.network import ARCHITECTURES, NetworkConfig
from rena_ros.learning.source import SourceModel


@dataclass(frozen=True)
class Settings:
    """Everything except the data that the result of a run depends on; ``_OPTIONS`` describes each setting.

    The optimiser is AdamW with one cycle of the learning rate. The paper uses Adam at a constant 1e-5 (``adam``), which
    needs about a thousand epochs for the error that this reaches in tens. Noise on the inputs keeps the model from
    reacting strongly to small changes of a real face. ``source``: SHA-256 of the model that the run starts from, or
    None. ``teachers``: those of the models whose goals are mixed with the true ones.
    """

    epochs: int = 60
    seed: int = 0
    optimiser: str = "adamw_one_cycle"
    learning_rate: float = 5e-3
    batch_size: int = 256
    weight_decay: float = 0.1
    average: float = 0.0
    consistency: float = 0.01
    input_noise: float = 0.05
    rest_dropout: float = 0.0
    mirror: bool = False
    validation: int = 800
    round_trip: float = 0.0
    teacher_share: float = 0.0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    source: str | None = None
    teachers: tuple[str, ...] = ()


# What differs from the defaults with an architecture, found on 8,000 to 33,100 samples of the twin.
_KAN_RECIPE = {"epochs": 28, "learning_rate": 2.5e-3, "average": 0.998, "consistency": 0.0}
RECIPES: dict[str, dict[str, Any]] = {
    "mlp": {"learning_rate": 1e-3, "hidden": 512, "depth": 3, "consistency": 0.0},
    "mlp_attention": {"learning_rate": 1e-3, "hidden": 512, "depth": 3, "consistency": 0.0},
    "kan": _KAN_RECIPE,
    "landmark_mlp": {"learning_rate": 1e-3, "hidden": 512, "depth": 3, "consistency": 0.0},
    "landmark_kan": _KAN_RECIPE,
}
# Defaults of a run that starts from a model, found on a foreign robot (``twin.body``) with 100 to 3,000 samples; half
# or twice a value changes the error by .2 % at most. Small batches give a few hundred samples enough steps. A
# validation part of so few samples is too small to choose an epoch.
FINE_TUNING = {"epochs": 30, "learning_rate": 5e-4, "batch_size": 32, "validation": 0}
# Setting -> the option that makes it count, and its default with that one. Rest dropout, trained on 8,000 samples of 80
# drawn people and their mirror images: others are read with an error of 7.5 % with .05 and 7.9 % with .2 once their
# neutral face is known, and of 14.6 and 14.7 % before; without any (and without mirror images) 7.6 and 19.7 %.
_WITH = {"rest_dropout": ("--rest", 0.05), "teacher_share": ("--teacher", 0.5)}

OPTIMISERS = ("adamw_one_cycle", "adam")
# Setting -> (help text of its option, what it may be: a least value, a least and a greatest, or names).
_OPTIONS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "architecture": ("what the network is made of", tuple(ARCHITECTURES)),
    "epochs": ("passes over the training samples", (1,)),
    "seed": ("seed of the initial weights, the order of the samples and the noise", (0,)),
    "optimiser": ("AdamW with one cycle of the learning rate, or Adam at a constant one", OPTIMISERS),
    "learning_rate": ("peak of the one-cycle schedule, or the constant rate of Adam", (1e-9,)),
    "batch_size": ("samples in a step", (2,)),
    "weight_decay": ("weight decay of AdamW", (0,)),
    "average": ("decay of the moving average of the weights, which is what is kept; 0: no average", (0, 0.999999)),
    "consistency": ("weight of the left/right term, lambda of Eq. 10", (0,)),
    "input_noise": ("standard deviation of the noise on the inputs in training, each input scaled to [-1, 1]", (0,)),
    "rest_dropout": ("share of the samples trained on with the robot's neutral face in place of the person's", (0, 1)),
    "mirror": ("also train on the mirror image of every sample", (0,)),
    "validation": ("samples that choose the best epoch, not trained on; 0: train on all, keep the last epoch", (0,)),
    "round_trip": ("weight of what the robot would show of the goals, against the face that was read", (0,)),
    "teacher_share": ("share of the teachers' mean goals in those trained on, the rest is the true goals", (0, 1)),
    "token": ("size of a coefficient's token in the attention, even", (2,)),
    "readout": ("numbers that each token passes to the layers", (1,)),
    "hidden": ("width of the hidden layers", (1,)),
    "depth": ("number of hidden layers", (1,)),
    "intervals": ("intervals of the splines' grid", (1,)),
    "floor": ("coefficients below this value are hardly told apart", (1e-6,)),
    "components": ("principal components of the landmarks", (1, 1434)),
    "identity_components": ("principal components of the landmarks of the neutral face", (1, 1434)),
    "rest": ("read the neutral face of the person as well (default: landmark_kan, where the data holds it)", (0,)),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare one option for each setting, those of the network's shape included; None stands for its default."""
    for setting in _settable():
        text, allowed = _OPTIONS[setting.name]
        kind: dict[str, Any] = {"type": setting.type}
        if setting.type is bool:
            kind = {"action": argparse.BooleanOptionalAction}
        elif setting.type is str:
            kind = {"choices": allowed}
        values = {name: recipe[setting.name] for name, recipe in RECIPES.items() if setting.name in recipe}
        shown = "".join(f"; {name} {value}" for name, value in values.items())
        tuned = f"; with --from {FINE_TUNING[setting.name]}" if setting.name in FINE_TUNING else ""
        tuned += f"; with {_WITH[setting.name][0]} {_WITH[setting.name][1]}" if setting.name in _WITH else ""
        default = "" if setting.name == "rest" else f" (default {setting.default}{shown}{tuned})"
        parser.add_argument(_flag(setting.name), help=f"{text}{default}", **kind)


def settings_from(
    args: argparse.Namespace, source: SourceModel | None = None, rests: bool = False, teachers: Sequence[str] = ()
) -> Settings:
    """Return the settings that the parsed options give, for a run from scratch or from a model.

    ``rests``: whether the dataset holds neutral faces. ``teachers``: SHA-256 of the models to learn from. Raises
    RenaError for a value out of its range, or for another shape of the network than the model's.
    """
    options = {setting.name: getattr(args, setting.name) for setting in _settable()}
    given = {name: value for name, value in options.items() if value is not None}
    return settings_with(given, source, rests, teachers)


def settings_with(
    given: Mapping[str, Any], source: SourceModel | None = None, rests: bool = False, teachers: Sequence[str] = ()
) -> Settings:
    """Return the recipe of the architecture in ``given``, or of the default one, changed by ``given``.

    ``given``: values of settings and of the network's shape by name. For the rest see ``settings_from``.
    """
    values: dict[str, Any] = {setting.name: setting.default for setting in _settable()}
    chosen = source.config.architecture if source else given.get("architecture", values["architecture"])
    values |= {"architecture": chosen, **RECIPES.get(chosen, {}), "rest": rests and chosen == "landmark_kan"}
    if source is not None:
        shape = asdict(source.config)
        if changed := [name for name in given if given[name] != shape.get(name, given[name])]:
            raise RenaError(f"{_flag(changed[0])} cannot change: {source.path} has {shape[changed[0]]}; leave it out")
        values |= FINE_TUNING | {name: value for name, value in shape.items() if name in values}
    values |= given
    if values["rest"]:
        values["rest_dropout"] = given.get("rest_dropout", _WITH["rest_dropout"][1])
    if teachers:
        values["teacher_share"] = given.get("teacher_share", _WITH["teacher_share"][1])
    for name, value in values.items():
        _refuse_impossible(name, value)
    if values["token"] % 2:
        raise RenaError(f"--token must be even (sines and cosines come in pairs), not {values['token']}")
    if values["rest"] and not ARCHITECTURES[chosen].may_rest:
        able = ", ".join(name for name, one in ARCHITECTURES.items() if one.may_rest)
        raise RenaError(f"--rest is not for {chosen}: only {able} read the neutral face; leave it out")
    shape = {setting.name: values.pop(setting.name) for setting in fields(NetworkConfig) if setting.name in values}
    sha256 = source.sha256 if source else None
    return Settings(**values, network=NetworkConfig(**shape), source=sha256, teachers=tuple(teachers))


def _refuse_impossible(name: str, value: Any) -> None:
    """Raise RenaError for a value that a setting cannot have."""
    allowed = _OPTIONS[name][1]
    if isinstance(allowed[0], str):
        if value not in allowed:
            raise RenaError(f"{_flag(name)} must be one of {', '.join(allowed)}, not {value}")
        return
    least, most = allowed[0], allowed[-1] if len(allowed) == 2 else math.inf
    if not least <= value <= most or value == math.inf:
        bounds = f"from {least} to {most}" if len(allowed) == 2 else f"at least {least} and finite"
        raise RenaError(f"{_flag(name)} must be {bounds}, not {value}")


def record(path: Path, settings: Settings) -> None:
    """Write the settings of a new run to ``path``; compare them with those of the run that is already there.

    Raises RenaError when they differ, naming every difference, or when the file cannot be read or written.
    """
    present = json.loads(json.dumps(asdict(settings)))  # as it comes back: tuples are lists
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
