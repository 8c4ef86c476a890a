"""A person's own face: how it rests and how far it moves, learned while the person acts.

Faces at rest differ, and so does how strongly people move them. No one must hold still for it: every frame counts by
how calm, how frontal and how much at rest it is, and by its time, so that a slow camera tells as much as a fast one.
What is shown of it begins at the robot's own rest and grows with the time that was seen.
"""

from typing import TypeGuard

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.behaviour.policy import RestReading
from rena_ros.behaviour.resting_face import COEFFICIENTS, rest_limits, to_robot
from rena_ros.perception.face_reader import READING_NAMES

GAINS = (0.7, 1.6)
GAIN_PER_S, REST_PER_S = 0.02, 0.1  # the most by which a gain, and a coefficient or angle (rad) of the rest, change
MEMORY_S = 90.0  # what was seen longer ago fades
_LONGEST_S = 1.0  # a frame stands for no longer time than this
_FRONTAL_RAD = np.deg2rad([12.0, 15.0, 12.0])  # yaw, pitch, roll at which a frame counts for 1 / e
_CALM_TAU_S, _CALM, _CALM_POSE_RAD = 0.2, 0.15, np.deg2rad(7.5)  # a change within tau that counts for 1 / e
_BEYOND = 0.12  # above the limit of a resting coefficient, likewise
_LEAST = 0.3  # of a coefficient that is itself at rest while another is not
_REST_QUANTILE, _RANGE_QUANTILE = 0.4, 0.95  # faces move away from rest mostly upwards
_BINS, _POSE_SPAN_RAD = 100, 1.2  # of the histograms; angles lie within half the span on either side
_FULL = 0.55  # how far above rest a coefficient goes in a full expression
_SLIGHT, _CLEAR = 0.1, 0.25  # a range below the one says nothing, above the other all, of a person's gain
_RANGE_S = 20.0  # seconds seen after which the range counts for half
_TRUE = ("_neutral", "eyeBlink", "eyeLook")  # coefficients whose gain stays 1: lids and gaze are taken as they are


class PersonFace:
    """Estimates one person's rest and range, and maps readings. No I/O, no clock: each call is given the time.

    ``rest``: ``RestReading``, the rest as it is to be used now, between the robot's own and the estimate. ``gains``:
    float64 (52,), within GAINS. ``seen_s``: float64 (55,), s of rest seen of each feature, weighted.
    """

    def __init__(self, robot: RestReading, rest_seconds: float = 2.0):
        """``robot``: the robot's own rest. ``rest_seconds``: s of rest after which the estimate counts for half."""
        self.robot, self.rest_seconds = robot, rest_seconds
        self._robot_rest = np.asarray(robot.features, np.float64)
        self._limits = np.append(rest_limits(), np.full(3, np.inf))
        self._moved = np.array([not name.startswith(_TRUE) for name in READING_NAMES[:COEFFICIENTS]])
        self.reset()

    @property
    def confidence(self) -> float:
        """Mean share of the estimate in ``rest``, 0 (the robot's own rest) to 1."""
        return float(np.mean(self._share()))

    def reset(self) -> None:
        """Forget this person: another one has come."""
        self.seen_s = np.zeros(len(READING_NAMES))
        self.gains = np.ones(COEFFICIENTS)
        self._rest = self._robot_rest.copy()
        self._at_rest = np.zeros((len(READING_NAMES), _BINS))  # seconds of rest at each value
        self._ever = np.zeros((len(READING_NAMES), _BINS))  # seconds at each value
        self._smooth: FloatArray | None = None
        self._last_s: float | None = None
        self._marks_s = 0.0
        marks = self.robot.landmarks
        self._marks = None if marks is None else np.zeros(marks.shape)  # weighted sum of differences to the robot's
        self._show()

    def observe(self, features: FloatArray, t_s: float, landmarks: FloatArray | None = None) -> None:
        """Take one reading (55,) of time ``t_s`` in s, and its aligned landmarks (478, 3) where there are some.

        A reading that is not finite is ignored. A time before the last one, as of a clip that starts again, counts
        for nothing itself.
        """
        features = np.asarray(features, np.float64)
        if not (np.isfinite(features).all() and np.isfinite(t_s)):
            return
        elapsed_s = 0.0 if self._last_s is None else float(np.clip(t_s - self._last_s, 0.0, _LONGEST_S))
        self._last_s = t_s
        frontal = float(np.exp(-np.sum((features[COEFFICIENTS:] / _FRONTAL_RAD) ** 2)))
        weights = frontal * self._calm(features, elapsed_s) * self._rest_like(features)
        fade = np.exp(-elapsed_s / MEMORY_S)
        bins = _bins(features)
        rows = np.arange(len(bins))
        self._at_rest *= fade
        self._ever *= fade
        self._at_rest[rows, bins] += weights * elapsed_s
        self._ever[rows, bins] += frontal * elapsed_s
        self.seen_s = self._at_rest.sum(axis=1)
        if self._marks is not None and self.robot.landmarks is not None and _usable(landmarks):
            weight = float(weights.min()) * elapsed_s
            self._marks_s = self._marks_s * fade + weight
            self._marks = self._marks * fade + weight * (landmarks - self.robot.landmarks)
        self._approach(elapsed_s)
        self._show()

    def adapt(self, features: FloatArray) -> FloatArray:
        """Map a person's reading (55,) to the robot's reading of the same expression, float32 (55,).

        For models that do not read a neutral face themselves; see ``to_robot``. ``strengthen`` goes before, if at all.
        """
        return to_robot(features, self.rest.features, self.robot.features)

    def strengthen(self, features: FloatArray) -> FloatArray:
        """Multiply the distance of coefficients above this person's rest by the gain: (55,) -> float32 (55,)."""
        features = np.array(features, np.float32)
        x, low = features[:COEFFICIENTS], self._rest[:COEFFICIENTS].astype(np.float32)
        above = np.clip(low + self.gains.astype(np.float32) * (x - low), 0, 1)
        features[:COEFFICIENTS] = np.where(x > low, above, x)
        return features

    def differences(self) -> list[tuple[str, float, float]]:
        """Return the five features whose rest differs most: (name, person's, robot's), largest first."""
        order = np.argsort(-np.abs(self._rest - self._robot_rest))[:5]
        return [(READING_NAMES[i], float(self._rest[i]), float(self._robot_rest[i])) for i in order]

    def _calm(self, features: FloatArray, elapsed_s: float) -> float:
        """How calm the face is, 0 to 1, by its change against a slow mean."""
        if self._smooth is None:
            self._smooth = features.copy()
        change = features - self._smooth
        self._smooth = self._smooth + (1 - np.exp(-elapsed_s / _CALM_TAU_S)) * change
        # All features together: a noisy one alone does not make a face restless.
        coefficients = np.sqrt(np.mean(np.sort(np.abs(change[:COEFFICIENTS]))[-8:] ** 2)) / _CALM
        pose = np.abs(change[COEFFICIENTS:]).max() / _CALM_POSE_RAD
        return float(np.exp(-(coefficients**2) - pose**2))

    def _rest_like(self, features: FloatArray) -> FloatArray:
        """How much at rest each feature is, (55,), 0 to 1: by itself, and less by the whole face."""
        own = np.exp(-((np.maximum(features - self._limits, 0) / _BEYOND) ** 2))
        weights: FloatArray = own * (_LEAST + (1 - _LEAST) * own.min())
        return weights

    def _share(self) -> FloatArray:
        share: FloatArray = self.seen_s / (self.seen_s + self.rest_seconds)
        return share

    def _approach(self, elapsed_s: float) -> None:
        """Move rest and gains towards what was seen, no faster than REST_PER_S and GAIN_PER_S."""
        estimate = _quantile(self._at_rest, _REST_QUANTILE)
        wanted = self._robot_rest + self._share() * (np.where(self.seen_s > 0, estimate, 0) - self._robot_rest)
        most = REST_PER_S * elapsed_s
        self._rest += np.clip(np.where(self.seen_s > 0, wanted, self._robot_rest) - self._rest, -most, most)
        reach = _quantile(self._ever, _RANGE_QUANTILE)[:COEFFICIENTS] - self._rest[:COEFFICIENTS]
        seen_s = self._ever[0].sum()
        sure = np.clip((reach - _SLIGHT) / (_CLEAR - _SLIGHT), 0, 1) * seen_s / (seen_s + _RANGE_S) * self._moved
        gain = 1 + sure * (np.clip(_FULL / np.maximum(reach, 1e-3), *GAINS) - 1)
        most = GAIN_PER_S * elapsed_s
        self.gains += np.clip(gain - self.gains, -most, most)

    def _show(self) -> None:
        marks = self.robot.landmarks
        if marks is not None and self._marks is not None:
            marks = (marks + self._marks / (self._marks_s + self.rest_seconds)).astype(np.float32)
        self.rest = RestReading(self._rest.astype(np.float32), marks)


def _usable(landmarks: FloatArray | None) -> TypeGuard[FloatArray]:
    return landmarks is not None and bool(np.isfinite(landmarks).all())


def _bins(features: FloatArray) -> IntArray:
    share = features.copy()
    share[COEFFICIENTS:] = features[COEFFICIENTS:] / _POSE_SPAN_RAD + 0.5
    return np.clip((share * _BINS).astype(np.int64), 0, _BINS - 1)


def _quantile(seconds: FloatArray, share: float) -> FloatArray:
    """Return a quantile of each row of histograms (55, _BINS), linear within its bin, as features (55,)."""
    summed = seconds.cumsum(axis=1)
    wanted = share * summed[:, -1]
    bins = np.minimum((summed < wanted[:, None]).sum(axis=1), _BINS - 1)
    rows = np.arange(len(seconds))
    within = seconds[rows, bins]
    before = summed[rows, bins] - within
    values: FloatArray = (bins + np.clip((wanted - before) / np.maximum(within, 1e-12), 0, 1)) / _BINS
    values[COEFFICIENTS:] = (values[COEFFICIENTS:] - 0.5) * _POSE_SPAN_RAD
    return values
