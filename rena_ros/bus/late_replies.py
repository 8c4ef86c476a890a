"""Which reply length to request, so that a late reply cannot pass for a new one. No clock: the caller passes the time.

A reply names its sender, not its request, so a late reply looks like the reply to the next request. The request chooses
only the reply's length. While a reply of some length may still come, its servo is asked for another number of bytes
(more than needed; the caller cuts off the rest), so the late reply has the wrong length whenever it comes.
"""

from collections.abc import Iterable, Sequence

MAX_LATENESS_S = 1.0  # a reply that has not come this long after its deadline will not come any more
MAX_EXTRA_BYTES = 12  # how many bytes more than needed may be requested


class LateReplyGuard:
    """Keeps, per servo id, the lengths of replies that may still come late."""

    def __init__(self) -> None:
        self._blocked_until_s: dict[tuple[int, int], float] = {}  # by (id, length)
        self._all_free_s = float("-inf")

    def expect_late(self, ids: Iterable[int], length: int, now_s: float) -> None:
        """Record that replies of these servos, ``length`` bytes of data, are missing and may still come."""
        for servo_id in ids:
            self._blocked_until_s[servo_id, length] = self._all_free_s = now_s + MAX_LATENESS_S

    def choose_length(self, ids: Sequence[int], size: int, now_s: float) -> tuple[int, list[bool] | None]:
        """Return the shortest length, at least ``size``, that no late reply of these servos can have, and None.

        When there is none: the length that is free for most of them, and for each id whether it is free. The caller
        must then request from these servos only.
        """
        if now_s >= self._all_free_s:
            return size, None
        best, best_free = size, [False] * len(ids)
        for length in range(size, size + MAX_EXTRA_BYTES + 1):
            free = [self._blocked_until_s.get((servo_id, length), now_s) <= now_s for servo_id in ids]
            if all(free):
                return length, None
            if sum(free) > sum(best_free):
                best, best_free = length, free
        return best, best_free
