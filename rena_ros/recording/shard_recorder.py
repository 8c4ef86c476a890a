"""Filming one shard: its planned expressions on a stage, one after another, into arrays and JPEGs."""

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.recording.shards import Shard
from rena_ros.recording.stage import Sight, Stage
from rena_ros.strategy.expert import Expression

ATTEMPTS = 20
JPEG_QUALITY = 90


def record_shard(
    stage: Stage,
    first: int,
    plan: Iterable[Expression],
    replace: Callable[[int, int], Expression],
    seen: Callable[[int], None],
) -> Shard:
    """Film the shard that begins with sample ``first``.

    ``replace(sample, attempt)`` gives another expression when no face was found; ``seen(attempts)`` is
    called after each sample with how many were replaced. Begins with fresh servos, so the same plan gives
    the same shard. Raises RenaError when a sample shows no face 20 times in a row.
    """
    stage.reset()
    rows, jpegs = [], []
    for sample, expression in enumerate(plan, first):
        expression, sight, attempts = _find(stage, sample, expression, replace)
        rows.append((expression, sight, attempts))
        jpegs.append(_jpeg(sight.picture))
        seen(attempts)
    return Shard(
        first,
        {
            "goals": np.stack([expression.goals for expression, _, _ in rows]),
            "positions": np.stack([sight.positions for _, sight, _ in rows]),
            "features": np.stack([sight.reading.features for _, sight, _ in rows]).astype(np.float32),
            "landmarks": np.stack([sight.reading.landmarks for _, sight, _ in rows]).astype(np.float32),
            "groups": np.array([expression.group for expression, _, _ in rows], "U32"),
            "attempts": np.array([attempts for _, _, attempts in rows], np.uint8),
        },
        jpegs,
    )


def _find(
    stage: Stage, sample: int, expression: Expression, replace: Callable[[int, int], Expression]
) -> tuple[Expression, Sight, int]:
    for attempt in range(ATTEMPTS):
        if attempt:
            expression = replace(sample, attempt)
        sight = stage.show(expression.goals)
        if sight.reading is not None:
            return expression, sight, attempt
    raise RenaError(f"sample {sample}: no face found in {ATTEMPTS} different expressions; look at the twin's picture")


def _jpeg(picture: np.ndarray) -> bytes:
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not done:
        raise RuntimeError("OpenCV could not encode a picture as JPEG")
    return data.tobytes()
