"""camera node: a camera, a video file or the drawn performer -> ``camera/image_raw`` and ``camera/camera_info``.

Images carry the moment they were captured. A clip's frame counts as captured when it is due by the clip's own
time, before it is decoded or drawn: what that takes is part of every latency measured from the stamp.
"""

import threading
import time

import cv2
import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, TimeReference

from rena_ros.base.errors import RenaError
from rena_ros.nodes.images import to_image_msg
from rena_ros.nodes.running import parameter, run_node
from rena_ros.perception.video import Camera, DrawnPerformer, VideoFile, open_source

FRAME_ID = "camera_optical_frame"
# From being known to this end until both ends are connected and even best-effort images arrive.
CONNECTING_S = 0.3
# How often an absent camera is looked for.
RETRY_S = 1.0
# How far a clip may fall behind its own time before it goes on from where it is.
BEHIND_S = 0.1
# How long the node stays after the last frame, so that everybody still receives it.
AFTERWARDS_S = 1.0
# How long a frame of a clip that is read as fast as possible may go unanswered.
ANSWER_S = 1.0


class CameraNode(Node):
    """See the module. Leaves with exit code 0 at the end of a clip that is not looped."""

    def __init__(self):
        super().__init__("camera")
        # Without a fixed type, for a bare 0 on a command line arrives as a number.
        source = parameter(self, "source", None, "performer, a video file, a camera's number or its /dev path")
        self._loop = parameter(self, "loop", False, "begin a clip again at its end")
        self._realtime = parameter(
            self, "realtime", True, "play a clip by its own time; false: send a frame as soon as the last one was read"
        )
        rate_hz = parameter(self, "rate_hz", 30.0, "frame rate asked of a camera or of the performer, Hz")
        width = parameter(self, "width", 640, "width asked of a camera, px; a file's longer side is scaled down to it")
        height = parameter(self, "height", 480, "height asked of a camera, px")
        self._mirror = parameter(self, "mirror", False, "flip the picture, as a looking-glass would")
        self._listeners = parameter(self, "listeners", 1, "subscribers to the images that a clip waits for")
        self._wait_s = parameter(self, "wait_s", 10.0, "how long to wait for them, s; 0: begin at once")
        self._source = open_source("performer" if source is None else str(source), width, height, rate_hz)

        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._images = self.create_publisher(Image, "camera/image_raw", newest)
        self._infos = self.create_publisher(CameraInfo, "camera/camera_info", newest)
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._sent_ns, self._answered = 0, threading.Event()
        if not self._realtime:
            self.create_subscription(TimeReference, "timing", self.on_timing, QoSProfile(depth=100))
        self._failure: Exception | None = None
        self._leaving = threading.Event()
        self._done = self.create_guard_condition(self.on_done)
        # Daemon: a camera that hangs in its driver must not keep the process from ending.
        self._worker = threading.Thread(target=self._work, name="frames", daemon=True)
        self._worker.start()

    def on_timing(self, message: TimeReference) -> None:
        """The blendshapes node has read a frame: if it is the last one sent, the next may follow."""
        if message.source == "blendshapes" and _nanoseconds(message.time_ref) >= self._sent_ns:
            self._answered.set()

    def on_done(self) -> None:
        """The clip is over, or the worker failed: end the node from the thread that spins it."""
        if self._failure is not None:
            raise self._failure
        rclpy.try_shutdown()

    def leave(self) -> None:
        """Stop, and release the camera or file."""
        self._leaving.set()
        self._worker.join(2.0)

    def _work(self) -> None:
        try:
            if isinstance(self._source, Camera):
                self._film(self._source)
            else:
                self._play(self._source)
        except Exception as error:
            # Whatever it is, it must end the node: a camera that stays silent looks like an empty room.
            self._failure = error
        finally:
            self._source.close()
        if not self._leaving.is_set():
            self._done.trigger()

    def _film(self, camera: Camera) -> None:
        was_there = None
        while not self._leaving.is_set():
            frame = camera.read()
            if (frame is not None) != was_there and frame is not None:
                self.get_logger().info(f"filming with {camera.path}, {frame.rgb.shape[1]}x{frame.rgb.shape[0]}")
            was_there = frame is not None
            if frame is not None:
                self._publish(frame.rgb, frame.t_s)
            elif not camera.is_open:
                self.get_logger().warning(camera.problem, throttle_duration_sec=10.0)
                self._leaving.wait(RETRY_S)

    def _play(self, clip: VideoFile | DrawnPerformer) -> None:
        self._wait_for_subscribers()
        begin_s, count = time.monotonic(), 0
        while not self._leaving.is_set():
            if self._realtime and not clip.drawn:
                self._leaving.wait(max(0.0, begin_s + clip.next_s - time.monotonic()))
            taken_s = time.monotonic()
            frame = clip.read()
            if frame is None and self._loop and count:
                begin_s, count = begin_s + clip.next_s, 0
                clip.rewind()
                continue
            if frame is None:
                break
            count += 1
            if self._realtime:
                due_s = begin_s + frame.t_s
                # With a variable frame rate the frame may be due only later than expected.
                self._leaving.wait(max(0.0, due_s - time.monotonic()))
                if taken_s - due_s > BEHIND_S:
                    # Too slow for the clip's time: go on from here rather than rush after it.
                    begin_s, due_s = begin_s + taken_s - due_s, taken_s
                taken_s = due_s
            self._answered.clear()
            self._publish(frame.rgb, taken_s)
            if not self._realtime:
                self._answered.wait(ANSWER_S)
        if count == 0 and not self._leaving.is_set():
            raise RenaError("the clip holds not a single frame")
        self._leaving.wait(AFTERWARDS_S)

    def _wait_for_subscribers(self) -> None:
        give_up_s = time.monotonic() + self._wait_s
        while time.monotonic() < give_up_s and not self._leaving.is_set():
            if (connected := self._images.get_subscription_count()) >= self._listeners:
                self._leaving.wait(CONNECTING_S)
                return
            self._leaving.wait(0.02)
        if self._wait_s > 0 and not self._leaving.is_set():
            self.get_logger().warning(
                f"{connected} instead of {self._listeners} listen to the images after {self._wait_s:g} s; beginning"
            )

    def _publish(self, rgb, captured_s: float) -> None:
        """Publish one frame captured at ``captured_s`` of time.monotonic()."""
        now = self.get_clock().now()
        stamp = (now - Duration(nanoseconds=int((time.monotonic() - captured_s) * 1e9))).to_msg()
        self._sent_ns = _nanoseconds(stamp)
        self._images.publish(to_image_msg(cv2.flip(rgb, 1) if self._mirror else rgb, stamp, FRAME_ID))
        finished = TimeReference(time_ref=stamp, source="camera")
        finished.header.stamp = self.get_clock().now().to_msg()
        self._timing.publish(finished)
        # K stays zero: by the ROS convention that says "not calibrated".
        info = CameraInfo(width=rgb.shape[1], height=rgb.shape[0])
        info.header.stamp, info.header.frame_id = stamp, FRAME_ID
        self._infos.publish(info)


def _nanoseconds(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def main() -> int:
    """Run the node until it is asked to leave; returns its exit code (see ``run_node``)."""
    return run_node(CameraNode, niceness=-5)


if __name__ == "__main__":
    raise SystemExit(main())
