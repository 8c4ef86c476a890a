"""Which servos are polled when: a silent servo costs the others nothing and is not forgotten. Pure.

A group poll addresses many servos in one request, a single poll one silent servo.

- A servo that misses three group polls in a row is silent. It leaves the group, and the silent servos are polled
  singly, in turn, one every ``SILENT_POLL_S``.
- The first reply of a silent servo returns it to the group, and all other silent servos with it on probation, since
  their silence may have had a common cause. A servo on probation is silent again after one miss.
- A group poll without any reply says something about the line and counts against no servo. After three of them in a
  row the line is silent. Then the group (or all servos, when none is left in it) is polled in turn with single
  servos, because one servo in the group may hold up the replies of all others: ``FAST_POLLS`` times every
  ``FAST_POLL_S``, because an adapter may only have stalled, then every ``SILENT_POLL_S``.
- When a silent servo makes others miss, the silent servos return one by one, so that this one stays out. At first they
  are polled fast, each once, then every ``SLOW_POLL_S``, because each poll of it costs the others their replies for a
  while. This ends when no servo is silent.
"""

import numpy as np

from rena_ros.base.arrays import BoolArray, IntArray

SILENT_AFTER = 3  # misses in a row
SILENT_POLL_S = 0.25
FAST_POLL_S, FAST_POLLS = 0.1, 5
SLOW_POLL_S = 2.0
_SINGLES_PER_GROUP = 3  # on a silent line, once the fast polls are over


class PollSchedule:
    """The schedule for n servos, which are indices 0..n-1. The caller passes the time, seconds."""

    def __init__(self, count: int) -> None:
        self.misses = np.zeros(count, int)
        self._probation = np.zeros(count, bool)
        self._last_returned = -1
        self._one_by_one = False  # silent servos return one by one
        self._fast_singles = 0  # single polls left at the fast interval while they do
        self._last_single = -1
        self._single_missed = False  # the last single poll has no reply yet
        self._empty_groups = 0  # group polls in a row without any reply
        self._singles_due = 0  # single polls on a silent line before the next group poll
        self._next_line_poll_s = self._next_single_s = float("-inf")

    @property
    def silent(self) -> BoolArray:
        """Which servos are silent, bool (n,); all of them while the line is."""
        return (self.misses >= SILENT_AFTER) | self._line_is_silent

    def next_group(self, now_s: float) -> IntArray:
        """Return the servos to poll together now, indices in rising order; none while a silent line has to wait."""
        group = np.flatnonzero(self.misses < SILENT_AFTER)
        if not self._line_is_silent:
            return group
        if now_s < self._next_line_poll_s or self._singles_due:
            return np.array([], int)
        self._next_line_poll_s = now_s + self._line_interval_s
        self._singles_due = 1 if self._line_is_polled_fast else _SINGLES_PER_GROUP
        return group if group.size else np.arange(len(self.misses))

    def next_single(self, now_s: float) -> int | None:
        """Return the silent servo to poll singly now, or None."""
        if self._line_is_silent:
            if now_s < self._next_line_poll_s or not self._singles_due:
                return None
            self._next_line_poll_s = now_s + self._line_interval_s
            self._singles_due -= 1
        else:
            if now_s < self._next_single_s or self._empty_groups or not self.silent.any():
                return None
            slow_s = SLOW_POLL_S if self._one_by_one else SILENT_POLL_S
            self._next_single_s = now_s + (FAST_POLL_S if self._fast_singles else slow_s)
            self._fast_singles -= self._fast_singles > 0
        self._single_missed = True
        silent = np.flatnonzero(self.silent)
        later = silent[silent > self._last_single]
        self._last_single = int(later[0] if later.size else silent[0])
        return self._last_single

    def record_group(self, polled: IntArray, replied: BoolArray) -> None:
        """Record the result of a group poll: ``polled`` indices (m,), ``replied`` bool (m,)."""
        if not polled.size:
            return
        missed, probation = polled[~replied], self._probation.copy()
        self._probation[polled] = False
        # The servo that was polled singly has not replied; its late reply may hold up this group.
        harm = self._single_missed and not replied.any() and self._last_single not in polled
        self._single_missed &= not replied.any()
        # A servo on probation misses, and so does the servo that returned last, or one that was not silent.
        harm |= bool(probation[missed].any()) and (self._last_returned in missed or not probation[missed].all())
        if harm and not self._one_by_one:
            self._one_by_one, self._fast_singles = True, len(self.misses)
        if replied.any():
            self._empty_groups = 0
            self.misses[polled] = np.where(replied, 0, self.misses[polled] + 1)
            self._one_by_one &= bool(self.silent.any())
        elif probation[missed].any() and not probation[missed].all():
            self.misses[missed[probation[missed]]] = SILENT_AFTER
        else:
            self._empty_groups += 1

    def record_single_reply(self, index: int) -> None:
        """Record that a silent servo has replied to its single poll."""
        returning = self.misses >= SILENT_AFTER
        if self._line_is_silent and not self._one_by_one:
            returning |= True
        elif self._one_by_one:
            returning &= np.arange(len(self.misses)) == index
        self.misses[returning], self._probation[returning] = SILENT_AFTER - 1, True
        if self._line_is_silent and not self._one_by_one:
            self.misses[index], self._probation[index] = 0, False
        self._last_returned, self._single_missed = index, False
        self._empty_groups = self._singles_due = 0

    @property
    def _line_interval_s(self) -> float:
        return FAST_POLL_S if self._line_is_polled_fast else SILENT_POLL_S

    @property
    def _line_is_polled_fast(self) -> bool:
        return SILENT_AFTER <= self._empty_groups < SILENT_AFTER + FAST_POLLS

    @property
    def _line_is_silent(self) -> bool:
        return self._empty_groups >= SILENT_AFTER
