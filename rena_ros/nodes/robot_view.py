"""The twin's pictures in place of a camera's: the robot sees its own face, without any hardware."""

import time
from collections import deque
from collections.abc import Callable

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import Image

from rena_ros.nodes.running import STEADY

TOPIC = "robot/image_raw"
WAKE_S = 0.005


class RobotView:
    """Passes on each picture of ``robot/image_raw`` under its own stamp, the time of the state that it shows.

    With ``delay_s`` it is passed on, and stamped, that much later, as by a camera that stamps late.
    """

    def __init__(self, node: Node, delay_s: float, publish: Callable[[Image], None]) -> None:
        self._delay_s, self._publish = delay_s, publish
        self._waiting: deque[tuple[float, Image]] = deque()
        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        node.create_subscription(Image, TOPIC, self.on_image, newest)
        if delay_s:
            node.create_timer(WAKE_S, self.on_wake, clock=STEADY)

    def on_image(self, message: Image) -> None:
        """Pass a picture on, now or later."""
        if not self._delay_s:
            self._publish(message)
            return
        late = Time.from_msg(message.header.stamp) + Duration(nanoseconds=round(self._delay_s * 1e9))
        message.header.stamp = late.to_msg()
        self._waiting.append((time.monotonic() + self._delay_s, message))

    def on_wake(self) -> None:
        """Pass on the pictures that are due."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            self._publish(self._waiting.popleft()[1])
