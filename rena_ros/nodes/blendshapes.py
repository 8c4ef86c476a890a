"""blendshapes node: ``camera/image_raw`` -> ``face/blendshapes`` and, while it has subscribers, ``face/landmarks``.

Newest frame wins: the subscription keeps a single image and the callback reads the face itself; an image that arrives
meanwhile replaces the waiting one in the middleware, before Python sees it.
"""

import time
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState, PointCloud2, PointField, TimeReference

from rena_ros.control.health import Level
from rena_ros.nodes.images import from_image_msg
from rena_ros.nodes.messages import diagnostics_msg, joint_state_msg, nanoseconds, status_msg, timing_msg
from rena_ros.nodes.parameters import ParameterSpec, declare, on_change
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.perception.face_reader import MAX_FACES, READING_NAMES, FaceReader

PARAMETERS = (
    ParameterSpec("model_path", "", "face_landmarker.task; empty: searched for"),
    ParameterSpec("max_faces", MAX_FACES, "how many people are told apart; each costs about 8 ms a frame", (1, 20)),
    ParameterSpec("mirror", False, "read the picture flipped: the person's left is the robot's right", live=True),
)
_FIELDS = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, name in enumerate("xyz")]


class BlendshapesNode(Node):
    """Reads one person's face in every image. A JointState without names says that no face is present."""

    def __init__(self):
        super().__init__("blendshapes")
        given = declare(self, PARAMETERS)
        self._reader = FaceReader(given["model_path"], max_faces=given["max_faces"], mirror=given["mirror"])
        self._reader.read(np.zeros((480, 640, 3), np.uint8))  # the first read is slow: not at the cost of an image
        on_change(self, mirror=partial(setattr, self._reader, "mirror"))
        self._sequence: int | None = None
        self._skipped = 0
        self._read_ms: list[float] = []
        self._since_s = time.monotonic()

        self._readings = self.create_publisher(JointState, "face/blendshapes", QoSProfile(depth=5))
        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._landmarks = self.create_publisher(PointCloud2, "face/landmarks", newest)
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_timer(1.0, self.on_second, clock=STEADY)
        # Last: other nodes take this subscription as the sign that the node is ready.
        one = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        # rclpy passes the message's info to a callback with two arguments; its annotation allows only one.
        self.create_subscription(Image, "camera/image_raw", self.on_image, one)  # type: ignore[arg-type]

    def on_image(self, image: Image, info: dict) -> None:
        """Read one image and publish the reading with the image's own stamp."""
        start_s = time.perf_counter()
        stamp = image.header.stamp
        reading = self._reader.read(from_image_msg(image), nanoseconds(stamp) // 1_000_000)
        names, features = ((), ()) if reading is None else (READING_NAMES, reading.features.tolist())
        self._readings.publish(joint_state_msg(names, features, stamp))
        self._timing.publish(timing_msg("blendshapes", stamp, self.get_clock().now().to_msg()))
        if reading is not None and self._landmarks.get_subscription_count():
            self._landmarks.publish(_cloud(reading.landmarks, image.header))
        self._read_ms.append((time.perf_counter() - start_s) * 1e3)
        self._count_skipped(info["publication_sequence_number"])

    def on_second(self) -> None:
        """Publish the diagnostics of the last second."""
        now_s = time.monotonic()
        read = len(self._read_ms)
        status = status_msg(
            f"{self.get_name()}: perception",
            Level.OK if read else Level.WARN,
            ("face present" if self._reader.faces else "no face") if read else "no images",
            {
                "rate_hz": f"{read / (now_s - self._since_s):.1f}",
                "faces": self._reader.faces,
                "frame_ms": f"{np.median(self._read_ms):.1f}" if read else "nan",
                "frames_read": read,
                "frames_skipped": self._skipped,
            },
        )
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))
        self._read_ms, self._skipped, self._since_s = [], 0, now_s

    def leave(self) -> None:
        """Close MediaPipe before the interpreter shuts down."""
        self._reader.close()

    def _count_skipped(self, sequence: int) -> None:
        """A gap in the publisher's own count is an image that was replaced while another was read, or was lost."""
        if self._sequence is not None and sequence > self._sequence:
            self._skipped += sequence - self._sequence - 1
        self._sequence = sequence


def _cloud(landmarks: np.ndarray, header) -> PointCloud2:
    count = len(landmarks)
    cloud = PointCloud2(header=header, height=1, width=count, fields=_FIELDS, point_step=12, row_step=12 * count)
    cloud.data.frombytes(landmarks.tobytes())
    cloud.is_dense = True
    return cloud


main = partial(run_node, BlendshapesNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
