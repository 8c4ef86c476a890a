"""policy node: what the camera sees of a person -> what the servos are asked to do.

Subscribes ``face/blendshapes``, publishes ``servos/command`` (radians, the image's own stamp) the moment a
reading arrives, and ``timing``. While nobody is there it eases to neutral at ``rate_hz``; those commands carry
the present time, for no image caused them, and are not reported on ``timing``.
"""

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState, TimeReference
from std_srvs.srv import Trigger

from rena_ros.behaviour.policy import Policy
from rena_ros.behaviour.presence import Presence
from rena_ros.behaviour.resting_face import RestingFace
from rena_ros.nodes.running import STEADY, parameter, run_node
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot


class PolicyNode(Node):
    """See the module. Services: ``rest`` measures the person's resting face anew."""

    def __init__(self, **node_options):
        super().__init__("policy", **node_options)
        model_path = parameter(self, "model_path", "", "exported model (ONNX); empty: the one that ships with Rena")
        robot_file = parameter(self, "robot_file", "", "robot file (YAML); empty: the Rena that ships")
        rate_hz = parameter(self, "rate_hz", 50.0, "commands per second while nobody is there, Hz")
        lost_after_s = parameter(self, "lost_after_s", 0.5, "time without a face after which to ease to neutral, s")
        rest_seconds = parameter(self, "rest_seconds", 2.0, "calm time from which a resting face is measured, s")
        self.robot = load_robot(robot_file)
        self.policy = Policy(model_path, self.robot)
        self.policy(self.policy.robot_rest)  # the first inference takes longer: not at a person's cost
        self.resting = RestingFace(self.policy.robot_rest, rest_seconds)
        self.presence = Presence(self.robot.neutral_goals, lost_after_s)
        self._readings, self._refused, self._since_s, self._inference_ms = 0, 0, time.monotonic(), []

        self._command = self.create_publisher(JointState, "servos/command", QoSProfile(depth=1))
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_subscription(JointState, "face/blendshapes", self.on_reading, QoSProfile(depth=1))
        self.create_service(Trigger, "rest", self.on_rest)
        self.create_timer(1 / rate_hz, self.on_tick, clock=STEADY)
        self.create_timer(1.0, self.on_second, clock=STEADY)
        figures = self.policy.provenance.get("held_out", {})
        told = f", held-out RMSE {100 * figures['rmse']:.1f} %" if "rmse" in figures else ""
        self.get_logger().info(f"model {self.policy.path}{told}; measuring the resting face")

    def on_reading(self, message: JointState) -> None:
        """One reading: the newest of what a person's face does, or (empty) that nobody is there."""
        if not message.name:
            return  # absence is a matter of time: on_tick
        if tuple(message.name) != READING_NAMES or len(message.position) != len(READING_NAMES):
            self._refuse("its names are not the 55 of a reading")
            return
        start_s = time.perf_counter()
        features = np.asarray(message.position, np.float32)
        stamp = message.header.stamp
        try:
            goals = self.policy(self.resting.adapt(features))
        except ValueError as error:
            self._refuse(str(error))
            return
        self._inference_ms.append((time.perf_counter() - start_s) * 1e3)
        self._readings += 1
        self._publish(self.presence.seen(goals, time.monotonic()), stamp)
        self._timing.publish(_timing(self.get_clock().now().to_msg(), stamp))
        if self.resting.observe(features, stamp.sec + stamp.nanosec * 1e-9):
            self.get_logger().info("resting face measured: " + self._found())

    def on_tick(self) -> None:
        """While nobody is there, ease to neutral and stay there."""
        goals = self.presence.absent(time.monotonic())
        if goals is not None:
            self._publish(goals, self.get_clock().now().to_msg())

    def on_rest(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Measure the resting face anew."""
        self.resting.reset()
        response.success = True
        response.message = f"measuring; look at the camera with a calm face for {self.resting.rest_seconds:g} s"
        self.get_logger().info(response.message)
        return response

    def on_second(self) -> None:
        """Say how it goes."""
        now_s = time.monotonic()
        rate_hz = self._readings / (now_s - self._since_s)
        inference_ms = float(np.median(self._inference_ms)) if self._inference_ms else float("nan")
        present = self.presence.is_present(now_s)
        measured = "yes" if self.resting.measured else f"{self.resting.calm_s:.1f} s of calm so far"
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if self._refused else DiagnosticStatus.OK,
            name=f"{self.get_name()}: mimicry",
            hardware_id=str(self.policy.path),
            message=f"{self._refused} readings refused" if self._refused else ("following" if present else "nobody"),
            values=[
                KeyValue(key="rate_hz", value=f"{rate_hz:.1f}"),
                KeyValue(key="inference_ms", value=f"{inference_ms:.3f}"),
                KeyValue(key="person_present", value=str(present).lower()),
                KeyValue(key="rest_measured", value=measured),
            ],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        self._readings, self._refused, self._since_s, self._inference_ms = 0, 0, now_s, []

    def _publish(self, goals: np.ndarray, stamp) -> None:
        message = JointState(name=list(self.robot.names), position=self.robot.positions(goals).tolist())
        message.header.stamp = stamp
        self._command.publish(message)

    def _refuse(self, reason: str) -> None:
        self._refused += 1
        self.get_logger().warning(f"reading refused: {reason}", throttle_duration_sec=5.0)

    def _found(self) -> str:
        return ", ".join(
            f"{name} {person:.2f} (robot {robot:.2f})" for name, person, robot in self.resting.differences()
        )


def _timing(finished, image_stamp) -> TimeReference:
    message = TimeReference(time_ref=image_stamp, source="policy")
    message.header.stamp = finished
    return message


def main() -> int:
    """Run the node until it is asked to leave; returns its exit code (see ``run_node``)."""
    return run_node(PolicyNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
