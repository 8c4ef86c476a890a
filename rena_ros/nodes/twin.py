"""twin node: ``joint_states`` -> the drawn robot's face on ``robot/image_raw``; once a second, ``/diagnostics``."""

import time
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState

from rena_ros.control.health import Level
from rena_ros.nodes.images import to_image_msg
from rena_ros.nodes.messages import diagnostics_msg, status_msg
from rena_ros.nodes.parameters import ParameterSpec, declare, on_change
from rena_ros.nodes.running import STEADY, run_node, set_rate
from rena_ros.robot.file import load_robot
from rena_ros.twin.body import load_body
from rena_ros.twin.face import TwinFace

FRAME_ID = "robot_camera_optical_frame"
OLD_S = 1.0  # age from which on the newest state is one of the past
PARAMETERS = (
    ParameterSpec("robot_file", "", "robot file (YAML); empty: the Rena that ships"),
    ParameterSpec("body_file", "", "body file (YAML), as config/foreign.yaml; empty: as the robot file says"),
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
        self._body = load_body(given["body_file"], self._robot)
        self._face = TwinFace(self._robot, given["width"], given["height"], self._body.look)
        self._positions = np.zeros(len(self._robot.names))
        self._size = f"{given['width']}x{given['height']}"
        self._stamp = None
        self._arrived_s = -np.inf
        self._drawn, self._since_s = 0, time.monotonic()
        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._images = self.create_publisher(Image, "robot/image_raw", newest)
        timer = self.create_timer(1 / given["rate_hz"], self.on_tick, clock=STEADY)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_timer(1.0, self.on_second, clock=STEADY)
        self.create_subscription(JointState, "joint_states", self.on_state, QoSProfile(depth=5))
        on_change(self, rate_hz=partial(set_rate, timer))

    def on_state(self, state: JointState) -> None:
        """Store the positions (rad) of the servos that are listed."""
        for name, position in zip(state.name, state.position, strict=False):
            if name in self._robot.index and np.isfinite(position):
                self._positions[self._robot.index[name]] = position
        self._stamp, self._arrived_s = state.header.stamp, time.monotonic()

    def on_tick(self) -> None:
        """Draw and publish, once a state is known and as long as anything subscribes."""
        if self._stamp is None or not self._images.get_subscription_count():
            return
        # A servo may overshoot its limits a little; the drawn face cannot.
        goals = np.clip(self._robot.goals(self._positions), 0, 1)
        self._images.publish(to_image_msg(self._face.render(self._body.drawn(goals)), self._stamp, FRAME_ID))
        self._drawn += 1

    def on_second(self) -> None:
        """Publish the diagnostics of the last second: WARN while no ``joint_states`` come."""
        now_s = time.monotonic()
        age_s, topic = now_s - self._arrived_s, self.resolve_topic_name("joint_states")
        status = status_msg(
            f"{self.get_fully_qualified_name().lstrip('/')}: twin",
            Level.WARN if age_s > OLD_S else Level.OK,
            f"no state comes on {topic}" if age_s > OLD_S else "drawing the newest state",
            {
                "rate_hz": f"{self._drawn / (now_s - self._since_s):.1f}",
                "picture": self._size,
                "state_age_s": f"{age_s:.2f}" if np.isfinite(age_s) else "nan",
                "subscribers": self._images.get_subscription_count(),
            },
        )
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))
        self._drawn, self._since_s = 0, now_s


main = partial(run_node, "twin", TwinNode, niceness=10)


if __name__ == "__main__":
    raise SystemExit(main())
