"""Stamps of the servos node: goals and states on topics are those that crossed the wire, at that time."""

from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time as TimeMsg
from rclpy.clock import ClockType
from rclpy.time import Time
from sensor_msgs.msg import JointState
from servo_stand import published

from rena_ros.bus.protocol import Instruction
from rena_ros.emulator.goal_log import NOT_COMMANDED
from rena_ros.nodes.messages import nanoseconds
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
NAMES = ROBOT.names
EPOCH_NS = 1_700_000_000_000_000_000  # virtual time 0 in ROS time
BYTE_S = 10e-6  # 10 bits at 1 Mbaud


def ros_time_is_virtual(rehearsal):
    """Let the node's ROS clock show virtual time."""

    def now():
        return Time(nanoseconds=EPOCH_NS + round(rehearsal.now_s * 1e9), clock_type=ClockType.ROS_TIME)

    rehearsal.node.get_clock = lambda: SimpleNamespace(now=now)


def listen(rehearsal, topic):
    """Return a list of what the node publishes on a topic, as if a node subscribed."""
    messages = published(rehearsal.node, topic)
    next(p for p in rehearsal.node.publishers if p.topic_name == topic).get_subscription_count = lambda: 1
    return messages


@pytest.fixture
def rehearsal(rehearse):
    rehearsal = rehearse(torque=True)
    ros_time_is_virtual(rehearsal)
    rehearsal.bank.goals.take()
    return rehearsal


def command(rehearsal, image_ns, **positions):
    message = JointState(name=list(positions), position=list(positions.values()))
    message.header.stamp = TimeMsg(sec=image_ns // 10**9, nanosec=image_ns % 10**9)
    rehearsal.node.on_command(message, "mimic")


def test_every_frame_of_goals_is_published_as_it_crossed_the_wire(rehearsal):
    goals, timings = listen(rehearsal, "/servos/goals"), published(rehearsal.node, "/timing")
    rehearsal.bank.inject("truncated", "pucker", bytes=0)  # silent: it soon gets no goals
    images, jaw = [], ROBOT.upper[ROBOT.index["jaw"]]
    for k in range(60):
        images.append(EPOCH_NS + round(rehearsal.now_s * 1e9) - 30_000_000)
        command(rehearsal, images[-1], jaw=jaw * (0.5 + 0.5 * np.sin(0.3 * k)), neck_yaw=-0.2, lid_left=9.0)
        rehearsal.live(0.02)
    rehearsal.live(1.0)  # nothing changes: goals are repeated, then eased to neutral
    frames = [frame for frame in rehearsal.bank.goals.take() if frame.frame[4] == Instruction.SYNC_WRITE]
    assert len(goals) == len(frames) > 100
    for message, frame in zip(goals, frames, strict=True):
        assert tuple(message.name) == NAMES and not message.effort
        assert abs(nanoseconds(message.header.stamp) - EPOCH_NS - frame.time_s * 1e9) <= 2  # rounding
        positions, sent = np.array(message.position), frame.ticks != NOT_COMMANDED
        assert (np.isfinite(positions) == sent).all() and (np.isfinite(message.velocity) == sent).all()
        assert (ROBOT.to_ticks(np.where(sent, positions, 0.0))[sent] == frame.ticks[sent]).all()
    pucker = np.array([message.position[ROBOT.index["pucker"]] for message in goals])
    assert np.isfinite(pucker[0]) and np.isnan(pucker[-1])
    # Picture and goal are paired by the stamp: each image's timing is that of one frame, the first one after it.
    assert [nanoseconds(timing.time_ref) for timing in timings] == images
    stamps = [nanoseconds(message.header.stamp) for message in goals]
    for timing in timings:
        stamp, image = nanoseconds(timing.header.stamp), nanoseconds(timing.time_ref)
        assert stamps.count(stamp) == 1
        size = len(frames[stamps.index(stamp)].frame)  # the command is written as soon as it arrives
        assert size in (83, 80) and stamp - image == pytest.approx(30e6 + size * BYTE_S * 1e9, abs=2)


def test_goals_are_published_only_while_a_node_subscribes(rehearsal):
    goals = published(rehearsal.node, "/servos/goals")
    rehearsal.live(0.5, jaw=0.2)
    assert goals == []


def test_a_frame_of_goals_that_no_servo_gets_is_not_published(rehearsal):
    goals, timings = listen(rehearsal, "/servos/goals"), published(rehearsal.node, "/timing")
    rehearsal.bank.inject("overload")  # unchanged goals are not repeated to overloaded servos
    rehearsal.live(1.0)
    goals.clear()
    frames = rehearsal.bank.goals.count
    rehearsal.live(1.0)
    command(rehearsal, EPOCH_NS, jaw=0.0)
    assert rehearsal.bank.goals.count == frames and goals == [] and timings == []


def test_joint_states_are_stamped_at_the_middle_of_their_read(rehearsal):
    states = published(rehearsal.node, "/joint_states")
    asked_s, plain = [], rehearsal.gate.read
    rehearsal.gate.read = lambda let_in: asked_s.append(rehearsal.now_s) or plain(let_in)
    rehearsal.live(0.5, jaw=0.1)
    # By hand: a request of 33 bytes and 25 replies of 14.
    middle_ns = [EPOCH_NS + 1e9 * (start_s + (33 + 25 * 14) * BYTE_S / 2) for start_s in asked_s]
    stamps_ns = [nanoseconds(state.header.stamp) for state in states]
    assert len(stamps_ns) > 20 and np.array(stamps_ns) - np.array(middle_ns) == pytest.approx(0, abs=2e5)


@pytest.mark.parametrize("clock_ns", [0, 1, 10**6, 10**12])
def test_a_simulated_clock_may_stand_near_zero_and_does_not_move_the_timeouts(rehearse, clock_ns):
    rehearsal = rehearse(torque=True, use_sim_time=True)
    clock = rehearsal.node.get_clock()
    clock.set_ros_time_override(Time(nanoseconds=clock_ns, clock_type=ClockType.ROS_TIME))
    assert clock.now().nanoseconds == clock_ns
    goals, states = listen(rehearsal, "/servos/goals"), published(rehearsal.node, "/joint_states")
    rehearsal.live(1.1, jaw=0.3)
    for message in (*goals, *states):
        assert 0 <= nanoseconds(message.header.stamp) <= clock_ns
    assert len(goals) > 20 and len(states) > 40 and rehearsal.values("bus")["owner"] == "operator"
    rehearsal.live(1.5)  # the clock stands still, the bus does not
    assert goals[-1].position[ROBOT.index["jaw"]] == 0 and rehearsal.values("bus")["owner"] == "none"
