"""Easing to neutral while no person is present, and back. No I/O, no clock: each call is given the time."""

from collections import deque

import numpy as np

from rena_ros.base.arrays import FloatArray

# Readings may come slowly: one late by half the usual interval is no absence. Longer intervals are absences themselves.
_LATE, _SLOWEST_S, _INTERVALS = 1.5, 1.5, 3


class Presence:
    """Blends goals towards neutral while the face is absent, and back when a face is present.

    Once no face has been seen for ``lost_after_s`` (longer where readings come slowly), the last goals fade to neutral
    within ``leave_s``; when a face appears, neutral fades to its goals within ``come_s``. A fade that is reversed
    half-way continues from its present value. Before the first call of ``seen`` the face counts as absent.
    """

    def __init__(self, neutral_goals: FloatArray, lost_after_s: float = 0.5, leave_s: float = 0.4, come_s: float = 0.4):
        """``neutral_goals``: (n,) in [0, 1]. Times in seconds."""
        self.neutral_goals = np.asarray(neutral_goals, np.float32)
        self.lost_after_s, self.leave_s, self.come_s = lost_after_s, leave_s, come_s
        self.reset()

    def reset(self) -> None:
        """Begin again at neutral, with the face absent."""
        self._goals: FloatArray = self.neutral_goals
        self._seen_s: float | None = None
        self._intervals_s: deque[float] = deque(maxlen=_INTERVALS)
        self._share = 0.0  # of the person's goals in the blend: 0 neutral .. 1 the person's goals
        self._share_s = 0.0  # time for which _share holds

    def seen(self, goals: FloatArray, now_s: float) -> FloatArray:
        """Note a face and its ``goals`` (n,); return the goals to command now, float32 (n,)."""
        if self._seen_s is not None:
            self._intervals_s.append(now_s - self._seen_s)
        if not self.is_present(now_s):
            self._fade_out(now_s)
            self._share_s = now_s
        elapsed = now_s - self._share_s
        self._share = min(1.0, self._share + elapsed / self.come_s)
        self._goals, self._seen_s, self._share_s = np.asarray(goals, np.float32), now_s, now_s
        return self._blend()

    def absent(self, now_s: float) -> FloatArray | None:
        """Note that no face is seen; return the goals to command, or None while the face still counts as present."""
        if self.is_present(now_s):
            return None
        self._fade_out(now_s)
        return self._blend()

    def held(self) -> FloatArray:
        """Return the goals of the last call again."""
        return self._blend()

    def is_present(self, now_s: float) -> bool:
        """Return whether a face was seen within the last ``lost_after_s``, or a usual interval of slow readings."""
        return self._seen_s is not None and now_s - self._seen_s <= self._lost_after_s()

    @property
    def at_neutral(self) -> bool:
        """Whether the goals of the last call are neutral, none of a person's."""
        return self._share == 0.0

    def _lost_after_s(self) -> float:
        usual_s = float(np.median(self._intervals_s)) if len(self._intervals_s) == _INTERVALS else 0.0
        return max(self.lost_after_s, _LATE * usual_s if usual_s <= _SLOWEST_S else 0.0)

    def _fade_out(self, now_s: float) -> None:
        if self._seen_s is None:
            return
        since = max(self._share_s, self._seen_s + self._lost_after_s())
        self._share = max(0.0, self._share - max(0.0, now_s - since) / self.leave_s)
        self._share_s = max(now_s, self._share_s)

    def _blend(self) -> FloatArray:
        smooth = np.float32(self._share**2 * (3 - 2 * self._share))
        return self.neutral_goals + smooth * (self._goals - self.neutral_goals)
