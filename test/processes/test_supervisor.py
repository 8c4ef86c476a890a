"""Small real child processes: what is kept of their end, and that none survives."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rena_ros.processes.supervisor import TAIL_LINES, Supervisor

DEADLINE_S = 60.0


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(tmp_path)
    yield made
    made.close()
    assert made.pids() == {}


def python(supervisor: Supervisor, name: str, code: str) -> None:
    supervisor.start(name, [sys.executable, "-I", "-S", "-u", "-c", textwrap.dedent(code)], os.environ)


SLEEPS = "print('ready'); import time; time.sleep(60)"


@pytest.fixture
def ready(until, tmp_path):
    """Wait until a child has printed a line."""
    return lambda name: until(lambda: "\n" in (tmp_path / f"{name}.log").read_text())


def alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_that_dies_is_named_with_its_last_lines_and_its_code(supervisor, tmp_path, until):
    python(supervisor, "well", SLEEPS)
    python(supervisor, "ill", "for i in range(50): print('line', i)\nimport sys; sys.exit('out of paper')")
    until(supervisor.ended)
    (ended,) = supervisor.ended()
    assert (ended.name, ended.code, ended.how) == ("ill", 1, "ended with code 1")
    assert ended.last_lines == (*(f"line {i}" for i in range(50 - TAIL_LINES + 1, 50)), "out of paper")
    assert (tmp_path / "ill.log").read_text().splitlines()[:2] == ["line 0", "line 1"]
    assert set(supervisor.pids()) == {"well"}


def test_a_process_killed_by_a_signal_is_reported_with_the_signal(supervisor, until):
    python(supervisor, "crashing", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    until(supervisor.ended)
    (ended,) = supervisor.ended()
    assert ended.how == "was killed by SIGSEGV"


def test_stop_sends_sigint_first(supervisor, ready):
    code = """
        import time
        print("ready")
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            print("torque released")
    """
    python(supervisor, "servos", code)
    ready("servos")
    assert supervisor.stop() == {}
    (ended,) = supervisor.ended()
    assert (ended.code, ended.last_lines) == (0, ("ready", "torque released"))


@pytest.mark.parametrize(
    ("ignored", "taken"), [("SIGINT", "SIGTERM"), ("SIGINT SIGTERM", "SIGKILL")], ids=["term", "kill"]
)
def test_a_process_that_ignores_signals_is_ended_by_force_and_named(supervisor, ready, ignored, taken, monkeypatch):
    code = f"""
        import signal, time
        for name in "{ignored}".split():
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        print("ready")
        while True:
            time.sleep(60)
    """
    python(supervisor, "stubborn", code)
    python(supervisor, "willing", SLEEPS)
    for name in ("stubborn", "willing"):
        ready(name)
    monkeypatch.setattr("rena_ros.processes.supervisor.TERM_S", 0.1 if taken == "SIGKILL" else DEADLINE_S)
    monkeypatch.setattr("rena_ros.processes.supervisor.TELL_S", 0.0)
    told = []

    def presses():
        """The user presses Ctrl-C again once the other process has ended."""
        return int(bool(told) and "willing" not in supervisor.pids())

    assert supervisor.stop(patience_s=1e6, presses=presses, tell=told.append) == {"stubborn": taken}
    assert supervisor.pids() == {}


def test_a_slow_process_is_waited_for_and_the_user_is_told(supervisor, ready, tmp_path, monkeypatch):
    monkeypatch.setattr("rena_ros.processes.supervisor.TELL_S", 0.0)
    code = f"""
        import os, time
        print("ready")
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            while not os.path.exists({str(tmp_path / "told")!r}):
                time.sleep(0.01)
    """
    python(supervisor, "slow", code)
    python(supervisor, "other", SLEEPS)
    ready("slow")
    said = []

    def tell(names):
        said.append(names)
        (tmp_path / "told").touch()

    # Ctrl-C, pressed again before the user was told, does not end the patience.
    assert supervisor.stop("slow", patience_s=DEADLINE_S, presses=lambda: 1, tell=tell) == {}
    assert said == ["slow"] and set(supervisor.pids()) == {"other"}


def test_one_process_can_be_interrupted_first(supervisor, ready):
    for name in ("camera", "servos"):
        python(supervisor, name, SLEEPS)
        ready(name)
    supervisor.interrupt("camera", DEADLINE_S)
    assert set(supervisor.pids()) == {"servos"}


# A program that starts a child, which prints its process id; it may ignore SIGINT itself.
PARENT = """
import os, signal, sys, time
from pathlib import Path
from rena_ros.processes.supervisor import Supervisor
if "ignore" in sys.argv: signal.signal(signal.SIGINT, signal.SIG_IGN)
folder, child = Path(sys.argv[1]), "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
supervisor, log = Supervisor(folder), folder / "child.log"
supervisor.start("child", [sys.executable, "-c", child], os.environ)
"""


def test_ctrl_c_works_even_when_it_was_ignored_at_start(tmp_path):
    """`rena mimic &` in a script: the shell has switched SIGINT off, and children inherit that."""
    code = """
while not log.read_text():
    time.sleep(0.02)
print(supervisor.stop())
"""
    command = [sys.executable, "-c", PARENT + code, tmp_path, "ignore"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stdout.strip() == "{}"


def test_children_do_not_outlive_a_parent_that_was_killed(tmp_path, until):
    parent = subprocess.Popen([sys.executable, "-c", PARENT + "time.sleep(60)", tmp_path])
    try:
        log = tmp_path / "child.log"
        until(lambda: log.exists() and log.read_text().endswith("\n"))
        child = int(log.read_text())
        assert alive(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not alive(child))


def test_a_full_disk_does_not_stop_a_child(tmp_path, full_device, until):
    """/dev/full takes the place of the log: every write fails, the last lines are still there."""
    (tmp_path / "child.log").symlink_to(full_device)
    supervisor = Supervisor(tmp_path)
    python(supervisor, "child", "for i in range(2000): print('x' * 100)\nprint('done')")
    until(supervisor.ended)
    (ended,) = supervisor.ended()
    supervisor.close()
    assert ended.code == 0
    assert ended.last_lines[-1] == "done"


@pytest.mark.parametrize("name", ["caf\u00e9 \U0001f600", "caf\udce9"])
def test_a_name_reaches_a_child_as_its_own_bytes_in_any_locale(tmp_path, name):
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom rena_ros.processes.supervisor import Supervisor\n"
        "run = Supervisor(Path(sys.argv[1]))\n"
        f"run.start('echo', ['echo', {name!a}], os.environ)\n"
        "while not run.ended(): pass\n"
        "run.close()\n"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", program, tmp_path], env={**os.environ, **locale}, check=True)
    assert (tmp_path / "echo.log").read_bytes() == name.encode("utf-8", "surrogateescape") + b"\n"
