"""The processes that a benchmark starts: an emulator as a user starts it, measured drivers, a busy process."""

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.base.files import write_json
from rena_ros.base.signals import ASKING
from rena_ros.bench.measure import Record

START_S = 20.0
_BUSY = "import os, sys\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))\n"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let every signal that asks to end raise KeyboardInterrupt, so that no process of a benchmark stays behind."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def child_process(command: Sequence[str], *, stop_s: float = 5.0, **options: Any) -> Iterator[subprocess.Popen]:
    """Run a process; end it (SIGTERM, then SIGKILL after ``stop_s``) when the block is left, however that happens.

    It has a session of its own: Ctrl-C reaches only this process, which decides the order of ending.
    """
    process = subprocess.Popen(list(command), start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(stop_s)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


@dataclass
class EmulatedBus:
    """A bus of emulated servos: the emulator's process and its link."""

    process: subprocess.Popen
    link: Path
    robot_file: str | None

    def measure(self, driver: str, cycles: int, warm_up: int, rate_hz: float = 0.0, niceness: int = 0) -> Record:
        """Measure a driver in its own process, at ``rate_hz`` or back to back (0). Raises RenaError, its message."""
        path = self.link.parent / "record.npz"
        options = {"--driver": driver, "--port": self.link, "--cycles": cycles, "--warm-up": warm_up, "--out": path}
        options |= {"--emulator-pid": self.process.pid, "--rate-hz": rate_hz, "--niceness": niceness}
        if self.robot_file:
            options["--robot-file"] = self.robot_file
        command = [sys.executable, "-m", "rena_ros.bench.measure"]
        command += [str(part) for option in options.items() for part in option]
        with child_process(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
            message = process.communicate()[1]
        if process.returncode:
            raise RenaError(f"the driver {driver} could not be measured: {message.strip() or process.returncode}")
        with np.load(path) as values:
            return Record(**{name: values[name][()] for name in values})


@contextlib.contextmanager
def emulated_bus(
    module: str = "rena_ros.emulator.emulator", faults: Sequence[Mapping] = (), robot_file: str | None = None
) -> Iterator[EmulatedBus]:
    """Run an emulator's process, with faults as in a fault file. Raises RenaError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="rena-bench-") as folder:
        link = Path(folder) / "servos"
        command = [sys.executable, "-m", module, "--link", str(link)]
        if faults:
            file = Path(folder) / "faults.yaml"
            write_json(file, {"faults": list(faults)})  # JSON is YAML
            command += ["--faults", str(file)]
        if robot_file:
            command += ["--robot-file", robot_file]
        with child_process(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
            wait_for_link(link, process)
            yield EmulatedBus(process, link, robot_file)


def wait_for_link(link: Path, emulator: subprocess.Popen, why: str = "") -> None:
    """Wait for an emulator's link. Raises RenaError, with ``why`` or its own message, after START_S or its end."""
    limit_s = time.monotonic() + START_S
    while not link.is_symlink():
        if emulator.poll() is not None or time.monotonic() > limit_s:
            emulator.kill()
            raise RenaError(f"the emulator did not start: {why or emulator.communicate()[1].strip()}")
        time.sleep(0.01)


def busy_process() -> contextlib.AbstractContextManager[subprocess.Popen]:
    """Run a Python process that only calculates; it ends with this process whatever happens."""
    return child_process([sys.executable, "-c", _BUSY])
