"""Start the processes of a run, notice when one dies, and end them all in order. Imports no ROS."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rena_ros.mimic import parent_death

TAIL_LINES = 12
# The steps of ending a process, and the share of the available time that each one gets.
_STEPS = ((signal.SIGINT, 0.75), (signal.SIGTERM, 0.15), (signal.SIGKILL, 0.1))


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
        return {name: child.process.pid for name, child in self._children.items() if child.process.poll() is None}

    def ended(self) -> list[Ended]:
        """The children that have ended so far, in the order in which they were started."""
        return [child.end() for child in self._children.values() if child.process.poll() is not None]

    def interrupt(self, name: str, wait_s: float) -> None:
        """Send one child a SIGINT and wait up to ``wait_s`` for its end."""
        child = self._children.get(name)
        if child is not None and child.process.poll() is None:
            child.signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(wait_s)

    def stop(self, limit_s: float = 3.0) -> dict[str, str]:
        """End all children within ``limit_s``: SIGINT first, then SIGTERM, then SIGKILL.

        Returns the last signal sent, by name, for each child that SIGINT did not end.
        """
        remaining = dict(self._children)
        forced: dict[str, str] = {}
        for number, share in _STEPS:
            remaining = {n: c for n, c in remaining.items() if c.process.poll() is None}
            for name, child in remaining.items():
                child.signal(number)
                if number != signal.SIGINT:
                    forced[name] = number.name
            deadline = time.monotonic() + share * limit_s
            for child in remaining.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.0, deadline - time.monotonic()))
        return forced

    def close(self) -> None:
        """End every child that still runs, and complete every log file."""
        self.stop(limit_s=1.0)
        for child in self._children.values():
            child.wait_for_output(1.0)


class _Child:
    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log_dir: Path):
        self.name = name
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._log = open(log_dir / f"{name}.log", "wb", buffering=0)  # noqa: SIM115 (closed by the reader thread)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

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
