"""Reports when a picture passes from hand to hand, on ``timing/hops``, while a node subscribes there."""

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import TimeReference

from rena_ros.nodes.messages import timing_msg

TOPIC = "timing/hops"


class Hops:
    """The hops of one node; without a subscriber each costs a microsecond."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(TimeReference, TOPIC, QoSProfile(depth=200))
        self._marked: dict[str, Time] = {}

    def mark(self, hop: str) -> None:
        """Note that ``hop`` ends now; ``publish`` sends it, since publishing would delay the picture."""
        self._marked[hop] = self._node.get_clock().now().to_msg()

    def publish(self, image: Time) -> None:
        """Send the hops that were noted since the last call, of the image stamped ``image``."""
        marked, self._marked = self._marked, {}
        if self._publisher.get_subscription_count():
            for hop, ended in marked.items():
                self._publisher.publish(timing_msg(hop, image, ended))
