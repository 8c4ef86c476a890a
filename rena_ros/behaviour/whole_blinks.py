"""Blinks that a camera sees half are closed whole. No I/O, no clock: each call is given the time of its image.

At 30 frames/s a blink has three to eight frames, and eyeBlink of a shut eye is often .5 to .8. When both eyes close
fast and far, the goals of the lids go to shut at once, stay there until the horns can have arrived and the person's
eyes open, and return. A blink that is missed costs less than one that nobody made: what closes slowly, one eye only,
or beside a growing smile is left to the model.
"""

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.model import Robot

# Closures are eyeBlink between its usual value on the open eye (0) and its highest value so far (1). All are assumptions
# that were tried on the drawn performer and on a film; a lid that follows the gaze down closes less far.
_FAST_HZ = 6.0  # closure per second; least jerk over 75 ms peaks at 25
_SHUT, _OPEN = 0.5, 0.5  # closure from which a fast closing is a blink; closure below which the eyes open
_SMILE = 0.15  # growth of mouthSmile within a frame interval that makes it a squint
_HOLD_S, _LONGEST_S = 0.15, 0.6  # least time for the horns; beyond the longest the eyes are closed on purpose
_OPENING_S = 0.1
_LEAST_MAXIMUM = 0.6  # of eyeBlink of a shut eye, until it was seen
_REST_S = 3.0  # time constant of the value of the open eye
_GAP_S = 0.2  # after a longer pause the speed is not known
_BLINKS = [READING_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
_SMILES = [READING_NAMES.index(f"mouthSmile{side}") for side in ("Left", "Right")]


class WholeBlinks:
    """Carries the lids' goals to shut while the person blinks. ``blinks``: how many it has closed."""

    def __init__(self, robot: Robot):
        """Without servos ``lid_left`` and ``lid_right`` it does nothing."""
        self._lids = [robot.index[name] for name in ("lid_left", "lid_right") if name in robot.index]
        self.blinks = 0
        self.reset()

    def reset(self) -> None:
        """Forget the person, and end a blink at once."""
        self._last: FloatArray | None = None
        self._last_s = -np.inf
        self._rest, self._maximum = np.zeros(2), np.full(2, _LEAST_MAXIMUM)
        self._since_s: float | None = None  # when the blink began
        self._opens_s: float | None = None  # when it began to end
        self._shut = 0.0

    def close(self, goals: FloatArray, features: FloatArray, t_s: float) -> FloatArray:
        """Return ``goals``, (n,) in [0, 1], with the lids of a blink at ``t_s``; ``features``: the reading (55,).

        ``features`` are the person's own, as perception read them. Without a blink ``goals`` itself is returned.
        """
        closure, fast = self._observe(np.asarray(features, np.float64), t_s)
        if self._since_s is None and fast and closure.min() >= _SHUT:
            self._since_s, self._opens_s = t_s, None
            self.blinks += 1
        if self._since_s is None:
            return goals
        held_s = t_s - self._since_s
        if self._opens_s is None and held_s >= _HOLD_S and (closure.max() < _OPEN or held_s > _LONGEST_S):
            self._opens_s = t_s
        shut = 1.0 if self._opens_s is None else 1.0 - (t_s - self._opens_s) / _OPENING_S
        if shut <= 0 or not 0 <= held_s < np.inf:
            self._since_s = None
            return goals
        closed = np.array(goals, np.float32)
        for i in self._lids:
            closed[i] += shut * max(1.0 - closed[i], 0.0)
        return closed

    def _observe(self, features: FloatArray, t_s: float) -> tuple[FloatArray, bool]:
        """Return the closure of both eyes, (2,), and whether both have closed fast since the last reading."""
        blink, last, elapsed_s = features[_BLINKS], self._last, t_s - self._last_s
        self._last, self._last_s = features, t_s
        if last is None:
            self._rest = np.minimum(blink, _LEAST_MAXIMUM / 2)
        self._maximum = np.maximum(self._maximum, blink)
        closure = (blink - self._rest) / (self._maximum - self._rest)
        if last is None or not 0 < elapsed_s <= _GAP_S:
            return closure, False
        if closure.max() < _OPEN:  # the open eye alone
            self._rest += min(elapsed_s / _REST_S, 1.0) * (np.minimum(blink, _LEAST_MAXIMUM / 2) - self._rest)
        speed_hz = (blink - last[_BLINKS]) / (self._maximum - self._rest) / elapsed_s
        smiles = (features[_SMILES] - last[_SMILES]).max() > _SMILE
        return closure, bool(speed_hz.min() >= _FAST_HZ and not smiles)
