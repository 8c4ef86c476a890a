"""camera node: a camera, a file, the drawn performer or the twin -> ``camera/image_raw``, ``camera/camera_info``.

Images are stamped with the time of their capture. A clip's frame counts as captured when it is due by the clip's own
time, before it is decoded: decoding is part of every latency measured from the stamp. (A frame of the performer is
drawn before it is due: drawing stands for the world in front of a camera.) The source ``robot`` is the twin's picture,
``robot/image_raw``, under its own stamp: see ``RobotView``. Once a second, ``/diagnostics``.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time as RosTime
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, TimeReference
from std_msgs.msg import Header

from rena_ros.base.files import printable
from rena_ros.nodes.camera_status import CameraStatus
from rena_ros.nodes.images import from_image_msg, to_image_msg
from rena_ros.nodes.messages import diagnostics_msg, nanoseconds, timing_msg
from rena_ros.nodes.parameters import ParameterSpec, declare, on_change
from rena_ros.nodes.robot_view import TOPIC as ROBOT_TOPIC
from rena_ros.nodes.robot_view import RobotView
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.perception.camera import Camera
from rena_ros.perception.pacing import paced
from rena_ros.perception.still import StillPicture
from rena_ros.perception.video import Clip, open_source

FRAME_ID = "camera_optical_frame"
ROBOT = "robot"
PARAMETERS = (
    # Any type, for a bare 0 on a command line arrives as a number.
    ParameterSpec(
        "source",
        "performer",
        "performer, robot (the twin's picture), a file, a camera's number or device",
        any_type=True,
    ),
    ParameterSpec("loop", False, "begin a clip again at its end", live=True),
    ParameterSpec(
        "realtime", True, "play a clip by its own time; false: send a frame as soon as the last one was read"
    ),
    ParameterSpec("rate_hz", 30.0, "frame rate of a camera, the performer or a still picture, Hz", (0.1, 1000)),
    ParameterSpec("width", 640, "width asked of a camera, px; a file's longer side is scaled down to it", (16, 8192)),
    ParameterSpec("height", 480, "height asked of a camera, px", (16, 8192)),
    ParameterSpec("mirror", False, "flip the picture left to right, as a mirror does", live=True),
    ParameterSpec("listeners", 1, "subscribers to the images that a clip waits for", (0, 100)),
    ParameterSpec("wait_s", 10.0, "how long to wait for them, s; 0: begin at once", (0, 3600)),
    ParameterSpec("robot_delay_s", 0.0, "source robot: pass its pictures on, and stamp them, so much later, s", (0, 5)),
)
CONNECTING_S = 0.3  # from discovery until both ends are connected and even best-effort images arrive
CLOCK_S = 0.05  # period at which /clock is looked for
RETRY_S = 1.0  # period at which an absent camera is looked for
AFTERWARDS_S = 1.0  # how long the node stays after the last frame, so that every subscriber still receives it
READING_S = 1.0  # how long to wait for the reading of a frame when a clip is sent as fast as it is read


@dataclass(frozen=True)
class Picture:
    """A picture on its way: ``rgb`` uint8 (h, w, 3), its header, its number, and when the camera has handed it on."""

    rgb: np.ndarray
    header: Header
    number: int
    handed_on: RosTime

    @property
    def stamp(self) -> RosTime:
        """The time of its capture."""
        return self.header.stamp


class CameraNode(Node):
    """A worker thread takes frames and publishes them. Ends with exit code 0 after a clip that is not looped."""

    def __init__(
        self,
        receive: Callable[[Picture], None] | None = None,
        is_heard: Callable[[], bool] = lambda: True,
        **node_options,
    ):
        """``receive``: takes each picture, from any thread, in place of its topics, and passes it to ``send`` later.

        ``is_heard``: whether what is made of the pictures has a subscriber; a clip waits for that, too.
        """
        super().__init__("camera", **node_options)
        self._receive, self._is_heard, self._number = receive or self.send, is_heard, 0
        given = declare(self, PARAMETERS)
        self._loop, self._mirror, self._realtime = given["loop"], given["mirror"], given["realtime"]
        self._listeners, self._wait_s = given["listeners"], given["wait_s"]
        on_change(self, loop=partial(setattr, self, "_loop"), mirror=partial(setattr, self, "_mirror"))
        name, rate_hz = str(given["source"]), given["rate_hz"]
        is_robot = name == ROBOT
        self._source = None if is_robot else open_source(name, given["width"], given["height"], rate_hz, self._warn)
        self._status = CameraStatus(self.get_fully_qualified_name().lstrip("/"), name, rate_hz, time.monotonic())

        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._images = self.create_publisher(Image, "camera/image_raw", newest)
        self._infos = self.create_publisher(CameraInfo, "camera/camera_info", newest)
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_timer(1.0, self.on_second, clock=STEADY)
        self._sent_ns = self._now_ns = 0
        self._was_read = threading.Event()
        if not self._realtime:
            self.create_subscription(TimeReference, "timing", self.on_timing, QoSProfile(depth=100))
        self._failure: Exception | None = None
        self._leaving = threading.Event()
        self._done = self.create_guard_condition(self.on_done)
        self._worker: threading.Thread | None = None
        if is_robot:
            self._status.reason = f"nothing comes on {self.resolve_topic_name(ROBOT_TOPIC)}; start the twin node"
            self._view = RobotView(self, given["robot_delay_s"], self.on_robot)
            return
        # Daemon: a camera that hangs in its driver must not keep the process from ending.
        self._worker = threading.Thread(target=self._work, name="frames", daemon=True)
        self._worker.start()

    def on_timing(self, message: TimeReference) -> None:
        """The blendshapes node has read a frame: if it is the last one sent, the next may follow."""
        if message.source == "blendshapes" and nanoseconds(message.time_ref) >= self._sent_ns:
            self._was_read.set()

    def on_robot(self, picture: Image) -> None:
        """Publish a picture of the robot as the camera's."""
        rgb = from_image_msg(picture)
        self._hand_on(cv2.flip(rgb, 1) if self._mirror else rgb, picture.header)

    def on_second(self) -> None:
        """Publish the diagnostics of the last second."""
        faults = getattr(self._source, "faults", {})
        status = self._status.message(time.monotonic(), faults)
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))

    def on_done(self) -> None:
        """The clip is over, or the worker failed: end the node from the thread that spins it."""
        if self._failure is not None:
            raise self._failure
        rclpy.try_shutdown()

    def leave(self) -> None:
        """Stop the worker, which closes the camera or file."""
        self._leaving.set()
        if self._worker is not None:
            self._worker.join(2.0)

    def _work(self) -> None:
        assert self._source is not None  # the twin's pictures need no worker
        try:
            self._wait_for_clock()
            if isinstance(self._source, Camera):
                self._film(self._source)
            else:
                self._play(self._source)
        except Exception as error:
            self._failure = error  # every failure must end the node: a silent camera looks like an empty room
        finally:
            self._source.close()
        if not self._leaving.is_set():
            self._done.trigger()

    def _film(self, camera: Camera) -> None:
        delivers, self._status.reason = False, camera.problem
        while not self._leaving.is_set():
            frame = camera.read()
            if frame is not None:
                if not delivers:
                    size = f"{frame.rgb.shape[1]}x{frame.rgb.shape[0]}"
                    self.get_logger().info(f"filming with {printable(camera.path)}, {size}")
                self._publish(frame.rgb, frame.t_s)
            elif not camera.is_open:
                self._status.reason = camera.problem
                self.get_logger().warning(camera.problem, throttle_duration_sec=10.0)
                self._leaving.wait(RETRY_S)
            delivers = frame is not None

    def _play(self, clip: Clip) -> None:
        if isinstance(clip, StillPicture):
            self.get_logger().info("the source is a still picture; it is shown until the node is ended")
        self._wait_for_subscribers()
        self._status.reason = "the next frame of the clip has not come"
        for rgb, captured_s in paced(clip, self._leaving, realtime=self._realtime, loop=lambda: self._loop):
            self._was_read.clear()
            self._publish(rgb, captured_s)
            if not self._realtime:
                self._was_read.wait(READING_S)
        self._status.over = True
        self._leaving.wait(AFTERWARDS_S)

    def _wait_for_clock(self) -> None:
        """With use_sim_time, wait for the first /clock: a time of 0 is no stamp."""
        while not self._leaving.is_set() and not self.get_clock().now().nanoseconds:
            self._status.reason = "use_sim_time is true, but no /clock has come: start what publishes it"
            self.get_logger().warning(self._status.reason, throttle_duration_sec=10.0)
            self._leaving.wait(CLOCK_S)

    def _wait_for_subscribers(self) -> None:
        give_up_s = time.monotonic() + self._wait_s
        while time.monotonic() < give_up_s and not self._leaving.is_set():
            connected = self._images.get_subscription_count()
            if connected >= self._listeners and self._is_heard():
                self._leaving.wait(CONNECTING_S)
                return
            if connected < self._listeners:
                missing = f"{connected} of {self._listeners} nodes listen to the images"
            else:
                missing = "no node listens to the commands"
            self._status.reason = f"the clip waits: {missing}"
            self._leaving.wait(0.02)
        if self._wait_s > 0 and not self._leaving.is_set():
            self.get_logger().warning(f"{missing} after {self._wait_s:g} s; the clip begins")

    def _warn(self, text: str) -> None:
        self.get_logger().warning(printable(text))

    def _publish(self, rgb: np.ndarray, captured_s: float) -> None:
        """Publish one frame captured at ``captured_s`` of time.monotonic()."""
        now_ns = self.get_clock().now().nanoseconds
        if not now_ns:  # use_sim_time was switched on meanwhile
            self._wait_for_clock()
            return
        # Just after a simulation's beginning a frame may be older than its clock; later the clock may tick more slowly
        # than frames come. Stamps run backwards only with the clock itself.
        captured_ns = max(1, now_ns - int((time.monotonic() - captured_s) * 1e9))
        if now_ns >= self._now_ns:
            captured_ns = max(captured_ns, self._sent_ns + 1)
        self._now_ns, self._sent_ns = now_ns, captured_ns
        header = Header(stamp=Time(nanoseconds=captured_ns).to_msg(), frame_id=FRAME_ID)
        self._hand_on(cv2.flip(rgb, 1) if self._mirror else rgb, header)

    def _hand_on(self, rgb: np.ndarray, header: Header) -> None:
        self._number += 1
        self._receive(Picture(rgb, header, self._number, self.get_clock().now().to_msg()))

    def send(self, picture: Picture) -> None:
        """Publish a picture."""
        height, width = picture.rgb.shape[:2]
        if self._images.get_subscription_count():
            self._images.publish(to_image_msg(picture.rgb, picture.stamp, picture.header.frame_id))
        direct = self._receive != self.send
        finished = picture.handed_on if direct else self.get_clock().now().to_msg()
        self._timing.publish(timing_msg("camera", picture.stamp, finished))
        # K stays zero: by the ROS convention that means "not calibrated".
        info = CameraInfo(header=picture.header, width=width, height=height)
        self._infos.publish(info)
        self._status.add(info.width, info.height, time.monotonic())


main = partial(run_node, "camera", CameraNode, niceness=-5)


if __name__ == "__main__":
    raise SystemExit(main())
