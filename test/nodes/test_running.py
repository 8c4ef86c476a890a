"""How a node process ends: on which signals, with which exit code, and when the middleware hangs."""

import hashlib
import signal
import sys
import threading
from pathlib import Path

import pytest

from rena_ros.base.claims import claim
from rena_ros.nodes.leaving import is_busy

# A node that has something to release: it prints a line when it spins and when it has released it.
PROGRAM = """
import ctypes, os, signal, sys, time
from rclpy.node import Node
from std_msgs.msg import String
from rena_ros.base.claims import is_claimed
from rena_ros.base.errors import RenaError
from rena_ros.nodes import leaving
from rena_ros.nodes.parameters import ParameterSpec, declare
from rena_ros.nodes.running import run_node

class Sleeper(Node):
    def __init__(self):
        super().__init__("sleeper")
        if "refuse" in sys.argv: raise RenaError("no such port")
        if "slow" in sys.argv: self.load()
        declare(self, [ParameterSpec("rate_hz", 50.0, "Hz", (1, 500)), ParameterSpec("source", "", "a file")])
        self.create_timer(0.01, self.once)

    def once(self):
        print("spinning", flush=True)
        for timer in list(self.timers)[:1]: timer.cancel()
        if "midway" in sys.argv:
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(100_000))
            self.create_publisher(String, "words", 1).publish(String(data="whole"))
            print("to its end", flush=True)

    def load(self):
        print("spinning", flush=True)
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            if "disguised" in sys.argv: raise RuntimeError("Unable to convert call argument")
            raise

    def leave(self):
        print("released", flush=True)

    def destroy_node(self):
        while "hang" in sys.argv: ctypes.PyDLL(None).pause()  # as Fast DDS: Python's lock is never released
        if "turn" in sys.argv: print("in turn" if is_claimed(sys.argv[2]) else "out of turn", flush=True)
        super().destroy_node()

def late(number, handler, change=signal.signal):
    if sys._getframe(1).f_code.co_name == "ignore_end" and handler == signal.SIG_IGN:
        os.kill(os.getpid(), signal.SIGINT)
    return change(number, handler)

if "twice" in sys.argv: signal.signal = late
if "hang" in sys.argv: leaving.CLOSING_S = 0.1
if "impatient" in sys.argv: leaving.TURN_S = 0.1
run_node("sleeper", Sleeper)
"""


@pytest.fixture
def start(processes):
    """Start the node; returns its process."""
    return lambda *arguments, before=None: processes.run([sys.executable, "-c", PROGRAM, *arguments], preexec_fn=before)


@pytest.fixture
def start_spinning(processes, start):
    """Start the node and wait until it spins, or loads its model; returns its process."""

    def start_spinning(*arguments, before=None):
        process = start(*arguments, before=before)
        assert processes.next_line(process) == "spinning\n"
        return process

    return start_spinning


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP])
def test_a_node_ends_cleanly_on(number, processes, start_spinning):
    assert processes.leave(start_spinning(), number) == (0, "released\n")


def test_a_callback_is_not_interrupted(processes, start):
    assert processes.ended(start("midway")) == (0, "spinning\nto its end\nreleased\n")


@pytest.mark.parametrize("how", [[], ["disguised"]])
def test_a_node_that_is_still_loading_is_interrupted(how, processes, start_spinning):
    assert processes.leave(start_spinning("slow", *how)) == (0, "")


def test_a_second_interrupt_just_before_signals_are_ignored_does_not_prevent_the_release(processes, start_spinning):
    assert processes.leave(start_spinning("twice")) == (0, "released\n")


def test_under_nohup_a_closed_terminal_is_ignored(processes, start_spinning):
    process = start_spinning(before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    assert int(status["SigIgn"], 16) & 1 << (signal.SIGHUP - 1)


def test_a_middleware_that_hangs_does_not_keep_the_process(processes, start_spinning):
    assert processes.leave(start_spinning("hang")) == (0, "released\n")


def test_a_node_closes_in_its_turn_and_does_not_wait_for_it_for_ever(processes, start_spinning, ros_domain):
    turn = f"leaving {ros_domain}"
    assert processes.leave(start_spinning("turn", turn)) == (0, "released\nin turn\n")
    with claim(turn):
        assert processes.leave(start_spinning("impatient")) == (0, "released\n")


def test_a_thread_that_works_is_waited_for(until):
    ends = threading.Event()
    worker = threading.Thread(target=lambda: [hashlib.sha256(bytes(10**7)) for _ in iter(ends.is_set, True)])
    worker.start()
    try:
        until(is_busy)
    finally:
        ends.set()
        worker.join()


def test_an_error_for_the_user_is_one_line_and_exit_code_2(processes, start):
    code, said = processes.ended(start("refuse"))
    assert code == 2 and len(said.splitlines()) == 1 and "[FATAL]" in said and "no such port" in said


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("rate_hz:=50", "the parameter rate_hz must be a decimal number, such as 50.0"),
        ("source:=5", 'the parameter source must be a text, such as ""'),
        ("rate_hz:=0.5", "rate_hz 0.5 is outside 1..500"),
        ("rate_hz:=.nan", "rate_hz nan is outside 1..500"),
    ],
)
def test_a_parameter_that_does_not_fit_is_one_line_and_exit_code_2(given, complaint, processes, start):
    code, said = processes.ended(start("--ros-args", "-p", given))
    assert code == 2 and len(said.splitlines()) == 1 and f"sleeper: {complaint}" in said


IMPORTING = """
import sys
import rena_ros.nodes
from rena_ros.nodes import start
rena_ros.nodes.__path__.append(sys.argv[1])
raise SystemExit(start.start("slow"))
"""


def test_a_node_that_is_still_being_imported_leaves_without_a_traceback(processes, tmp_path):
    (tmp_path / "slow.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(600)")
    process = processes.run([sys.executable, "-c", IMPORTING, tmp_path])
    assert processes.next_line(process) == "importing\n"
    assert processes.leave(process) == (0, "")
