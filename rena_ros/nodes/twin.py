"""twin node: ``joint_states`` -> the drawn robot's face on ``robot/image_raw``."""

from functools import partial

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState

from rena_ros.nodes.images import to_image_msg
from rena_ros.nodes.parameters import ParameterSpec, declare, on_change
from rena_ros.nodes.running import STEADY, run_node, set_rate
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace

FRAME_ID = "robot_camera_optical_frame"
PARAMETERS = (
    ParameterSpec("robot_file", "", "robot file (YAML); empty: the Rena that ships"),
    ParameterSpec("rate_hz", 30.0, "pictures per second, Hz", (1, 240), live=True),
    ParameterSpec("width", 640, "width of the picture, px", (16, 8192)),
    ParameterSpec("height", 480, "height of the picture, px", (16, 8192)),
)


class TwinNode(Node):
    """Draws the newest known state at ``rate_hz``, stamped as that state; nothing before the first one.

    A servo that a ``joint_states`` omits keeps its last known position.
    """

    def __init__(self, **node_options):
        super().__init__("twin", **node_options)
        given = declare(self, PARAMETERS)
        self._robot = load_robot(given["robot_file"])
        self._face = TwinFace(self._robot, given["width"], given["height"])
        self._positions = np.zeros(len(self._robot.names))
        self._stamp = None
        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._images = self.create_publisher(Image, "robot/image_raw", newest)
        timer = self.create_timer(1 / given["rate_hz"], self.on_tick, clock=STEADY)
        self.create_subscription(JointState, "joint_states", self.on_state, QoSProfile(depth=5))
        on_change(self, rate_hz=partial(set_rate, timer))

    def on_state(self, state: JointState) -> None:
        """Store the positions (rad) of the servos that are listed."""
        for name, position in zip(state.name, state.position, strict=False):
            if name in self._robot.index and np.isfinite(position):
                self._positions[self._robot.index[name]] = position
        self._stamp = state.header.stamp

    def on_tick(self) -> None:
        """Draw and publish, once a state is known and as long as anything subscribes."""
        if self._stamp is None or not self._images.get_subscription_count():
            return
        # A servo may overshoot its limits a little; the drawn face cannot.
        goals = np.clip(self._robot.goals(self._positions), 0, 1)
        self._images.publish(to_image_msg(self._face.render(goals), self._stamp, FRAME_ID))


main = partial(run_node, "twin", TwinNode, niceness=10)


if __name__ == "__main__":
    raise SystemExit(main())
