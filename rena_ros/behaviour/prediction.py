"""Predictor: from a person's last half second to the reading some hundredths of a second ahead.

A model of sequences (ONNX, ``rena sequences train``) says how each channel is about to change; a change that it is
unsure of is made small in the model itself. How far it is right about this person is seen at once: each prediction is
compared with the reading that came, and a channel leads by as much as its predictions came true (``trust``, the slope
of the regression of what came on what was predicted). So a face that the model does not understand is shown as read.
"""

import json
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.resources import share_path
from rena_ros.behaviour.model_session import open_session
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.landmark_frame import POINTS

COEFFICIENTS = len(READING_NAMES) - 3
INPUTS = ("features", "landmarks", "horizon_s", "trust")
OUTPUTS = ("change", "channels", "landmark_lead")
GAP_S = 0.15  # after a longer pause history begins again
FADE_S = 0.3  # within which the lead grows to its full size when history begins
# A change of this size from one reading to the next is another person, or a face that was lost: landmarks (root mean
# square, in distances of the eye corners) and angles of the head (rad). The most within 8,500 readings of 20 acting
# people and a film of a real one was 0.033 and 0.115.
JUMP_LANDMARKS, JUMP_RAD = 0.04, 0.2
TRUST_AT_FIRST, TRUST_WEIGHT, TRUST_S = 0.4, 2.0, 20.0  # prior, its weight in squared usual changes, memory
_ROWS = 64  # of the ring of readings: the history of a camera of up to 100 Hz


class Predictor:
    """Leads readings by ``horizon_s``. No I/O, no clock: each reading comes with its time. Not thread-safe.

    ``trust``: float64 (c,), in [0, 1], how far each channel's predictions have come true: the features, then components
    of landmarks. ``provenance``: the model's origin. ``horizon_range_s``: what horizon the model was trained for.
    """

    def __init__(self, path: str | Path | None = None, horizon_s: float = 0.08):
        """Load ``path`` (default: the model that ships with Rena).

        Raises RenaError unless it is a model of sequences of these features, ValueError for a horizon that it was not
        trained for.
        """
        self.path = user_path(path) if path else share_path("models/sequence.onnx")
        self._session = open_session(self.path)
        labels = _read_labels(self.path, self._session)
        self.provenance: dict[str, Any] = labels["provenance"]
        self.horizon_range_s: tuple[float, float] = (labels["horizon_s"][0], labels["horizon_s"][1])
        self._ago_s = labels["step_s"] * np.arange(labels["steps"] - 1, -1, -1)
        self._prior = TRUST_WEIGHT * np.square(labels["scale"])
        self.horizon_s = horizon_s
        self._times_s = np.zeros(_ROWS)
        self._features = np.zeros((_ROWS, len(READING_NAMES)), np.float32)
        self._landmarks = np.zeros((_ROWS, POINTS, 3), np.float32)
        self.reset()
        self._check_graph()

    @property
    def horizon_s(self) -> float:
        """How far ahead to predict, s; 0 predicts nothing. Setting raises ValueError outside ``horizon_range_s``."""
        return self._horizon_s

    @horizon_s.setter
    def horizon_s(self, horizon_s: float) -> None:
        low, high = self.horizon_range_s
        if horizon_s != 0 and not low <= horizon_s <= high:
            raise ValueError(f"horizon_s must be 0, or from {low:g} to {high:g} s, not {horizon_s}")
        if horizon_s == 0:
            self.reset()
        self._horizon_s = float(horizon_s)
        self._pending: deque[tuple[float, FloatArray, FloatArray]] = deque()

    def reset(self) -> None:
        """Forget the person: history and trust begin again."""
        self.trust = np.full(len(self._prior), TRUST_AT_FIRST)
        self._true, self._said = np.zeros(len(self._prior)), np.zeros(len(self._prior))
        self._begin()

    def ahead(
        self, features: FloatArray, landmarks: FloatArray | None, t_s: float
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the reading to expect at ``t_s + horizon_s``: features float32 (55,) and landmarks (478, 3) or None.

        ``features`` (55,), order of READING_NAMES; ``landmarks`` (478, 3), ``landmark_frame.aligned``, or None.
        Coefficients stay in [0, 1]. With a horizon of 0, and for a reading or a time that is not finite, what was given
        comes back itself, and is not remembered. A time that repeats leads as the one before it; one that goes back, a
        pause of more than GAP_S and a jump to another face begin history again. Raises ValueError for another shape.
        """
        if self._horizon_s == 0:
            return features, landmarks
        if np.shape(features) != (len(READING_NAMES),) or (landmarks is not None and landmarks.shape != (POINTS, 3)):
            raise ValueError(f"expected features ({len(READING_NAMES)},) and landmarks ({POINTS}, 3) or None")
        if not (np.isfinite(t_s) and np.isfinite(features).all()):
            return features, landmarks
        if landmarks is not None and not np.isfinite(landmarks).all():
            return features, landmarks
        if not (self._count and t_s == self._last_s):
            self._take(np.asarray(features, np.float32), landmarks, float(t_s))
            self._predict(float(t_s))
        return self._led(features, landmarks)

    def _begin(self) -> None:
        """Begin history again; nothing leads until it has grown."""
        self._count, self._last_s, self._first_s, self._seen_landmarks = 0, -np.inf, 0.0, False
        self._lead = np.zeros(len(READING_NAMES), np.float32)
        self._landmark_lead = np.zeros((POINTS, 3), np.float32)
        self._channels: FloatArray | None = None
        self._pending = deque()

    def _take(self, features: FloatArray, landmarks: FloatArray | None, t_s: float) -> None:
        """Add a reading to the history, which begins with it where it does not follow from the one before."""
        if self._count and not self._follows(features, landmarks, t_s):
            self._begin()
        if not self._count:
            self._first_s, self._seen_landmarks = t_s, landmarks is not None
        row = self._count % _ROWS
        self._times_s[row], self._features[row] = t_s, features
        self._landmarks[row] = 0.0 if landmarks is None else landmarks
        self._count, self._last_s = self._count + 1, t_s

    def _follows(self, features: FloatArray, landmarks: FloatArray | None, t_s: float) -> bool:
        if not 0 < t_s - self._last_s <= GAP_S or (landmarks is not None) != self._seen_landmarks:
            return False
        last = (self._count - 1) % _ROWS
        if np.abs(features[COEFFICIENTS:] - self._features[last, COEFFICIENTS:]).max() > JUMP_RAD:
            return False
        return landmarks is None or float(np.square(landmarks - self._landmarks[last]).mean()) <= JUMP_LANDMARKS**2

    def _history(self, t_s: float) -> tuple[FloatArray, FloatArray]:
        """Return features (1, steps, 55) and landmarks (1, steps, 478, 3) at even steps back from ``t_s``."""
        rows = np.arange(max(0, self._count - _ROWS), self._count) % _ROWS
        times_s = self._times_s[rows]
        wanted_s = np.maximum(t_s - self._ago_s, times_s[0])
        after = np.minimum(np.searchsorted(times_s, wanted_s), len(rows) - 1)
        before = np.maximum(after - 1, 0)
        span_s = times_s[after] - times_s[before]
        share = np.where(span_s > 0, (wanted_s - times_s[before]) / np.where(span_s > 0, span_s, 1), 1.0)
        share = share.astype(np.float32)
        first, second = rows[before], rows[after]
        features = self._features[first]
        features += share[:, None] * (self._features[second] - features)
        landmarks = self._landmarks[first]
        if self._seen_landmarks:
            landmarks += share[:, None, None] * (self._landmarks[second] - landmarks)
        return features[None], landmarks[None]

    def _predict(self, t_s: float) -> None:
        features, landmarks = self._history(t_s)
        feed = {
            "features": features,
            "landmarks": landmarks,
            "horizon_s": np.full((1, 1), self._horizon_s, np.float32),
            "trust": self.trust[None].astype(np.float32),
        }
        change, channels, landmark_lead = (one[0] for one in self._session.run(OUTPUTS, feed))
        self._learn(channels, t_s)
        self._pending.append((t_s, channels, change))
        fade = np.float32(min((t_s - self._first_s) / FADE_S, 1.0))
        self._lead = fade * self.trust[: len(READING_NAMES)].astype(np.float32) * change[: len(READING_NAMES)]
        self._landmark_lead = fade * landmark_lead

    def _learn(self, channels: FloatArray, t_s: float) -> None:
        """Compare predictions whose time has come with what was read, and trust each channel accordingly."""
        before, self._channels = self._channels, channels
        if before is None:
            return
        earlier_s = self._times_s[(self._count - 2) % _ROWS]
        fade = np.exp(-(t_s - earlier_s) / TRUST_S)
        self._true, self._said = fade * self._true, fade * self._said
        while self._pending and self._pending[0][0] + self._horizon_s <= t_s:
            made_s, then, change = self._pending.popleft()
            share = max((made_s + self._horizon_s - earlier_s) / (t_s - earlier_s), 0.0)
            came = before + share * (channels - before) - then
            self._true += change * came
            self._said += np.square(change)
        slope = (self._true + TRUST_AT_FIRST * self._prior) / (self._said + self._prior)
        self.trust = np.clip(slope, 0.0, 1.0)

    def _led(self, features: FloatArray, landmarks: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
        led = np.asarray(features, np.float32) + self._lead
        np.clip(led[:COEFFICIENTS], 0, 1, out=led[:COEFFICIENTS])
        return led, None if landmarks is None else np.asarray(landmarks, np.float32) + self._landmark_lead

    def _check_graph(self) -> None:
        try:
            self._take(np.zeros(len(READING_NAMES), np.float32), None, 0.0)
            self._predict(0.0)
            fits = len(self._pending[0][2]) == len(self._prior) and np.isfinite(self._lead).all()
        except Exception as error:  # onnxruntime raises a different class for each kind of mismatch
            raise RenaError(f"{self.path} is no model of sequences: {str(error).splitlines()[0]}") from error
        if not fits:
            raise RenaError(f"the model {self.path} does not predict what its labels say: train it again")
        self.reset()


def _read_labels(path: Path, session: Any) -> dict[str, Any]:
    found = session.get_modelmeta().custom_metadata_map
    wanted = ("feature_names", "horizon_s", "steps", "step_s", "scale", "provenance")
    missing = [name for name in wanted if f"rena.{name}" not in found]
    if missing:
        raise RenaError(f"the model {path} lacks {', '.join(missing)}; was it made by `rena sequences train`?")
    try:
        labels: dict[str, Any] = {name: json.loads(found[f"rena.{name}"]) for name in wanted}
        low, high = labels["horizon_s"]
        valid = 0 < low <= high < 1 and labels["steps"] > 1 and labels["step_s"] > 0 and min(labels["scale"]) > 0
    except (ValueError, TypeError) as error:
        raise RenaError(f"the labels of the model {path} are not valid: {error}; train it again") from error
    if labels["feature_names"] != list(READING_NAMES):
        raise RenaError(f"the model {path} was trained for other features than this version reads: train it again")
    if not valid:
        raise RenaError(f"the labels of the model {path} are out of range: train it again")
    return labels
