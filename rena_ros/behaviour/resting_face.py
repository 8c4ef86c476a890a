"""A person's own resting face, and the map from this person's readings to the robot's.

Faces at rest differ: one has low brows, another narrow eyes, and a camera may look up from a desk. The model has
learned from the robot's face, so a reading is mapped such that the person's rest becomes the robot's rest.
"""

from collections import deque

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.perception.face_reader import READING_NAMES

COEFFICIENTS = len(READING_NAMES) - 3

# A frame counts only if all of these coefficients stay below their limit. They are low on nearly every resting face,
# so that closed eyes or a broad smile at the start of a clip are not taken for rest. Coefficients in which resting
# faces differ (eyeSquint, eyeLookDown, browOuterUp, mouthShrug, ...) have no limit.
_REST_LIMITS = {
    0.15: ("jawOpen",),
    0.3: ("noseSneer", "mouthFunnel", "mouthSmile", "mouthUpperUp", "mouthLowerDown"),
    0.4: ("eyeBlink", "eyeWide", "mouthFrown", "mouthStretch"),
    0.45: ("eyeLookIn", "eyeLookOut"),
    0.5: ("browInnerUp",),
    0.6: ("browDown", "mouthPucker"),
}
_FRONTAL_RAD = np.deg2rad([15.0, 20.0, 15.0])  # |yaw|, |pitch|, |roll|; a camera often stands low or high
# A face is calm while no feature changes by more than this within _CALM_S, or three frames where they come slowly.
# MediaPipe's readings of a resting face vary by .07 to .11. A calm run counts once it has lasted _CALM_S and has three
# frames; a blink or a turning point is shorter.
_CALM_COEFFICIENT, _CALM_RAD, _CALM_S, _CALM_FRAMES = 0.15, np.deg2rad(4.0), 0.25, 3
# A calm run ends with a longer pause than this, or than some of the usual intervals of slow frames.
_GAP_S, _GAP_INTERVALS, _GAP_MOST_S = 0.2, 2.5, 1.5
_INTERVALS = 5  # of which the median is the usual one
_KNOT = (0.01, 0.8)  # range of the person's rest in the map; closer to 0 or 1 the map would amplify noise


class RestingFace:
    """Measures a person's resting face and maps readings accordingly. No I/O, no clock: each call is given the time.

    ``rest``: float32 (55,), the person's resting face once it is measured, else None. ``calm_s``: calm time so far, s.
    """

    def __init__(self, robot_rest: FloatArray, rest_seconds: float = 2.0):
        """``robot_rest``: (55,), the robot's own reading at neutral. ``rest_seconds``: calm time to measure, s."""
        self.robot_rest = np.asarray(robot_rest, np.float32)
        self.rest_seconds = rest_seconds
        self._limits = rest_limits()
        self.reset()

    @property
    def measured(self) -> bool:
        """Whether the resting face is measured; until then ``adapt`` changes nothing."""
        return self.rest is not None

    def reset(self) -> None:
        """Discard the measurement and start again."""
        self.rest: FloatArray | None = None
        self.calm_s = 0.0
        self._frames: list[FloatArray] = []
        self._last_s: float | None = None
        self._intervals_s: deque[float] = deque(maxlen=_INTERVALS)
        self._begin_run()

    def observe(self, features: FloatArray, t_s: float) -> bool:
        """Take one reading (55,) of time ``t_s`` (s, increasing); return True when it completes the measurement."""
        if self.measured:
            return False
        features = np.array(features, np.float32)
        follows = self._follows(t_s)
        if not self._looks_like_rest(features):
            self._begin_run()
            return False
        if not follows:
            self._begin_run()
        recent = [frame for then_s, frame in self._run[:-2] if t_s - then_s <= _CALM_S]
        recent += [frame for _, frame in self._run[1 - _CALM_FRAMES :]]
        if not _calm([*recent, features]):
            self._begin_run()
        self._run.append((t_s, features))
        if t_s - self._run[0][0] < _CALM_S or len(self._run) < _CALM_FRAMES:
            return False
        self._count()
        if self.calm_s < self.rest_seconds:
            return False
        self.rest = np.median(self._frames, axis=0).astype(np.float32)
        self._frames = []
        self._begin_run()
        return True

    def adapt(self, features: FloatArray) -> FloatArray:
        """Map a person's reading (55,) to the robot's reading of the same expression, float32 (55,).

        See ``to_robot``. Returns a copy until ``measured``.
        """
        if self.rest is None:
            return np.array(features, np.float32)
        return to_robot(features, self.rest, self.robot_rest)

    def differences(self) -> list[tuple[str, float, float]]:
        """Return the five features that differ most: (name, person's rest, robot's rest), largest first."""
        if self.rest is None:
            return []
        order = np.argsort(-np.abs(self.rest - self.robot_rest))[:5]
        return [(READING_NAMES[i], float(self.rest[i]), float(self.robot_rest[i])) for i in order]

    def _follows(self, t_s: float) -> bool:
        """Note the time of a frame; return whether it follows the one before without a gap."""
        interval_s = np.inf if self._last_s is None else t_s - self._last_s
        self._last_s = t_s
        if 0 < interval_s <= _GAP_MOST_S:
            self._intervals_s.append(interval_s)
        # A few intervals tell the usual one; until then a pause may be one of a fast camera.
        usual_s = float(np.median(self._intervals_s)) if len(self._intervals_s) > 2 else 0.0
        return bool(0 < interval_s <= min(_GAP_MOST_S, max(_GAP_S, _GAP_INTERVALS * usual_s)))

    def _begin_run(self) -> None:
        self._run: list[tuple[float, FloatArray]] = []  # (time, features) of the present calm run
        self._counted = False

    def _count(self) -> None:
        """Count the new frames of a run that is long enough: all of them the first time, then the last one."""
        new = self._run[-1:] if self._counted else self._run
        since_s = self._run[-2][0] if self._counted else self._run[0][0]
        self._frames += [frame for _, frame in new]
        self.calm_s += self._run[-1][0] - since_s
        self._counted = True

    def _looks_like_rest(self, features: FloatArray) -> bool:
        frontal = (np.abs(features[COEFFICIENTS:]) <= _FRONTAL_RAD).all()
        return bool(frontal and (features[:COEFFICIENTS] <= self._limits).all())


def to_robot(features: FloatArray, rest: FloatArray, robot_rest: FloatArray) -> FloatArray:
    """Map a person's reading (55,) to the robot's, float32 (55,); ``rest``, ``robot_rest``: (55,), both at rest.

    Each coefficient passes through the monotone piecewise-linear map 0 -> 0, person's rest -> robot's rest, 1 -> 1;
    the difference of the two rests is added to each head angle.
    """
    features = np.array(features, np.float32)
    x, here = features[:COEFFICIENTS], np.clip(rest[:COEFFICIENTS], *_KNOT)
    there = robot_rest[:COEFFICIENTS]
    below = x * (there / here)
    above = there + (x - here) * ((1 - there) / (1 - here))
    features[:COEFFICIENTS] = np.where(x < here, below, above)
    features[COEFFICIENTS:] += robot_rest[COEFFICIENTS:] - rest[COEFFICIENTS:]
    return features


def rest_limits() -> FloatArray:
    """Return the value below which each coefficient stays on nearly every resting face, (52,); inf: it has none."""
    return np.array([_limit(name) for name in READING_NAMES[:COEFFICIENTS]], np.float32)


def _limit(name: str) -> float:
    name = name.removesuffix("Left").removesuffix("Right")
    return next((limit for limit, names in _REST_LIMITS.items() if name in names), float("inf"))


def _calm(frames: list[FloatArray]) -> bool:
    change = np.ptp(frames, axis=0)
    return bool(change[:COEFFICIENTS].max() <= _CALM_COEFFICIENT and change[COEFFICIENTS:].max() <= _CALM_RAD)
