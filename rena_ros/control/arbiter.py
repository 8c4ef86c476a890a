"""Which source's commands the robot follows: of those that command now, the one of highest priority. No ROS, no clock.

The policy, a take and an operator may command at the same time, each from a process of its own. Following all of them
would make the robot swing between them. So one source *owns* the robot: the one of highest priority that was followed
within the last ``timeout_s``. Commands of lower sources are ignored meanwhile; a command of a higher one is followed at
once and takes over. When the owner falls silent, the highest source that was ignored within ``timeout_s`` owns the
robot, and if there is none, whichever commands next.
"""

import math

MIMIC, TAKE, OPERATOR = "mimic", "take", "operator"
SOURCES = (MIMIC, TAKE, OPERATOR)  # by priority, the lowest first
COMMAND_TOPICS = {MIMIC: "servos/command/mimic", TAKE: "servos/command/take", OPERATOR: "servos/command"}
NO_SOURCE = "none"
_SLOWEST_S = 10.0  # commands further apart than this are not a stream, but single ones


class Arbiter:
    """Chooses the owner. Times are seconds of any clock that never goes back.

    ``timeout_s``: how long a source owns the robot after a command; may be changed at any time. ``followed`` and
    ``ignored``: numbers of commands by source since the start.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.followed = dict.fromkeys(SOURCES, 0)
        self.ignored = dict.fromkeys(SOURCES, 0)
        self._followed_s = dict.fromkeys(SOURCES, -math.inf)
        self._ignored_s = dict.fromkeys(SOURCES, -math.inf)
        self._last = NO_SOURCE  # the source that was followed last
        self._slow_gaps = dict.fromkeys(SOURCES, 0)  # in a row, between commands that were followed
        self._gap_s = dict.fromkeys(SOURCES, math.inf)

    def owner(self, now_s: float) -> str:
        """Return the source that owns the robot; ``NO_SOURCE`` when none commands."""
        for times_s in (self._followed_s, self._ignored_s):
            for source in reversed(SOURCES):
                if now_s - times_s[source] <= self.timeout_s:
                    return source
        return NO_SOURCE

    def admits(self, source: str, now_s: float) -> bool:
        """Return whether a command of ``source`` is to be followed; if not, it counts as ignored."""
        owner = self.owner(now_s)
        admitted = owner == NO_SOURCE or SOURCES.index(source) >= SOURCES.index(owner)
        if not admitted:
            self.ignored[source] += 1
            self._ignored_s[source] = now_s
        return admitted

    def takes_over(self, source: str) -> bool:
        """Return whether another source, or none, was followed before a command of ``source``."""
        return source != self._last

    def follow(self, source: str, now_s: float) -> None:
        """Note that an admitted command of ``source`` is followed: it owns the robot."""
        gap_s = now_s - self._followed_s[source]
        self._slow_gaps[source] = self._slow_gaps[source] + 1 if self.timeout_s < gap_s <= _SLOWEST_S else 0
        self._followed_s[source], self._gap_s[source], self._last = now_s, gap_s, source
        self.followed[source] += 1

    def refuse(self, source: str) -> None:
        """Note that a malformed command of ``source`` is refused: what was ignored of it before gives it no claim."""
        self._ignored_s[source] = -math.inf

    def release(self) -> None:
        """Note that commands of every source are refused now: none owns the robot."""
        for times_s in (self._followed_s, self._ignored_s):
            times_s.update(dict.fromkeys(SOURCES, -math.inf))

    def slow_period_s(self, source: str, now_s: float) -> float | None:
        """Return the time between commands of a source that sends them further apart than ``timeout_s``; else None.

        Two such gaps in a row are a slow source, one is a pause. A source that has ceased is no longer slow.
        """
        gap_s = self._gap_s[source]
        is_slow = self._slow_gaps[source] >= 2 and now_s - self._followed_s[source] <= 2 * gap_s
        return gap_s if is_slow else None
