"""What is found wrong with commands: units, refusals, slow sources, several publishers."""

import dataclasses

import numpy as np
import pytest

from rena_ros.control.command_health import CommandHealth, CommandWatch, judge_commands
from rena_ros.control.commands import CommandOutcome, far_outside
from rena_ros.control.health import BusHealth, Level, judge_bus
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
JAW = ROBOT.index["jaw"]
TRAVEL = ROBOT.upper - ROBOT.lower


@pytest.mark.parametrize("name", ROBOT.names)
@pytest.mark.parametrize("side", [-1, 1])
def test_a_position_is_far_outside_from_a_twentieth_of_the_travel_on(name, side):
    i = ROBOT.index[name]
    limit = ROBOT.upper[i] if side > 0 else ROBOT.lower[i]
    assert far_outside(ROBOT, [name], [limit + side * 0.049 * TRAVEL[i]]) == ""
    text = far_outside(ROBOT, ["neck_roll", name], [0.0, limit + side * 0.051 * TRAVEL[i]])
    if name != "neck_roll":
        assert text.startswith(f"{name} ") and f"{ROBOT.lower[i]:.2f}..{ROBOT.upper[i]:.2f} rad" in text
        assert "degrees" not in text and "ticks" not in text


def test_a_face_in_degrees_looks_like_degrees():
    goals = np.random.default_rng(0).random((200, len(ROBOT.names)))
    degrees = np.degrees(ROBOT.positions(goals))
    texts = [far_outside(ROBOT, ROBOT.names, row.tolist()) for row in degrees]
    assert all("which looks like degrees: joint positions are radians" in text for text in texts)
    assert all(far_outside(ROBOT, ROBOT.names, ROBOT.positions(row).tolist()) == "" for row in goals)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (34, "jaw 34 rad is outside 0.00..0.64 rad, which looks like degrees: joint positions are radians"),
        (-34, "jaw -34 rad is outside 0.00..0.64 rad, which looks like degrees: joint positions are radians"),
        (1.3, "jaw 1.3 rad is outside 0.00..0.64 rad, which looks like degrees: joint positions are radians"),
        (1.0, "jaw 1 rad is outside 0.00..0.64 rad"),
        (2300, "which looks like ticks: joint positions are radians from neutral"),
        (-1e308, "which looks like another unit: joint positions are radians from neutral"),
    ],
)
def test_the_likely_cause_is_named(value, says):
    assert round(ROBOT.lower[JAW], 2) == 0.0 and round(ROBOT.upper[JAW], 2) == 0.64
    assert far_outside(ROBOT, ["jaw"], [value]).endswith(says)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"far_share": 0.05, "far": "jaw 34 rad"}, None),
        (
            {"far_share": 0.5, "far": "jaw 34 rad"},
            "50% of the last second's commands of take were clamped far: jaw 34 rad",
        ),
        ({"refused_share": 0.5, "refusal": "jaw: nan"}, None),
        ({"refused_share": 1.0, "refusal": ""}, None),
        (
            {"refused_share": 1.0, "refusal": "jaw: nan"},
            "100% of the last second's commands of take were refused: jaw: nan",
        ),
        ({"slow_period_s": 1.02}, "take come every 1.0 s, longer than command_timeout_s 0.5: between them"),
    ],
)
def test_commands_are_judged_and_warn_while_the_bus_is_connected(changes, says):
    sources = {"mimic": CommandHealth(), "take": dataclasses.replace(CommandHealth(), **changes)}
    findings = judge_commands(sources, 0.5, {})
    verdict = judge_bus(BusHealth("/dev/x", connected=True, torque=True), findings)
    assert verdict.level == (Level.WARN if says else Level.OK) and (says or "torque on") in verdict.message
    assert judge_bus(BusHealth("/dev/x"), findings).message == "disconnected from /dev/x"


def test_publishers_that_share_a_topic_are_named():
    ((level, text),) = judge_commands({}, 0.5, {"servos/command": ("/a", "/lab/b")})
    assert level == Level.WARN and "servos/command has 2 publishers, /a, /lab/b: " in text


def test_the_watch_counts_shares_and_forgets_refusals_that_no_longer_hold():
    watch = CommandWatch()
    limp, wrong = CommandOutcome(refusal="torque is off"), CommandOutcome(refusal="jaw: nan", malformed=True)
    for outcome in (limp, limp, wrong, CommandOutcome(far="jaw 34")):
        watch.add(outcome)
    health = watch.health(None)
    assert (health.far_share, health.far, health.refused_share, health.refusal) == (0.25, "jaw 34", 0.75, "jaw: nan")
    watch.add(limp)
    assert watch.health("torque is off").refusal == "torque is off"
    assert watch.health(None).refusal == ""  # it has connected, or torque is on now
    watch.clear()
    assert watch.health("torque is off").refused_share == 0
