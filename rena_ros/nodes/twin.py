"""twin node: ``joint_states`` -> the drawn robot's face on ``robot/image_raw``."""

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState

from rena_ros.nodes.images import to_image_msg
from rena_ros.nodes.running import STEADY, parameter, run_node
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace

FRAME_ID = "robot_camera_optical_frame"


class TwinNode(Node):
    """Draws the newest known state at ``rate_hz``, stamped as that state; nothing before the first one.

    Servos that a ``joint_states`` leaves out stay where they were last known to be.
    """

    def __init__(self):
        super().__init__("twin")
        self._robot = load_robot(parameter(self, "robot_file", "", "robot file (YAML); empty: the Rena that ships"))
        rate_hz = parameter(self, "rate_hz", 30.0, "pictures per second, Hz")
        width = parameter(self, "width", 640, "width of the picture, px")
        height = parameter(self, "height", 480, "height of the picture, px")
        self._face = TwinFace(self._robot, width, height)
        self._positions = np.zeros(len(self._robot.names))
        self._stamp = None
        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._images = self.create_publisher(Image, "robot/image_raw", newest)
        self.create_timer(1 / rate_hz, self.on_tick, clock=STEADY)
        self.create_subscription(JointState, "joint_states", self.on_state, QoSProfile(depth=5))

    def on_state(self, state: JointState) -> None:
        """Take over the positions (rad) of the servos that are listed."""
        for name, position in zip(state.name, state.position, strict=False):
            if name in self._robot.index and np.isfinite(position):
                self._positions[self._robot.index[name]] = position
        self._stamp = state.header.stamp

    def on_tick(self) -> None:
        """Draw and publish, if there is something to draw and somebody to see it."""
        if self._stamp is None or not self._images.get_subscription_count():
            return
        # A servo may overshoot its limits a little; the drawn face cannot.
        goals = np.clip(self._robot.goals(self._positions), 0, 1)
        self._images.publish(to_image_msg(self._face.render(goals), self._stamp, FRAME_ID))

    def leave(self) -> None:
        """Close the renderer."""
        self._face.close()


def main() -> int:
    """Run the node until it is asked to leave; returns its exit code (see ``run_node``)."""
    return run_node(TwinNode, niceness=10)


if __name__ == "__main__":
    raise SystemExit(main())
