"""A port in virtual time to a ``ServoBank`` in this process, in place of ``SerialPort``. No thread, no pty.

The bytes and their timing are those of the emulator process, but waiting takes no real time: the port's clock moves
only while a client writes, reads or waits.
"""

from collections.abc import Callable
from itertools import count

from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.wire import Wire

_numbers = count(1)


class VirtualPort:
    """A ``Port`` (see ``bus.port``) to a bank; once the cable has been pulled, it raises PortLost for good."""

    def __init__(self, bank: ServoBank, baud: int = 1_000_000) -> None:
        """Open the port. Raises PortMissing while the cable is unplugged."""
        self.bank = bank
        self.path = f"virtual-{next(_numbers)}"
        self.baud = baud
        if bank.unplugged:
            raise PortMissing(f"there is no port {self.path}: its cable is unplugged")
        self._wire = Wire(baud)
        self._cable_pulls = bank.cable_pulls

    def now(self) -> float:
        """Return the virtual seconds since the bank was made."""
        return self.bank.now_s

    def sleep_until(self, time_s: float) -> None:
        """Let virtual time pass until ``time_s``."""
        if time_s > self.now():
            self.bank.advance(time_s - self.now())

    def discard_input(self) -> int:
        """Drop the bytes received so far; return how many they were."""
        self._check()
        return len(self._wire.arrived(self.now()))

    def write(self, data: bytes) -> float:
        """Send all of ``data``; return the time at which its last byte is on the wire: the present time."""
        self._check()
        self.sleep_until(self._wire.request(len(data), self.now()))
        self._check()
        if self.bank.echoes():
            self._wire.echo(data)
        self._wire.queue_replies(self.bank.replies(data, self.baud))
        return self.now()

    def read(self, expected_s: float, deadline_s: float, complete: Callable[[bytes], bool]) -> bytes:
        """Collect bytes from ``expected_s`` on, until they are ``complete`` or until ``deadline_s``; return them."""
        self.sleep_until(expected_s)
        received = b""
        while True:
            self._check()
            if chunk := self._wire.arrived(self.now()):
                received += chunk
                if complete(received):
                    return received
            if self.now() >= deadline_s:
                return received
            # Not beyond the next change: a pulled cable is noticed at once.
            self.sleep_until(min(deadline_s, self.bank.next_change_s(), self._wire.next_s()))

    def close(self) -> None:
        """Do nothing: the port holds no resource."""

    def _check(self) -> None:
        if self.bank.cable_pulls != self._cable_pulls:
            raise PortLost(f"{self.path} is gone; is its cable plugged in?")
