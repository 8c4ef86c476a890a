"""Which servos are polled when: a silent servo delays the others little and is still looked for. No I/O, no clock.

A group poll addresses many servos in one request, a single poll one silent servo.

- A servo that misses three group polls in a row is silent. It leaves the group, and the silent servos are polled
  singly, in turn, one every ``SILENT_POLL_S``.
- The first reply of a silent servo returns it to the group, and all other silent servos with it on probation, since
  their silence may have had a common cause. A servo on probation is silent again after one miss.
- A group poll without any reply is empty: it says something about the line and counts against no servo, unless servos
  on probation were polled with others (then these are silent again). After three empty polls in a row the line is
  silent. Then the group (or all servos, when none is left in it) is polled ``FAST_POLLS`` times, because an adapter may
  only have stalled; a single poll follows each, because one servo may hold up the replies of all others. These polls
  are ``FAST_POLL_S`` apart, later ones ``SILENT_POLL_S``, with ``_SINGLES_PER_GROUP`` single polls to a group poll.
- When the return of a silent servo makes others miss, silent servos are from then on returned singly, each only after
  its own reply, so that the culprit stays out. The first n single polls, one for each servo of the robot, are
  ``FAST_POLL_S`` apart; then one silent servo, in turn, is polled every ``SLOW_POLL_S``. This mode ends when no servo
  is silent.
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
        self._last_replied_singly = -1
        self._one_by_one = False  # each silent servo returns only after its own reply
        self._fast_singles_left = 0  # in that mode
        self._last_single = -1
        self._single_unanswered = False  # the last single poll has no reply yet
        self._empty_groups = 0  # group polls in a row without any reply
        self._singles_due = 0  # single polls on a silent line before the next group poll
        self._next_line_poll_s = self._next_single_s = float("-inf")

    @property
    def silent(self) -> BoolArray:
        """Which servos are silent, bool (n,); all of them while the line is."""
        return (self.misses >= SILENT_AFTER) | self._line_is_silent

    def next_group(self, now_s: float) -> IntArray:
        """Return the servos to poll together, in order; none while the line is silent and no group poll is due."""
        group = np.flatnonzero(self.misses < SILENT_AFTER)
        if not self._line_is_silent:
            return group
        if now_s < self._next_line_poll_s or self._singles_due:
            return np.array([], int)
        self._next_line_poll_s = now_s + self._line_interval_s
        self._singles_due = 1 if self._line_interval_s == FAST_POLL_S else _SINGLES_PER_GROUP
        return group if group.size else np.arange(len(self.misses))

    def next_single(self, now_s: float) -> int | None:
        """Return the silent servo to poll singly now, or None."""
        if self._line_is_silent:
            if now_s < self._next_line_poll_s or not self._singles_due:
                return None
            self._next_line_poll_s = now_s + self._line_interval_s
            self._singles_due -= 1
        elif now_s < self._next_single_s or self._empty_groups or not self.silent.any():
            return None
        else:
            slow_s = SLOW_POLL_S if self._one_by_one else SILENT_POLL_S
            self._next_single_s = now_s + (FAST_POLL_S if self._fast_singles_left else slow_s)
            self._fast_singles_left -= self._fast_singles_left > 0
        self._single_unanswered = True
        silent = np.flatnonzero(self.silent)
        later = silent[silent > self._last_single]
        self._last_single = int(later[0] if later.size else silent[0])
        return self._last_single

    def record_group(self, polled: IntArray, replied: BoolArray) -> None:
        """Record the result of a group poll: ``polled`` indices (m,), ``replied`` bool (m,)."""
        if not polled.size:
            return
        missed = polled[~replied]
        probation = self._probation[missed]
        self._probation[polled] = False
        # The servo that was polled singly has not replied; its late reply probably holds up this group.
        blocks_others = self._single_unanswered and not replied.any() and self._last_single not in polled
        self._single_unanswered &= not replied.any()
        # Or a returned servo does: one on probation missed, with the one that returned last or one not on probation.
        blocks_others |= bool(probation.any()) and (self._last_replied_singly in missed or not probation.all())
        if blocks_others and not self._one_by_one:
            self._one_by_one, self._fast_singles_left = True, len(self.misses)
        if replied.any():
            self._empty_groups = 0
            self.misses[polled] = np.where(replied, 0, self.misses[polled] + 1)
            self._one_by_one &= bool(self.silent.any())
        elif probation.any() and not probation.all():
            self.misses[missed[probation]] = SILENT_AFTER
        else:
            self._empty_groups += 1

    def record_single_reply(self, index: int) -> None:
        """Record that a silent servo has replied to its single poll."""
        returning = self.misses >= SILENT_AFTER  # to the group
        if self._one_by_one:
            returning &= np.arange(len(self.misses)) == index
        elif self._line_is_silent:
            returning[:] = True
        self.misses[returning], self._probation[returning] = SILENT_AFTER - 1, True
        if self._line_is_silent and not self._one_by_one:
            self.misses[index], self._probation[index] = 0, False
        self._last_replied_singly, self._single_unanswered = index, False
        self._empty_groups = self._singles_due = 0

    @property
    def _line_interval_s(self) -> float:
        return FAST_POLL_S if self._empty_groups < SILENT_AFTER + FAST_POLLS else SILENT_POLL_S

    @property
    def _line_is_silent(self) -> bool:
        return self._empty_groups >= SILENT_AFTER
