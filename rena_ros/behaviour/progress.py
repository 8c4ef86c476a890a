"""How a session goes: rate, time left, rejections and the phases of a try. No clock: times are given."""

from collections import Counter, deque

from rena_ros.recording.marker import SampleMarker

_RATE_SAMPLES = 100  # the rate is that of so many last samples
_PHASE_TRIES = 100


class Progress:
    """Counts tries; ``rejected``: by the first word of the verdict's reason, such as "no face" or "fault"."""

    def __init__(self) -> None:
        self.rejected: Counter[str] = Counter()
        self._done_s: deque[float] = deque(maxlen=_RATE_SAMPLES)
        self._phases: dict[str, deque[float]] = {
            name: deque(maxlen=_PHASE_TRIES) for name in ("settle_s", "picture_s", "reading_s", "check_s")
        }

    def add(self, marker: SampleMarker, now_s: float, now_ns: int) -> None:
        """Add a try that is over."""
        if not marker.accepted:
            self.rejected[marker.verdict.partition(":")[0]] += 1
            return
        self._done_s.append(now_s)
        stamps = (marker.command_ns, marker.settled_ns, marker.image_ns, marker.reading_ns, now_ns)
        for times, first_ns, last_ns in zip(self._phases.values(), stamps, stamps[1:], strict=False):
            times.append((last_ns - first_ns) * 1e-9)

    @property
    def rate_per_min(self) -> float:
        """Accepted samples per minute, pauses included; 0 before the second."""
        if len(self._done_s) < 2:
            return 0.0
        return 60 * (len(self._done_s) - 1) / max(self._done_s[-1] - self._done_s[0], 1e-9)

    def phases(self) -> dict[str, float]:
        """Mean time of each phase of the last accepted tries, s: until settled, captured, read, checked."""
        return {name: sum(times) / len(times) for name, times in self._phases.items() if times}
