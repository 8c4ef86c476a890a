"""Baselines without a network: what a model must beat. Needs no torch.

Each is made with nothing but its settings, fitted to samples with ``fit`` and asked with ``predict``. They read the
features alone.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from rena_ros.base.arrays import FloatArray
from rena_ros.learning.samples import Samples
from rena_ros.perception.face_reader import COEFFICIENT_NAMES

COEFFICIENTS = len(COEFFICIENT_NAMES)
_FLOOR = 0.003  # as that of the networks: see ``inputs.log_odds``


class Baseline(Protocol):
    """Something that gives goals for readings once it has been fitted."""

    def fit(self, samples: Samples) -> "Baseline":
        """Fit to training samples (n >= 1 rows) and return itself."""

    def predict(self, samples: Samples) -> FloatArray:
        """Return goals (m, 25) in [0, 1] for samples (m rows), whose own goals are not looked at."""


@dataclass
class TrainingMean:
    """The mean goals of training, whatever the reading."""

    def fit(self, samples: Samples) -> "TrainingMean":
        """See ``Baseline``."""
        self.goals = samples.goals.mean(axis=0, dtype=np.float64)
        return self

    def predict(self, samples: Samples) -> FloatArray:
        """See ``Baseline``."""
        return np.broadcast_to(self.goals, (len(samples), len(self.goals)))


@dataclass
class RandomGoals:
    """The goals of a training sample drawn at random for each reading: RS of the paper's Table II.

    The paper calls RS "the random baseline" and does not define it; this keeps to faces that the strategy makes.
    """

    seed: int = 0

    def fit(self, samples: Samples) -> "RandomGoals":
        """See ``Baseline``."""
        self.goals = samples.goals
        return self

    def predict(self, samples: Samples) -> FloatArray:
        """See ``Baseline``; the same seed and number of samples give the same goals."""
        drawn = np.random.default_rng(self.seed).integers(0, len(self.goals), len(samples))
        goals: FloatArray = self.goals[drawn]
        return goals


@dataclass
class NearestNeighbour:
    """The goals of the nearest training sample: Euclidean, log odds and pose each divided by their spread."""

    def fit(self, samples: Samples) -> "NearestNeighbour":
        """See ``Baseline``."""
        nearest = KNeighborsRegressor(n_neighbors=1)
        self.model = _fitted(make_pipeline(FunctionTransformer(_with_log_odds), StandardScaler(), nearest), samples)
        return self

    def predict(self, samples: Samples) -> FloatArray:
        """See ``Baseline``."""
        return _predicted(self.model, samples)


@dataclass
class RidgeRegression:
    """Ridge regression on the features, each divided by its spread; the penalty by leave-one-out cross-validation."""

    def fit(self, samples: Samples) -> "RidgeRegression":
        """See ``Baseline``."""
        self.model = _fitted(make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 5, 33))), samples)
        return self

    def predict(self, samples: Samples) -> FloatArray:
        """See ``Baseline``."""
        return _predicted(self.model, samples)


BASELINES = ("mean", "random", "nearest", "ridge")


def make_baseline(name: str, seed: int = 0) -> Baseline:
    """Return a baseline that is not yet fitted, by its name in ``BASELINES``. Raises KeyError for another name."""
    ready: tuple[Baseline, ...] = (TrainingMean(), RandomGoals(seed), NearestNeighbour(), RidgeRegression())
    return dict(zip(BASELINES, ready, strict=True))[name]


def _with_log_odds(features: FloatArray) -> FloatArray:
    coefficients, pose = features[:, :COEFFICIENTS].clip(0, 1), features[:, COEFFICIENTS:]
    return np.concatenate((np.log((coefficients + _FLOOR) / (1 - coefficients + _FLOOR)), pose), axis=1)


def _fitted(model: Pipeline, samples: Samples) -> Pipeline:
    return model.fit(samples.features.astype(np.float64), samples.goals.astype(np.float64))


def _predicted(model: Pipeline, samples: Samples) -> FloatArray:
    return np.clip(model.predict(samples.features.astype(np.float64)), 0, 1)
