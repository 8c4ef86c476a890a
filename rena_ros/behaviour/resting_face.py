"""A person's own resting face, and the map from that person's readings to the robot's.

Faces at rest differ: one person's brows hang, another's eyes are narrow, a camera looks up from a desk. The
model learned from the robot's face, so a reading is bent until this person's rest reads like the robot's.
"""

import numpy as np

from rena_ros.perception.face_reader import READING_NAMES

COEFFICIENTS = len(READING_NAMES) - 3

# A frame counts only if all of these stay below their limit: channels that are low on nearly every resting
# face, so that a clip that begins with closed eyes or a broad smile does not pass for rest. Channels in which
# resting faces do differ (eyeSquint, eyeLookDown, browOuterUp, mouthShrug, ...) are free.
_REST_LIMITS = {
    "eyeBlink": 0.4,
    "eyeWide": 0.4,
    "eyeLookIn": 0.45,
    "eyeLookOut": 0.45,
    "browInnerUp": 0.5,
    "browDown": 0.6,
    "noseSneer": 0.3,
    "jawOpen": 0.15,
    "mouthFunnel": 0.3,
    "mouthPucker": 0.6,
    "mouthSmile": 0.3,
    "mouthFrown": 0.4,
    "mouthStretch": 0.4,
    "mouthUpperUp": 0.3,
    "mouthLowerDown": 0.3,
}
_FRONTAL_RAD = np.deg2rad([15.0, 20.0, 15.0])  # |yaw|, |pitch|, |roll|; cameras often stand low or high
# A face is calm while nothing changes by more than this within _CALM_S. Resting faces flicker by .07 to .11 as
# MediaPipe reads them. A calm run counts once it has lasted _CALM_S: a blink or a turning point does not.
_CALM_COEFFICIENT, _CALM_RAD, _CALM_S = 0.15, np.deg2rad(4.0), 0.25
_GAP_S = 0.2  # a longer pause between two frames ends a calm run
_KNOT = (0.01, 0.8)  # where the person's rest may lie in the map: closer to 0 or 1 it would amplify noise


class RestingFace:
    """Measures a person's resting face and adapts readings to it. Pure: time comes with every call.

    ``robot_rest``: float32 (55,), the robot's own reading at neutral. ``rest_seconds``: how much calm time is
    needed. ``rest``: float32 (55,), the person's rest once measured, else None.
    """

    def __init__(self, robot_rest: np.ndarray, rest_seconds: float = 2.0):
        self.robot_rest = np.asarray(robot_rest, np.float32)
        self.rest_seconds = rest_seconds
        self._limits = np.array([_limit(name) for name in READING_NAMES[:COEFFICIENTS]], np.float32)
        self.reset()

    @property
    def measured(self) -> bool:
        """Whether a resting face is known; until then ``adapt`` changes nothing."""
        return self.rest is not None

    @property
    def calm_s(self) -> float:
        """Calm time seen so far, seconds."""
        return self._calm_s

    def reset(self) -> None:
        """Forget the person and begin to measure anew."""
        self.rest: np.ndarray | None = None
        self._calm_s = 0.0
        self._frames: list[np.ndarray] = []
        self._begin_run()

    def observe(self, features: np.ndarray, t_s: float) -> bool:
        """Look at one reading (55,) taken at ``t_s`` (seconds, rising). True when it completes the measurement."""
        if self.measured:
            return False
        features = np.array(features, np.float32)
        if not self._looks_like_rest(features):
            self._begin_run()
            return False
        if self._run and not 0 < t_s - self._run[-1][0] <= _GAP_S:
            self._begin_run()
        recent = [frame for then_s, frame in self._run if t_s - then_s <= _CALM_S]
        if not _calm([*recent, features]):
            self._begin_run()
        self._run.append((t_s, features))
        if t_s - self._run[0][0] < _CALM_S:
            return False
        self._count()
        if self._calm_s < self.rest_seconds:
            return False
        self.rest = np.median(self._frames, axis=0).astype(np.float32)
        self._frames = []
        self._begin_run()
        return True

    def adapt(self, features: np.ndarray) -> np.ndarray:
        """A person's reading (55,) -> what the robot's face would read in the same expression, float32 (55,).

        Each coefficient goes through the monotone piecewise-linear map 0 -> 0, person's rest -> robot's rest,
        1 -> 1; each head angle is moved by the difference of the two rests. Until measured, nothing changes.
        """
        features = np.array(features, np.float32)
        if self.rest is None:
            return features
        x, here = features[:COEFFICIENTS], np.clip(self.rest[:COEFFICIENTS], *_KNOT)
        there = self.robot_rest[:COEFFICIENTS]
        below = x * (there / here)
        above = there + (x - here) * ((1 - there) / (1 - here))
        features[:COEFFICIENTS] = np.where(x < here, below, above)
        features[COEFFICIENTS:] += self.robot_rest[COEFFICIENTS:] - self.rest[COEFFICIENTS:]
        return features

    def differences(self, count: int = 5) -> list[tuple[str, float, float]]:
        """Where this person's rest differs most from the robot's: (name, person's value, robot's value)."""
        if self.rest is None:
            return []
        order = np.argsort(-np.abs(self.rest - self.robot_rest))[:count]
        return [(READING_NAMES[i], float(self.rest[i]), float(self.robot_rest[i])) for i in order]

    def _begin_run(self) -> None:
        self._run: list[tuple[float, np.ndarray]] = []  # (time, frame) of the calm run under way
        self._counted = False

    def _count(self) -> None:
        """Take over what is new of a run that has lasted long enough: all of it the first time, then its last frame."""
        new = self._run[-1:] if self._counted else self._run
        since_s = self._run[-2][0] if self._counted else self._run[0][0]
        self._frames += [frame for _, frame in new]
        self._calm_s += self._run[-1][0] - since_s
        self._counted = True

    def _looks_like_rest(self, features: np.ndarray) -> bool:
        frontal = (np.abs(features[COEFFICIENTS:]) <= _FRONTAL_RAD).all()
        return bool(frontal and (features[:COEFFICIENTS] <= self._limits).all())


def _limit(name: str) -> float:
    return _REST_LIMITS.get(name.removesuffix("Left").removesuffix("Right"), np.inf)


def _calm(frames: list[np.ndarray]) -> bool:
    change = np.ptp(frames, axis=0)
    return bool(change[:COEFFICIENTS].max() <= _CALM_COEFFICIENT and change[COEFFICIENTS:].max() <= _CALM_RAD)
