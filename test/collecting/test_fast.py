"""rena collect: real samples, from goals over the wire and the picture to a reading; runs can be continued."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.cli import main
from rena_ros.collecting import fast
from rena_ros.collecting.shard_recorder import ATTEMPTS, record_shard
from rena_ros.collecting.stage import Observation
from rena_ros.datasets.dataset import load_dataset, shard_path
from rena_ros.perception.face_reader import FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import planned, replacement

ROBOT = load_robot()
STRATEGY = load_strategy()


def run(directory, samples: int, *more: str) -> int:
    numbers = ["--samples", str(samples), "--seed", "4"]
    return main(["collect", "--robot", "twin", "--fast", *numbers, "--out", str(directory), *more])


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """Seven samples in shards of three, collected in one run."""
    directory = tmp_path_factory.mktemp("complete")
    before, fast.SHARD_SIZE = fast.SHARD_SIZE, 3
    try:
        assert run(directory, 7, "--workers", "1", "--json", str(directory.parent / "figures.json")) == 0
        yield directory
    finally:
        fast.SHARD_SIZE = before


def test_a_sample_holds_the_commanded_goals_the_positions_at_rest_and_the_reading(complete):
    dataset = load_dataset(complete)
    assert dataset.goals.shape == dataset.positions.shape == (7, 25)
    assert dataset.features.shape == (7, 55)
    assert dataset.landmarks.shape == (7, 478, 3)
    plan = planned(ROBOT, STRATEGY, seed=4, samples=7)
    np.testing.assert_array_equal(dataset.goals, [expression.goals for expression in plan])
    assert dataset.groups.tolist() == [expression.group for expression in plan]
    assert np.abs(dataset.positions - ROBOT.positions(dataset.goals)).max() <= 0.5 * RAD_PER_TICK + 1e-6
    # The head pose in the reading follows the robot's neck; the other features depend on calibration.
    yaw, neck = dataset.features[:, -3], dataset.positions[:, ROBOT.index["neck_yaw"]]
    assert np.ptp(neck) > 0.1 and np.corrcoef(yaw, neck)[0, 1] > 0.95
    with FaceReader(video=False) as reader:
        picture = cv2.cvtColor(cv2.imread(str(dataset.image(6))), cv2.COLOR_BGR2RGB)
        assert picture.shape == (480, 640, 3)
        again = reader.read(picture, 0)
    np.testing.assert_allclose(again.landmarks[:, :2], dataset.landmarks[6][:, :2], atol=0.01)


def test_json_holds_the_figures(complete):
    figures = json.loads((complete.parent / "figures.json").read_text())
    assert figures["samples"] == figures["collected_now"] == figures["frames_with_face"] == 7
    assert figures["samples_per_s"] > 0
    assert sum(figures["groups"].values()) == 7
    jaw = load_dataset(complete).goals[:, ROBOT.index["jaw"]]
    assert figures["servos"]["jaw"]["mean"] == pytest.approx(jaw.mean(), abs=1e-4)


def test_an_interrupted_dataset_is_finished_bit_for_bit(complete, tmp_path, capsys):
    assert run(tmp_path, 4, "--workers", "1") == 0  # as if it had ended after the first shard and one sample
    shard_path(tmp_path, 0).unlink()  # and a shard had been lost
    assert run(tmp_path, 7, "--workers", "2") == 0
    assert "0 of 7 samples are there" in capsys.readouterr().out
    files = [path.relative_to(complete) for folder in ("shards", "images") for path in (complete / folder).iterdir()]
    assert len(files) == 3 + 7
    for file in files:
        assert (tmp_path / file).read_bytes() == (complete / file).read_bytes(), file
    assert run(tmp_path, 7) == 0
    assert "all of them collected earlier" in capsys.readouterr().out


def started(directory) -> subprocess.Popen:
    """A long run in its own process group, once its first shard exists."""
    code = (
        "import sys; from rena_ros.collecting import fast; from rena_ros.cli import main; fast.SHARD_SIZE = 3;"
        f"sys.exit(main('collect --robot twin --fast --samples 6000 --seed 4 --workers 2 --out {directory}'.split()))"
    )
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0)
    deadline = time.monotonic() + 60
    while not shard_path(directory, 0).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def test_ctrl_c_leaves_a_directory_that_can_be_continued(complete, tmp_path):
    process = started(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C in a terminal reaches the workers as well
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "the same command continues" in output and "Traceback" not in output
    assert shard_path(tmp_path, 0).read_bytes() == shard_path(complete, 0).read_bytes()
    with pytest.raises(RenaError, match="of 6000 samples"):
        load_dataset(tmp_path)


def test_the_death_of_a_worker_ends_the_run_with_an_error(tmp_path):
    process = started(tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2, output
    assert "a collecting process died (exit code -9)" in output
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_the_error_of_a_worker_reaches_the_user(tmp_path, monkeypatch, capsys):
    broken = tmp_path / "robot.yaml"
    broken.write_text(ROBOT.source.read_text())
    before = fast.record_shards

    def after_removing_the_file(job, *rest):
        broken.unlink()
        before(job, *rest)

    monkeypatch.setattr(fast, "record_shards", after_removing_the_file)
    assert run(tmp_path / "out", 3, "--workers", "1", "--robot-file", str(broken)) == 2
    assert "cannot read the robot file" in capsys.readouterr().err


def test_a_body_is_part_of_the_recipe(complete, tmp_path, capsys):
    meta = json.loads((complete / "meta.json").read_text())
    assert "body" not in meta  # so that datasets of earlier versions can be continued
    assert run(complete, 7, "--body", str(ROBOT.source.parent / "foreign.yaml")) == 2
    assert "; body: None there" in capsys.readouterr().err
    assert json.loads((complete / "meta.json").read_text()) == meta
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "body": "0f3c"}))
    assert run(tmp_path, 7) == 2
    assert "(body: 0f3c there, None now" in capsys.readouterr().err


@dataclass
class FacelessStage:
    """A stage on which an expression shows no face when its jaw is open."""

    robot = ROBOT

    def reset(self):
        self.shown = 0

    def show(self, goals, rng=None):
        self.shown += 1
        observation = Observation(ROBOT.positions(goals), np.zeros((4, 4, 3), np.uint8), None)
        return observation if goals[ROBOT.index["jaw"]] > 0 else replace(observation, reading=StandInReading())


class StandInReading:
    """The part of a reading that is written into a shard."""

    features = np.zeros(55, np.float32)
    landmarks = np.zeros((478, 3), np.float32)


def test_frames_without_a_face_are_replaced_deterministically_and_counted():
    plan = planned(ROBOT, STRATEGY, 1, 40)
    jaw = ROBOT.index["jaw"]
    first, again = (
        record_shard(FacelessStage(), 0, plan, lambda *place: replacement(ROBOT, STRATEGY, 1, *place), lambda: None)
        for _ in range(2)
    )
    assert (first.arrays["goals"][:, jaw] == 0).all()
    hidden = np.array([expression.goals[jaw] > 0 for expression in plan])
    assert 5 < hidden.sum() < 35
    np.testing.assert_array_equal(first.arrays["attempts"] > 0, hidden)
    np.testing.assert_array_equal(first.arrays["goals"][~hidden], np.stack([e.goals for e in plan])[~hidden])
    np.testing.assert_array_equal(first.arrays["goals"], again.arrays["goals"])


def test_a_twin_without_a_face_ends_in_an_error_instead_of_an_endless_loop():
    plan = [replace(planned(ROBOT, STRATEGY, 1, 1)[0], goals=np.ones(25, np.float32))]
    stage = FacelessStage()
    with pytest.raises(RenaError, match=f"no face found in {ATTEMPTS} different"):
        record_shard(stage, 0, plan, lambda *_: plan[0], lambda: None)
    assert stage.shown == ATTEMPTS


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--robot", "/dev/ttyUSB0", "--fast"], "--fast collects from the twin only"),
        (["--fast", "--resume"], "--resume goes without --fast only"),
        (["--workers", "2"], "--workers goes with --fast only"),
        (["--robot", "/nowhere"], "there is no serial port /nowhere"),
        (["--robot", "/dev/null"], "the source is missing"),
        (["--source", "nowhere.mp4"], "there is no video file nowhere.mp4"),
        (["--json", "/nowhere/figures.json"], "there is no folder /nowhere"),
        (["--samples", "0"], "--samples must be at least 1"),
        (["--samples", "99999999999"], "--samples must be a number from 0 to 1000000, not 99999999999"),
        (["--fast", "--seed", "-1"], "--seed must be a number from 0 to 9007199254740992, not -1"),
        (["--rest-s", "nan"], "--rest-s must be a number from 0 to 3600, not nan"),
        (["--duration", "0"], "--duration must be a number from 1 to 100000000, not 0.0"),
        (["--body", "nowhere.yaml"], "cannot read the body file nowhere.yaml"),
        (["--resume"], "holds no session to resume: leave --resume out to begin one"),
        (["--fast", "--samples", "0"], "--samples must be at least 1"),
        (["--fast", "--workers", "0"], "--workers must be at least 1"),
        (["--fast", "--strategy", "nowhere.yaml"], "cannot read the strategy file nowhere.yaml"),
        (["--fast", "--body", "nowhere.yaml"], "cannot read the body file nowhere.yaml"),
    ],
)
def test_impossible_arguments_are_refused_before_anything_is_written(tmp_path, capsys, arguments, complaint):
    assert main(["collect", "--out", str(tmp_path / "out"), *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
