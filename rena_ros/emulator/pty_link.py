"""A pseudo-terminal behind a link, as a serial port: plugged in or unplugged, at the client's baud rate."""

import contextlib
import errno
import fcntl
import os
import struct
import tty
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.bus.port_holders import pty_servers

_CHUNK = 4096
# Linux's struct termios2, for rates without a name (250000): asm-generic/ioctls.h and termbits.h.
_TCGETS2, _TCSETS2 = 0x802C542A, 0x402C542B
_BOTHER, _CBAUD = 0o010000, 0o010017
_TERMIOS2 = struct.Struct("4I B19s 2I")


class PtyLink:
    """The master end of a pty, ``master`` (-1: unplugged); while plugged, clients find the slave end at ``link``."""

    def __init__(self, link: Path, baud: int) -> None:
        """Check the link; ``baud``: of a client that sets none. Raises RenaError for a file or a link in use."""
        if link.exists() and not link.is_symlink():
            raise RenaError(f"{link} exists and is not a link; choose another --link")
        if link.is_symlink() and (others := pty_servers(str(link))):
            raise RenaError(f"{others[0]} emulates servos at {link} already: end it, or choose another --link")
        self._link = link
        self._baud = baud
        self._device = ""
        self.master = self._slave = -1

    @property
    def plugged(self) -> bool:
        """Whether the port is there."""
        return self.master >= 0

    def plug(self) -> None:
        """Make a new pty and the link to it. Raises RenaError when the link cannot be made."""
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        _set_baud(self._slave, self._baud)
        os.set_blocking(self.master, False)
        self._device = os.ttyname(self._slave)
        _place_link(self._link, self._device)

    def unplug(self) -> None:
        """Remove the link and the pty; a client that has the port open sees a hang-up."""
        with contextlib.suppress(OSError):  # another emulator's link stays
            if os.readlink(self._link) == self._device:
                self._link.unlink()
        self.close_slave()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def close_slave(self) -> None:
        """Close our slave end: from now on ``read`` returns None once the client has closed the port."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def baud(self) -> int:
        """Return the rate that the client has set."""
        settings = fcntl.ioctl(self.master, _TCGETS2, bytes(_TERMIOS2.size))
        return _TERMIOS2.unpack(settings)[-1]

    def read(self) -> bytes | None:
        """Return what the client has written; None once no process, this one included, has the slave end open."""
        try:
            return os.read(self.master, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno == errno.EIO:
                return None
            raise

    def write(self, data: bytes) -> None:
        """Send bytes to the client without waiting; as on a wire, they are lost when it is absent or does not read."""
        with contextlib.suppress(OSError):
            os.write(self.master, data)


def _set_baud(descriptor: int, baud: int) -> None:
    flags = _TERMIOS2.unpack(fcntl.ioctl(descriptor, _TCGETS2, bytes(_TERMIOS2.size)))
    control = flags[2] & ~_CBAUD | _BOTHER
    fcntl.ioctl(descriptor, _TCSETS2, _TERMIOS2.pack(*flags[:2], control, *flags[3:-2], baud, baud))


def _place_link(link: Path, target: str) -> None:
    """Make ``link`` point to ``target`` in one step; the link of a killed emulator is replaced."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh.symlink_to(target)
        fresh.replace(link)
    except OSError as error:
        raise RenaError(f"cannot make the link {link}: {error.strerror}") from error
