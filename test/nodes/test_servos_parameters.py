"""Parameters of the servos node: refused by name and value outside the range, passed on inside it."""

import math
import re
from contextlib import ExitStack

import pytest
from rclpy.parameter import Parameter
from servo_stand import published

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.bench.rehearsal import context_with
from rena_ros.bus.port import PortMissing
from rena_ros.nodes import servos
from rena_ros.nodes.servos import ServosNode
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
JAW = ROBOT.index["jaw"]


@pytest.fixture
def make_node(monkeypatch):
    """Make nodes with parameters as a user sets them; they leave when the test ends."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    with ExitStack() as stack:

        def make(**parameters):
            context = context_with(parameters)
            stack.callback(context.try_shutdown)
            node = ServosNode(context=context)
            stack.callback(node.destroy_node)
            stack.callback(node.leave)
            return node

        yield make


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("baud", 9600, 4_000_000),
        ("rate_hz", 10.0, 500.0),
        ("interpolation_hz", 50.0, 500.0),
        ("command_timeout_s", 0.05, 60.0),
        ("release_after_s", 0.0, 86400.0),
        ("retries", 0, 10),
        ("margin_s", 0.001, 0.1),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name_and_value(make_node, name, low, high):
    whole = isinstance(low, int)
    # rclpy takes a value within a millionth of an end for that end.
    outside = (low - 1, high + 1) if whole else (low - 1e-4, high * 1.0001, math.nan, math.inf)
    for wrong in outside:
        with pytest.raises(RenaError, match=rf"^servos: {name} {re.escape(str(wrong))} is outside "):
            make_node(**{name: wrong})
    for right in (low, high):
        assert make_node(**{name: right}).get_parameter(name).value == right


def test_port_baud_retries_and_margin_are_passed_to_the_bus(make_node, monkeypatch):
    opened = []

    def bus(*arguments, **options):
        opened.append((arguments, options))
        raise PortMissing("there is no port")

    monkeypatch.setattr(servos, "Bus", bus)
    node = make_node(port="/dev/there", baud=500_000, retries=5, margin_s=0.033)
    node.on_tick()
    assert opened == [(("/dev/there", node.robot, 500_000), {"retries": 5, "margin_s": 0.033})]


def test_another_robot_is_another_file(make_node, tmp_path):
    path = tmp_path / "face.yaml"
    path.write_text(share_path("config/rena.yaml").read_text().replace("name: jaw,", "name: chin,"))
    node = make_node(robot_file=str(path))
    assert node.robot == load_robot(path) and "chin" in node.gate.robot.names
    with pytest.raises(RenaError, match=r"nowhere\.yaml"):
        make_node(robot_file=str(tmp_path / "nowhere.yaml"))


def test_goals_are_sent_at_the_interpolation_rate(make_node):
    assert {timer.timer_period_ns for timer in make_node(interpolation_hz=200.0).timers} == {5_000_000, 1_000_000_000}


def set_parameter(rehearsal, name, value):
    (result,) = rehearsal.node.set_parameters([Parameter(name, value=value)])
    assert result.successful


def goal(rehearsal):
    """Return the newest goal of the jaw, ticks beyond its neutral position."""
    return rehearsal.bank.goals.frames[-1].ticks[JAW] - ROBOT.neutral_ticks[JAW]


@pytest.mark.parametrize("new", [False, True])
def test_states_are_read_and_published_at_the_rate(rehearse, new):
    rehearsal = rehearse(rate_hz=50.0 if new else 20.0)
    if new:
        set_parameter(rehearsal, "rate_hz", 20.0)
    states = published(rehearsal.node, "/joint_states")
    rehearsal.live(0.5)
    before = rehearsal.gate.bus.counters.reads
    rehearsal.live(1.0)
    assert 18 <= rehearsal.gate.bus.counters.reads - before <= 22 and len(states) >= 25


@pytest.mark.parametrize("new", [False, True])
def test_the_last_command_holds_for_the_command_timeout(rehearse, new):
    rehearsal = rehearse(torque=True, command_timeout_s=0.5 if new else 2.0)
    rehearsal.live(0.5, jaw=0.4)
    if new:
        set_parameter(rehearsal, "command_timeout_s", 2.0)
    there = goal(rehearsal)
    assert there > 100
    rehearsal.live(1.9)
    assert goal(rehearsal) == there
    rehearsal.live(0.7)
    assert goal(rehearsal) == 0


def test_a_new_release_time_switches_torque_off_and_commands_are_refused_then(rehearse):
    rehearsal = rehearse(torque=True)
    rehearsal.live(3.0)
    assert rehearsal.bank.torque.all()
    set_parameter(rehearsal, "release_after_s", 1.0)
    rehearsal.live(0.1)
    assert not rehearsal.bank.torque.any()
    goals = rehearsal.bank.goals.count
    set_parameter(rehearsal, "release_after_s", 0.0)
    rehearsal.live(1.0, jaw=0.4)
    assert not rehearsal.bank.torque.any() and rehearsal.bank.goals.count == goals


def test_torque_is_released_after_the_release_time_and_logged_once(rehearse, capfd):
    rehearsal = rehearse(torque=True, command_timeout_s=0.4, release_after_s=1.0)
    rehearsal.live(0.5, jaw=0.4)
    rehearsal.live(1.3)
    assert rehearsal.bank.torque.all() and "no command" not in capfd.readouterr().err
    rehearsal.live(0.5)
    assert not rehearsal.bank.torque.any()
    logged = capfd.readouterr().err
    assert len(re.findall(r"\[WARN\].*torque is off: no command for 1 s", logged)) == 1
    assert "torque is off (no command for" in rehearsal.neutral().message


def test_by_default_it_holds_half_a_second_and_keeps_its_torque(rehearse):
    rehearsal = rehearse(torque=True)
    rehearsal.live(0.5, jaw=0.4)
    there = goal(rehearsal)
    rehearsal.live(0.4)
    assert goal(rehearsal) == there
    rehearsal.live(6.0)
    assert rehearsal.bank.torque.all() and goal(rehearsal) == 0


def test_no_release_is_logged_when_torque_was_already_off(rehearse, capfd):
    rehearsal = rehearse(torque=True, release_after_s=1.0)
    rehearsal.set_torque(False)
    rehearsal.live(2.0)
    assert "[WARN]" not in capfd.readouterr().err
