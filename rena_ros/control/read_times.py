"""When the states are read: so often a second, and at times when no command is expected. No I/O, no clock.

Goals wait while servos reply, so a read that is due just before the next command of a stream is put off, once, to the
next tick: by then the goals of that command are on the wire, and the one after it is far away.
"""

import math

READ_S = 0.006  # a read of all states takes this long: a request of 25 servos in slices, and their replies
LATE_S = 0.003  # a command may come this much later than expected
STREAM_S = 0.1  # commands further apart than this are not a stream
_WEIGHT = 0.2  # of the newest gap between two commands


class ReadTimes:
    """Tells at every tick whether to read. Times are seconds of any clock that never goes back.

    ``period_s``: time between two reads; may be changed at any time.
    """

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._due_s = self._command_s = -math.inf
        self._gap_s = math.inf  # between two commands of the stream, smoothed
        self._put_off = False

    def add_command(self, now_s: float) -> None:
        """Note that goals of a command have been written."""
        gap_s = now_s - self._command_s
        known = max(gap_s, self._gap_s) <= STREAM_S
        self._gap_s = self._gap_s + _WEIGHT * (gap_s - self._gap_s) if known else gap_s
        self._command_s = now_s

    def is_due(self, now_s: float) -> bool:
        """Return whether to read now; the next read is then due one period after this one was.

        After a pause it is due a quarter of a period after this one at the earliest.
        """
        if now_s < self._due_s:
            return False
        expected_s = self._command_s + self._gap_s
        if not self._put_off and expected_s - READ_S < now_s < expected_s + LATE_S:
            self._put_off = True
            return False
        self._put_off = False
        self._due_s = max(self._due_s + self.period_s, now_s + self.period_s / 4)
        return True
