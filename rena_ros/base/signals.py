"""Which signals ask a program to end, and how to take notice of all of them."""

import signal
from collections.abc import Callable
from types import FrameType

# Ctrl-C, `kill`, a closed terminal, and the key that people press when Ctrl-C seems not to work (Ctrl-\).
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# Ctrl-Z: a program that is stopped cannot let go of the servos that it holds, so it ends instead.
HOLDING = (*ASKING, signal.SIGTSTP)


def on_end(handler: Callable[[int, FrameType | None], None], numbers: tuple[signal.Signals, ...] = ASKING) -> None:
    """Let ``handler`` (number, frame) be called by every signal of ``numbers``; under `nohup`, SIGHUP stays ignored.

    From the main thread only.
    """
    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def ignore_end() -> None:
    """From now on nothing interrupts: the program is on its way out."""
    for number in HOLDING:
        signal.signal(number, signal.SIG_IGN)
