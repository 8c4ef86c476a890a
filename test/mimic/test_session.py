"""A run that another machine disturbs; the order in which the processes end, and Ctrl-C again meanwhile."""

import io
import os
import signal
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from rena_ros.base.errors import RenaError
from rena_ros.base.signals import end_noted
from rena_ros.graph import mimic_graph
from rena_ros.mimic import session
from rena_ros.mimic.session import Session
from rena_ros.processes.ending import take_down
from rena_ros.processes.supervisor import Supervisor

# When interrupted, it notes its name and ends. The servos node lets Ctrl-C come again before, and takes its time, in
# which an emulator that was interrupted too early would note its name first.
NODE = """
import os, signal, sys, time
def end(*_):
    if name == "servos":
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(0.5)
    with open(order, "a") as file: print(name, file=file)
    os._exit(0)
name, order = sys.argv[1:]
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: time.sleep(60)
"""
NAMES = ("emulator", "servos", "camera")


def test_the_camera_ends_first_and_the_emulator_last(tmp_path, until, monkeypatch):
    for limit in ("ending.CAMERA_STOP_S", "supervisor.TERM_S"):
        monkeypatch.setattr(f"rena_ros.processes.{limit}", 60.0)
    supervisor, order = Supervisor(tmp_path), tmp_path / "order"
    for name in NAMES:
        supervisor.start(name, [sys.executable, "-I", "-S", "-c", NODE, name, str(order)], os.environ)
    until(lambda: all((tmp_path / f"{name}.log").read_text() == "ready\n" for name in NAMES))
    before = signal.getsignal(signal.SIGINT)
    with end_noted() as presses:
        assert take_down(supervisor, presses, lambda _: None) == {}
        assert presses() == 1
    assert signal.getsignal(signal.SIGINT) == before
    supervisor.close()
    assert order.read_text().split() == ["camera", "servos", "emulator"]
    assert [ended.code for ended in supervisor.ended()] == [0, 0, 0]


def test_a_run_on_another_machine_that_appears_later_ends_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr(session.os, "setpriority", lambda *_: None)
    monkeypatch.setattr(session, "LOOK_S", 0.0)
    looks = iter([(), (), ("servos",)])

    def on_other_machines(published):
        assert published["servos"] == "joint_states" and published["policy"].startswith("servos/command")
        return next(looks)

    run = Session(mimic_graph(), tmp_path, Console(file=io.StringIO()), "", tmp_path)
    monitor = SimpleNamespace(failure=None, node=SimpleNamespace(on_other_machines=on_other_machines))
    with pytest.raises(RenaError, match=r"another machine runs servos .* ROS_DOMAIN_ID=… rena mimic"):
        run._follow(monitor, SimpleNamespace(failure=None), "title", None, None)
