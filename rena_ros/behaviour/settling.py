"""When the servos have settled, and whether they moved around a picture: the last states of all servos."""

from collections import deque

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.robot.model import RAD_PER_TICK

GOAL_RAD = 5.5 * RAD_PER_TICK  # a servo that is still and this close to its goal has arrived
REST_RAD = 0.08  # a servo that rests this close is held by skin or load; further away, it does not follow (default)
STILL_RAD = 3.5 * RAD_PER_TICK  # states of a servo that stands differ by less
STILL_STATES = 3
REST_S = 0.25  # a servo that is not at its goal rests when it has stood for so long
START_S = 0.1  # after a command; before that a servo stands because it has not begun
AROUND_S = 0.04  # for so long before and after a capture the servos must stand: exposures are shorter
KEEP_S = 10.0


class StateHistory:
    """States of all servos: stamp in ns, positions float64 (n,) rad, NaN for a servo that did not reply."""

    def __init__(self, rest_rad: float = REST_RAD) -> None:
        """``rest_rad``: how far from its goal a servo may rest, rad."""
        self._rest_rad = rest_rad
        self._states: deque[tuple[int, FloatArray]] = deque()

    def add(self, stamp_ns: int, positions: FloatArray) -> None:
        """Add the newest state; one that is older than the last begins a new history: the clock was set back."""
        if self._states and stamp_ns < self._states[-1][0]:
            self._states.clear()
        self._states.append((stamp_ns, positions))
        while self._states[0][0] < stamp_ns - KEEP_S * 1e9:
            self._states.popleft()

    def settled_ns(self, target: FloatArray, since_ns: int) -> int | None:
        """Return the stamp of the newest state if all servos had settled in it, else None.

        ``target``: (n,) rad, commanded at ``since_ns``. Every servo must have replied and be at its goal and still, or
        rest near it.
        """
        newest = self._span(since_ns, STILL_STATES)
        if newest is None:
            return None
        stamp_ns, positions = self._states[-1]
        distance = np.abs(positions - target)
        settled = (distance <= GOAL_RAD) & (newest <= STILL_RAD)
        if not settled.all():
            since_rest_ns = stamp_ns - round(REST_S * 1e9)
            if since_rest_ns < since_ns + START_S * 1e9 or (rest := self._span(since_rest_ns)) is None:
                return None
            settled |= (distance <= self._rest_rad) & (rest <= STILL_RAD)
        return stamp_ns if settled.all() else None

    def stood(self, since_ns: int, capture_ns: int) -> bool | None:
        """Return whether all servos stood from ``since_ns`` until a capture was over; None: that is not known yet."""
        if not self._states or self._states[-1][0] < capture_ns + AROUND_S * 1e9:
            return None
        span = self._span(min(since_ns, capture_ns - round(AROUND_S * 1e9)))
        return None if span is None else bool((span <= STILL_RAD).all())

    def known_at(self, capture_ns: int) -> bool:
        """Return whether all servos replied in the state that is nearest to a capture: the sample's positions."""
        if not self._states:
            return False
        return bool(np.isfinite(min(self._states, key=lambda state: abs(state[0] - capture_ns))[1]).all())

    def _span(self, since_ns: int, states: int | None = None) -> FloatArray | None:
        """How far each servo moved since ``since_ns``, (n,) rad; of the last ``states`` states, if given.

        None: there are too few states, or a servo did not reply in the newest. Where it missed others, they do not
        count.
        """
        rows: list[FloatArray] = []
        for stamp_ns, positions in reversed(self._states):
            if stamp_ns < since_ns or len(rows) == states:
                break
            rows.append(positions)
        if len(rows) < (states or 2) or not np.isfinite(rows[0]).all():
            return None
        table = np.stack(rows)
        span: FloatArray = np.nanmax(table, axis=0) - np.nanmin(table, axis=0)
        return span
