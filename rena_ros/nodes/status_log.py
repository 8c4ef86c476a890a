"""Diagnostics in the log: a line when something changes, not one a second."""

import re
from collections.abc import Callable, Sequence

from diagnostic_msgs.msg import DiagnosticStatus

REPEAT_S = 5.0  # what flickers is told this often at most, unless it gets worse
MANY = 8  # when more than so many change at once, what happened matters more than to whom
_NUMBER = re.compile(r"\d+(\.\d+)?")


class StatusLog:
    """Remembers what it told about each status by its name; numbers that change are no change."""

    def __init__(self, say: Callable[[int, str], None]) -> None:
        """``say`` (level, text): writes one line; level as in DiagnosticStatus, 0 good."""
        self._say = say
        self._told: dict[str, tuple[int, str, float]] = {}

    def tell(self, statuses: Sequence[DiagnosticStatus], now_s: float) -> None:
        """Write a line for those that changed; those to whom the same happened share it."""
        lines: dict[tuple[int, str], list[str]] = {}
        texts: dict[tuple[int, str], str] = {}
        for status in statuses:
            level, key = status.level[0], _NUMBER.sub("#", status.message)
            told_level, told_key, told_s = self._told.get(status.name, (0, key, float("-inf")))
            same = level == told_level and (key == told_key or level == 0)
            if same or (level <= told_level and now_s - told_s < REPEAT_S):
                continue
            self._told[status.name] = (level, key, now_s)
            lines.setdefault((level, key), []).append(status.name.partition(": ")[2])
            texts.setdefault((level, key), status.message)
        for (level, key), names in lines.items():
            who = ", ".join(names) if len(names) <= MANY else f"{names[0]} and {len(names) - 1} more"
            self._say(level, f"{who}: {texts[level, key] if level else 'good again'}")
