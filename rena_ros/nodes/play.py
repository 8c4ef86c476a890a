"""play node: a recorded take -> ``servos/command/take``, each command at its own time; with its pictures when asked.

The node waits until the servos have torque, eases to the first pose, holds it until the robot is there, and sends the
take: the recorded goals with their velocities, which the servos node keeps as they are within its limits; from a bag
without goals, the recorded commands, which are planned anew. At the end it eases to neutral and ends with code 0. It
ends with an error when the robot goes limp meanwhile: from there on the take would no longer be what was recorded.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, JointState

from rena_ros.bags.header import stamped
from rena_ros.bags.reader import BagReader
from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, user_path
from rena_ros.control.arbiter import COMMAND_TOPICS, TAKE
from rena_ros.control.health import Level
from rena_ros.nodes.messages import diagnostics_msg, status_msg
from rena_ros.nodes.parameters import ParameterSpec, declare
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.playing.easing import easing, far_joints
from rena_ros.playing.take import PICTURES, Point, load_take
from rena_ros.robot.file import load_robot

REPEAT_S = 0.3  # a pose that lasts is sent again so often: the take stays the owner of the robot
HOLD_S, SETTLE_S = 3.0, 0.3  # how long the first pose is waited for at most, and held at least
LOOK_S = 0.05
PARAMETERS = (
    ParameterSpec("bag", "", "the bag to play: its folder, or one file of it"),
    ParameterSpec("robot_file", "", "robot file (YAML); empty: the Rena that ships"),
    ParameterSpec("start_s", 0.0, "where in the take to begin, s after its first command", (0, 1e6)),
    ParameterSpec("end_s", 0.0, "where in the take to end, s after its first command; 0: at its end", (0, 1e6)),
    ParameterSpec("speed", 1.0, "times the recorded speed; the servos' limits hold all the same", (0.05, 10)),
    ParameterSpec("loop", False, "begin again at the end, until the node is ended"),
    ParameterSpec("pictures", False, "publish the recorded pictures, too, on camera/image_raw/compressed"),
)


class PlayNode(Node):
    """A worker thread sends the commands; the node's own listens to the servos."""

    def __init__(self, **node_options):
        super().__init__("play", **node_options)
        given = declare(self, PARAMETERS)
        if not given["bag"]:
            raise RenaError("play: the parameter bag is empty; give the folder of a bag, bag:=PATH")
        self._path = Path(os.path.abspath(user_path(given["bag"])))
        self._robot = load_robot(given["robot_file"])
        take = load_take(self._path, self._robot)
        self._take = take.between(given["start_s"], given["end_s"] or take.duration_s, self._robot)
        self._speed, self._loop = given["speed"], given["loop"]
        if given["pictures"] and take.pictures is None:
            raise RenaError(f"the bag {self._path} holds no pictures; play it without them")
        self._positions = np.full(len(self._robot.names), np.nan)  # rad
        self._torque = self._playing = False
        self._text, self._round, self._late_s, self._time_s = "waiting for the servos", 0, 0.0, 0.0
        self._commands = self.create_publisher(JointState, COMMAND_TOPICS[TAKE], QoSProfile(depth=10))
        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._pictures = take.pictures if given["pictures"] else None
        self._images = self.create_publisher(CompressedImage, PICTURES, newest) if self._pictures else None
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_subscription(JointState, "joint_states", self.on_state, QoSProfile(depth=5))
        self.create_subscription(DiagnosticArray, "/diagnostics", self.on_diagnostics, QoSProfile(depth=10))
        self.create_timer(1.0, self.on_second, clock=STEADY)
        self._failure: Exception | None = None
        self._leaving = threading.Event()
        self._done = self.create_guard_condition(self.on_done)
        what = "goals as they were on the wire" if take.planned else "commands, planned anew"
        self.get_logger().info(f"{printable(self._path)}: {len(self._take.points)} points, {what}")
        self._worker = threading.Thread(target=self._work, name="take", daemon=True)
        self._worker.start()

    def on_state(self, state: JointState) -> None:
        """Keep where the robot is, rad; NaN for a servo that does not reply."""
        known = dict(zip(state.name, state.position, strict=False))
        self._positions = np.array([known.get(name, np.nan) for name in self._robot.names])

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """Note whether the servos have torque."""
        name = f"{self.get_namespace().strip('/')}/servos: bus".lstrip("/")
        for status in message.status:
            if status.name == name:
                self._torque = {one.key: one.value for one in status.values}.get("torque") == "true"

    def on_second(self) -> None:
        """Publish the diagnostics of the last second."""
        late_s, self._late_s = self._late_s, 0.0
        values = {
            "time_s": f"{self._time_s:.1f}",
            "of_s": f"{self._take.duration_s:.1f}",
            "round": self._round,
            "speed": self._speed,
            "late_ms": f"{late_s * 1e3:.1f}",
            "bag": printable(self._path),
        }
        status = status_msg(f"{self.get_fully_qualified_name().lstrip('/')}: play", Level.OK, self._text, values)
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))

    def on_done(self) -> None:
        """The take is over, or the worker failed: end the node from the thread that spins it."""
        if self._failure is not None:
            raise self._failure
        rclpy.try_shutdown()

    def leave(self) -> None:
        """Send nothing more; the servos node eases to neutral."""
        self._leaving.set()
        self._worker.join(2.0)

    def _work(self) -> None:
        try:
            self._perform()
        except Exception as error:
            self._failure = error
        if not self._leaving.is_set():
            self._done.trigger()

    def _perform(self) -> None:
        self._wait_for_torque()
        here = np.nan_to_num(self._positions)  # a servo that does not reply: from neutral
        take, neutral = self._take.at_speed(self._speed), np.zeros(len(self._robot.names))
        while not self._leaving.is_set():
            self._round += 1
            self._text = "easing to the first pose"
            self._send(easing(self._robot, here, take.first))
            self._hold(take.first)
            self._text = "playing"
            self._play(take.points)
            here = take.last(self._robot)
            if not self._loop:
                break
        self._text = "easing to neutral"
        self._send(easing(self._robot, here, neutral))
        self._hold(neutral)
        self.get_logger().info(f"played {self._take.duration_s - self._take.points[0].time_s:.1f} s of the take")

    def _wait_for_torque(self) -> None:
        told_s = time.monotonic() + 5.0
        while not self._leaving.is_set() and not (self._torque and np.isfinite(self._positions).any()):
            if time.monotonic() > told_s:
                told_s = float("inf")
                self.get_logger().warning("the robot is limp; the take begins once set_torque switches torque on")
            self._leaving.wait(LOOK_S)

    def _hold(self, pose: np.ndarray) -> None:
        """Hold a pose until the robot is there."""
        begin_s = time.monotonic()
        far: Sequence[str] = ()
        while not self._leaving.is_set() and time.monotonic() < begin_s + HOLD_S:
            self._publish(Point(0.0, self._robot.names, tuple(pose.tolist())))
            far = far_joints(self._robot, self._positions, pose)
            if not far and time.monotonic() > begin_s + SETTLE_S:
                return
            self._leaving.wait(LOOK_S)
        if far and not self._leaving.is_set():
            self.get_logger().warning(f"not where the take wants them, but played all the same: {', '.join(far)}")

    def _play(self, points: Sequence[Point]) -> None:
        """Send the take, and its pictures when asked."""
        ended, begin_s = threading.Event(), time.monotonic()
        show = partial(self._show, begin_s, ended)
        shown = threading.Thread(target=show, name="pictures", daemon=True) if self._pictures else None
        if shown is not None:
            shown.start()
        try:
            self._send(points)
        finally:
            ended.set()
            if shown is not None:
                shown.join(2.0)

    def _send(self, points: Sequence[Point]) -> None:
        """Send points at their times, which count from that of the first one; a pose that lasts is sent again."""
        begin_s, before = time.monotonic() - points[0].time_s, points[0]
        for point in points:
            while point.time_s + begin_s - time.monotonic() > REPEAT_S and not self._leaving.is_set():
                self._leaving.wait(REPEAT_S)
                self._publish(Point(0.0, before.names, before.positions))
            self._leaving.wait(max(0.0, begin_s + point.time_s - time.monotonic()))
            if self._leaving.is_set():
                return
            if not self._torque:
                raise RenaError(f"the robot went limp at {self._time_s:.1f} s of the take; see why, and play it again")
            self._publish(point)
            self._time_s = point.time_s * self._speed
            self._late_s = max(self._late_s, time.monotonic() - begin_s - point.time_s)
            before = point

    def _publish(self, point: Point) -> None:
        message = JointState(name=point.names, position=point.positions, velocity=point.velocities)
        message.header.stamp = self.get_clock().now().to_msg()
        self._commands.publish(message)

    def _show(self, begin_s: float, ended: threading.Event) -> None:
        """Publish the pictures of the take at their times, stamped now."""
        assert self._pictures is not None
        assert self._images is not None
        first_s, begin_ns = self._take.points[0].time_s, self._take.begin_ns
        span_ns = (begin_ns + round(first_s * 1e9), begin_ns + round(self._take.duration_s * 1e9))
        with BagReader(self._path) as bag:
            for message in bag.messages(self._pictures, start_ns=span_ns[0], stop_ns=span_ns[1]):
                due_s = begin_s + (message.stamp_ns - span_ns[0]) * 1e-9 / self._speed
                if ended.wait(max(0.0, due_s - time.monotonic())) or self._leaving.is_set():
                    return
                self._images.publish(stamped(message.data, self.get_clock().now().seconds_nanoseconds()))


main: Callable = partial(run_node, "play", PlayNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
