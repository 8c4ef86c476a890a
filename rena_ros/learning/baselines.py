"""What a model must beat: ridge regression, and predicting the mean of the training goals."""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def ridge(features: np.ndarray, goals: np.ndarray, test_features: np.ndarray) -> np.ndarray:
    """Goals (m, 25) for ``test_features`` (m, 55), from a ridge regression of ``goals`` on ``features``.

    Alpha by cross-validation on the training samples; clipped to [0, 1], as the model's goals are.
    """
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 5, 33)))
    model.fit(features.astype(np.float64), goals.astype(np.float64))
    return np.clip(model.predict(test_features.astype(np.float64)), 0, 1)


def training_mean(goals: np.ndarray, samples: int) -> np.ndarray:
    """The mean training goals (25,), as a prediction for ``samples`` samples, (samples, 25)."""
    return np.broadcast_to(goals.mean(axis=0), (samples, goals.shape[1]))
