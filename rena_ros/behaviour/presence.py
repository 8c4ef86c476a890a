"""Easing between a person's expression and the neutral face, as people leave and come. Pure: time is handed in."""

import numpy as np


class Presence:
    """Blends goals towards neutral while nobody is there, and back when somebody comes.

    After ``lost_after_s`` without a person the last goals fade to neutral over ``leave_s``; when somebody
    comes, neutral fades to that person's goals over ``come_s``. A fade that is reversed half-way goes on from
    where it is. Nobody has been there before the first call of ``seen``.
    """

    def __init__(self, neutral_goals: np.ndarray, lost_after_s: float = 0.5, leave_s: float = 0.4, come_s: float = 0.4):
        self.neutral_goals = np.asarray(neutral_goals, np.float32)
        self.lost_after_s, self.leave_s, self.come_s = lost_after_s, leave_s, come_s
        self._goals = self.neutral_goals
        self._seen_s: float | None = None
        self._share = 0.0  # 0 neutral .. 1 the person
        self._share_s = 0.0  # when _share was brought up to date

    def seen(self, goals: np.ndarray, now_s: float) -> np.ndarray:
        """A person is there and asks for ``goals`` (n,): the goals to command now, float32 (n,)."""
        if not self.is_present(now_s):
            self._fade_out(now_s)
            self._share_s = now_s
        elapsed = now_s - self._share_s
        self._share = min(1.0, self._share + elapsed / self.come_s)
        self._goals, self._seen_s, self._share_s = np.asarray(goals, np.float32), now_s, now_s
        return self._blend()

    def absent(self, now_s: float) -> np.ndarray | None:
        """Nobody is there at ``now_s``: the goals to command, or None while the person counts as present."""
        if self.is_present(now_s):
            return None
        self._fade_out(now_s)
        return self._blend()

    def is_present(self, now_s: float) -> bool:
        """Whether a person was seen within the last ``lost_after_s``."""
        return self._seen_s is not None and now_s - self._seen_s <= self.lost_after_s

    def _fade_out(self, now_s: float) -> None:
        if self._seen_s is None:
            return
        since = max(self._share_s, self._seen_s + self.lost_after_s)
        self._share = max(0.0, self._share - max(0.0, now_s - since) / self.leave_s)
        self._share_s = max(now_s, self._share_s)

    def _blend(self) -> np.ndarray:
        smooth = np.float32(self._share**2 * (3 - 2 * self._share))
        return self.neutral_goals + smooth * (self._goals - self.neutral_goals)
