"""exerciser node: moves the servos at 50 Hz and prints the state of the bus on stdout, as JSON lines.

For endurance runs (`rena bench soak`). When the robot is connected but not all of its servos follow, as after a pulled
cable, the node asks for torque again, as an operator would.
"""

import json
import sys
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from rena_ros.nodes.parameters import ParameterSpec, declare
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.robot.file import load_robot

BUS = "servos: bus"
ASK_AGAIN_S = 5.0
LONGEST_S, SHORTEST_S = 4.0, 1.2  # periods of the servos' movements
PARAMETERS = (
    ParameterSpec("robot_file", "", "robot file (YAML); empty: the Rena that ships"),
    ParameterSpec("rate_hz", 50.0, "commands per second, Hz", (1, 500)),
)


class Exerciser(Node):
    """Publishes commands, prints the diagnostics of the bus, and asks for torque; see the module."""

    def __init__(self) -> None:
        super().__init__("exerciser")
        given = declare(self, PARAMETERS)
        self.robot = load_robot(given["robot_file"])
        self._periods_s = np.linspace(LONGEST_S, SHORTEST_S, len(self.robot.names))
        self._names = list(self.robot.names)
        self._asked_s = -np.inf
        self._commands = self.create_publisher(JointState, "servos/command", QoSProfile(depth=1))
        self._torque = self.create_client(SetBool, "set_torque")
        self.create_subscription(DiagnosticArray, "/diagnostics", self.on_diagnostics, QoSProfile(depth=10))
        self.create_timer(1 / given["rate_hz"], self.on_tick, clock=STEADY)

    def on_tick(self) -> None:
        """Move each servo to and fro between its limits, each with its own period."""
        goals = 0.5 + 0.5 * np.sin(2 * np.pi * time.monotonic() / self._periods_s)
        positions = self.robot.lower + goals * (self.robot.upper - self.robot.lower)
        self._commands.publish(JointState(name=self._names, position=positions.tolist()))

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """Print the status of the bus; ask for torque when a servo is not driven."""
        for status in message.status:
            if status.name.rpartition("/")[2] != BUS:  # the namespace comes before it
                continue
            values = {value.key: value.value for value in status.values}
            level = int.from_bytes(status.level, "little")
            print(json.dumps({"time_s": time.monotonic(), "level": level, "message": status.message, **values}))
            sys.stdout.flush()
            if values.get("connected") == "true" and int(values.get("driven", 0)) < len(self._names):
                self._ask_for_torque()

    def _ask_for_torque(self) -> None:
        if time.monotonic() - self._asked_s > ASK_AGAIN_S and self._torque.service_is_ready():
            self._asked_s = time.monotonic()
            self._torque.call_async(SetBool.Request(data=True))


if __name__ == "__main__":
    raise SystemExit(run_node("exerciser", Exerciser, niceness=5))
