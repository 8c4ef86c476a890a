"""blendshapes node: images -> ``face/blendshapes`` and, while it has subscribers, ``face/landmarks``.

Images arrive on ``camera/image_raw`` or, while it has no publisher, on ``camera/image_raw/compressed``. Newest image
wins: the subscription keeps a single one and the callback reads the face itself; an image that arrives meanwhile
replaces the waiting one in the middleware, before Python sees it. An image that cannot be read is logged and counted.

Readings carry their image's own stamp; where stamps are not set, stand still or are those of two clocks, the time of
arrival stands in. ``face/landmarks`` holds no metres: in its frame, the image's frame with ``_image`` behind, x to the
right and y down are fractions of the image's width and height, z is a fraction of its width, smaller towards the
camera. No transform leads there.
"""

import os
import time
from dataclasses import dataclass, replace
from functools import partial

import builtin_interfaces.msg
import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image, JointState, PointCloud2, PointField, TimeReference
from std_msgs.msg import Header

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.control.health import Level
from rena_ros.nodes.hops import Hops
from rena_ros.nodes.image_topics import ImageTopics
from rena_ros.nodes.images import from_image_msg
from rena_ros.nodes.messages import diagnostics_msg, joint_state_msg, nanoseconds, status_msg, timing_msg
from rena_ros.nodes.parameters import ParameterSpec, declare, on_change
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.perception.engines import AUTO, ENGINES
from rena_ros.perception.face_reader import MAX_FACES, READING_NAMES, FaceReader, FaceReading
from rena_ros.perception.image_count import ImageCount, ImageCounts
from rena_ros.perception.image_stamps import ImageStamps

PARAMETERS = (
    ParameterSpec("model_path", "", "face_landmarker.task; empty: searched for"),
    ParameterSpec("perception", AUTO, f"what reads faces: {', '.join(ENGINES)}; auto: litert where it is installed"),
    ParameterSpec("max_faces", MAX_FACES, "how many people are told apart; each costs about 6 ms a frame", (1, 20)),
    ParameterSpec("mirror", False, "read the picture flipped: the person's left is the robot's right", live=True),
    ParameterSpec("transport", "auto", "images read: raw, compressed, or auto: compressed where no raw ones are"),
)
_FIELDS = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, name in enumerate("xyz")]
_PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


@dataclass(frozen=True)
class Direct:
    """Stands for ``ImageTopics`` where no topic brings the images."""

    topic: str = "the camera of this process"
    publishers: tuple[str, ...] = ("camera",)

    def update(self) -> bool:
        """Nothing changes here."""
        return False


class BlendshapesNode(Node):
    """Reads one person's face in every image. A JointState without names says that no face is present."""

    def __init__(self, direct: bool = False, **node_options):
        """``direct``: images come by ``read`` and leave by ``publish``, not on topics; see ``nodes.chain``."""
        super().__init__("blendshapes", **node_options)
        given = declare(self, PARAMETERS)
        cv2.setNumThreads(1)  # its threads would take the cores that other nodes need, for pictures of this size
        self._reader = FaceReader(
            given["model_path"], max_faces=given["max_faces"], mirror=given["mirror"], engine=given["perception"]
        )
        self._reader.read(np.zeros((480, 640, 3), np.uint8))  # the first read is slow: not at the cost of an image
        on_change(self, mirror=partial(setattr, self._reader, "mirror"))
        self._finished = self.get_clock().now()
        self._stamps, self._count, self._said = ImageStamps(), ImageCount(), ""
        self._refused, self._refusal = 0, ""
        self._read_ms: list[float] = []
        self._since_s = time.monotonic()

        self._readings = self.create_publisher(JointState, "face/blendshapes", QoSProfile(depth=5))
        newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._landmarks = self.create_publisher(PointCloud2, "face/landmarks", newest)
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._hops = Hops(self)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_timer(1.0, self.on_second, clock=STEADY)
        # Last: other nodes take this subscription as the sign that the node is ready.
        self._topics = Direct() if direct else ImageTopics(self, given["transport"], self.on_image)

    def on_image(self, image: Image | CompressedImage, info: dict) -> None:
        """Read one image and publish the reading."""
        sent_s, arrived_s = info["source_timestamp"] * 1e-9, info["received_timestamp"] * 1e-9
        self._count.begin(info["publication_sequence_number"], sent_s, arrived_s, time.time())
        self._hops.mark("picture taken")
        try:
            frame = from_image_msg(image)
        except RenaError as error:
            self._refused, self._refusal = self._refused + 1, str(error)
            self.get_logger().warning(str(error), throttle_duration_sec=10.0)
        else:
            # Without /clock the time of a simulation stands at 0.
            arrival_ns = self.get_clock().now().nanoseconds or time.time_ns()
            used_ns = self._stamps.use(nanoseconds(image.header.stamp), arrival_ns, time.monotonic())
            image.header.stamp = Time(nanoseconds=used_ns).to_msg()
            self.publish(self._timed(frame, used_ns), image.header)
        self._count.end(time.time())

    def read(self, rgb: np.ndarray, stamp: builtin_interfaces.msg.Time, number: int) -> FaceReading | None:
        """Read the camera's picture ``number``, which was captured at ``stamp``; None while no face is present."""
        now_s = time.time()
        self._count.begin(number, now_s, now_s, now_s)
        self._hops.mark("picture taken")
        reading = self._timed(rgb, nanoseconds(stamp))
        self._count.end(time.time())
        return reading

    def publish(self, reading: FaceReading | None, header: Header) -> None:
        """Publish what was read last in the image of that header."""
        names, features = ((), ()) if reading is None else (READING_NAMES, reading.features.tolist())
        if reading is not None and self._landmarks.get_subscription_count():
            # First: a policy node that reads landmarks acts once it has both, and finds these waiting.
            self._landmarks.publish(_cloud(reading.landmarks, header))
        self._readings.publish(joint_state_msg(names, features, header.stamp))
        self._timing.publish(timing_msg("blendshapes", header.stamp, self._finished.to_msg()))
        self._hops.publish(header.stamp)

    def on_second(self) -> None:
        """Publish the diagnostics of the last second."""
        now_s, read = time.monotonic(), len(self._read_ms)
        changed = self._topics.update()
        counts = self._count.take()
        if changed or len(self._topics.publishers) > 1:  # sequence numbers are each publisher's own
            self._count.restart()
            counts = replace(counts, skipped=0, lost=0)
        warnings = self._warnings(counts)
        message = "face present" if self._reader.faces else "no face"
        status = status_msg(
            f"{self.get_fully_qualified_name().lstrip('/')}: perception",
            Level.WARN if warnings else Level.OK,
            "; ".join(warnings) or message,
            {
                "rate_hz": f"{read / (now_s - self._since_s):.1f}",
                "engine": self._reader.engine,
                "faces": self._reader.faces,
                "frame_ms": f"{np.median(self._read_ms):.1f}" if read else "nan",
                "frames_read": read,
                "frames_skipped": counts.skipped,
                "frames_lost": counts.lost,
                "frames_refused": self._refused,
                "topic": self._topics.topic,
                "publishers": len(self._topics.publishers),
            },
        )
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))
        self._read_ms, self._refused, self._since_s = [], 0, now_s

    def leave(self) -> None:
        """Close the reader before the interpreter shuts down."""
        self._reader.close()

    def _timed(self, rgb: np.ndarray, stamp_ns: int) -> FaceReading | None:
        self._hops.mark("picture converted")
        start_s = time.perf_counter()
        reading = self._reader.read(rgb, stamp_ns // 1_000_000)
        self._read_ms.append((time.perf_counter() - start_s) * 1e3)
        self._finished = self.get_clock().now()
        return reading

    def _warnings(self, counts: ImageCounts) -> list[str]:
        """What is wrong with the images of the last second."""
        topic, publishers, log = self._topics.topic, self._topics.publishers, self.get_logger()
        warnings = []
        if self._refused:
            warnings.append(f"{self._refused} images cannot be read: {self._refusal}")
        elif not self._read_ms:
            warnings.append("no images" if publishers else f"no images: {topic} has no publisher")
        if counts.mixed and publishers:
            several = f"images of several publishers come in turn on {topic}, {', '.join(publishers)}"
            warnings.append(f"{several}: let one publish there")
            log.warning(warnings[-1], throttle_duration_sec=30.0)
        if counts.many_lost and publishers:
            lost = f"{counts.lost} of {counts.lost + counts.skipped + counts.read} images are lost on the way"
            warnings.append(f"{lost} from {publishers[0]}: {_remedy()}")
            log.warning(f"{topic}: {warnings[-1]}", throttle_duration_sec=30.0)
        if (problem := self._stamps.problem) and publishers and self._read_ms:
            of = f"{len(publishers)} publishers" if len(publishers) != 1 else publishers[0]
            warnings.append(f"the images on {topic} ({of}) {problem}: the time of their arrival stands in")
            if problem != self._said:
                log.warning(warnings[-1])
        self._said = problem
        return warnings


def _remedy() -> str:
    """What lets raw images through: each end's shared memory must hold more than one of them."""
    has_profile = any(os.environ.get(name) for name in _PROFILES)
    started = "it" if has_profile else "it and this node"
    return f"start {started} with {_PROFILES[0]}={share_path('config/fastdds.xml')}, or let it publish CompressedImage"


def _cloud(landmarks: np.ndarray, image: Header) -> PointCloud2:
    count = len(landmarks)
    header = Header(stamp=image.stamp, frame_id=f"{image.frame_id}_image".lstrip("_"))
    cloud = PointCloud2(header=header, height=1, width=count, fields=_FIELDS, point_step=12, row_step=12 * count)
    cloud.data.frombytes(landmarks.tobytes())
    cloud.is_dense = True
    return cloud


main = partial(run_node, "blendshapes", BlendshapesNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
