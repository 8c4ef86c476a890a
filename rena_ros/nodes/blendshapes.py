"""blendshapes node: ``camera/image_raw`` -> ``face/blendshapes``, and ``face/landmarks`` for whoever listens.

Newest frame wins: the subscription keeps a single image and the callback reads the face itself; what arrives
meanwhile replaces the waiting image in the middleware, before Python sees it.
"""

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState, PointCloud2, PointField, TimeReference

from rena_ros.nodes.images import from_image_msg
from rena_ros.nodes.running import STEADY, parameter, run_node
from rena_ros.perception.face_reader import MAX_FACES, READING_NAMES, FaceReader

_FIELDS = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, name in enumerate("xyz")]


class BlendshapesNode(Node):
    """See the module. A JointState without names says that nobody is there."""

    def __init__(self):
        super().__init__("blendshapes")
        model_path = parameter(self, "model_path", "", "face_landmarker.task; empty: searched for")
        max_faces = parameter(self, "max_faces", MAX_FACES, "how many people are told apart; each costs about 8 ms")
        mirror = parameter(self, "mirror", False, "read the picture flipped: the person's left is the robot's right")
        self._reader = FaceReader(model_path, max_faces=max_faces, mirror=mirror)
        self._reader.read(np.zeros((480, 640, 3), np.uint8))  # the first read takes longer: not at a person's cost
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
        # Last: whoever waits for this subscription may take it that the node is ready.
        one = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(Image, "camera/image_raw", self.on_image, one)

    def on_image(self, image: Image, info: dict) -> None:
        """Read one frame and publish what was seen, with the image's own stamp."""
        start_s = time.perf_counter()
        stamp = image.header.stamp
        reading = self._reader.read(from_image_msg(image), stamp.sec * 1000 + stamp.nanosec // 1_000_000)
        message = JointState()
        message.header.stamp = stamp
        if reading is not None:
            message.name, message.position = list(READING_NAMES), reading.features.tolist()
        self._readings.publish(message)
        finished = TimeReference(time_ref=stamp, source="blendshapes")
        finished.header.stamp = self.get_clock().now().to_msg()
        self._timing.publish(finished)
        if reading is not None and self._landmarks.get_subscription_count():
            self._landmarks.publish(_cloud(reading.landmarks, image.header))
        self._read_ms.append((time.perf_counter() - start_s) * 1e3)
        self._count_skipped(info["publication_sequence_number"])

    def on_second(self) -> None:
        """Say how it goes."""
        now_s = time.monotonic()
        read = len(self._read_ms)
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if read else DiagnosticStatus.WARN,
            name=f"{self.get_name()}: perception",
            message=("a face" if self._reader.faces else "nobody") if read else "no images",
            values=[
                KeyValue(key="rate_hz", value=f"{read / (now_s - self._since_s):.1f}"),
                KeyValue(key="faces", value=str(self._reader.faces)),
                KeyValue(key="frame_ms", value=f"{np.median(self._read_ms):.1f}" if read else "nan"),
                KeyValue(key="frames_read", value=str(read)),
                KeyValue(key="frames_skipped", value=str(self._skipped)),
            ],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        self._read_ms, self._skipped, self._since_s = [], 0, now_s

    def leave(self) -> None:
        """Close MediaPipe while the interpreter still stands."""
        self._reader.close()

    def _count_skipped(self, sequence: int) -> None:
        """Gaps in the publisher's own count are images that came while another was being read, or were lost."""
        if self._sequence is not None and sequence > self._sequence:
            self._skipped += sequence - self._sequence - 1
        self._sequence = sequence


def _cloud(landmarks: np.ndarray, header) -> PointCloud2:
    cloud = PointCloud2(
        header=header, height=1, width=len(landmarks), fields=_FIELDS, point_step=12, row_step=12 * len(landmarks)
    )
    cloud.data.frombytes(landmarks.tobytes())
    cloud.is_dense = True
    return cloud


def main() -> int:
    """Run the node until it is asked to leave; returns its exit code (see ``run_node``)."""
    return run_node(BlendshapesNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
