"""25 strict servos behind a pseudo-terminal: `python -m rena_ros.bus.emulator --link PATH`.

What is written to the link arrives at a ``ServoBank``; its answers come back as late as they would on a
wire of 1 Mbps: after the request, each servo's return delay and its bytes, delivered in bursts of at most
a millisecond as a USB adapter does. When asked to end it stays until its client has closed the port
(2 s at most), so that a driver told to end at the same moment can still switch torque off.
"""

import argparse
import contextlib
import errno
import gc
import json
import os
import select
import signal
import sys
import time
import tty
from pathlib import Path

from rena_ros.bus.servo_model import ServoBank
from rena_ros.bus.wire import Wire
from rena_ros.errors import RenaError
from rena_ros.robot_file import load_robot

LINGER_S = 2.0


class Emulator:
    """A servo bank behind a pty whose other end is found at ``link``."""

    def __init__(self, bank: ServoBank, link: Path, baud: int = 1_000_000) -> None:
        self._bank = bank
        self._link = link
        self._wire = Wire(baud)
        self._leave_s: float | None = None
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        _place_link(link, os.ttyname(self._slave))

    def stop(self, *_signal: object) -> None:
        """End once the client has closed the port. Asking again changes nothing: a Ctrl-C may arrive twice."""
        if self._leave_s is None:
            self._leave_s = time.monotonic() + LINGER_S

    def run(self) -> None:
        """Serve until asked to stop."""
        then_s = time.monotonic()
        while self._leave_s is None or time.monotonic() < self._leave_s:
            if self._leave_s is not None and self._slave >= 0:
                os.close(self._slave)  # from now on a client that closes the port shows as a hang-up
                self._slave = -1
            readable = select.select([self._master], [], [], self._wait_s())[0]
            now_s = time.monotonic()
            self._bank.advance(now_s - then_s)
            then_s = now_s
            if readable and not self._take(now_s):
                return
            if data := self._wire.arrived(now_s):
                self._give(data)

    def report(self) -> dict:
        """What crossed the wire."""
        return {**self._bank.report(), "collisions": self._wire.collisions}

    def close(self) -> None:
        """Remove the link and the pty."""
        if self._link.is_symlink():
            self._link.unlink()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)

    def _wait_s(self) -> float:
        now_s = time.monotonic()
        next_s = self._wire.next_s()
        # A signal does not end select early (PEP 475): without traffic this is how late it is noticed.
        leave_s = now_s + 0.1 if self._leave_s is None else self._leave_s
        return max(0.0, min(leave_s, leave_s if next_s is None else next_s) - now_s)

    def _take(self, now_s: float) -> bool:
        """Take a request in; False once nobody, neither we nor a client, holds the other end."""
        try:
            data = os.read(self._master, 4096)
        except OSError as error:
            if error.errno == errno.EIO:
                return False
            raise
        self._wire.request(len(data), now_s)
        self._wire.answer(self._bank.answers(data))
        return True

    def _give(self, data: bytes) -> None:
        try:
            os.write(self._master, data)
        except BlockingIOError:
            pass  # nobody reads: a real wire does not wait either
        except OSError:
            if self._leave_s is None:
                raise


def _place_link(link: Path, target: str) -> None:
    """Make ``link`` point to ``target`` in one step; a link left by a killed emulator is replaced."""
    if link.exists() and not link.is_symlink():
        raise RenaError(f"{link} exists and is not a link; choose another --link")
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh.symlink_to(target)
        fresh.replace(link)
    except OSError as error:
        raise RenaError(f"cannot make the link {link}: {error.strerror}") from error


def main(argv: list[str] | None = None) -> int:
    """Run the emulator until SIGINT, SIGTERM or SIGHUP. Returns 0, or 2 for something the user can mend."""
    parser = argparse.ArgumentParser(prog="emulator", description=__doc__.splitlines()[0])
    parser.add_argument("--link", type=Path, required=True, help="where to put the link to the serial port")
    parser.add_argument("--robot-file", help="robot file; default: the Rena that ships with the package")
    parser.add_argument("--report", type=Path, help="JSON file to write at the end: what crossed the wire")
    parser.add_argument("--return-delay-us", type=int, default=0, help="the servos' return delay, 0..500 us")
    args = parser.parse_args(argv)
    try:
        bank = ServoBank(load_robot(args.robot_file), return_delay_us=args.return_delay_us)
        emulator = Emulator(bank, args.link)
    except RenaError as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 2
    closed_terminal = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL else []  # not under nohup
    for number in (signal.SIGINT, signal.SIGTERM, *closed_terminal):
        signal.signal(number, emulator.stop)
    gc.freeze()
    with contextlib.suppress(OSError):  # real servos do not wait for a busy computer either
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    try:
        emulator.run()
    finally:
        emulator.close()
        if args.report:
            args.report.parent.mkdir(parents=True, exist_ok=True)
            args.report.write_text(json.dumps(emulator.report(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
