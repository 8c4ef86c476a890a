"""Nodes with ``use_sim_time``: without /clock nothing fails, and a clock that jumps back is followed.

The policy node's test of this is in test_policy_node.py, the blendshapes node's in test_blendshapes_images.py.
"""

import numpy as np
import pytest
import rclpy
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from servo_stand import published

from rena_ros.nodes.twin import TwinNode

TIMES_S = (1000, 1001, 400, 401, 1000)  # a bag that is sought backwards, then forwards


def tell_time(node, second: int) -> None:
    """Let a node receive /clock."""
    clock = Clock()
    clock.clock.sec = second
    node._time_source.clock_callback(clock)


def test_the_servos_follow_commands_while_the_clock_is_absent_and_while_it_jumps(rehearse):
    rehearsal = rehearse(torque=True, use_sim_time=True)
    node = rehearsal.node
    states, statuses = published(node, "/joint_states"), published(node, "/diagnostics")
    rehearsal.live(1.2, jaw=0.1)
    assert states and all(state.header.stamp.sec == 0 for state in states)
    for i, second in enumerate(TIMES_S):
        states.clear()
        tell_time(node, second)
        target = 0.2 if i % 2 else 0.1
        rehearsal.live(1.5, jaw=target)
        assert second - 1 <= states[-1].header.stamp.sec <= second
        jaw = states[-1].position[list(states[-1].name).index("jaw")]
        assert jaw == pytest.approx(target, abs=0.01)
    assert len(statuses) >= len(TIMES_S)
    assert rehearsal.gate.torque  # time-outs run on a clock of their own


def test_the_twin_draws_while_the_clock_is_absent_and_while_it_jumps(ros_domain, monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    values = {"use_sim_time": True, "width": 64, "height": 48}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node, pictures = TwinNode(context=context, parameter_overrides=overrides), []
    monkeypatch.setattr(node._images, "publish", pictures.append)
    monkeypatch.setattr(node._images, "get_subscription_count", lambda: 1)
    for second in (0, *TIMES_S):
        if second:
            tell_time(node, second)
        state = JointState(name=["jaw"], position=[0.1])
        state.header.stamp.sec = second
        node.on_state(state)
        node.on_tick()
        assert pictures[-1].header.stamp.sec == second
    assert len(pictures) == 1 + len(TIMES_S) and np.ptp(pictures[-1].data) > 0
    node.destroy_node()
    context.try_shutdown()
