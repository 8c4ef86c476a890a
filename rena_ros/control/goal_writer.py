"""Goals on their way to the wire: when they are due, which servos get them, and what was sent."""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray, IntArray
from rena_ros.bus.bus import Bus

KEEP_ALIVE_S = 0.25  # goals are not acknowledged: unchanged goals are repeated this often


@dataclass(frozen=True)
class SentGoals:
    """The goals of one frame as they crossed the wire; arrays (n,) in the order of ``Robot.names``.

    ``ticks``: valid where ``selected``; the other servos got no goal. ``velocity``: that of the planned motion there,
    rad/s. ``last_byte_s``: time of the port at which the last byte was on the wire.
    """

    ticks: IntArray
    velocity: FloatArray
    selected: BoolArray
    last_byte_s: float


class GoalWriter:
    """Writes goals and remembers the last ones."""

    def __init__(self) -> None:
        self._ticks: IntArray | None = None
        self._sent_s = -np.inf
        self._sent: SentGoals | None = None

    def forget(self) -> None:
        """Take the next goals as changed for every servo."""
        self._ticks = None

    def is_due(self, ticks: IntArray, now_s: float) -> bool:
        """Return whether these goals, int (n,), differ from the last ones or are to be repeated."""
        same = self._ticks is not None and bool((ticks == self._ticks).all())
        return not same or now_s - self._sent_s >= KEEP_ALIVE_S

    def write(
        self,
        bus: Bus,
        ticks: IntArray,
        velocity: FloatArray,
        driven: BoolArray,
        overloaded: BoolArray | bool,
        now_s: float,
    ) -> float:
        """Write goals, int (n,), to the ``driven`` servos; returns the time of the last byte. Raises PortLost.

        ``velocity``, rad/s (n,), is not sent; it is remembered with the goals.

        A goal clears an overload and lets the servo push on, so an ``overloaded`` servo gets changed goals only.
        """
        selected = driven if self._ticks is None else driven & (np.logical_not(overloaded) | (ticks != self._ticks))
        last_byte_s = bus.write_goals(ticks, selected)
        self._ticks, self._sent_s = ticks, now_s
        if selected.any():
            self._sent = SentGoals(ticks, velocity, selected, last_byte_s)
        return last_byte_s

    def take(self) -> SentGoals | None:
        """Return the goals sent since the last call, the newest frame of them; None when there was none."""
        sent, self._sent = self._sent, None
        return sent
