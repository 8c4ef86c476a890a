"""`rena collect` over ROS, for real: killed with all its nodes, resumed, and compared with the plan."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rena_ros.recording.session import load, mend
from rena_ros.recording.session import stored as stored_in_session
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import planned, replacement

DEADLINE_S = 120.0
SAMPLES, SEED = 8, 4


@pytest.fixture
def start(ros_domain, tmp_path):
    """Start `rena collect` as the leader of a process group, in a ROS domain of its own."""
    environment = {**os.environ, "ROS_DOMAIN_ID": str(ros_domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}

    def start(*words: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "rena_ros.cli", "collect", "--out", tmp_path / "session", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
        return subprocess.Popen(list(map(str, command)), env=environment, **pipes)

    return start


def until_stored(run: subprocess.Popen, session: Path, samples: int) -> None:
    """Wait until the bag, whose chunks are not compressed, holds so many accepted samples."""
    deadline = time.monotonic() + DEADLINE_S
    while sum(path.read_bytes().count(b"accepted") for path in session.glob("bags/*/*.mcap")) < samples:
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_session_that_is_killed_goes_on_where_it_was(start, nodes_of, kill_cleanly, tmp_path):
    out = tmp_path / "session"
    run = start("--samples", SAMPLES, "--seed", SEED, "--rest-every", 0)
    until_stored(run, out, 2)
    kill_cleanly(run.pid, *nodes_of(run.pid).values())
    run.communicate()
    mended = shutil.copytree(out, tmp_path / "mended", ignore=shutil.ignore_patterns("log"))
    assert mend(mended) == 1
    kept = len(stored_in_session(mended).samples)
    run = start("--resume", "--rest-every", 0, "--json", tmp_path / "figures.json")
    try:
        said, _ = run.communicate(timeout=DEADLINE_S)
    finally:
        run.kill()
    assert run.returncode == 0, said
    assert f"all {SAMPLES} samples are in {out}; next: rena dataset build {out} --out DIR" in said

    robot = load_robot(None)
    strategy = load_strategy(None, robot)
    plan, held = planned(robot, strategy, SEED, SAMPLES), stored_in_session(out)
    assert sorted(held.samples) == list(range(SAMPLES))  # one that lost its picture on a busy machine came again
    for index, marker in held.samples.items():
        again = replacement(robot, strategy, SEED, index, marker.attempt) if marker.attempt else plan[index]
        np.testing.assert_array_equal(marker.goals_of(robot.names), again.goals)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["samples"] == SAMPLES and figures["collected_now"] == SAMPLES - kept
    assert set(figures["cpu_percent"]) == {
        "emulator", "servos", "twin", "recorder", "blendshapes", "camera", "babble",
    }  # fmt: skip
    assert [(run.get("ending"), "--resume" in run["command"]) for run in load(out).runs] == [
        (None, False),
        ("complete", True),
    ]
