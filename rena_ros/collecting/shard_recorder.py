"""Recording one shard: its planned expressions on a stage, one after another, into arrays and JPEGs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.collecting.appearance import Appearance
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
    stage: Stage,
    first: int,
    plan: Iterable[Expression],
    replace: Replace,
    recorded: Callable[[], None],
    appearance: Appearance | None = None,
) -> Shard:
    """Record the shard that starts with sample ``first``.

    ``replace(sample, attempt)`` returns another expression for one in which no face was found; ``recorded`` is called
    after each sample. The stage is reset first, so the same plan gives the same shard. Raises RenaError when 20
    expressions of one sample show no face. ``appearance``: where it varies, the shard also holds whose face it shows
    and how that face is read at neutral.
    """
    appearance = appearance or Appearance()
    stage.reset()
    rest = _dressed(stage, first, appearance) if appearance.varies else None
    samples, jpegs = [], []
    for number, expression in enumerate(plan, first):
        sample = _record(stage, number, expression, replace, appearance)
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
    if rest is not None:
        count = len(samples)
        arrays["identities"] = np.full(count, appearance.identity(first), np.int32)
        arrays["rest_features"] = np.repeat(rest.features[None].astype(np.float32), count, axis=0)
        arrays["rest_landmarks"] = np.repeat(rest.landmarks[None].astype(np.float32), count, axis=0)
    return Shard(first, arrays, jpegs)


def _dressed(stage: Stage, first: int, appearance: Appearance) -> FaceReading:
    """Show the shard's face; return its reading at neutral. Raises RenaError when no face is found in 20 pictures."""
    stage.dress(appearance.look(first), appearance.of_turn(first))
    for attempt in range(ATTEMPTS):
        # Numbers from 2**32 on, so that no sample has the same nuisance.
        reading = stage.show(stage.robot.neutral_goals, appearance.of_sample(2**32 + first, attempt)).reading
        if reading is not None:
            return reading
    face = f"person {appearance.identity(first)}" if appearance.people else "the robot"
    raise RenaError(f"no face is found in the neutral face of {face}; look at the twin's picture")


def _record(stage: Stage, number: int, expression: Expression, replace: Replace, appearance: Appearance) -> _Sample:
    for attempt in range(ATTEMPTS):
        if attempt:
            expression = replace(number, attempt)
        observation = stage.show(expression.goals, appearance.of_sample(number, attempt))
        if observation.reading is not None:
            return _Sample(expression, observation, observation.reading, attempt)
    raise RenaError(f"sample {number}: no face found in {ATTEMPTS} different expressions; look at the twin's picture")
