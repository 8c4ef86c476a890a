"""The end of a run: the order in which the processes end, and Ctrl-C again meanwhile."""

import os
import signal
import sys

from rena_ros.base.signals import end_noted
from rena_ros.mimic.session import take_down
from rena_ros.mimic.supervisor import Supervisor

# When interrupted, it notes its name and ends; the servos node lets Ctrl-C come again before.
NODE = """
import os, signal, sys, time
def end(*_):
    if name == "servos": os.kill(os.getppid(), signal.SIGINT)
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
    for limit in ("session.CAMERA_STOP_S", "supervisor.TERM_S"):
        monkeypatch.setattr(f"rena_ros.mimic.{limit}", 60.0)
    supervisor, order = Supervisor(tmp_path), tmp_path / "order"
    for name in NAMES:
        supervisor.start(name, [sys.executable, "-I", "-S", "-c", NODE, name, str(order)], os.environ)
    until(lambda: all((tmp_path / f"{name}.log").read_text() == "ready\n" for name in NAMES))
    before = signal.getsignal(signal.SIGINT)
    with end_noted() as hurried:
        take_down(supervisor, hurried, lambda _: None)
        assert hurried()
    assert signal.getsignal(signal.SIGINT) == before
    supervisor.close()
    assert order.read_text().split() == ["camera", "servos", "emulator"]
    assert [ended.code for ended in supervisor.ended()] == [0, 0, 0]
