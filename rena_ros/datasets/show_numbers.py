"""The numbers behind `rena dataset show`: dead channels, correlations, symmetry, drift."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray, IntArray
from rena_ros.datasets.dataset import Dataset

DEAD_RANGE = 0.02  # a coefficient or goal whose 1st to 99th percentile spans less does not move
WEAK = 0.1  # a servo whose strongest correlation is below this changes nothing that is read
_MOVING_SHARE = 1 / 40  # of the samples: width of a running median


@dataclass(frozen=True)
class Pair:
    """A left channel and its right counterpart. ``correlation``: NaN where one does not move.

    ``offset``: mean of left minus right; ``ratio``: spread of left by that of right, NaN where right does not move.
    """

    name: str
    correlation: float
    offset: float
    ratio: float


@dataclass(frozen=True)
class Drift:
    """How the readings change over the samples, beyond what the goals explain.

    ``residual``: (n,), RMS over the coefficients of what a linear fit on the goals leaves, each in units of that
    coefficient's own spread. ``slopes``: (m,), change of each coefficient's residual from the first sample to the last,
    in its own spread; 0 for dead ones. ``names``: (m,).
    """

    residual: FloatArray
    slopes: FloatArray
    names: tuple[str, ...]

    def strongest(self, count: int) -> list[int]:
        """Return the places of the channels that drift most, the strongest first."""
        return [int(i) for i in np.argsort(-np.abs(self.slopes))[:count]]


def dead(values: FloatArray) -> BoolArray:
    """Return which columns of (n, m) do not move, (m,)."""
    low, high = np.percentile(values, (1, 99), axis=0)
    return np.asarray(high - low < DEAD_RANGE)


def correlations(goals: FloatArray, features: FloatArray) -> FloatArray:
    """Return Pearson's correlation of every servo with every feature, (s, m); NaN where one of the two is dead."""
    table = _standard(goals).T @ _standard(features) / len(goals)
    table[dead(goals)] = np.nan
    table[:, dead(features)] = np.nan
    return np.asarray(table)


def without_effect(table: FloatArray) -> BoolArray:
    """Return which servos correlate with nothing that is read, (s,); those that never moved are not among them."""
    strongest = np.nanmax(np.abs(np.where(np.isnan(table), 0, table)), axis=1)
    return np.asarray((strongest < WEAK) & ~np.isnan(table).all(axis=1))


def pairs(names: Sequence[str], values: FloatArray) -> list[Pair]:
    """Return every channel named left (or Left) beside the one named right; values (n, m) in the order of ``names``."""
    found, moves = [], ~dead(values)
    for left, name in enumerate(names):
        other = name.replace("left", "right").replace("Left", "Right")
        if other == name or other not in names:
            continue
        right = list(names).index(other)
        both = bool(moves[left] and moves[right])
        a, b = values[:, left].astype(np.float64), values[:, right].astype(np.float64)
        correlation = float(np.corrcoef(a, b)[0, 1]) if both else float("nan")
        ratio = float(a.std() / b.std()) if moves[right] else float("nan")
        shown = name.replace("_left", "").replace("left", "").replace("Left", "")
        found.append(Pair(shown, correlation, float((a - b).mean()), ratio))
    return found


def drift(dataset: Dataset) -> Drift:
    """Return the drift of the readings; the fit is least squares on the goals, their squares and 1."""
    goals = dataset.goals.astype(np.float64)
    inputs = np.hstack([np.ones((len(goals), 1)), goals, goals**2])
    readings = _standard(dataset.features)
    weights = np.linalg.lstsq(inputs, readings, rcond=None)[0]
    left = readings - inputs @ weights
    index = np.linspace(-0.5, 0.5, len(left))
    slopes = index @ left / (index @ index)
    alive = ~dead(dataset.features)
    rms = np.sqrt(np.mean(left[:, alive] ** 2, axis=1)) if alive.any() else np.zeros(len(left))
    return Drift(rms, np.where(alive, slopes, 0.0), dataset.feature_names)


def running_median(values: FloatArray) -> FloatArray:
    """Return the median of the neighbours of each value, (n,): of a fortieth of all, at least 5."""
    width = max(5, round(len(values) * _MOVING_SHARE)) | 1
    padded = np.pad(values, width // 2, mode="reflect")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1))


def position_errors(dataset: Dataset) -> FloatArray | None:
    """Return how far the servos came to rest from their goals, rad (n, s); None where meta.json has no limits."""
    lower, span = (np.array(dataset.meta.get(key) or ()) for key in ("lower_rad", "span_rad"))
    if len(lower) != len(dataset.names) or len(span) != len(dataset.names):
        return None
    return np.asarray(dataset.positions - lower - dataset.goals * span)


def spread(count: int, wanted: int) -> IntArray:
    """Return up to ``wanted`` of the numbers below ``count``, evenly spread, int."""
    numbers: IntArray = np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64)
    return numbers


def _standard(values: FloatArray) -> FloatArray:
    """Return columns (n, m) with mean 0 and spread 1; constant ones are 0."""
    values = values.astype(np.float64)
    deviation = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1))
