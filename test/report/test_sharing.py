"""Processes that share a report: each unit is done exactly once, also when one of them is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from rena_ros.report.sharing import SharedWork

NAMES = [f"unit{i:02d}" for i in range(24)]
# Every unit waits for a moment and notes who did it; unit 3 needs unit 2. With "hang" the first unit never ends.
WORKER = """
import os, sys, time
from pathlib import Path
from rena_ros.report.sharing import SharedWork
folder, way, names = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
def do(name):
    with open(folder / "done.log", "a", encoding="utf-8") as log:
        log.write(f"{name} {os.getpid()}\\n")
    if way == "hang":
        print("holding", flush=True)
        time.sleep(600)
    assert name != "unit03" or (folder / "runs/unit02.json").exists()
    time.sleep(0.01)
    return {"by": os.getpid()}
SharedWork(folder).share(names, lambda name: ["unit02"] if name == "unit03" else [], do, lambda done: None)
"""


def start(folder, way="work"):
    command = [sys.executable, "-c", WORKER, str(folder), way, *NAMES]
    return subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")


def test_two_processes_do_each_unit_exactly_once(tmp_path):
    SharedWork(tmp_path)
    workers = [start(tmp_path) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    done = [line.split()[0] for line in (tmp_path / "done.log").read_text().splitlines()]
    assert sorted(done) == NAMES
    assert sorted(path.stem for path in (tmp_path / "runs").glob("*.json")) == NAMES


def test_what_a_killed_process_held_is_done_by_another(tmp_path):
    held = start(tmp_path, "hang")
    assert held.stdout.readline() == "holding\n"
    other = start(tmp_path)
    shared, deadline_s = SharedWork(tmp_path), time.monotonic() + 60
    while sum(map(shared.done, NAMES)) < len(NAMES) - 1 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not shared.done(NAMES[0]) and other.poll() is None  # it waits for the one that is held
    os.kill(held.pid, signal.SIGKILL)
    held.wait()
    assert other.wait(60) == 0
    assert shared.result(NAMES[0]) == {"by": other.pid}


def test_an_exception_leaves_no_result_and_no_claim(tmp_path):
    shared = SharedWork(tmp_path)

    def interrupted(name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.share(["one"], lambda name: [], interrupted, lambda done: None)
    assert shared.result("one") is None
    shared.share(["one"], lambda name: [], lambda name: {"value": 1}, lambda done: None)
    assert shared.result("one") == {"value": 1}
