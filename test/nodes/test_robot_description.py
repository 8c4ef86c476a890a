"""robot_description, as the servos node publishes it."""

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from rena_ros.nodes.robot_description import publish_description
from rena_ros.robot.file import load_robot
from rena_ros.robot.urdf import urdf


def test_a_late_subscriber_gets_the_description_once(monkeypatch, ros_domain, until):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")  # both nodes are in this process
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    servos, display = (rclpy.create_node(name, namespace="/lab", context=context) for name in ("servos", "display"))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(display)
    publish_description(servos, load_robot())
    heard = []
    # As RViz and robot_state_publisher subscribe; a publisher that is not transient local would not match.
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    display.create_subscription(String, "/lab/robot_description", heard.append, latched)

    def came():
        executor.spin_once(timeout_sec=0.05)
        return heard

    until(came)
    executor.spin_once(timeout_sec=0.05)
    assert [message.data for message in heard] == [urdf(load_robot())]
    executor.shutdown()
    context.try_shutdown()


def test_the_servos_node_publishes_it(rehearse):
    (publisher,) = (one for one in rehearse().node.publishers if one.topic_name == "/robot_description")
    assert publisher.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
