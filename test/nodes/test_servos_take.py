"""A recorded motion, sent again to the servos node point by point, in virtual time."""

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
TICK_S = 0.01  # one tick of time: the period of the goals


def published_goals(rehearsal):
    """Return a list of the goals that the node publishes, as if a node subscribed: (time s, message)."""
    goals, publisher = [], next(p for p in rehearsal.node.publishers if p.topic_name == "/servos/goals")
    publisher.get_subscription_count = lambda: 1
    publisher.publish = lambda message: goals.append((rehearsal.now_s, message))
    return goals


@pytest.fixture
def start(rehearse):
    """Start a node that follows commands at full speed, the robot at neutral."""

    def start():
        rehearsal = rehearse(torque=True)
        rehearsal.live(1.5)
        rehearsal.bank.goals.take()
        return rehearsal, published_goals(rehearsal)

    return start


def performed(rehearsal, seconds=8.0):
    """Command random faces, changing at 30 Hz between them, as a policy does."""
    rng = np.random.default_rng(3)
    at, to = np.zeros(25), np.zeros(25)
    for k in range(int(seconds * 30)):
        if k % 12 == 0:
            at, to = to, ROBOT.positions(np.where(rng.random(25) < 0.6, rng.random(25), ROBOT.neutral_goals))
        mixed = at + (to - at) * min(1.0, k % 12 / 8)
        rehearsal.command(list(ROBOT.names), mixed.tolist(), "mimic")
        rehearsal.live(1 / 30)


def replay(rehearsal, goals, late):
    """Send the goals as commands at their own times, each late by what ``late`` returns, s, or by a slice of a read."""
    begin_s, first_s = rehearsal.now_s + 0.0037, goals[0][0]
    points = [(begin_s + at_s - first_s + late(), message) for at_s, message in goals]

    def arrive():
        while points and points[0][0] <= rehearsal.now_s + 1e-9:
            _, point = points.pop(0)
            rehearsal.node.on_command(
                JointState(name=point.name, position=point.position, velocity=point.velocity), "take"
            )

    rehearsal.node.topics.take = arrive
    while points:
        rehearsal.live(max(points[0][0] - rehearsal.now_s, 0.0))
        arrive()
    rehearsal.live(0.05)
    return begin_s - first_s


def differences(first, second, shift_s, within_s):
    """Return how far each goal of the second run is from the nearest one of the first within ``within_s``, ticks."""
    times = np.array([at_s for at_s, _ in first]) + shift_s
    ticks = np.array([ROBOT.to_ticks(message.position) for _, message in first])
    found = []
    for at_s, message in second:
        near = np.abs(times - at_s) <= within_s + 1e-9
        if near.any():
            found.append(np.abs(ticks[near] - ROBOT.to_ticks(message.position)).min(axis=0))
    return np.array(found)


# Late points may have to wait for a read of all states and for the second's check besides: 12 ms.
@pytest.mark.parametrize(("late_s", "within_s"), [(0.0, TICK_S), (0.004, 0.02)])
def test_a_take_gives_the_goals_of_the_first_run_within_one_tick_of_time_and_position(start, late_s, within_s):
    recorded, goals = start()
    performed(recorded)
    goals = list(goals)
    again, second = start()
    rng = np.random.default_rng(5)
    second.clear()
    shift_s = replay(again, goals, lambda: rng.uniform(0, late_s))
    found = differences(goals, second, shift_s, within_s)
    assert len(found) > 0.8 * len(goals) > 500
    assert found.max() <= 1
    check = GoalCheck(ROBOT)
    check.add(again.bank.goals.take())
    assert check.limits == check.antagonists == 0, check.examples
