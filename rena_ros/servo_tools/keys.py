"""Single key presses from a terminal, without waiting for the return key."""

import contextlib
import os
import select
import sys
import termios
import time
import tty

from rena_ros.base.errors import RenaError

# What terminals send for the keys that have names (xterm, VT100 in both cursor modes).
_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_NAMED = {start + end: name for start in (b"\x1b[", b"\x1bO") for end, name in _ARROWS.items()}
_NAMED |= {b"\x1b": "escape", b"\r": "enter", b"\n": "enter"}
_SEQUENCE_S = 0.05  # the bytes of one key follow each other within this time


def key_name(data: bytes) -> str | None:
    """Return the key that sends these bytes: a name, a printable character, or None for a key that no tool uses."""
    if data in _NAMED:
        return _NAMED[data]
    return data.decode() if len(data) == 1 and data.isascii() and data.decode().isprintable() else None


class Keys:
    """The keyboard inside a `with` block; the terminal's settings are restored at its end. Ctrl-C still interrupts."""

    def __init__(self, otherwise: str) -> None:
        """Raise RenaError, with the advice ``otherwise``, when standard input is not a terminal."""
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
        """Discard all keys pressed so far, so that the next key belongs to the question shown next."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)

    def pressed(self, timeout_s: float) -> str | None:
        """Return the next key, or None when no known key is pressed in time. Raises RenaError without a terminal."""
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
