"""``robot_description``: the robot as URDF, for RViz, Foxglove and bags."""

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from rena_ros.nodes.running import NO_PUBLISHER_EVENTS
from rena_ros.robot.model import Robot
from rena_ros.robot.urdf import urdf


def publish_description(node: Node, robot: Robot) -> None:
    """Publish the description once; the node keeps it for subscribers that come later."""
    # Transient local, reliable, the last one only: as robot_state_publisher offers and RViz asks for it.
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = node.create_publisher(String, "robot_description", latched, event_callbacks=NO_PUBLISHER_EVENTS)
    publisher.publish(String(data=urdf(robot)))
