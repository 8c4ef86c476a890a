"""launch/collect.launch.py, loaded by the real `launch`: the session that it opens and the nodes that it starts."""

import re
from pathlib import Path

import pytest

from rena_ros.base.errors import RenaError
from rena_ros.graph import processes_from
from rena_ros.recording import session
from rena_ros.recording.marker import SampleMarker
from rena_ros.recording.session import load, locked
from rena_ros.recording.stored import Stored

WHY = "`launch` comes with a ROS 2 installation only, not as a wheel"
actions = pytest.importorskip("launch.actions", reason=WHY)
launch = pytest.importorskip("launch", reason=WHY)
pytest.importorskip("launch_ros.actions", reason=WHY)

LAUNCH_FILE = Path(__file__).parents[2] / "launch/collect.launch.py"


@pytest.fixture
def opened(module_of):
    """Return what one launch after the other makes of its arguments: lines that it writes, and its last action."""
    launch_files = []

    def make(**arguments):
        make.end()
        launch_files.append(module_of(LAUNCH_FILE))
        context = launch.LaunchContext()
        defaults = {name: value for name, (value, _) in launch_files[-1].ARGUMENTS.items()}
        context.launch_configurations.update(defaults | arguments)
        *notes, last = launch_files[-1]._processes(context)
        return ["".join(part.text for part in action.msg) for action in notes], last

    def end():
        while launch_files:
            launch_files.pop().SESSION.close()

    make.end = end
    yield make
    end()


def parameters_of(included) -> dict[str, dict]:
    return {one.name: one.parameters for one in processes_from(dict(included.launch_arguments)["processes"])}


def test_it_begins_a_session_and_locks_it_and_the_nodes_read_its_copies(opened, tmp_path):
    out = tmp_path / "session"
    lines, included = opened(out=str(out), samples="60", seed="3", strategy="random", rest_s="1.5", namespace="lab")
    nodes = parameters_of(included)
    assert {"emulator", "servos", "twin", "recorder", "blendshapes", "camera", "babble"} == set(nodes)
    assert nodes["camera"]["source"] == "robot"
    babble = nodes["babble"]
    assert (babble["samples"], babble["seed"], babble["todo"], babble["rest_s"]) == (60, 3, "0-59", 1.5)
    assert Path(babble["strategy_file"]).read_bytes() == Path("config/strategy_random.yaml").read_bytes()
    assert Path(babble["robot_file"]) == out / "robot.yaml"
    given = dict(included.launch_arguments)
    assert (given["namespace"], given["vital"]) == ("/lab", "babble recorder")
    assert lines == [f"0 of 60 samples are in {out}"]
    assert load(out).runs[0]["command"].startswith(f"ros2 launch rena collect.launch.py out:={out} robot:=twin")
    with pytest.raises(RenaError, match="another run collects into"), locked(out):
        pass


def test_what_is_resumed_needs_no_argument_but_its_folder(opened, tmp_path):
    out = str(tmp_path / "session")
    opened(out=out, samples="60", seed="3", strategy="paper")
    before = (tmp_path / "session/strategy.yaml").read_bytes()
    babble = parameters_of(opened(out=out, resume="true")[1])["babble"]
    assert (babble["samples"], babble["seed"]) == (60, 3)
    assert Path(babble["strategy_file"]).read_bytes() == before


def test_a_session_that_is_complete_ends_the_launch(opened, tmp_path, monkeypatch):
    marker = SampleMarker(0, 0, 0, "jaw", {})
    monkeypatch.setattr(session, "stored", lambda _: Stored({0: marker, 1: marker}, {}, 0))
    lines, last = opened(out=str(tmp_path / "s"), samples="2")
    assert lines == [f"all 2 samples are in {tmp_path / 's'} already"]
    assert isinstance(last, actions.EmitEvent)
    nodes = parameters_of(opened(out=str(tmp_path / "s"), samples="2", measure_delay="yes")[1])
    assert (nodes["babble"]["samples"], nodes["babble"]["measure_delay"]) == (0, True), "no sample twice"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "out:= is missing"),
        ({"out": "x", "samples": "many"}, "samples:=many is no whole number"),
        ({"out": "x", "resume": "true"}, "holds no session to resume"),
        ({"out": "x", "source": "robot", "robot": "/dev/null"}, "the source robot is the twin's picture"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, complaint, opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RenaError, match=re.escape(complaint)):
        opened(**arguments)
