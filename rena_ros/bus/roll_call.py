"""Whom to ask when: a servo that does not answer costs the others nothing and is not forgotten. Pure.

After three misses in a row a servo is no longer asked with the others, but alone, at a slower pace, one
silent servo after the other. Its first answer brings it back, and all other silent ones with it on trial:
what kept it silent may have been common to them. Those who fail their trial are silent again.

A request that nobody answered tells of the line, not of a servo; after three of them everybody is asked together,
in turn with one servo alone (perhaps one of them holds up the answers of all the others), a few times soon (an
adapter may just have stalled), then at the pace of silent servos. Where a trial takes others with it, the silent
ones come back one by one, so that the one who does that stays out.
"""

import numpy as np

SILENT_AFTER = 3
PACE_S = 0.25
SOON_S, SOON_TRIES = 0.1, 5


class RollCall:
    """Servos are places 0..n-1; the caller tells the time, seconds."""

    def __init__(self, count: int) -> None:
        self.misses = np.zeros(count, int)
        self._trial = np.zeros(count, bool)
        self._newest = -1  # who came back last
        self._wary = False  # whether they come back one by one
        self._quick = 0  # how many may be asked so soon
        self._nobody = 0  # requests in a row that nobody answered
        self._one = False  # whether it is a single servo's turn on a silent line
        self._next_s = float("-inf")
        self._turn = -1

    @property
    def silent(self) -> np.ndarray:
        """Who is counted as silent, bool (n,)."""
        return (self.misses >= SILENT_AFTER) | self._line_is_silent

    def together(self, now_s: float) -> np.ndarray:
        """Whom to ask together now, places in rising order; nobody while a silent line waits for its turn."""
        if not self._line_is_silent:
            return np.flatnonzero(self.misses < SILENT_AFTER)
        if now_s < self._next_s or self._one:
            return np.array([], int)
        self._next_s, self._one = now_s + self._pace_s, True
        return np.arange(len(self.misses))

    def alone(self, now_s: float) -> int | None:
        """Which silent servo's turn it is to be asked alone."""
        if now_s < self._next_s or not self.silent.any() or (self._nobody and not self._one):
            return None
        silent = np.flatnonzero(self.silent)
        self._next_s, self._one = now_s + self._pace_s, False
        self._quick -= self._quick > 0
        later = silent[silent > self._turn]
        self._turn = int(later[0] if later.size else silent[0])
        return self._turn

    def heard(self, asked: np.ndarray, answered: np.ndarray) -> None:
        """What became of a request to several: ``answered`` bool (m,) of the places ``asked`` (m,)."""
        if not asked.size:
            return
        failed, trial = asked[~answered], self._trial.copy()
        self._trial[asked] = False
        if trial[failed].any() and (self._newest in failed or not trial[failed].all()):
            self._wary, self._quick = True, self._quick if self._wary else len(self.misses)
        if answered.any():
            self._nobody = 0
            self.misses[asked] = np.where(answered, 0, self.misses[asked] + 1)
            self._wary &= bool(self.silent.any())
        elif trial[failed].any() and not trial[failed].all():
            self.misses[failed[trial[failed]]] = SILENT_AFTER
        else:
            self._nobody += 1

    def back(self, place: int) -> None:
        """A silent servo has answered."""
        returning = self.silent if not self._wary or self._line_is_silent else np.arange(len(self.misses)) == place
        self.misses[returning], self._trial[returning] = SILENT_AFTER - 1, True
        if self._line_is_silent:
            self.misses[place], self._trial[place] = 0, False
        self._newest, self._nobody, self._one = place, 0, False

    @property
    def _pace_s(self) -> float:
        soon = self._quick or SILENT_AFTER <= self._nobody < SILENT_AFTER + SOON_TRIES
        return SOON_S if soon else PACE_S

    @property
    def _line_is_silent(self) -> bool:
        return self._nobody >= SILENT_AFTER
