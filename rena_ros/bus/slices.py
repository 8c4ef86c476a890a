"""Reads that pause, so that other requests may be sent before all servos have been read.

Such a read is a generator: it pauses between two requests and returns its result at its end. One that is not run to
its end has no result.
"""

from collections.abc import Generator
from typing import TypeVar

SLICE_SERVOS = 9  # in one request: 25 servos in three, of which the longest takes 1.4 ms at 1 Mbaud

Result = TypeVar("Result")
Slices = Generator[None, None, Result]


def complete(work: Slices[Result]) -> Result:
    """Run a read to its end without a pause; return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
