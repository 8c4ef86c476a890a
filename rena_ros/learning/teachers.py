"""Distillation: one model learns what several models answer together (Hinton et al., "Distilling the Knowledge")."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of
from rena_ros.learning.export import label, run_exported
from rena_ros.learning.readings import readings_of
from rena_ros.learning.samples import Samples


@dataclass(frozen=True)
class Teacher:
    """An exported model. ``sha256``: of its file. ``reads``: the names of what its graph reads."""

    path: Path
    sha256: str
    reads: tuple[str, ...]


def load_teacher(path: Path, servo_names: Sequence[str], feature_names: Sequence[str]) -> Teacher:
    """Load a model to learn from. Raises RenaError when it is no model of exactly these servos and features."""
    if not path.is_file():
        raise RenaError(f"there is no model {path} to learn from; `rena train` writes a model to RUN/model.onnx")
    try:
        model = onnx.load(path)
        found = [label(model, "servo_names"), label(model, "feature_names")]
    except Exception as error:  # protobuf's errors share no base class with ours
        raise RenaError(f"{path} is no model that `rena train` exports; name another --teacher") from error
    if found != [list(servo_names), list(feature_names)]:
        raise RenaError(f"{path} has other servos or features than the data; name another --teacher")
    weights = {one.name for one in model.graph.initializer}
    return Teacher(path, sha256_of(path), tuple(one.name for one in model.graph.input if one.name not in weights))


def taught(samples: Samples, teachers: Sequence[Teacher], share: float) -> Samples:
    """Return the samples with mixed goals: ``share`` of the mean of the teachers' goals, the rest the true ones.

    The samples hold what the teachers read; no teacher, or a share of 0: they come back as they are.
    """
    if not teachers or not share:
        return samples
    answers = [run_exported(one.path, readings_of(samples, one.reads)) for one in teachers]
    goals = (1 - share) * samples.goals + share * np.mean(answers, axis=0)
    return replace(samples, goals=goals.astype(np.float32))


def all_reads(reads: Iterable[str], teachers: Iterable[Teacher]) -> tuple[str, ...]:
    """Return the names of what a network and its teachers read together."""
    return tuple(dict.fromkeys([*reads, *(name for one in teachers for name in one.reads)]))
