"""Servos behind a real pty: the emulator as a process, and a bank in this process whose answers can be spoilt."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import tty

import pytest

from rena_ros.bus.servo_model import ServoBank
from rena_ros.robot_file import load_robot

DEADLINE_S = 20.0


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
                reply = b"".join(self.spoil([answer.frame for answer in self.bank.answers(data)]))
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
        program = [sys.executable, "-m", "rena_ros.bus.emulator", "--commands"]
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
