"""Diagnostics in the log: one line when something changes, not one a second."""

import re
from collections.abc import Callable, Sequence

from diagnostic_msgs.msg import DiagnosticStatus

from rena_ros.control.arbiter import NO_SOURCE
from rena_ros.control.health import Level

OWNER_REPEAT_S = 10.0  # the same change of the owner is logged this often at most
REPEAT_S = 5.0  # a status that flickers is logged this often at most, unless it gets worse
MANY = 8  # when more statuses than this change at once, the first one stands for all
_NUMBER = re.compile(r"\d+(\.\d+)?")


class StatusLog:
    """Remembers what it logged about each status, by its name. Two messages that differ in numbers only are equal."""

    def __init__(self, write: Callable[[int, str], None]) -> None:
        """``write`` (level, text): writes one line; level as in DiagnosticStatus, 0 good."""
        self._write = write
        self._logged: dict[str, tuple[int, str, float]] = {}

    def update(self, statuses: Sequence[DiagnosticStatus], now_s: float) -> None:
        """Write a line for the statuses that changed; those with the same message share one."""
        lines: dict[tuple[int, str], list[str]] = {}
        texts: dict[tuple[int, str], str] = {}
        for status in statuses:
            level, key = status.level[0], _NUMBER.sub("#", status.message)
            logged_level, logged_key, logged_s = self._logged.get(status.name, (0, key, float("-inf")))
            same = level == logged_level and (key == logged_key or level == 0)
            if same or (level <= logged_level and now_s - logged_s < REPEAT_S):
                continue
            self._logged[status.name] = (level, key, now_s)
            lines.setdefault((level, key), []).append(status.name.partition(": ")[2])
            texts.setdefault((level, key), status.message)
        for (level, key), names in lines.items():
            parts = ", ".join(names) if len(names) <= MANY else f"{names[0]} and {len(names) - 1} more"
            self._write(level, f"{parts}: {texts[level, key] if level else 'good again'}")


class OwnerLog:
    """Logs which source commands the robot, when that changes."""

    def __init__(self, write: Callable[[int, str], None]) -> None:
        """``write``: as of ``StatusLog``."""
        self._write = write
        self._owner = NO_SOURCE
        self._logged_s: dict[tuple[str, str], float] = {}

    def update(self, owner: str, now_s: float) -> None:
        """Write a line when the owner has changed, unless the same change was logged ``OWNER_REPEAT_S`` ago or less."""
        change = self._owner, owner
        if owner == self._owner or now_s - self._logged_s.get(change, float("-inf")) < OWNER_REPEAT_S:
            return
        self._logged_s[change] = now_s
        before, self._owner = self._owner, owner
        if owner == NO_SOURCE:
            self._write(Level.OK, f"{before} has stopped commanding the robot, and no other source does")
        else:
            self._write(Level.OK, f"{owner} commands the robot now (before: {before})")
