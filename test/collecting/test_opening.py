"""A session before its nodes start: what decides its numbers, and what its file notes."""

import argparse
import contextlib
import io
from pathlib import Path

import pytest
from rich.console import Console

from rena_ros.base.errors import RenaError
from rena_ros.collecting import command, session_run
from rena_ros.collecting.live import LiveOutcome
from rena_ros.collecting.opening import OpenSession, opened
from rena_ros.recording import session
from rena_ros.recording.marker import SampleMarker
from rena_ros.recording.stored import Stored


@pytest.fixture
def parsed(tmp_path):
    """Return options of `rena collect` for the session in tmp_path/session."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return lambda *words: parser.parse_args(["--out", str(tmp_path / "session"), *words])


@pytest.fixture
def opening(parsed):
    """Open that session with more options, and close it again."""

    def opening(*words: str) -> OpenSession:
        with opened(parsed(*words), "rena collect") as open_session:
            return open_session

    return opening


def parameters(opened_session: OpenSession, node: str) -> dict:
    return dict(next(one for one in opened_session.processes if one.name == node).parameters)


def test_a_parameter_file_says_what_no_option_and_no_session_does(opening, tmp_path):
    file = tmp_path / "lab.yaml"
    file.write_text("babble:\n ros__parameters: {samples: 70, seed: 5, strategy_file: random, rest_s: 7.0}\n")
    given = parameters(opening("--params-file", str(file), "--seed", "6"), "babble")
    assert (given["samples"], given["seed"], "rest_s" in given) == (70, 6, False)  # rest_s: from the file, by ROS
    copy = Path(given["strategy_file"])
    assert copy.read_bytes() == Path("config/strategy_random.yaml").read_bytes()
    file.write_text("babble:\n ros__parameters: {samples: 80, seed: 9}\n")
    given = parameters(opening("--params-file", str(file), "--resume"), "babble")
    assert (given["samples"], given["seed"]) == (70, 6), "the session comes before the file"
    file.write_text("babble:\n ros__parameters: {samples: many}\n")
    with pytest.raises(RenaError, match="samples must be a number from 0 to 1000000, not many"):
        opening("--params-file", str(file))


@pytest.mark.parametrize(("text", "option", "expected"), [("true", (), True), ("false", ("--autostart",), True)])
def test_torque_that_may_be_switched_on_may_be_restored(opening, tmp_path, text, option, expected):
    file = tmp_path / "lab.yaml"
    file.write_text(f"servos:\n ros__parameters: {{autostart: {text}}}\n")
    open_session = opening("--params-file", str(file), "--robot", "/dev/null", "--source", "performer", *option)
    assert parameters(open_session, "servos")["autostart"] is expected
    assert parameters(open_session, "babble")["restore_torque"] is expected


def test_a_run_that_finds_nothing_to_do_was_not_cut_off(opening, tmp_path, monkeypatch):
    marker = SampleMarker(0, 0, 0, "jaw", {})
    monkeypatch.setattr(session, "stored", lambda _: Stored({0: marker, 1: marker}, {}, 0))
    assert not opening("--samples", "2").has_work
    assert [run["ending"] for run in session.load(tmp_path / "session").runs] == ["complete"]


def test_a_run_that_is_refused_after_all_was_not_cut_off(parsed, tmp_path):
    with contextlib.suppress(RenaError), opened(parsed("--samples", "2"), "rena collect"):
        raise RenaError("another run of Rena runs on this machine")
    assert [run["ending"] for run in session.load(tmp_path / "session").runs] == ["failed"]


@pytest.mark.parametrize(("lost", "what"), [("robot.yaml", "robot"), ("strategy.yaml", "strategy")])
def test_another_recipe_does_not_take_the_place_of_a_copy_that_is_missing(opening, tmp_path, lost, what):
    robot = tmp_path / "my_face.yaml"
    robot.write_bytes(Path("config/rena.yaml").read_bytes() + b"# mine\n")
    own = ("--robot-file", str(robot), "--strategy", "paper")
    opening(*own, "--samples", "5")
    (tmp_path / "session" / lost).unlink()
    with pytest.raises(RenaError, match=f"holds a session of another {what}: give what it began with"):
        opening("--resume")
    assert opening("--resume", *own).session.samples == 5


def test_a_disk_that_is_full_at_the_end_is_said_with_what_to_do(opening, tmp_path, monkeypatch):
    ended = opening("--samples", "2")

    def refuse(*_):
        raise RenaError("cannot write session.json: No space left on device; it is unchanged")

    monkeypatch.setattr(session, "end_run", refuse)
    console = Console(file=io.StringIO(), soft_wrap=True)
    assert session_run._conclude(None, ended, LiveOutcome("complete"), console) == 1
    assert "No space left on device" in (said := console.file.getvalue())
    assert f"stays in {ended.out}; the same command with --resume mends it and goes on" in said
