"""Fixtures of all tests: independence of the machine, and the emulator as a process of its own."""

import contextlib
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rena_ros.base.signals import HOLDING

DEADLINE_S = 60.0
# Ports of higher domains may be among those that Linux gives to a program that asks for any free port.
DOMAINS = random.sample(range(1, 101), 100)
_domains = itertools.cycle(DOMAINS)

# The time of an example, or of making it, means nothing on a machine that runs other programs too.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def ros_log_dir(tmp_path_factory):
    """Let ROS write its logs here: a home need not be writable, and nothing is left in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("ros_log")
        patch.setenv("ROS_LOG_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def child_processes_do_not_ignore_signals():
    """Let processes of tests receive the signals that `nohup` or a script's `&` made this process ignore.

    Here they still have no effect: exec resets a handler, while a child would inherit "ignore".
    """
    ignored = [number for number in HOLDING if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _own_domain():
    """Give a ROS domain (1 to 100) that no other test run on this network uses meanwhile."""
    # The last port of a domain, that of its 120th process, marks it: while it is taken here, no other run takes it.
    for domain in itertools.islice(_domains, len(DOMAINS)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mark:
            try:
                mark.bind(("127.0.0.1", 7400 + 250 * domain + 249))
            except OSError:
                continue
            yield domain
            return
    pytest.fail("no ROS domain from 1 to 100 is free on this network")


own_domain = pytest.fixture(lambda: _own_domain, scope="session", name="own_domain")


@pytest.fixture
def ros_domain(own_domain):
    """A ROS domain for one test."""
    with own_domain() as domain:
        yield domain


@pytest.fixture
def full_device():
    """A file that refuses every write: no space left."""
    device = Path("/dev/full")
    if not device.is_char_device():
        pytest.skip("this system has no /dev/full")
    return device


def until(condition):
    """Wait for a condition; fail at the deadline."""
    end_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.005)


until_fixture = pytest.fixture(lambda: until, name="until")


class EmulatorProcess:
    """The emulator as a user starts it, at a terminal of its own."""

    def __init__(self, folder, *options):
        self.link, self._report = folder / "servos", folder / "report.json"
        old = self.link.lstat().st_ctime_ns if self.link.is_symlink() else 0
        program = [sys.executable, "-m", "rena_ros.emulator.emulator", "--commands"]
        command = [*program, "--link", self.link, "--report", self._report, *options]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(list(map(str, command)), stdin=pipe, stdout=pipe, text=True, bufsize=1)
        until(lambda: self.link.is_symlink() and self.link.lstat().st_ctime_ns != old)

    def command(self, line):
        """Type one command; return the line that the emulator prints."""
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().strip()

    def end(self):
        """Ask it to end; return its report."""
        self.process.terminate()
        assert self.process.wait(DEADLINE_S) == 0
        assert not self.link.is_symlink()
        return json.loads(self._report.read_text())

    def close(self):
        """Kill the process if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def make_emulator(tmp_path):
    """Start an emulator at this test's link, with options; a second one replaces a killed one."""
    started = []

    def make(*options):
        started.append(EmulatorProcess(tmp_path, *options))
        return started[-1]

    yield make
    for emulator in started:
        emulator.close()


@pytest.fixture
def emulator(make_emulator):
    return make_emulator()


def nodes_of(pid):
    """Name of each node that a run started -> its process id, read from the command lines in /proc."""
    found = {}
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            module = next((word for word in words if word.startswith("rena_ros.")), "")
            found[module.rpartition(".")[2]] = int(child)
    return found


nodes_of_fixture = pytest.fixture(lambda: nodes_of, name="nodes_of")


def kill_cleanly(*pids):
    """SIGKILL at one moment, then delete the shared memory that the processes could not delete themselves."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    files = [file for pid in pids for file in Path(f"/proc/{pid}/fd").iterdir() if file.exists()]
    opened = [os.readlink(file) for file in files]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for name in opened:  # the process that made the segment of that name holds its mark open
        if re.fullmatch(r"/dev/shm/fastrtps_[0-9a-f]+_el", name):
            Path(name).unlink(missing_ok=True)
            Path(name.removesuffix("_el")).unlink(missing_ok=True)


kill_cleanly_fixture = pytest.fixture(lambda: kill_cleanly, name="kill_cleanly")
