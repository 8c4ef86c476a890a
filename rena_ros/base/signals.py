"""The signals that ask a program to end, and how to handle all of them."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

# Ctrl-C, `kill`, a closed terminal, and Ctrl-\, the key for when Ctrl-C seems not to work.
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# Ctrl-Z: a stopped program cannot release the torque of its servos, so it ends instead.
HOLDING = (*ASKING, signal.SIGTSTP)


def on_end(handler: Callable[[int, FrameType | None], None], numbers: tuple[signal.Signals, ...] = ASKING) -> None:
    """Call ``handler`` (number, frame) on every signal of ``numbers``; under `nohup`, SIGHUP stays ignored.

    Python permits this in the main thread only. Raises ValueError in another one.
    """
    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def ignore_end() -> None:
    """Ignore the signals from now on: the program is already ending."""
    for number in HOLDING:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def end_noted() -> Iterator[Callable[[], int]]:
    """Raise nothing on a signal of ``ASKING``; yields a function that tells how many have come so far."""
    noted: list[int] = []
    before = {number: signal.getsignal(number) for number in ASKING}
    on_end(lambda number, _frame: noted.append(number))
    try:
        yield lambda: len(noted)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
