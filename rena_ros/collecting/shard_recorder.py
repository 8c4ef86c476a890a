"""Recording one shard: its planned expressions on a stage, one after another, into arrays and JPEGs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.collecting.stage import Observation, Stage
from rena_ros.datasets.shards import Shard
from rena_ros.perception.face_reader import FaceReading
from rena_ros.perception.pixels import to_jpeg
from rena_ros.strategy.expert import Expression

ATTEMPTS = 20
Replace = Callable[[int, int], Expression]


@dataclass(frozen=True)
class _Sample:
    expression: Expression
    observation: Observation
    reading: FaceReading
    attempts: int


def record_shard(
    stage: Stage, first: int, plan: Iterable[Expression], replace: Replace, recorded: Callable[[], None]
) -> Shard:
    """Record the shard that starts with sample ``first``.

    ``replace(sample, attempt)`` returns another expression for one in which no face was found; ``recorded`` is called
    after each sample. The stage is reset first, so the same plan gives the same shard. Raises RenaError when 20
    expressions of one sample show no face.
    """
    stage.reset()
    samples, jpegs = [], []
    for number, expression in enumerate(plan, first):
        sample = _record(stage, number, expression, replace)
        samples.append(sample)
        jpegs.append(to_jpeg(sample.observation.picture))
        recorded()
    arrays = {
        "goals": np.stack([sample.expression.goals for sample in samples]),
        "positions": np.stack([sample.observation.positions for sample in samples]),
        "features": np.stack([sample.reading.features for sample in samples]).astype(np.float32),
        "landmarks": np.stack([sample.reading.landmarks for sample in samples]).astype(np.float32),
        "groups": np.array([sample.expression.group for sample in samples], "U32"),
        "attempts": np.array([sample.attempts for sample in samples], np.uint8),
    }
    return Shard(first, arrays, jpegs)


def _record(stage: Stage, number: int, expression: Expression, replace: Replace) -> _Sample:
    for attempt in range(ATTEMPTS):
        if attempt:
            expression = replace(number, attempt)
        observation = stage.show(expression.goals)
        if observation.reading is not None:
            return _Sample(expression, observation, observation.reading, attempt)
    raise RenaError(f"sample {number}: no face found in {ATTEMPTS} different expressions; look at the twin's picture")
