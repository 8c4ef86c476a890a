"""Whom to ask when: a servo that does not answer costs the others nothing and is not forgotten. Pure.

After three misses in a row a servo is no longer asked with the others, but alone, at a slower pace, one
silent servo after the other. Its first answer brings it back, and all other silent ones with it on trial:
what kept it silent may have been common to them. A request that nobody answered tells of the line, not of
a servo; after three of them everybody is asked together at a slower pace, a few times soon (an adapter may just
have stalled), then at that of silent servos.
"""

import numpy as np

SILENT_AFTER = 3
PACE_S = 0.25
SOON_S, SOON_TRIES = 0.1, 5


class RollCall:
    """Servos are places 0..n-1; the caller tells the time, seconds."""

    def __init__(self, count: int) -> None:
        self.misses = np.zeros(count, int)
        self._nobody = 0  # requests in a row that nobody answered
        self._next_s = float("-inf")
        self._turn = -1

    @property
    def silent(self) -> np.ndarray:
        """Who is counted as silent, bool (n,)."""
        return (self.misses >= SILENT_AFTER) | (self._nobody >= SILENT_AFTER)

    def together(self, now_s: float) -> np.ndarray:
        """Whom to ask together now, places in rising order; nobody while a silent line waits for its turn."""
        if self._nobody < SILENT_AFTER:
            return np.flatnonzero(self.misses < SILENT_AFTER)
        if now_s < self._next_s:
            return np.array([], int)
        self._next_s = now_s + (SOON_S if self._nobody < SILENT_AFTER + SOON_TRIES else PACE_S)
        return np.arange(len(self.misses))

    def alone(self, now_s: float) -> int | None:
        """Which silent servo's turn it is to be asked alone."""
        if now_s < self._next_s or self._nobody or not self.misses.any():
            return None
        silent = np.flatnonzero(self.misses >= SILENT_AFTER)
        if not silent.size:
            return None
        self._next_s = now_s + PACE_S
        later = silent[silent > self._turn]
        self._turn = int(later[0] if later.size else silent[0])
        return self._turn

    def heard(self, asked: np.ndarray, answered: np.ndarray) -> None:
        """What became of a request to several: ``answered`` bool (m,) of the places ``asked`` (m,)."""
        if not asked.size:
            return
        if not answered.any():
            self._nobody += 1
            return
        self._nobody = 0
        if self.misses.any() or not answered.all():
            self.misses[asked] = np.where(answered, 0, self.misses[asked] + 1)

    def back(self, place: int) -> None:
        """A silent servo has answered."""
        self.misses[self.misses >= SILENT_AFTER] = SILENT_AFTER - 1
        self.misses[place] = 0
