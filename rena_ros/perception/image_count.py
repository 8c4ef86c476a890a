"""How many images were read, how many were replaced by a newer one meanwhile, and how many never arrived."""

from dataclasses import dataclass

# A reader that waits takes an image at once, but a busy computer may wake it late. So long after it was due, an image
# that the waiting reader did not get is lost.
OVERDUE_S = 0.05


@dataclass(frozen=True)
class ImageCounts:
    """Counts since the last ``take``.

    ``skipped``: replaced by newer ones while another was read. ``back``: numbered no higher than the one before.
    """

    read: int
    skipped: int
    lost: int
    back: int = 0

    @property
    def mixed(self) -> bool:
        """Whether several publishers send in turn: one that starts again goes back once."""
        return self.back > 1

    @property
    def many_lost(self) -> bool:
        """Whether a tenth of all images and more than two are lost: more than a delay of this computer explains."""
        return self.lost > 2 and self.lost >= 0.1 * (self.read + self.skipped + self.lost)


class ImageCount:
    """Counts the images of one publisher by its own sequence numbers. No clock: times are given, s of system time.

    The middleware keeps the newest image only. So an image that is missing in the sequence was either replaced while
    the reader was busy, or it never arrived: it was due while the reader waited for one.
    """

    def __init__(self) -> None:
        self._read = self._skipped = self._lost = self._back = 0
        self._last: tuple[int, float] | None = None  # sequence number, time of sending
        self._idle_since_s = 0.0

    def begin(self, sequence: int | None, sent_s: float, arrived_s: float, begun_s: float) -> None:
        """Note that the reading of an image begins.

        ``sequence``: None where the middleware does not number messages; nothing is missed then. ``sent_s``: by the
        sender's clock, which may differ from this computer's.
        """
        self._read += 1
        if sequence is None:
            return
        before, self._last = self._last, (sequence, sent_s)
        if before is None:
            return
        if sequence <= before[0]:  # another publisher's, or one that started again
            self._back += 1
            return
        intervals = sequence - before[0]
        period_s = max(0.0, sent_s - before[1]) / intervals
        due_s = [arrived_s - k * period_s for k in range(1, intervals)]  # of the missing ones, the newest first
        awaited = [due for due in due_s if due > self._idle_since_s]
        lost = len(awaited) if awaited and begun_s - awaited[-1] > OVERDUE_S else 0
        self._lost += lost
        self._skipped += len(due_s) - lost

    def end(self, now_s: float) -> None:
        """Note that the reading of this image has ended."""
        self._idle_since_s = now_s

    def restart(self) -> None:
        """Forget the sequence: there is another publisher, or several, and their numbers cannot be told apart."""
        self._last = None

    def take(self) -> ImageCounts:
        """Return the counts since the last call."""
        counts = ImageCounts(self._read, self._skipped, self._lost, self._back)
        self._read = self._skipped = self._lost = self._back = 0
        return counts
