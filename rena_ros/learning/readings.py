"""Samples as what a network reads."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rena_ros.base.arrays import FloatArray
from rena_ros.behaviour.policy import RestReading
from rena_ros.learning.inputs import Readings
from rena_ros.learning.samples import Samples

_OTHERS = ("landmarks", "rest_features", "rest_landmarks")


def readings_of(samples: Samples, reads: Sequence[str]) -> Readings:
    """Return the readings of samples (n rows) that a network ``reads`` (see ``NetworkConfig.reads``), no others."""
    others = (_tensor(getattr(samples, name)) if name in reads else None for name in _OTHERS)
    return Readings(torch.from_numpy(np.ascontiguousarray(samples.features, np.float32)), *others)


def with_robot_rest(samples: Samples, rest: RestReading) -> Samples:
    """Return the samples with the robot's own neutral face in place of each person's, where they hold one."""
    rests: dict[str, Any] = {}
    if samples.rest_features is not None:
        rests["rest_features"] = np.broadcast_to(rest.features, samples.features.shape)
    if samples.rest_landmarks is not None and rest.landmarks is not None:
        rests["rest_landmarks"] = np.broadcast_to(rest.landmarks, samples.rest_landmarks.shape)
    return replace(samples, **rests)


def _tensor(array: FloatArray | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array, np.float32))
