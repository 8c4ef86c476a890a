"""Single key presses from a terminal, without waiting for the return key."""

import contextlib
import os
import select
import sys
import termios
import time
import tty

from rena_ros.base.errors import RenaError

# What terminals send for keys that are no characters (xterm, VT100 in both cursor modes).
_NAMED = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[C": "right",
    b"\x1bOC": "right",
    b"\x1b[D": "left",
    b"\x1bOD": "left",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
}
_SEQUENCE_S = 0.05  # the bytes of one key follow each other within this time


def key_name(data: bytes) -> str | None:
    """The key that sent these bytes: a name, a printable character, or None for one that nobody needs."""
    if data in _NAMED:
        return _NAMED[data]
    return data.decode() if len(data) == 1 and data.isascii() and data.decode().isprintable() else None


class Keys:
    """The keyboard, while inside `with`; afterwards the terminal is as it was. Ctrl-C still interrupts."""

    def __init__(self, otherwise: str) -> None:
        """Raises RenaError when standard input is no terminal; ``otherwise``: what to do then."""
        if not sys.stdin.isatty():
            raise RenaError(f"standard input is no terminal, so no key can be pressed; {otherwise}")
        self._fd = sys.stdin.fileno()

    def __enter__(self) -> "Keys":
        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def forget(self) -> None:
        """Forget what was pressed so far: the next key answers what is asked next."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)

    def pressed(self, timeout_s: float) -> str | None:
        """The next key, or None when none was pressed in time. Raises RenaError when the terminal is gone."""
        if not select.select([self._fd], [], [], timeout_s)[0]:
            return None
        data = self._byte()
        end_s = time.monotonic() + _SEQUENCE_S
        while data[:1] == b"\x1b" and data not in _NAMED.keys() - {b"\x1b"} and len(data) < 8:
            if not select.select([self._fd], [], [], max(0.0, end_s - time.monotonic()))[0]:
                break
            data += self._byte()
        return key_name(data)

    def _byte(self) -> bytes:
        data = os.read(self._fd, 1)
        if not data:
            raise RenaError("the terminal is gone")
        return data
