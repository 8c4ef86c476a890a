"""Whom to ask when: a servo that does not answer costs the others nothing and is not forgotten. Pure.

After three misses in a row a servo is no longer asked with the others, but alone, at a slower pace, one
silent servo after the other. Its first answer brings it back, and all other silent ones with it on trial:
what kept it silent may have been common to them. Those who fail their trial are silent again.

A request that nobody answered tells of the line, not of a servo; after three of them all those that were well are
asked together, in turn with one servo alone (perhaps one of them holds up the answers of all the others), a few times
soon (an adapter may just have stalled), then at the pace of silent servos. Where a trial takes others with it, the
silent ones come back one by one, so that the one who does that stays out; it is asked seldom, for each time costs the
others what they say meanwhile.
"""

import numpy as np

SILENT_AFTER = 3
PACE_S = 0.25
SOON_S, SOON_TRIES = 0.1, 5
SELDOM_S = 2.0
_ALONE = 3  # on a silent line so many are asked alone before all are asked together again


class PollSchedule:
    """Servos are places 0..n-1; the caller tells the time, seconds."""

    def __init__(self, count: int) -> None:
        self.misses = np.zeros(count, int)
        self._trial = np.zeros(count, bool)
        self._newest = -1  # who came back last
        self._wary = False  # whether they come back one by one
        self._quick = 0  # how many may be asked so soon
        self._unanswered = False  # whether the last one asked alone has not answered
        self._nobody = 0  # requests in a row that nobody answered
        self._ones = 0  # how many are to be asked alone before it is everybody's turn on a silent line
        self._line_s = self._alone_s = float("-inf")  # when somebody may be asked again
        self._turn = -1

    @property
    def silent(self) -> np.ndarray:
        """Who is counted as silent, bool (n,)."""
        return (self.misses >= SILENT_AFTER) | self._line_is_silent

    def together(self, now_s: float) -> np.ndarray:
        """Whom to ask together now, places in rising order; nobody while a silent line waits for its turn."""
        well = np.flatnonzero(self.misses < SILENT_AFTER)
        if not self._line_is_silent:
            return well
        if now_s < self._line_s or self._ones:
            return np.array([], int)
        self._line_s = now_s + self._line_pace_s
        self._ones = 1 if self._is_soon else _ALONE
        return well if well.size else np.arange(len(self.misses))

    def alone(self, now_s: float) -> int | None:
        """Which silent servo's turn it is to be asked alone."""
        if self._line_is_silent:
            if now_s < self._line_s or not self._ones:
                return None
            self._line_s, self._ones = now_s + self._line_pace_s, self._ones - 1
        else:
            if now_s < self._alone_s or self._nobody or not self.silent.any():
                return None
            self._alone_s = now_s + (SOON_S if self._quick else SELDOM_S if self._wary else PACE_S)
            self._quick -= self._quick > 0
        self._unanswered = True
        silent = np.flatnonzero(self.silent)
        later = silent[silent > self._turn]
        self._turn = int(later[0] if later.size else silent[0])
        return self._turn

    def heard(self, asked: np.ndarray, answered: np.ndarray) -> None:
        """What became of a request to several: ``answered`` bool (m,) of the places ``asked`` (m,)."""
        if not asked.size:
            return
        failed, trial = asked[~answered], self._trial.copy()
        self._trial[asked] = False
        # Who was asked alone, and did not answer, holds up those that are asked now.
        harm = self._unanswered and not answered.any() and self._turn not in asked
        self._unanswered &= not answered.any()
        harm |= bool(trial[failed].any()) and (self._newest in failed or not trial[failed].all())
        if harm and not self._wary:
            self._wary, self._quick = True, len(self.misses)
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
        returning = self.misses >= SILENT_AFTER
        if self._line_is_silent and not self._wary:
            returning |= True
        elif self._wary:
            returning &= np.arange(len(self.misses)) == place
        self.misses[returning], self._trial[returning] = SILENT_AFTER - 1, True
        if self._line_is_silent and not self._wary:
            self.misses[place], self._trial[place] = 0, False
        self._newest, self._nobody, self._ones, self._unanswered = place, 0, 0, False

    @property
    def _line_pace_s(self) -> float:
        return SOON_S if self._is_soon else PACE_S

    @property
    def _is_soon(self) -> bool:
        return SILENT_AFTER <= self._nobody < SILENT_AFTER + SOON_TRIES

    @property
    def _line_is_silent(self) -> bool:
        return self._nobody >= SILENT_AFTER
