"""One serial port with one owner; every failure of it raises a RenaError that says what to do."""

import contextlib
import errno
import fcntl
import os
import select
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import serial

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.bus.port_holders import holders
from rena_ros.bus.protocol import wire_time_s

RATES = (9_600, 4_000_000)  # baud; at lower rates one request takes so long that a stop would come too late
_WRITE_TIMEOUT_S = 0.1
_DRAIN_POLL_S = 0.0002
_CHUNK = 4096
_WAKE_EARLY_S = 0.00015  # a sleep may take this much longer; select() waits for the rest


class PortMissing(RenaError):
    """The port does not exist, perhaps because its cable is not plugged in."""


class PortLost(RenaError):
    """The port vanished while in use: its cable was pulled, or the adapter lost its power."""


class Port(Protocol):
    """What the driver needs of a port: bytes out, bytes in, and the clock. Every time is one of ``now``, seconds.

    ``SerialPort`` is a device in real time; the emulator's ``VirtualPort`` runs in virtual time.
    """

    path: str
    baud: int

    def now(self) -> float:
        """Return the time; only differences between times mean anything."""

    def sleep_until(self, time_s: float) -> None:
        """Sleep until ``time_s``, not at all when it has passed."""

    def discard_input(self) -> int:
        """Discard the received bytes; return how many there were."""

    def write(self, data: bytes) -> float:
        """Send all of ``data``; return the time at which its last byte is on the wire."""

    def read(self, expected_s: float, deadline_s: float, complete: Callable[[bytes], bool]) -> bytes:
        """Return the received bytes as soon as ``complete`` accepts them, at the latest at ``deadline_s``.

        ``expected_s``: when all bytes should have arrived; the port may sleep until then.
        """

    def close(self) -> None:
        """Release the port. Does nothing when it is lost."""


class SerialPort:
    """A serial port that no other program has open. Opening it sends nothing."""

    def __init__(self, path: str, baud: int) -> None:
        """Open ``path``; raises PortMissing, or RenaError when it is taken, forbidden or no serial port."""
        self.path = path = str(user_path(path))
        self.baud = baud
        self._wire_free_s = 0.0
        if os.path.exists(path) and not Path(path).is_char_device():
            raise RenaError(f"{path} is no serial port")
        if others := holders(path):
            raise _taken(path, others)
        try:
            self._serial = serial.Serial(path, baud, timeout=0, exclusive=True)
        except (serial.SerialException, termios.error, ValueError, OSError) as error:
            raise _explained(path, baud, error) from error
        self._fd = self._serial.fileno()
        # The lock that pyserial takes binds only programs that ask for it; this one makes the system refuse further
        # opens, except by root. A pty gets none: it would outlive a client that was killed, because the other end keeps
        # the pty alive.
        if not os.path.realpath(path).startswith("/dev/pts/"):
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._fd, termios.TIOCEXCL)
        # Only some USB adapters have a latency timer to turn down.
        with contextlib.suppress(ValueError, OSError, NotImplementedError):
            self._serial.set_low_latency_mode(True)

    def now(self) -> float:
        """Return time.monotonic()."""
        return time.monotonic()

    def sleep_until(self, time_s: float) -> None:
        """Sleep until ``time_s``, not at all when it has passed."""
        time.sleep(max(time_s - time.monotonic(), 0.0))

    def discard_input(self) -> int:
        """Discard the received bytes; return how many there were. Raises PortLost."""
        count = 0
        while chunk := self._read_some():
            count += len(chunk)
        return count

    def write(self, data: bytes) -> float:
        """Send all of ``data``; return the time at which its last byte is on the wire. Raises PortLost."""
        start_s = max(time.monotonic(), self._wire_free_s)
        try:
            self._write_all(data)
            self._drain(len(data))
        except (OSError, termios.error) as error:
            raise PortLost(f"{self.path} is gone ({error}); is its cable plugged in?") from error
        self._wire_free_s = max(time.monotonic(), start_s + wire_time_s(len(data), self.baud))
        return self._wire_free_s

    def read(self, expected_s: float, deadline_s: float, complete: Callable[[bytes], bool]) -> bytes:
        """Read as ``Port.read`` says, asleep until ``expected_s``, so that one system call fetches all bytes.

        Raises PortLost.
        """
        received = b""
        self.sleep_until(expected_s - _WAKE_EARLY_S)
        while True:
            left_s = deadline_s - time.monotonic()
            try:
                ready = select.select([self._fd], [], [], max(left_s, 0))[0]
            except (OSError, ValueError) as error:
                raise PortLost(f"{self.path} is gone ({error})") from error
            if not ready:
                return received
            chunk = self._read_some()
            if not chunk:
                raise PortLost(f"{self.path} is gone; is its cable plugged in?")
            received += chunk
            if complete(received) or left_s <= 0:
                return received

    def close(self) -> None:
        """Release the port. Does nothing when it is lost."""
        with contextlib.suppress(OSError, termios.error):
            self._serial.close()

    def _read_some(self) -> bytes:
        try:
            return os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise PortLost(f"{self.path} is gone ({error}); is its cable plugged in?") from error

    def _drain(self, size: int) -> None:
        """Wait until the system has sent ``size`` bytes. Raises OSError when that takes too long.

        tcdrain() does not fit: a signal such as SIGTERM interrupts it, and the port would count as lost; and with an
        adapter that does not send it blocks for ever.
        """
        deadline_s = time.monotonic() + wire_time_s(size, self.baud) + _WRITE_TIMEOUT_S
        while int.from_bytes(fcntl.ioctl(self._fd, termios.TIOCOUTQ, bytes(4)), sys.byteorder):
            if time.monotonic() > deadline_s:
                raise OSError(errno.EIO, "the adapter does not send the bytes it has accepted")
            time.sleep(_DRAIN_POLL_S)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                if not select.select([], [self._fd], [], _WRITE_TIMEOUT_S)[1]:
                    raise OSError(errno.EIO, "the adapter accepts no more bytes") from None


def _taken(path: str, others: list[str]) -> RenaError:
    owners = " and ".join(others) or "another program"
    advice = "end it first" if others else f"end that program first (`sudo fuser {path}` names it)"
    have = "have" if len(others) > 1 else "has"
    return RenaError(f"{owners} {have} {path} open, and a port has one owner: {advice}")


def _explained(path: str, baud: int, error: Exception) -> RenaError:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO):
        return PortMissing(f"there is no port {path}: plug the adapter in, or name the right one with `port:=…`")
    if number in (errno.EACCES, errno.EPERM):
        return RenaError(f"no permission to open {path}: add yourself to its group (`sudo usermod -aG dialout $USER`)")
    if number in (errno.EAGAIN, errno.EBUSY):
        return _taken(path, [])
    return RenaError(f"cannot open {path} as a serial port at {baud} baud: {error}")
