"""Start the processes of a run, notice when one dies, and end them all in order. Imports no ROS."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rena_ros.processes import parent_death

TAIL_LINES = 12
# Most processes end within a second of SIGINT. On a busy machine they may take many, and a process that is killed
# leaves shared memory behind and its servos' torque on.
PATIENCE_S, TERM_S, KILL_S = 15.0, 5.0, 2.0
TELL_S = 2.0  # how long until `stop` says what it waits for
POLL_S = 0.01


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code (negative: the signal that killed it) and its last lines."""

    name: str
    code: int
    last_lines: tuple[str, ...]

    @property
    def how(self) -> str:
        """The exit code in words."""
        if self.code >= 0:
            return f"ended with code {self.code}"
        return f"was killed by {signal.Signals(-self.code).name}"


class Supervisor:
    """The child processes of one run, each in a session of its own, so that Ctrl-C reaches only the parent.

    Their output goes to ``log_dir/NAME.log``; the last lines stay in memory as well, even when the disk is full.
    """

    def __init__(self, log_dir: Path):
        self._log_dir = log_dir
        self._children: dict[str, _Child] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start one process; ``name`` must not have been used before."""
        self._children[name] = _Child(name, command, environment, self._log_dir)

    def pids(self) -> dict[str, int]:
        """Process ids of the children that are still running."""
        return {name: child.process.pid for name, child in self._children.items() if child.running}

    def ended(self) -> list[Ended]:
        """The children that have ended so far, in the order in which they were started."""
        return [child.end() for child in self._children.values() if not child.running]

    def interrupt(self, name: str, limit_s: float, presses: Callable[[], int] = lambda: 0) -> None:
        """Send one child a SIGINT and wait for its end, up to ``limit_s`` or until Ctrl-C was pressed: ``presses``."""
        child = self._children.get(name)
        if child is not None and child.running:
            child.signal(signal.SIGINT)
            _wait([child], limit_s, lambda: presses() > 0)

    def stop(
        self,
        *names: str,
        patience_s: float = PATIENCE_S,
        presses: Callable[[], int] = lambda: 0,
        tell: Callable[[str], None] = lambda _: None,
    ) -> dict[str, str]:
        """End these children, all without names: SIGINT; after ``patience_s``, SIGTERM; ``TERM_S`` later, SIGKILL.

        ``tell``: called once with the names of the children, listed, for which this has waited longer than ``TELL_S``.
        ``presses``: how often the user has pressed Ctrl-C; once more after ``tell`` ends the patience.

        Returns the last signal sent, by name, for each child that SIGINT did not end.
        """
        children = [child for name, child in self._children.items() if name in names or not names]
        forced: dict[str, str] = {}
        begin_s, presses_before = time.monotonic(), None

        def over() -> bool:
            nonlocal presses_before
            if presses_before is None and time.monotonic() - begin_s > TELL_S:
                presses_before = presses()
                tell(", ".join(child.name for child in children if child.running))
            return presses_before is not None and presses() > presses_before

        for number, limit_s, ends in (
            (signal.SIGINT, patience_s, over),
            (signal.SIGTERM, TERM_S, lambda: False),
            (signal.SIGKILL, KILL_S, lambda: False),
        ):
            for child in children:
                if child.running:
                    child.signal(number)
                    if number != signal.SIGINT:
                        forced[child.name] = number.name
            _wait(children, limit_s, ends)
        return forced

    def close(self) -> None:
        """End every child that still runs, and complete every log file."""
        self.stop()
        for child in self._children.values():
            child.wait_for_output(1.0)


class _Child:
    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log_dir: Path):
        self.name = name
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._log = open(log_dir / f"{name}.log", "wb", buffering=0)  # noqa: SIM115 (closed by the reader thread)
        words = [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command]
        self.process = subprocess.Popen(
            # Whatever the locale's own encoding is: nodes take UTF-8, and names that are none as they are.
            [word.encode("utf-8", "surrogateescape") for word in words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the child and to every process that it has started itself."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def end(self) -> Ended:
        self.wait_for_output(0.5)  # the pipe may still hold the last lines
        return Ended(self.name, self.process.returncode, tuple(self._lines))

    def wait_for_output(self, limit_s: float) -> None:
        self._reader.join(limit_s)

    def _read(self) -> None:
        assert self.process.stdout is not None  # it is a pipe
        with self._log, self.process.stdout as lines:
            for line in lines:
                self._lines.append(line.decode(errors="replace").rstrip("\n"))
                with contextlib.suppress(OSError):  # a full disk must not stop the child: its output is still read
                    self._log.write(line)


def _wait(children: Sequence[_Child], limit_s: float, over: Callable[[], bool]) -> None:
    """Wait until none of the children runs, up to ``limit_s`` or until ``over`` is true."""
    give_up_s = time.monotonic() + limit_s
    while any(child.running for child in children) and time.monotonic() < give_up_s and not over():
        time.sleep(POLL_S)
