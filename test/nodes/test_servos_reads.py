"""The servos node in virtual time: what takes effect between two slices of a read; and messages taken directly."""

import time

import numpy as np
import pytest
import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from servo_stand import ROBOT, ServoStand, published
from std_srvs.srv import Trigger

from rena_ros.bus.protocol import Instruction
from rena_ros.nodes.direct_take import answer_request, take_message

READ, WRITE = Instruction.SYNC_READ, Instruction.SYNC_WRITE
DEADLINE_S = 60.0


@pytest.fixture
def stand():
    return ServoStand()


@pytest.fixture
def rehearsal(rehearse, stand):
    """A node with torque on that follows commands at full speed."""
    rehearsal = rehearse(stand, torque=True)
    rehearsal.live(2.1)
    stand.sent.clear()
    return rehearsal


def during_a_read(rehearsal, action):
    """Let ``action`` happen in the first pause of the next read, and live until that is over."""
    topics, take = rehearsal.node.topics, rehearsal.node.topics.take

    def take_once():
        topics.take = take
        action()

    topics.take = take_once
    while topics.take is take_once:
        rehearsal.live(0.01)


def test_a_command_that_comes_during_a_read_is_on_the_wire_before_the_remaining_replies(rehearsal, stand):
    states, arrived_s = published(rehearsal.node, "/joint_states"), []

    def command():
        arrived_s.append(rehearsal.now_s)
        rehearsal.command(list(ROBOT.names), ROBOT.positions(np.full(25, 0.4)).tolist(), "mimic")

    during_a_read(rehearsal, command)
    codes = [packet.code for packet in stand.sent]
    assert codes[-4:] == [READ, WRITE, READ, READ]
    assert rehearsal.bank.goals.frames[-1].time_s - arrived_s[0] == pytest.approx(83 * 10e-6)
    assert np.isfinite(states[-1].position).all() and len(states[-1].name) == 25
    rehearsal.live(1.0, jaw=0.3)
    assert rehearsal.status("bus").level == b"\0"
    # Each read is published once.
    assert len(states) == sum(packet.code == READ and packet.params[0] == 56 for packet in stand.sent) / 3


def test_after_a_stop_during_a_read_no_request_of_it_follows_and_its_half_is_not_published(rehearsal, stand):
    states = published(rehearsal.node, "/joint_states")
    sent = []

    def stop():
        states.clear()
        assert rehearsal.stop().success and not rehearsal.bank.torque.any()
        sent.append(len(stand.sent))

    during_a_read(rehearsal, stop)
    assert sent == [len(stand.sent)] and states == []
    rehearsal.live(0.5, jaw=0.3)
    assert len(states) > 20 and not rehearsal.bank.torque.any()


@pytest.mark.parametrize("noticed_by", ["command", "read"])
def test_a_port_that_vanishes_during_a_read_ends_it_and_is_logged_once(rehearsal, noticed_by, capfd):
    states = published(rehearsal.node, "/joint_states")

    def unplug():
        states.clear()
        rehearsal.bank.inject("unplugged")
        if noticed_by == "command":
            rehearsal.command(["jaw"], [0.1])

    during_a_read(rehearsal, unplug)
    assert rehearsal.gate.bus is None and states == []
    assert capfd.readouterr().err.count("is gone") == 1
    rehearsal.bank.clear()
    rehearsal.live(0.5)
    assert rehearsal.gate.bus is not None and len(states) > 5 and not rehearsal.bank.torque.any()


def test_commands_and_a_stop_are_taken_without_an_executor(rehearsal):
    node = rehearsal.node
    peer = rclpy.create_node("peer", context=node.context)
    try:
        commands = peer.create_publisher(JointState, "servos/command/mimic", QoSProfile(depth=1))
        stop = peer.create_client(Trigger, "stop")
        end_s = time.monotonic() + DEADLINE_S
        while rehearsal.gate.commands.written == 0 and time.monotonic() < end_s:
            commands.publish(JointState(name=["jaw"], position=[0.3]))
            time.sleep(0.01)
            rehearsal.live(0.02)
        assert rehearsal.gate.commands.written > 0
        assert stop.wait_for_service(DEADLINE_S)
        answer = stop.call_async(Trigger.Request())
        while not rehearsal.gate.stopped and time.monotonic() < end_s:
            time.sleep(0.01)
            rehearsal.live(0.02)
        assert rehearsal.gate.stopped and not rehearsal.bank.torque.any()
        rclpy.spin_until_future_complete(
            peer, answer, rclpy.executors.SingleThreadedExecutor(context=node.context), DEADLINE_S
        )
        assert answer.result().success and "stopped" in answer.result().message
    finally:
        peer.destroy_node()


def test_where_nothing_waits_nothing_is_taken(rehearsal):
    calls = []
    subscription = rehearsal.node.create_subscription(JointState, "none", lambda *_: calls.append(1), 1)
    service = rehearsal.node.create_service(Trigger, "nothing", lambda *_: calls.append(1))
    take_message(subscription)
    answer_request(service)
    assert calls == []
