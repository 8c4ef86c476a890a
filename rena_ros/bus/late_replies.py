"""How long an answer to ask for, so that a late answer cannot pass for it. Pure: the caller tells the time.

An answer says who sends it, not what it answers: one that comes late looks like the answer to the next
request. Its length is the one thing the asker chooses. So while an answer may still be on its way, its
servo is asked for a different number of bytes (more than needed; the rest is cut off), and the late one has
the wrong length whenever it comes.
"""

from collections.abc import Iterable, Sequence

LATE_S = 1.0  # an answer that did not come within this time will not come any more
SPARE_LENGTHS = 12  # how many bytes more than needed may be asked for


class LateReplyGuard:
    """Which answer lengths are free, by servo id."""

    def __init__(self) -> None:
        self._until_s: dict[tuple[int, int], float] = {}  # (id, length) -> when it is free again
        self._all_free_s = float("-inf")

    def missing(self, ids: Iterable[int], length: int, now_s: float) -> None:
        """The answers of these servos, ``length`` bytes, did not come: they may still do so."""
        for servo_id in ids:
            self._until_s[servo_id, length] = self._all_free_s = now_s + LATE_S

    def choose(self, ids: Sequence[int], size: int, now_s: float) -> tuple[int, list[bool] | None]:
        """The shortest length of at least ``size`` that is free for all these servos, and None.

        When there is none: the length that is free for most of them, and for whom it is (they must be the
        only ones asked).
        """
        if now_s >= self._all_free_s:
            return size, None
        best, best_free = size, [False] * len(ids)
        for length in range(size, size + SPARE_LENGTHS + 1):
            free = [self._until_s.get((servo_id, length), now_s) <= now_s for servo_id in ids]
            if all(free):
                return length, None
            if sum(free) > sum(best_free):
                best, best_free = length, free
        return best, best_free
