"""From readings to the numbers that a network works on: log odds, principal components, differences to rest.

All of it is part of the exported graph; what it depends on is fitted to the training samples alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rena_ros.base.arrays import FloatArray

LANDMARKS = 478
# Least half range of an input in the normalisation. Without it a coefficient that the robot hardly moves would be
# magnified, and the face of a real person, which does move it, would lie far outside the training data.
LEAST_SPREAD_LOG_ODDS, LEAST_SPREAD_RAD = 0.5, 0.1
LEAST_SPREAD_EYES = 0.005  # of components and points, in distances of the outer eye corners
_ROWS_OF_A_FIT = 20_000  # of more rows, every second, third ... is enough for the directions of the components
_PERCENTILES = (0.5, 99.5)  # which the normalisation maps to [-1, 1], so that no single outlier sets a scale


@dataclass(frozen=True)
class Readings:
    """What a network reads, as float32 tensors of n rows; None is what it does not read.

    features (n, 55): 52 coefficients in [0, 1] and the head pose in rad; landmarks (n, 478, 3), aligned; rest_features
    and rest_landmarks: those of the neutral face of the same person.
    """

    features: Tensor
    landmarks: Tensor | None = None
    rest_features: Tensor | None = None
    rest_landmarks: Tensor | None = None


def log_odds(coefficients: Tensor, floor: float) -> Tensor:
    """Return the log odds of coefficients in [0, 1], same shape, within about +-ln(1 / floor).

    MediaPipe's coefficients are outputs of a sigmoid and gather at its ends: much of their information lies between
    .001 and .1. Below ``floor`` the log odds hardly change, because such values are only noise in a real face.
    Coefficients outside [0, 1] are clamped.
    """
    clamped = coefficients.clamp(0, 1)
    return torch.log((clamped + floor) / (1 - clamped + floor))


class Components(nn.Module):
    """The first principal components of aligned landmarks."""

    mean: Tensor
    directions: Tensor

    def __init__(self, components: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3 * LANDMARKS))
        self.register_buffer("directions", torch.zeros(3 * LANDMARKS, components))

    def fit(self, landmarks: Tensor) -> None:
        """Set mean and directions from rows (n, 478, 3), n >= 1; directions in which these do not vary stay zero."""
        every = -(-len(landmarks) // _ROWS_OF_A_FIT)
        rows = landmarks[::every].flatten(1).double()
        mean = rows.mean(dim=0)
        # The smaller of the two products: n rows vary in n directions at most.
        rows = rows - mean
        few = len(rows) < rows.shape[1]
        variances, vectors = torch.linalg.eigh(rows @ rows.T if few else rows.T @ rows)  # ascending
        kept = variances.flip(0)[: self.directions.shape[1]] > 1e-9 * variances[-1].clamp(min=1e-12)
        vectors = vectors.flip(1)[:, : len(kept)][:, kept]
        directions = rows.T @ vectors if few else vectors
        directions = directions / directions.norm(dim=0)
        largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
        self.mean.copy_(mean)
        self.directions.zero_()
        self.directions[:, : directions.shape[1]] = directions * largest.sign()  # the sign is free, but must not change

    def forward(self, landmarks: Tensor) -> Tensor:
        """Return the components (n, k) of landmarks (n, 478, 3)."""
        return (landmarks.flatten(1) - self.mean) @ self.directions


class Inputs(nn.Module):
    """Turns readings into numbers of about [-1, 1] on the training samples: ``size`` of them for each reading.

    They are, in this order: log odds of the coefficients, head pose; ``components`` principal components of the
    landmarks; with ``rest`` also the change of log odds and pose since the neutral face, the components of the change
    of the landmarks, and ``identity_components`` components of the neutral landmarks themselves, which tell one face
    from another. ``points``: in place of coefficients and components, the coordinates of all landmarks.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        coefficients: int,
        pose: int,
        floor: float,
        components: int = 0,
        identity_components: int = 0,
        points: bool = False,
        rest: bool = False,
    ):
        super().__init__()
        self.coefficients, self.pose, self.floor, self.points, self.rest = coefficients, pose, floor, points, rest
        log_odds_pose = [(coefficients, LEAST_SPREAD_LOG_ODDS), (pose, LEAST_SPREAD_RAD)]
        groups = [(pose, LEAST_SPREAD_RAD), (3 * LANDMARKS, LEAST_SPREAD_EYES)] if points else [*log_odds_pose]
        self.now = Components(components) if components else None
        self.change = Components(components) if components and rest else None
        self.identity = Components(identity_components) if components and rest else None
        groups += [(components, LEAST_SPREAD_EYES)] if self.now else []
        groups += log_odds_pose if rest else []
        groups += [(components, LEAST_SPREAD_EYES), (identity_components, LEAST_SPREAD_EYES)] if self.change else []
        self.least_spread = torch.cat([torch.full((size,), least) for size, least in groups])
        self.size = len(self.least_spread)
        of_the_pose = slice(0, pose) if points else slice(coefficients, coefficients + pose)
        self.pose_columns = list(range(self.size))[of_the_pose]
        self.register_buffer("centre", torch.zeros(self.size))
        self.register_buffer("spread", torch.ones(self.size))

    def fit(self, readings: Readings) -> None:
        """Set components and normalisation from training readings, n >= 1."""
        if self.now is not None:
            self.now.fit(_given(readings.landmarks))
        if self.change is not None and self.identity is not None:
            self.change.fit(_given(readings.landmarks) - _given(readings.rest_landmarks))
            self.identity.fit(_given(readings.rest_landmarks))
        numbers: FloatArray = self.raw(readings).numpy()
        low, high = (torch.from_numpy(ends.astype(np.float32)) for ends in np.percentile(numbers, _PERCENTILES, axis=0))
        self.centre.copy_((low + high) / 2)
        self.spread.copy_(torch.maximum((high - low) / 2, self.least_spread))

    def forward(self, readings: Readings) -> Tensor:
        """Return the normalised numbers, float32 (n, size). Raises ValueError for readings that lack some of them."""
        return (self.raw(readings) - self.centre) / self.spread

    def raw(self, readings: Readings) -> Tensor:
        """Return the numbers before the normalisation, float32 (n, size)."""
        coefficients, pose = readings.features.split((self.coefficients, self.pose), dim=1)
        if self.points:
            return torch.cat((pose, _given(readings.landmarks).flatten(1)), dim=1)
        numbers = [log_odds(coefficients, self.floor), pose]
        if self.now is not None:
            numbers.append(self.now(_given(readings.landmarks)))
        if self.rest:
            rest_coefficients, rest_pose = _given(readings.rest_features).split((self.coefficients, self.pose), dim=1)
            numbers += [numbers[0] - log_odds(rest_coefficients, self.floor), pose - rest_pose]
        if self.change is not None and self.identity is not None:
            rest_landmarks = _given(readings.rest_landmarks)
            numbers += [self.change(_given(readings.landmarks) - rest_landmarks), self.identity(rest_landmarks)]
        return torch.cat(numbers, dim=1)


def _given(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise ValueError("the network reads more than these readings hold")
    return tensor
