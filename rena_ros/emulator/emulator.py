"""25 strict servos behind a pseudo-terminal: `python -m rena_ros.emulator.emulator --link PATH`.

What a client writes to the link goes to a ``ServoBank``. Its replies come back as late as on a wire of the client's
baud rate: after the request, each servo's return delay and its bytes, in bursts of at most a millisecond as from a USB
adapter. When a signal asks the emulator to end, it stays until its client has closed the port (10 s at most), so that a
driver that ends at the same moment can still switch torque off.
"""

import argparse
import contextlib
import gc
import os
import queue
import select
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.base.priority import be_nice
from rena_ros.base.signals import on_end
from rena_ros.base.terminal import print_anything
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.console import CommandConsole
from rena_ros.emulator.fault_file import FaultScript, load_faults
from rena_ros.emulator.goal_log import GoalLog
from rena_ros.emulator.pty_link import PtyLink
from rena_ros.emulator.servo_motion import TrapezoidMotion
from rena_ros.emulator.wire import Wire
from rena_ros.robot.file import load_robot

DEFAULT_BAUD = 1_000_000  # of a client that sets none
LINGER_S = 10.0  # a driver may need seconds on a busy machine
AGAIN_S = 2.0  # `ros2 launch` may deliver one Ctrl-C twice, but not that far apart
KEPT_GOALS = 1000  # in memory, of a process that may run for days; the file of --goals keeps all
IDLE_S = 0.1  # a signal does not end select early (PEP 475): without traffic this is how late it is noticed

_Result = TypeVar("_Result")


class Emulator:
    """A servo bank behind a pty at ``link``. It belongs to the thread of ``run``; other threads use ``call``."""

    def __init__(self, bank: ServoBank, link: Path, console: CommandConsole | None = None) -> None:
        """Check the link; ``console``: typed commands that change faults while it runs. Raises RenaError."""
        self.bank, self.link = bank, link
        self._wire = Wire(DEFAULT_BAUD)
        self._cable_pulls = 0
        self._console = console
        self._leave_s: float | None = None
        self._calls: queue.SimpleQueue[tuple[Callable, Future]] = queue.SimpleQueue()
        self._port = PtyLink(link, DEFAULT_BAUD)
        self._wake_read, self._wake_write = os.pipe()

    def stop(self, *_signal: object) -> None:
        """Let ``run`` end once the client has closed the port, within ``LINGER_S``.

        A second call ends the wait, but has no effect within ``AGAIN_S``.
        """
        now_s = time.monotonic()
        if self._leave_s is None:
            self._leave_s = now_s + LINGER_S
        elif now_s > self._leave_s - LINGER_S + AGAIN_S:
            self._leave_s = now_s

    def call(self, function: Callable[[], _Result], limit_s: float = 5.0) -> _Result:
        """Let ``run`` call this function between two requests; return its result or raise its exception.

        For other threads. Raises TimeoutError when the emulator does not run.
        """
        if self._wake_write < 0:
            raise TimeoutError
        future: Future[_Result] = Future()
        self._calls.put((function, future))
        try:
            os.write(self._wake_write, b"!")
        except OSError as error:  # closed meanwhile
            raise TimeoutError from error
        return future.result(limit_s)

    def run(self) -> None:
        """Serve until ``stop``."""
        self._follow_cable()
        then_s = time.monotonic()
        while self._leave_s is None or time.monotonic() < self._leave_s:
            if self._leave_s is not None:
                self._port.close_slave()
                if not self._port.plugged:
                    return
            readable = select.select(self._watched(), [], [], self._wait_s())[0]
            now_s = time.monotonic()
            self.bank.advance(now_s - then_s)
            then_s = now_s
            self._handle(readable)
            if self._port.plugged and self._port.master in readable and not self._receive(now_s):
                return
            self._follow_cable()
            if data := self._wire.arrived(now_s):
                self._port.write(data)

    def report(self) -> dict:
        """Return what crossed the wire, ready for JSON."""
        return {**self.bank.report(), "collisions": self._wire.collisions}

    def close(self) -> None:
        """Remove the link and the pty, and close the log of goals."""
        self._port.unplug()
        self.bank.goals.close()
        wake_write, self._wake_write = self._wake_write, -1
        os.close(wake_write)
        os.close(self._wake_read)
        while not self._calls.empty():
            self._calls.get()[1].set_exception(TimeoutError())

    def _watched(self) -> list[int]:
        commands = [self._console.source] if self._console is not None and self._console.listening else []
        return [self._wake_read, *([self._port.master] if self._port.plugged else []), *commands]

    def _wait_s(self) -> float:
        now_s = time.monotonic()
        change_s = now_s + self.bank.next_change_s() - self.bank.now_s
        return max(0.0, min(now_s + IDLE_S, change_s, self._wire.next_s()) - now_s)

    def _handle(self, readable: list[int]) -> None:
        if self._console is not None and self._console.source in readable:
            self._console.run_pending()
        if self._wake_read in readable:
            os.read(self._wake_read, 1024)
        while not self._calls.empty():
            function, future = self._calls.get()
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

    def _follow_cable(self) -> None:
        """Unplug and plug the port as the fault `unplugged` begins and ends; bytes on their way are lost."""
        if self._port.plugged and self.bank.cable_pulls != self._cable_pulls:
            self._port.unplug()
            self._wire.cut()
        if not self._port.plugged and not self.bank.unplugged:
            self._cable_pulls = self.bank.cable_pulls
            self._port.plug()

    def _receive(self, now_s: float) -> bool:
        """Receive a request; return False once the client has closed the port after ``stop``."""
        data = self._port.read()
        if data is None:
            return False
        if not (baud := self._port.baud()):
            return True  # a terminal hangs up with a rate of 0
        self._wire.baud = baud
        self._wire.request(len(data), now_s)
        if self.bank.echoes():
            self._wire.echo(data)
        self._wire.queue_replies(self.bank.replies(data, baud))
        return True


def add_arguments(parser: argparse.ArgumentParser, link: Path | None = None) -> None:
    """Declare the options of the emulator; ``link``: the default of --link."""
    where = "where to put the link to the serial port" + (f"; default: {link}" if link else "")
    parser.add_argument("--link", type=user_path, required=link is None, default=link, help=where)
    parser.add_argument("--robot-file", help="robot file; default: the Rena that ships with the package")
    parser.add_argument("--report", type=user_path, help="JSON file to write at the end: what crossed the wire")
    parser.add_argument("--return-delay-us", type=int, default=0, help="the servos' return delay, 0..500 us")
    parser.add_argument("--faults", type=user_path, help="YAML file of faults and their times")
    parser.add_argument("--goals", type=user_path, help="CSV file for every goal that crosses the wire")
    factory = "servos out of the box: all with id 1, only the first one attached"
    parser.add_argument("--factory", action="store_true", help=factory)
    parser.add_argument("--commands", action="store_true", help="read commands from standard input (`help` lists them)")


def make_emulator(args: argparse.Namespace, motion: type[TrapezoidMotion] = TrapezoidMotion) -> Emulator:
    """Make the emulator that the options ask for; ``motion``: how its horns move. Raises RenaError."""
    robot = load_robot(args.robot_file)
    if not 0 <= args.return_delay_us <= 500:
        raise RenaError(f"--return-delay-us {args.return_delay_us} is outside 0..500")
    script = load_faults(args.faults, robot) if args.faults else FaultScript()
    goals = GoalLog(robot.names, args.goals, limit=KEPT_GOALS)
    bank = ServoBank(robot, return_delay_us=args.return_delay_us, factory=args.factory, goals=goals, motion=motion)
    bank.script(script.faults, script.random)
    return Emulator(bank, args.link, console=CommandConsole(bank, sys.stdin.fileno()) if args.commands else None)


def serve(emulator: Emulator, report: Path | None) -> None:
    """Run until a signal asks it to end, then write the report. Raises RenaError when that is impossible."""
    on_end(emulator.stop)
    gc.freeze()
    with contextlib.suppress(OSError):  # real servos do not wait for a busy computer either
        be_nice(-10)
    try:
        emulator.run()
    finally:
        emulator.close()
        if report:
            _write_report(report, emulator.report())


def _write_report(path: Path, report: dict) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenaError(f"cannot write the report to {path}: {error.strerror}") from error
    write_json(path, report)


def main(
    argv: list[str] | None = None,
    program: str = "emulator",
    about: str = __doc__,
    make: Callable[[argparse.Namespace], Emulator] = make_emulator,
) -> int:
    """Run an emulator until a signal asks it to end. Returns 0, or 2 for what the user can correct."""
    print_anything()
    parser = argparse.ArgumentParser(prog=program, description=about.splitlines()[0])
    add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        serve(make(args), args.report)
    except RenaError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
