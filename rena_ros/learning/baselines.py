"""Baselines that a model must beat: ridge regression, and the mean of the training goals."""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rena_ros.base.arrays import FloatArray


def ridge(features: FloatArray, goals: FloatArray, test_features: FloatArray) -> FloatArray:
    """Fit a ridge regression of ``goals`` (n, 25) on ``features`` (n, 55); return its goals (m, 25) for the test.

    Cross-validation on the training samples chooses alpha. The goals are clipped to [0, 1], as the model's are.
    """
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 5, 33)))
    model.fit(features.astype(np.float64), goals.astype(np.float64))
    return np.clip(model.predict(test_features.astype(np.float64)), 0, 1)


def training_mean(goals: FloatArray, samples: int) -> FloatArray:
    """Return the mean of the training goals (n, 25) as the prediction for every sample, (samples, 25)."""
    return np.broadcast_to(goals.mean(axis=0), (samples, goals.shape[1]))
