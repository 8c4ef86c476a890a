"""`rena servo jog`: one servo, slowly, inside its limits; torque off before and after, whatever ends it."""

import csv
import functools
import math
import os
import shutil
import signal
import termios
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tool_stand import ROBOT, Hands

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.cli import main
from rena_ros.robot.edit import edited
from rena_ros.servo_tools import jog
from rena_ros.servo_tools.keys import key_name
from rena_ros.servo_tools.torque_hold import hold_torque, limit_ticks, read_servo, slow_speed_ticks_s

JAW = ROBOT.servos[ROBOT.index["jaw"]]


@pytest.fixture
def jogged(stand):
    """Run the command with these arguments in virtual time and return its exit code."""
    return functools.partial(stand.call, jog)


def with_speed(folder, speed_rad_s):
    """Write a robot file in which the jaw has this speed limit."""
    path = folder / "my_face.yaml"
    path.write_text(edited(Path(ROBOT.source).read_text(), {"jaw": {"max_speed_rad_s": speed_rad_s}}))
    return path


def torque_on(stand):
    return stand.bank.report()["torque_on"]


def test_the_goal_stays_within_the_lead_ahead_of_the_servo():
    assert jog.step_goal(2100, 2100, 5, 50) == 2105
    assert jog.step_goal(2148, 2100, 5, 50) == 2150
    assert jog.step_goal(2150, 2100, 5, 50) == 2150
    assert jog.step_goal(2050, 2100, -5, 50) == 2050
    assert jog.step_goal(2400, 2100, 5, 50) == 2400  # a goal that is farther ahead already stays
    assert jog.step_goal(2400, 2100, -5, 50) == 2395


def test_to_takes_ticks_within_the_limits_and_three_names():
    assert jog.wanted_ticks(JAW, "2100") == 2100
    assert [jog.wanted_ticks(JAW, word) for word in ("min", "neutral", "max")] == [2048, 2048, 2468]
    with pytest.raises(RenaError, match=r"2469 ticks is outside 2048\.\.2468, the limits of jaw"):
        jog.wanted_ticks(JAW, "2469")
    with pytest.raises(RenaError, match="must be a number of ticks, or min, neutral or max"):
        jog.wanted_ticks(JAW, "open")


@pytest.mark.parametrize("name", ["jaw", "corner_left_up", "neck_yaw"])
def test_goals_pass_the_limiter(name):
    servo = ROBOT.servos[ROBOT.index[name]]
    for ticks in range(-300, 5000, 37):
        assert limit_ticks(ROBOT, servo, ticks) == min(max(ticks, servo.min_ticks), servo.max_ticks)


def test_arrived_moving_or_stuck():
    progress = jog.GoalProgress(goal=2100, speed=200, nearer_at_s=0.0)
    assert progress.feed(2000, 0.1) == "moving"
    assert progress.feed(2050, 0.7) == "moving"
    assert progress.feed(2050, 1.3) == "moving"
    assert progress.feed(2050, 1.5) == "stuck"
    assert jog.GoalProgress(2100, 200, 0.0).feed(2100, 0.1) == "arrived"
    resting = jog.GoalProgress(2100, 200, 0.0)
    assert resting.feed(2095, 0.1) == "moving"
    assert resting.feed(2095, 1.0) == "arrived"


def test_only_this_servo_is_under_torque_and_nothing_moves(stand):
    before = stand.bank.positions
    with hold_torque(stand.line(), JAW, 200):
        stand.bank.advance(1.0)
        assert torque_on(stand) == ["jaw"]
    assert torque_on(stand) == [] and (stand.bank.positions == before).all()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RenaError, ValueError])
def test_torque_is_off_after_an_interruption(stand, interruption):
    with pytest.raises(interruption), hold_torque(stand.line(), JAW, 200):
        raise interruption
    assert torque_on(stand) == []


def test_the_servo_moves_at_the_requested_speed(stand):
    line = stand.line()
    with hold_torque(line, JAW, slow_speed_ticks_s(JAW)):
        start_s = stand.bank.now_s
        jog.JoggedServo(line, ROBOT, JAW).go(JAW.max_ticks)
        while read_servo(line, JAW).ticks < JAW.max_ticks:
            stand.bank.advance(0.01)
        took_s = stand.bank.now_s - start_s
    assert 0.95 < took_s * slow_speed_ticks_s(JAW) / (JAW.max_ticks - JAW.min_ticks) < 1.2


def test_a_snapshot_holds_the_values_of_the_registers(stand):
    stand.bank.inject("overheat", "jaw", temperature_c=77)
    reading = read_servo(stand.line(), JAW)
    assert (reading.ticks, reading.temperature_c, reading.voltage_v) == (2048, 77, 6.0)
    assert reading.conditions == "temperature"


def test_to_and_by_move_there_and_release_torque(stand, jogged, capsys):
    assert jogged("jaw", "--to", 2200) == 0
    assert abs(stand.bank.positions[ROBOT.index["jaw"]] - 2200) <= 1 and torque_on(stand) == []
    assert jogged("21", "--by", -100) == 0
    assert abs(stand.bank.positions[ROBOT.index["jaw"]] - 2100) <= 2
    assert np.delete(stand.bank.positions, ROBOT.index["jaw"]).tolist() == [2048] * 24
    assert "its torque is off again" in capsys.readouterr().out


def test_a_blocked_servo_is_a_failure(stand, jogged, capsys):
    stand.bank.inject("stuck", "jaw")
    assert jogged("jaw", "--to", 2200) == 1
    assert "it is blocked, or too weak" in " ".join(capsys.readouterr().out.split())
    assert torque_on(stand) == []


def test_torque_that_goes_off_by_itself_is_reported(stand, jogged, capsys):
    stand.bank.inject("torque_lost", "jaw", at_s=0.2)
    assert jogged("jaw", "--to", "max") == 1
    assert "its torque went off by itself" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "happens",
    [lambda bank: bank.inject("torque_lost", "jaw"), lambda bank: bank.power_cycle()],
    ids=["torque lost", "power lost"],
)
def test_torque_that_goes_off_by_itself_ends_moving_by_keys(stand, jogged, monkeypatch, capsys, happens):
    monkeypatch.setattr(jog, "Keys", lambda _: Hands(stand, "up", "up", lambda: happens(stand.bank) and None))
    assert jogged("jaw") == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "jaw: stopped at" in printed and "its torque went off by itself" in printed and "start again" in printed
    assert "off again" not in printed and torque_on(stand) == []


def test_keys_move_the_servo_until_q(stand, jogged, monkeypatch, capsys):
    monkeypatch.setattr(jog, "Keys", lambda _: Hands(stand, "up", "up", *[None] * 20, "q"))
    assert jogged("jaw") == 0 and "its torque is off again" in capsys.readouterr().out
    assert stand.bank.positions[ROBOT.index["jaw"]] == 2048 + 2 * 50 and torque_on(stand) == []


# 0 means no limit, and a speed above 0x7FFF does not fit: bit 15 is the sign (FEETECH's memory table).
@pytest.mark.parametrize(
    ("limit_rad_s", "asked", "written"),
    [
        (0.01, [], 1),
        (0.01, ["--speed", 100], round(0.01 * 4096 / (2 * math.pi))),
        (50.0, ["--speed", 100_000], round(50 * 4096 / (2 * math.pi))),
        (40.0, ["--speed", 300], 300),
        (3.0, ["--speed", 100_000], round(3.0 * 4096 / (2 * math.pi))),
    ],
)
@pytest.mark.parametrize("keys", [False, True])
def test_the_speed_register_gets_a_speed_within_the_servos_limit(
    stand, jogged, tmp_path, monkeypatch, limit_rad_s, asked, written, keys
):
    monkeypatch.setattr(jog, "Keys", lambda _: Hands(stand, "right", "q"))
    how = [] if keys else ["--to", 2051]
    assert jogged("jaw", *how, *asked, "--robot-file", with_speed(tmp_path, limit_rad_s)) == 0
    assert read_register(stand.line(), JAW.id, "goal_speed") == written


def test_a_speed_fits_the_register_whatever_the_limit():
    slow, fast = (replace(JAW, max_speed_rad_s=speed_rad_s) for speed_rad_s in (0.0001, 600.0))
    assert [jog.register_speed(servo, 10**6) for servo in (slow, fast)] == [1, 0x7FFF]
    assert [slow_speed_ticks_s(servo) for servo in (slow, replace(JAW, max_speed_rad_s=6000.0))] == [1, 0x7FFF]


def test_a_position_beyond_a_limit_is_refused_before_anything_is_written(stand, jogged):
    with pytest.raises(RenaError, match=r"2468, the limits of jaw \(id 21\)"):
        jogged("jaw", "--by", 1000)
    assert stand.bank.report()["torque_on_writes"] == 0 and stand.bank.report()["goal_writes"] == 0


def test_an_antagonist_under_torque_is_a_refusal(stand, jogged):
    stand.bank.set_register("corner_left_up", "torque_enable", 1)
    with pytest.raises(RenaError, match=r"corner_left_up .* pulls against corner_left_down and is under torque"):
        jogged("corner_left_down", "--to", "max")
    assert torque_on(stand) == ["corner_left_up"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("dead", r"jaw \(id 21\) does not reply; `rena servo scan`"), ("overload", "reports overload")],
)
def test_a_silent_or_overloaded_servo_gets_no_torque(stand, jogged, fault, error):
    stand.bank.inject(fault, "jaw")
    with pytest.raises(RenaError, match=error):
        jogged("jaw", "--to", "max")
    assert stand.bank.report()["torque_on_writes"] == 0


def test_a_servo_that_keeps_its_torque_is_named(stand):
    with (
        pytest.raises(RenaError, match=r"jaw \(id 21\) may still be under torque"),
        hold_torque(stand.line(), JAW, 200),
    ):
        stand.bank.inject("overload", "jaw")


def test_a_cable_pulled_under_torque_is_reported(stand):
    line = stand.line()

    def pull_the_cable():
        with hold_torque(line, JAW, 200):
            stand.bank.inject("unplugged")
            read_servo(line, JAW)

    with pytest.raises(RenaError, match=r"is gone.*jaw \(id 21\) may still be under torque"):
        pull_the_cable()


def test_key_names():
    names = [key_name(data) for data in (b"\x1b[A", b"\x1bOD", b"\x1b", b"q", b"\x1b[5~", b"\xc3")]
    assert names == ["up", "left", "escape", "q", None, None]


@pytest.mark.parametrize("ending", ["q", "ctrl-c", "sigterm", "hang up"])
def test_jog_in_a_terminal_ends_with_torque_off(make_emulator, terminal, ending, tmp_path):
    emulator = make_emulator("--goals", tmp_path / "goals.csv")
    tool = terminal("jog", "jaw", "--port", emulator.link)
    before = termios.tcgetattr(tool.slave)
    tool.wait_for("at 2048  goal 2048")
    tool.press("\x1b[C\x1b[C")
    tool.wait_for("at 205[78]  goal 2058")
    if ending == "hang up":
        tool.hang_up()
    elif ending == "sigterm":
        tool.process.send_signal(signal.SIGTERM)
    else:
        tool.press({"q": "q", "ctrl-c": "\x03"}[ending])
    code = tool.ended()
    if ending == "hang up":
        assert code != 0  # there is no terminal to print to
    else:
        assert code == (0 if ending == "q" else 130)
        assert "its torque is off again" in tool.text
        assert termios.tcgetattr(tool.slave) == before
    report = emulator.end()
    assert report["torque_on"] == [] and report["torque_on_writes"] >= 1 and report["limit_violations"] == 0
    with (tmp_path / "goals.csv").open() as file:
        goals = list(csv.DictReader(file))
    assert {name for row in goals for name, ticks in row.items() if ticks} == {"time_s", "jaw"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["jog", "jaw", "--step", "x"], "'x' is no whole number from 1 on"),
        (["jog", "jaw", "--speed", "0"], "'0' is no whole number from 1 on"),
        (["calibrate", "--torque", "4"], "'4' is no whole number in 5..100"),
        (["calibrate", "--torque", "1e2"], "'1e2' is no whole number in 5..100"),
        (["monitor", "--rate", "x"], "'x' is no number of reads per second above 0 and at most 100"),
        (["monitor", "--rate", "nan"], "'nan' is no number of reads per second above 0 and at most 100"),
    ],
)
def test_an_option_that_is_no_number_is_refused_in_words(arguments, complaint, capsys):
    with pytest.raises(SystemExit):
        main(["servo", *arguments])
    assert complaint in capsys.readouterr().err


def test_without_a_keyboard_each_tool_gives_its_own_advice(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    assert main(["servo", "jog", "jaw"]) == 2
    assert "--to or --by" in capsys.readouterr().err
    shutil.copy(ROBOT.source, tmp_path / "my_face.yaml")
    assert main(["servo", "calibrate", "--robot-file", str(tmp_path / "my_face.yaml")]) == 2
    assert "run this in a terminal" in capsys.readouterr().err
