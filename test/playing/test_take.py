"""What a take is made of: goals or commands of a bag, at their times, of this robot only."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from rena_ros.bags.writer import BagWriter, TopicQos
from rena_ros.base.errors import RenaError
from rena_ros.playing.easing import EASE_SCALE, easing, far_joints
from rena_ros.playing.take import load_take
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
TEXT = ROBOT.source.read_text(encoding="utf-8")
EPOCH_S = 1_700_000_000
GOALS, COMMAND, MIMIC = "/lab/servos/goals", "/lab/servos/command", "/lab/servos/command/mimic"


def at(second, *, stamp_s=None, velocity=(), **positions):
    """A JointState at a time of the bag; ``stamp_s``: of its header, else the same."""
    message = JointState(name=list(positions), position=list(positions.values()), velocity=list(velocity))
    seconds, rest = divmod(second if stamp_s is None else stamp_s, 1)
    message.header.stamp = Time(sec=EPOCH_S + int(seconds), nanosec=round(rest * 1e9))
    return second, message


@pytest.fixture
def bag(tmp_path):
    """Make a bag of messages by topic; returns its path."""

    def make(topics, namespace="/lab", robot=TEXT):
        metadata = {"namespace": namespace} | ({"robot": robot} if robot else {})
        with BagWriter(tmp_path / "bag", metadata) as writer:
            for topic, messages in topics.items():
                writer.add_topic(topic, "sensor_msgs/msg/JointState", TopicQos())
                for second, message in messages:
                    writer.write(topic, (EPOCH_S * 10**9) + round(second * 1e9), serialize_message(message))
        return tmp_path / "bag"

    return make


def seen(take):
    return [(round(point.time_s, 6), dict(zip(point.names, point.positions, strict=True))) for point in take.points]


def test_goals_are_taken_with_the_times_and_velocities_they_had_on_the_wire(bag):
    goals = [
        at(1.004, stamp_s=1.0, jaw=0.0, pucker=0.1, velocity=(0.0, 0.5)),
        at(1.011, stamp_s=1.01, jaw=float("nan"), pucker=0.2, velocity=(float("nan"), 0.6)),
    ]
    take = load_take(bag({GOALS: goals, COMMAND: [at(0.5, jaw=0.3)]}), ROBOT)
    assert take.planned and take.pictures is None
    assert seen(take) == [(0.0, {"jaw": 0.0, "pucker": 0.1}), (0.01, {"pucker": 0.2})]
    assert take.points[1].velocities == (0.6,)
    assert take.first[ROBOT.index["pucker"]] == 0.1 and take.first.sum() == pytest.approx(0.1)


def test_of_several_sources_the_one_that_owned_the_robot_counts(bag):
    mimic = [at(0.1 * k, jaw=0.01 * k) for k in range(10)]
    take = load_take(bag({MIMIC: mimic, COMMAND: [at(0.35, jaw=0.5), at(0.36, jaw=float("nan"))]}), ROBOT)
    assert not take.planned
    # After 0.35 s the operator owns the robot for 0.5 s.
    assert [time_s for time_s, _ in seen(take)] == [0.0, 0.1, 0.2, 0.3, 0.35, 0.9]


def test_a_part_begins_in_the_pose_that_the_commands_before_it_have_made(bag):
    commands = [at(0.0, jaw=0.1), at(1.0, pucker=0.2), at(2.0, jaw=0.3)]
    take = load_take(bag({COMMAND: commands}), ROBOT)
    part = take.between(0.5, 1.5, ROBOT)
    assert seen(part) == [(1.0, {"pucker": 0.2})]
    assert (part.first[ROBOT.index["jaw"]], part.last(ROBOT)[ROBOT.index["pucker"]]) == (0.1, 0.2)
    with pytest.raises(RenaError, match="nothing is commanded from 3 s to 4 s"):
        take.between(3, 4, ROBOT)


def test_twice_the_speed_halves_times_and_doubles_velocities(bag):
    take = load_take(bag({GOALS: [at(0.0, jaw=0.0, velocity=(0,)), at(1.0, jaw=0.1, velocity=(0.5,))]}), ROBOT)
    fast = take.at_speed(2.0)
    assert fast.duration_s == 0.5 and fast.points[1].velocities == (1.0,)


def test_goals_count_by_their_stamps_not_by_their_order(bag):
    goals = [at(0.0, jaw=0.0), at(0.020, stamp_s=0.011, jaw=0.2), at(0.021, stamp_s=0.010, jaw=0.1)]
    assert [time_s for time_s, _ in seen(load_take(bag({GOALS: goals}), ROBOT))] == [0.0, 0.01, 0.011]


def test_poses_to_ease_to_are_inside_the_limits_whatever_was_commanded(bag):
    take = load_take(bag({COMMAND: [at(0.0, jaw=1e300), at(1.0, jaw=-1e300)]}), ROBOT)
    assert len(easing(ROBOT, np.zeros(len(take.first)), take.first)) < 500
    assert take.first[ROBOT.index["jaw"]] == ROBOT.upper[ROBOT.index["jaw"]]
    assert take.last(ROBOT)[ROBOT.index["jaw"]] == ROBOT.lower[ROBOT.index["jaw"]]


def test_comments_may_differ_between_the_robots(bag):
    load_take(bag({COMMAND: [at(0.0, jaw=0.1)]}, robot="# another comment\n" + TEXT), ROBOT)


@pytest.mark.parametrize(
    ("topics", "options", "error"),
    [
        ({COMMAND: [at(0.0, jaw=0.1)]}, {"robot": TEXT.replace("name: jaw,", "name: chin,")}, "only one .* chin, jaw"),
        ({COMMAND: [at(0.0, jaw=0.1)]}, {"robot": TEXT.replace("id: 21,", "id: 99,")}, r"\(id 99 and 21\)"),
        ({COMMAND: [at(0.0, tail=0.1)]}, {"robot": ""}, "no joint tail"),
        ({COMMAND: []}, {}, "nothing is commanded"),
        ({GOALS: [(0.0, JointState(name=["jaw"], position=[0.1, 0.2]))]}, {}, "1 names but 2 positions"),
        ({GOALS: [(0.0, JointState(name=["jaw", "jaw"], position=[0.1, 0.2]))]}, {}, "jaw is named twice"),
        ({COMMAND: [at(0.0, jaw=0.1)]}, {"robot": "]["}, "does not say of which robot"),
    ],
)
def test_bags_that_cannot_be_played_on_this_robot_are_refused(bag, topics, options, error):
    with pytest.raises(RenaError, match=error) as refused:
        load_take(bag(topics, **options), ROBOT)
    assert "\n" not in str(refused.value)


def test_easing_ends_in_the_pose_and_keeps_its_share_of_the_speed_limits():
    end = ROBOT.positions(np.random.default_rng(0).random(len(ROBOT.names)))
    points = easing(ROBOT, np.zeros(len(end)), end)
    path = np.array([np.zeros(len(end)), *(point.positions for point in points)])
    times = np.array([0.0, *(point.time_s for point in points)])
    np.testing.assert_allclose(path[-1], end)
    speed = np.abs(np.diff(path, axis=0)) / np.diff(times)[:, None]
    assert (speed <= EASE_SCALE * ROBOT.max_speed_rad_s + 1e-9).all()
    assert (np.diff(times) <= 0.02 + 1e-9).all()


def test_a_joint_that_is_far_from_a_pose_is_named_but_not_for_want_of_a_reply():
    pose = np.zeros(len(ROBOT.names))
    positions = pose.copy()
    positions[[ROBOT.index["jaw"], ROBOT.index["pucker"]]] = 0.2, np.nan
    assert far_joints(ROBOT, positions, pose) == ("jaw",)
