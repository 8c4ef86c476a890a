"""One diagnostic status for the camera: what it publishes, or why it publishes nothing."""

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus

from rena_ros.base.files import printable
from rena_ros.control.health import Level
from rena_ros.nodes.messages import status_msg

_QUIET_S = 1.5  # and three periods: after this time without a picture something is wrong


class CameraStatus:
    """Counts what the camera node publishes between two messages.

    ``reason``: why no picture comes, for the user. ``over``: whether the clip has come to its end.
    """

    def __init__(self, node: str, source: str, rate_hz: float, now_s: float) -> None:
        """``node``: the node's name with its namespace, for there may be two robots."""
        self.reason, self.over = "no picture so far", False
        self._node, self._source = node, printable(source)
        self._quiet_s = max(_QUIET_S, 3 / rate_hz)
        self._frames = self._before = 0
        self._size = ""
        self._since_s = self._last_s = now_s

    def add(self, width: int, height: int, now_s: float) -> None:
        """Add one published picture."""
        self._frames += 1
        self._size, self._last_s = f"{width}x{height}", now_s

    def message(self, now_s: float, faults: Mapping[str, int]) -> DiagnosticStatus:
        """The status since the last call; ``faults``: what was wrong with the file, name -> count."""
        frames = self._frames
        comes = frames > 0 and now_s - self._last_s < self._quiet_s
        if self.over:
            level, text = Level.OK, "the clip is over"
        elif comes:
            level, text = Level.OK, "pictures come"
        else:
            level, text = Level.WARN, f"no picture: {self.reason}"
        values = {
            "rate_hz": f"{(frames - self._before) / max(now_s - self._since_s, 1e-9):.1f}",
            "size": self._size,
            "source": self._source,
            "frames": frames,
            **faults,
        }
        self._before, self._since_s = frames, now_s
        return status_msg(f"{self._node}: camera", level, text, values)
