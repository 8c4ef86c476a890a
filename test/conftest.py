"""For every test: what must not depend on the machine, and servos behind a real pty.

The servos: the emulator as a process, and a bank in this process whose answers can be spoilt.
"""

import contextlib
import itertools
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rena_ros.emulator.bank import ServoBank
from rena_ros.robot.file import load_robot

DEADLINE_S = 60.0
# From here on the ports of a domain may be those that Linux gives to whoever asks for any.
DOMAINS = random.sample(range(1, 101), 100)
_domains = itertools.cycle(DOMAINS)

# How long an example takes, or making it, says nothing on a machine that does other things, too.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def ros_log_dir(tmp_path_factory):
    """ROS keeps its logs here: a home need not be writable, and nothing is left in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("ros_log")
        patch.setenv("ROS_LOG_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def nobody_ignores_signals():
    """What `nohup` or a script's `&` made this process ignore is ignored by no process that a test starts.

    Here it still has no effect: a handler ends with exec, where "ignore" would be inherited.
    """
    asking = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)
    ignored = [number for number in asking if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _own_domain():
    # Its last port, which its 120th process would take, stands for it: taken here, no other run takes the domain.
    for domain in itertools.islice(_domains, len(DOMAINS)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mark:
            try:
                mark.bind(("127.0.0.1", 7400 + 250 * domain + 249))
            except OSError:
                continue
            yield domain
            return
    pytest.fail("no ROS domain from 1 to 100 is free on this network")


@pytest.fixture(scope="session")
def own_domain():
    """A context manager: a ROS domain (1 to 100) that no other test run on this network has meanwhile."""
    return _own_domain


@pytest.fixture
def ros_domain(own_domain):
    """A ROS domain for one test."""
    with own_domain() as domain:
        yield domain


@pytest.fixture
def full_device():
    """A file into which nothing fits."""
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


@pytest.fixture(name="until")
def until_fixture():
    """Wait for a condition; fail at the deadline."""
    return until


class SpoilableServos:
    """A ServoBank behind a pty. ``spoil(frames)`` may change the list of reply frames; ``sent`` keeps requests."""

    def __init__(self):
        self.bank = ServoBank(load_robot())
        self.spoil = lambda frames: frames
        self.sent = b""
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        then_s = time.monotonic()
        while not self._leaving.is_set():
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            with contextlib.suppress(OSError):
                data = os.read(self.master, 4096)
                self.sent += data
                now_s = time.monotonic()
                self.bank.advance(now_s - then_s)
                then_s = now_s
                reply = b"".join(self.spoil([answer.frame for answer in self.bank.replies(data)]))
                if reply:
                    os.write(self.master, reply)

    def pull_the_cable(self):
        """Hang up."""
        self._leaving.set()
        self._thread.join()
        os.close(self.slave)
        os.close(self.master)
        self.master = -1

    def close(self):
        if self.master >= 0:
            self.pull_the_cable()


@pytest.fixture
def servos():
    servos = SpoilableServos()
    yield servos
    servos.close()


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

    def tell(self, command):
        """Type one command; the line it answers."""
        self.process.stdin.write(command + "\n")
        return self.process.stdout.readline().strip()

    def end(self):
        """Ask it to end; its report."""
        self.process.terminate()
        assert self.process.wait(DEADLINE_S) == 0
        assert not self.link.is_symlink()
        return json.loads(self._report.read_text())

    def close(self):
        """Leave nothing behind."""
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
