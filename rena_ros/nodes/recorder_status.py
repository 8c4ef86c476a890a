"""One diagnostic status for the recorder: what it writes, what it had to drop, or why it writes nothing."""

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus

from rena_ros.base.files import printable
from rena_ros.control.health import Level
from rena_ros.nodes.bag_series import MB, BagSeries
from rena_ros.nodes.bag_thread import BagThread
from rena_ros.nodes.messages import status_msg

LOSS_SHOWN_S = 10.0  # a loss is a warning for so long; the counts go on


class RecorderStatus:
    """Compares the counts of the recording with those of the last call."""

    def __init__(self, series: BagSeries, thread: BagThread, now_s: float) -> None:
        self._series, self._thread = series, thread
        self._since_s, self._messages, self._bytes = now_s, 0, 0
        self._lost, self._lost_s = 0, -float("inf")

    def message(self, name: str, missed: Mapping[str, int], now_s: float) -> DiagnosticStatus:
        """The status since the last call; ``missed``: messages that did not come, by topic."""
        series, thread = self._series, self._thread
        losses = self._losses(missed)
        if sum(losses.values()) > self._lost:
            self._lost, self._lost_s = sum(losses.values()), now_s
        if series.problem:
            level, text = Level.ERROR, printable(series.problem)
        elif now_s - self._lost_s < LOSS_SHOWN_S:
            level, text = Level.WARN, f"recording, but not everything: {self._listed(missed)}"
        else:
            level, text = Level.OK, "recording"
        period_s = max(now_s - self._since_s, 1e-9)
        values = {
            "recording": not series.problem,
            "messages_per_s": f"{(series.messages - self._messages) / period_s:.1f}",
            "mb_per_s": f"{(series.bytes_written - self._bytes) / period_s / MB:.2f}",
            "mb": f"{series.bytes_written / MB:.1f}",
            "free_mb": self._free_mb(),
            "bag": "" if series.bag is None else printable(series.bag),
            "messages": series.messages,
            **losses,
            "stored_samples": thread.stored,
        }
        self._since_s, self._messages, self._bytes = now_s, series.messages, series.bytes_written
        return status_msg(name, level, text, values)

    def last_words(self, missed: Mapping[str, int]) -> str:
        """What was recorded, in one line, for the end."""
        series = self._series
        bags = ", ".join(printable(bag) for bag in series.bags) or "no bag: there was no room"
        lost = f"; {self._listed(missed)}" if any(self._losses(missed).values()) else ""
        return f"recorded {series.messages} messages, {series.bytes_written / MB:.1f} MB, into {bags}{lost}"

    def _losses(self, missed: Mapping[str, int]) -> dict[str, int]:
        return {
            "dropped": sum(self._thread.dropped.values()),
            "missed": sum(missed.values()),
            "unreadable": self._thread.unreadable,
            "lost_samples": self._thread.samples.lost,
        }

    def _listed(self, missed: Mapping[str, int]) -> str:
        thread, parts = self._thread, []
        if thread.dropped:
            parts.append(f"dropped for want of time: {_counts(thread.dropped)}")
        if missed:
            parts.append(f"did not come: {_counts(missed)}")
        if thread.unreadable:
            parts.append(f"unreadable: {thread.unreadable} ({thread.reason})")
        if self._thread.samples.lost:
            parts.append(f"accepted samples without their picture or reading: {self._thread.samples.lost}")
        return "; ".join(parts)

    def _free_mb(self) -> str:
        try:
            return f"{self._series.free / MB:.0f}"
        except OSError as error:
            return str(error.strerror)


def _counts(counts: Mapping[str, int]) -> str:
    """Return counts by topic, the largest first: "servos/goals 12, timing 3"."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
