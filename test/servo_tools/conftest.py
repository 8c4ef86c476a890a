"""A tool in a terminal of its own: keys in, screen out, real Ctrl-C and hang-ups."""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time

import pytest
from tool_stand import ToolStand

DEADLINE_S = 60.0
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """`rena servo ARGUMENTS` in a terminal of 80 columns; ``text``: everything it printed, without control codes."""

    def __init__(self, *arguments, lines=40):
        self.master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (lines, 80))
        command = [sys.executable, "-m", "rena_ros.cli", "servo", *map(str, arguments)]
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment["TERM"] = "xterm"
        self.process = subprocess.Popen(command, env=environment, preexec_fn=lambda: os.login_tty(self.slave))
        self.text = ""

    def press(self, keys):
        """Type."""
        os.write(self.master, keys.encode())

    def wait_for(self, pattern):
        """Read until a pattern appears; discard the text up to its end."""
        end_s = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < end_s, f"{pattern!r} did not come: {self.text[-1500:]!r}"
            self._read(0.1)
        self.text = self.text[found.end() :]
        return found

    def ended(self):
        """Wait for the end and return the exit code; ``text`` is complete then."""
        end_s = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < end_s, f"it does not end: {self.text[-1500:]!r}"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    def hang_up(self):
        """Close the window."""
        os.close(self.slave)
        os.close(self.master)
        self.slave = self.master = -1

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            self.hang_up()

    def _read(self, timeout_s):
        if self.master < 0:
            time.sleep(timeout_s)
            return False
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        self.text += _CONTROL.sub("", os.read(self.master, 4096).decode(errors="replace"))
        return True


@pytest.fixture
def terminal():
    """Start tools in terminals."""
    started = []

    def start(*arguments, **options):
        started.append(Terminal(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def stand(monkeypatch):
    return ToolStand(monkeypatch)


ASKING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP]


@pytest.fixture(autouse=True)
def signals():
    """Restore the signal handlers that a tool in this process has set."""
    before = {number: signal.getsignal(number) for number in ASKING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(params=ASKING, ids=lambda number: number.name)
def asking(request, signals):
    """A signal that asks a tool to end; each raises KeyboardInterrupt here, and none is ignored."""
    for number in ASKING:
        signal.signal(number, signal.default_int_handler)
    return request.param
