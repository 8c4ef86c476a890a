"""Timers in virtual time: periodic callbacks, called in the order of the clock of a ``ServoBank``. No thread."""

from collections.abc import Callable
from dataclasses import dataclass

from rena_ros.emulator.bank import ServoBank

STREAM_PERIOD_S = 0.02  # between two commands of a stream, as the policy node sends them


@dataclass
class _Timer:
    due_s: float
    period_s: float
    callback: Callable[[], object]


class VirtualTimers:
    """Timers of a node, in virtual time.

    As in ROS, the first call comes one period after ``add``, and a late timer calls once for all calls it missed. The
    clock moves only while ``run`` waits and while a callback uses the bus, so a test does not depend on how busy
    the machine is.
    """

    def __init__(self, bank: ServoBank) -> None:
        self._bank = bank
        self._timers: list[_Timer] = []

    def add(self, period_s: float, callback: Callable[[], object]) -> None:
        """Call ``callback`` every ``period_s`` seconds; timers due at once are called in the order of adding."""
        self._timers.append(_Timer(self._bank.now_s + period_s, period_s, callback))

    def run(self, seconds: float, stream: Callable[[], object] | None = None) -> None:
        """Let ``seconds`` pass and call what is due; what a callback raises ends the run.

        ``stream`` is called at once and then every ``STREAM_PERIOD_S``.
        """
        end_s = self._bank.now_s + seconds
        while stream is not None and self._bank.now_s < end_s:
            stream()
            self._run_until(min(self._bank.now_s + STREAM_PERIOD_S, end_s))
        self._run_until(end_s)

    def _run_until(self, end_s: float) -> None:
        while self._timers and (timer := min(self._timers, key=lambda timer: timer.due_s)).due_s <= end_s:
            self._wait_until(timer.due_s)
            # Below 0 where rounding left the clock just before the due time.
            missed = max((self._bank.now_s - timer.due_s) // timer.period_s, 0)
            timer.due_s += timer.period_s * (1 + missed)
            timer.callback()
        self._wait_until(end_s)

    def _wait_until(self, time_s: float) -> None:
        if time_s > self._bank.now_s:
            self._bank.advance(time_s - self._bank.now_s)
