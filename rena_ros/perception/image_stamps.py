"""Which stamp an image is read under: its own, or the time of its arrival where its own cannot be used."""

from collections import deque

STILL_TIMES, STILL_S = 2, 0.5  # a stamp that comes again is a doubled image; so often and so long, it stands still
BACK_WITHIN_S, BACK_TIMES = 1.5, 3  # a clip that begins again jumps back once; two clocks on a topic do so repeatedly
GOOD = 10  # rising stamps in a row, until own stamps are used again
SAME_CLOCK_NS = 100_000_000  # an arrival so little before the last stamp used is the same clock's


class ImageStamps:
    """Stamps of the images of one topic. No I/O, no clock: each call is given the time.

    A stamp is its own image's; it is used as long as the stamps are those of one running clock. Where they are not set
    (0), stand still, or jump back repeatedly, as those of two publishers with different clocks do, arrival times stand
    in until the stamp moves again, or ten in a row have risen. ``problem``: what is wrong, "" while stamps are used.
    """

    def __init__(self) -> None:
        self.problem = self._kind = ""
        self._last_ns: int | None = None
        self._used_ns = 0
        self._repeats = self._good = 0
        self._since_s = 0.0
        self._back_s: deque[float] = deque(maxlen=BACK_TIMES)

    def use(self, stamp_ns: int, arrival_ns: int, now_s: float) -> int:
        """Return the stamp, ns, under which to read the next image.

        ``stamp_ns``: its own; ``arrival_ns``: when it arrived, by the clock that would have stamped it; ``now_s``: a
        clock that never jumps. Two arrival times in a row are never equal.
        """
        last_ns, self._last_ns = self._last_ns, stamp_ns
        rises = last_ns is None or stamp_ns > last_ns
        self._repeats = self._repeats + 1 if stamp_ns == last_ns else 0
        self._since_s = self._since_s if self._repeats else now_s
        if last_ns is not None and 0 < stamp_ns < last_ns:
            self._back_s.append(now_s)
        if stamp_ns <= 0:
            self._stand_in("unset", "carry no stamp")
        elif self._repeats >= STILL_TIMES and now_s - self._since_s >= STILL_S:
            self._stand_in("still", f"all carry the stamp {stamp_ns / 1e9:.3f} s")
        elif len(self._back_s) == BACK_TIMES and now_s - self._back_s[0] <= BACK_WITHIN_S:
            if not rises and last_ns is not None:
                times = f"{stamp_ns / 1e9:.3f} s and {last_ns / 1e9:.3f} s"
                self._stand_in("clocks", f"carry the stamps of two clocks, {times}")
            self._good = 0
        else:
            self._good = self._good + 1 if rises else 0
        if self._good >= (1 if self._kind == "still" else GOOD):
            self.problem = self._kind = ""
        self._used_ns = self._after(arrival_ns) if self.problem else stamp_ns
        return self._used_ns

    def _stand_in(self, kind: str, problem: str) -> None:
        if kind != self._kind or not self.problem:
            self._kind, self.problem = kind, problem
        self._good = 0

    def _after(self, arrival_ns: int) -> int:
        """The arrival time, or just after the last stamp when that is not earlier and the clock was not set back."""
        if self._used_ns - SAME_CLOCK_NS < arrival_ns <= self._used_ns:
            return self._used_ns + 1
        return arrival_ns
