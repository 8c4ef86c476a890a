"""Signals while a tool runs: every request to end becomes a KeyboardInterrupt, or waits until a block is complete."""

import contextlib
import signal
from collections.abc import Iterator

from rena_ros.base.signals import HOLDING, on_end


def interrupt_on_signals() -> None:
    """Raise KeyboardInterrupt on every signal that asks a tool to end or to stop (Ctrl-Z), as Ctrl-C does.

    A tool that a signal kills or stops would leave its servo under torque.
    """
    on_end(signal.default_int_handler, HOLDING)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Delay all signals that ask to end until the block is complete, then raise each of them once."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in HOLDING}
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        for arrived in dict.fromkeys(received):
            signal.raise_signal(arrived)
