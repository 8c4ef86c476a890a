"""Commands of several sources to the servos node, in virtual time: which are followed, and what is reported."""

import re
from functools import partial

import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
JAW = ROBOT.index["jaw"]
OK, WARN, ERROR, STALE = (bytes((level,)) for level in range(4))


@pytest.fixture
def rehearsal(rehearse):
    """A node with torque on that follows commands at full speed."""
    rehearsal = rehearse(torque=True)
    rehearsal.live(1.1)
    rehearsal.bank.goals.take()
    return rehearsal


def stream(rehearsal, seconds, **jaw):
    """Command the jaw (rad by source) at 50 Hz; the sources take turns, 4 ms apart."""
    due = [(0.004 * i, source) for i, source in enumerate(jaw)]
    end_s, round_s = rehearsal.now_s + seconds, rehearsal.now_s
    while round_s < end_s - 1e-6:
        for at_s, source in due:
            rehearsal.live(max(round_s + at_s - rehearsal.now_s, 0))
            rehearsal.command(list(ROBOT.names), np.where(np.arange(25) == JAW, jaw[source], 0.0).tolist(), source)
        round_s += 0.02
        rehearsal.live(max(round_s - rehearsal.now_s, 0))


def jaw_goals(rehearsal):
    """Return the jaw's goals on the wire since the last call, rad; every rule must hold between them."""
    log, check = rehearsal.bank.goals.take(), GoalCheck(ROBOT)
    check.add(log)
    assert check.violations == 0, check.examples
    return ROBOT.from_ticks(np.array([goals.ticks for goals in log]))[:, JAW]


def test_two_sources_do_not_make_the_jaw_swing(rehearsal):
    stream(rehearsal, 1.0, mimic=0.1)
    jaw_goals(rehearsal)
    stream(rehearsal, 2.0, mimic=0.1, operator=0.5)
    goals = jaw_goals(rehearsal)
    assert (np.diff(goals) >= 0).all() and goals[-1] == pytest.approx(0.5, abs=0.001)
    values = rehearsal.values("bus")
    assert values["owner"] == "operator" and float(values["owner_rate_hz"]) == pytest.approx(50, abs=2)
    assert 40 <= int(values["ignored_mimic"]) <= 100 and values["ignored_operator"] == "0"


def test_when_the_owner_falls_silent_the_next_source_goes_on_without_a_jump(rehearsal, capfd):
    stream(rehearsal, 0.1, mimic=0.1)
    stream(rehearsal, 1.0, mimic=0.1, operator=0.5, take=0.3)
    jaw_goals(rehearsal)
    for owner, goal in (("take", 0.3), ("mimic", 0.1)):
        stream(rehearsal, 0.45, **{"mimic": 0.1, owner: goal})
        goals = jaw_goals(rehearsal)
        assert np.ptp(goals) < 0.001  # it holds where the silent source left it
        stream(rehearsal, 1.0, **{"mimic": 0.1, owner: goal})
        goals = jaw_goals(rehearsal)
        assert (np.diff(goals) <= 0).all() and goals[-1] == pytest.approx(goal, abs=0.001)
        assert rehearsal.values("bus")["owner"] == owner
    rehearsal.live(2.0)
    assert rehearsal.values("bus")["owner"] == "none" and jaw_goals(rehearsal)[-1] == 0
    logged = [line.split("]: ")[1] for line in capfd.readouterr().err.splitlines() if "command" in line]
    assert logged == [
        "mimic commands the robot now (before: none)",
        "operator commands the robot now (before: mimic)",
        "take commands the robot now (before: operator)",
        "mimic commands the robot now (before: take)",
        "mimic has stopped commanding the robot, and no other source does",
    ]


def test_after_a_stop_no_source_commands_the_robot_though_all_of_them_go_on(rehearsal, capfd):
    stream(rehearsal, 1.0, mimic=0.1, operator=0.5)
    capfd.readouterr()
    rehearsal.node.on_stop(Trigger.Request(), Trigger.Response())
    stream(rehearsal, 2.0, mimic=0.1, operator=0.5)
    stream(rehearsal, 1.0, mimic=0.1)
    lines = [line.split("]: ")[1] for line in capfd.readouterr().err.splitlines()]
    logged = [line for line in lines if re.search("commanding|commands the robot", line)]
    assert logged == ["operator has stopped commanding the robot, and no other source does"]


def test_a_malformed_command_of_an_operator_does_not_take_the_robot_from_the_policy(rehearsal):
    for wrong in ((["jaw"], [float("nan")]), (["nose"], [0.3]), ([], [])):
        send = partial(rehearsal.command, *wrong, "operator")
        for _ in range(20):
            stream(rehearsal, 0.02, mimic=0.2)
            send()
    assert rehearsal.values("bus")["owner"] == "mimic" and rehearsal.values("bus")["ignored_mimic"] == "0"
    assert jaw_goals(rehearsal)[-1] == pytest.approx(0.2, abs=0.001)


def test_neutral_says_which_source_goes_on(rehearsal):
    assert rehearsal.neutral().message == "easing to neutral"
    stream(rehearsal, 0.1, mimic=0.2)
    assert rehearsal.neutral().message == (
        "easing to neutral until the next command of the source mimic, which commands now"
    )


def test_a_new_command_timeout_applies_to_ownership(rehearse):
    rehearsal = rehearse(torque=True, command_timeout_s=2.0)
    stream(rehearsal, 0.1, operator=0.2)
    stream(rehearsal, 1.8, mimic=0.1)
    assert rehearsal.values("bus")["owner"] == "operator"
    stream(rehearsal, 1.2, mimic=0.1)
    assert rehearsal.values("bus")["owner"] == "mimic"


def warnings(capfd):
    return [line.split("]: ")[1] for line in capfd.readouterr().err.splitlines() if line.startswith("[WARN]")]


def test_degrees_taken_for_radians_are_reported_with_joint_value_limits_and_cause(rehearsal, capfd):
    for _ in range(60):
        rehearsal.live(0.05, neck_yaw=0.1, jaw=20.0)
    bus, values = rehearsal.status("bus"), rehearsal.values("bus")
    says = "jaw 20 rad is outside 0.00..0.64 rad, which looks like degrees: joint positions are radians"
    assert (
        bus.level == WARN and f"100% of the last second's commands of operator were clamped far: {says}" in bus.message
    )
    assert values["commands_clamped"] == values["commands_clamped_far"] != "0"
    assert [line for line in warnings(capfd) if says in line] == [f"bus: {bus.message}"]
    stream(rehearsal, 2.1, mimic=0.66)  # a policy's overshoot is clamped by less
    assert rehearsal.status("bus").level == OK
    assert int(rehearsal.values("bus")["commands_clamped"]) > int(values["commands_clamped"]) + 50


@pytest.mark.parametrize(
    ("names", "positions", "says"),
    [
        (
            ["Jaw"],
            [0.1],
            "100% of the last second's commands of operator were refused: Jaw is not a joint of this robot",
        ),
        (["jaw"], [float("nan")], "100% of the last second's commands of operator were refused: jaw: nan is not"),
    ],
)
def test_refused_commands_are_a_warning_in_diagnostics(rehearsal, names, positions, says):
    for _ in range(60):
        rehearsal.command(names, positions)
        rehearsal.live(0.02)
    assert rehearsal.status("bus").level == WARN and says in rehearsal.status("bus").message
    rehearsal.live(2.1)
    assert rehearsal.status("bus").level == OK


def test_a_malformed_source_is_reported_beside_one_that_is_followed(rehearsal):
    stream(rehearsal, 0.1, mimic=0.1)
    for k in range(120):
        stream(rehearsal, 0.02, mimic=0.1)
        if k % 5 == 0:
            rehearsal.command(["nose"], [0.3])
    says = "100% of the last second's commands of operator were refused: nose is not a joint"
    assert rehearsal.status("bus").level == WARN and says in rehearsal.status("bus").message


def test_commands_to_a_limp_robot_are_a_warning_until_torque_is_on(rehearse):
    rehearsal = rehearse()
    rehearsal.live(2.1, jaw=0.1)
    says = "of operator were refused: torque is off (it was not switched on yet); the service set_torque switches it on"
    assert rehearsal.status("bus").level == WARN and says in rehearsal.status("bus").message
    rehearsal.live(0.8, jaw=0.1)
    rehearsal.set_torque(True)  # most commands of this second were refused, but the next ones are followed
    rehearsal.live(0.2, jaw=0.1)
    assert rehearsal.status("bus").level == OK
    rehearsal.stop()
    rehearsal.live(1.1, jaw=0.1)
    assert rehearsal.status("bus").message == "stopped; the service reset lifts it"


def test_a_source_slower_than_the_command_timeout_is_reported_with_the_remedy(rehearsal, capfd):
    for _ in range(6):
        rehearsal.command(["jaw"], [0.3])
        rehearsal.live(1.0)
    bus = rehearsal.status("bus")
    says = "commands of operator come every 1.0 s, longer than command_timeout_s 0.5: between them the robot eases to"
    assert bus.level == WARN and says in bus.message and "set command_timeout_s above 1.0" in bus.message
    assert len([line for line in warnings(capfd) if says in line]) == 1
    rehearsal.live(2.1, jaw=0.3)
    assert rehearsal.status("bus").level == OK


@pytest.mark.parametrize("period_s", [0.04, 1.0])  # of the second publisher
def test_two_publishers_of_one_topic_are_named_not_a_killed_one_and_its_successor(rehearsal, capfd, period_s):
    def command(number):
        message = JointState(name=["jaw"], position=[0.1])
        node.topics.on_message("mimic", message, {"publication_sequence_number": number})

    node = rehearsal.node
    second = rclpy.create_node("second", context=node.context, namespace="/lab")
    try:
        for publisher_node, topic in ((node, "servos/command/mimic"), (second, "/servos/command/mimic")):
            publisher_node.create_publisher(JointState, topic, 1)
        for k in range(60):  # the second one begins when the first one has ended
            command(500 + k if k < 30 else k)
            rehearsal.live(0.05)
        assert rehearsal.status("bus").level == OK
        last_s = 0.0
        for k in range(60):
            command(600 + k)
            if k * 0.05 - last_s >= period_s:
                last_s = k * 0.05
                command(100 + k)
            rehearsal.live(0.05)
        bus = rehearsal.status("bus")
        assert bus.level == WARN and "/servos/command/mimic has 2 publishers, /lab/second, /servos: " in bus.message
    finally:
        second.destroy_node()
    assert any("servos/command/mimic has 2 publishers" in line for line in warnings(capfd))
