"""A port in virtual time: what ``SerialPort`` is to a cable, for a ``ServoBank`` in this process. No thread, no pty.

The bytes and their timing are those of the emulator process, but waiting takes no time: whoever asks this
port for the time sees a clock that moves only while something is written, read or waited for.
"""

from collections.abc import Callable
from itertools import count

from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.wire import Wire

_numbers = count(1)


class VirtualPort:
    """The bank's port, as ``Port``. Raises PortMissing while the cable is unplugged; one that was open when it was
    pulled stays lost (PortLost): open another once it is back.
    """

    def __init__(self, bank: ServoBank, baud: int = 1_000_000) -> None:
        self.bank = bank
        self.path = f"virtual-{next(_numbers)}"
        self.baud = baud
        if bank.unplugged:
            raise PortMissing(f"there is no port {self.path}: its cable is unplugged")
        self._wire = Wire(baud)
        self._pulls = bank.pulls

    def now(self) -> float:
        """Virtual seconds since the bank was made."""
        return self.bank.now_s

    def sleep_until(self, time_s: float) -> None:
        """Let virtual time pass until then."""
        if time_s > self.now():
            self.bank.advance(time_s - self.now())

    def discard_input(self) -> int:
        """Throw away what was received; returns how many bytes that was."""
        self._check()
        return len(self._wire.arrived(self.now()))

    def write(self, data: bytes) -> float:
        """Send all of ``data``; returns the time at which its last byte is on the wire, which is now."""
        self._check()
        self.sleep_until(self._wire.request(len(data), self.now()))
        self._check()
        if self.bank.echoes():
            self._wire.echo(data)
        self._wire.queue_replies(self.bank.replies(data, self.baud))
        return self.now()

    def read(self, expected_s: float, deadline_s: float, complete: Callable[[bytes], bool]) -> bytes:
        """Collect bytes until they are ``complete`` or until ``deadline_s``, from ``expected_s`` on."""
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
            next_s = self._wire.next_s()
            # Not beyond the next change: a cable that is pulled is noticed at once.
            self.sleep_until(min(deadline_s, self.bank.next_change_s(), deadline_s if next_s is None else next_s))

    def close(self) -> None:
        """Nothing to give back."""

    def _check(self) -> None:
        if self.bank.pulls != self._pulls:
            raise PortLost(f"{self.path} is gone; is its cable plugged in?")
