"""A small world as a bag: three servos, their camera and a babbling session, where every expected value is known.

Written with rosbags' own writer. Servos creep by 1 µrad a millisecond, so that each state is the only one of its kind.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.recording.marker import ACCEPTED, SampleMarker

TYPES = get_typestore(Stores.ROS2_JAZZY)
T = TYPES.types
NAMES = ("jaw", "smile", "sad")
SERVO = "  - {{name: {}, id: {}, region: mouth, min_ticks: 2048, neutral_ticks: 2048, max_ticks: 2448, "
SERVO += "max_speed_rad_s: 4, max_acceleration_rad_s2: 80, antagonists: [{}]}}\n"
ROBOT = "servos:\n" + SERVO.format("jaw", 1, "") + SERVO.format("smile", 2, "sad") + SERVO.format("sad", 3, "smile")
SPAN = 400 * 2 * np.pi / 4096  # rad, of each servo: goal 1
START_MS, SAMPLE_MS, SETTLE_MS, SEEN_MS = 1_700_000_000_000, 1000, 400, 600
REST_MS = 2000  # at neutral, before the first sample
STATE_MS, FRAME_MS, REPEAT_MS = 20, 50, 100


def goals_of(index: int) -> np.ndarray:
    """The goals of a sample, float32 (3,); never at neutral."""
    return np.float32([0.2 + 0.6 * np.sin(index) ** 2, (index % 5) / 5, 0 if index % 5 else 0.7])


def features_at(ms: int) -> np.ndarray:
    """What is read in the picture taken at a time, float32 (55,)."""
    return np.random.default_rng(ms).random(55, np.float32)


def landmarks_at(ms: int) -> np.ndarray:
    return np.random.default_rng([7, ms]).random((478, 3), np.float32)


def pixels_at(ms: int) -> np.ndarray:
    """A picture of edges, each as sharp as the next, uint8 (48, 64, 3)."""
    rng = np.random.default_rng(ms)
    return np.kron(rng.integers(0, 2, (12, 16, 1), np.uint8) * 200, np.ones((4, 4, 3), np.uint8))


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels)[1].tobytes()


@dataclass
class World:
    """``samples``, ``delay_ms``: how much later than its capture a picture is stamped; ``namespace``, as "/lab"."""

    samples: int = 6
    delay_ms: int = 0
    namespace: str = ""
    seed: int = 5
    raw: bool = False
    landmarks: bool = True
    first: int = 0
    markers: list[SampleMarker] = field(default_factory=list)

    def __post_init__(self):
        if not self.markers:
            self.markers = [self.marker(index) for index in range(self.first, self.first + self.samples)]

    def begin_ms(self, index: int) -> int:
        return START_MS + REST_MS + (index - self.first) * SAMPLE_MS

    def seen_ms(self, index: int) -> int:
        """When the picture of a sample was taken."""
        return self.begin_ms(index) + SEEN_MS

    def marker(self, index: int, **changes) -> SampleMarker:
        begin_ns, seen_ns = self.begin_ms(index) * 10**6, self.seen_ms(index) * 10**6
        made = SampleMarker(
            index=index,
            attempt=0,
            seed=self.seed,
            group=f"group {index}",
            goals=dict(zip(NAMES, goals_of(index).tolist(), strict=True)),
            verdict=ACCEPTED,
            command_ns=begin_ns,
            settled_ns=begin_ns + SETTLE_MS * 10**6,
            image_ns=seen_ns + self.delay_ms * 10**6,
            reading_ns=seen_ns + self.delay_ms * 10**6 + 30 * 10**6,
            capture_delay_s=self.delay_ms / 1000,
        )
        return replace(made, **changes)

    def change(self, index: int, **changes) -> None:
        self.markers[index - self.first] = self.marker(index, **changes)

    def command_at(self, ms: int) -> np.ndarray:
        """The commanded positions at a time, rad (3,)."""
        index = (ms - START_MS - REST_MS) // SAMPLE_MS + self.first
        return np.zeros(3) if ms < START_MS + REST_MS else goals_of(index).astype(np.float64) * SPAN

    def positions_at(self, ms: int) -> np.ndarray:
        """Where the servos are, rad (3,): the way is over in 300 ms, then they creep."""
        begin = ms - (ms - START_MS) % SAMPLE_MS
        way = min((ms - begin) / 300, 1)
        before, now = self.command_at(begin - 1), self.command_at(ms)
        return before + way * (now - before) + 1e-6 * (ms - START_MS - REST_MS)

    def rows(self) -> list[tuple[str, int, object]]:
        """(topic, bag stamp ns, message) of the whole session, by stamp."""
        end_ms = START_MS + REST_MS + self.samples * SAMPLE_MS
        rows = [
            ("joint_states", ms, joints(ms, NAMES, self.positions_at(ms))) for ms in range(START_MS, end_ms, STATE_MS)
        ]
        for ms in range(START_MS, end_ms, REPEAT_MS):
            rows += [("servos/command/take", ms, joints(ms, NAMES, self.command_at(ms)))]
        for ms in range(START_MS, end_ms, FRAME_MS):
            stamp_ms = ms + self.delay_ms
            rows.append(self.picture(stamp_ms, pixels_at(ms)))
            rows.append(("face/blendshapes", stamp_ms, joints(stamp_ms, READING_NAMES, features_at(ms))))
            if self.landmarks:
                rows.append(("face/landmarks", stamp_ms, cloud(stamp_ms, landmarks_at(ms))))
        for marker in self.markers:
            rows += [("sample", max(marker.image_ns, marker.command_ns) // 10**6 + 80, diagnostics(marker))]
        return [(topic, ms * 10**6, message) for topic, ms, message in sorted(rows, key=lambda row: row[1])]

    def picture(self, stamp_ms: int, pixels: np.ndarray):
        if self.raw:
            height, width = pixels.shape[:2]
            image = T["sensor_msgs/msg/Image"](header(stamp_ms), height, width, "bgr8", 0, 3 * width, pixels.ravel())
            return "camera/image_raw", stamp_ms, image
        compressed, data = T["sensor_msgs/msg/CompressedImage"], np.frombuffer(jpeg(pixels), np.uint8)
        return "camera/image_raw/compressed", stamp_ms, compressed(header(stamp_ms), "jpeg", data)

    def write(self, bag: Path, rows=None, *, storage: str = "mcap", metadata=None) -> Path:
        """Write the rows in this order as they arrive, 1 ms apart."""
        rows = self.rows() if rows is None else rows
        plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
        with Writer(bag, version=9, storage_plugin=plugin) as writer:
            for key, value in ({"robot": ROBOT} if metadata is None else metadata).items():
                writer.set_custom_data(key, value)
            topics = {}
            for number, (topic, _, message) in enumerate(rows):
                kind = message.__msgtype__
                if topic not in topics:
                    topics[topic] = writer.add_connection(f"{self.namespace}/{topic}", kind, typestore=TYPES)
                arrival_ns = START_MS * 10**6 + number * 10**6
                writer.write(topics[topic], arrival_ns, TYPES.serialize_cdr(message, kind))
        return bag


def header(ms: int):
    return T["std_msgs/msg/Header"](T["builtin_interfaces/msg/Time"](ms // 1000, ms % 1000 * 10**6), "cam")


def joints(ms: int, names, positions):
    empty = np.zeros(0)
    return T["sensor_msgs/msg/JointState"](header(ms), list(names), np.asarray(positions, float), empty, empty)


def cloud(ms: int, points: np.ndarray):
    field_type = T["sensor_msgs/msg/PointField"]
    fields = [field_type(name, 4 * i, 7, 1) for i, name in enumerate("xyz")]
    data = np.frombuffer(points.tobytes(), np.uint8)
    return T["sensor_msgs/msg/PointCloud2"](header(ms), 1, len(points), fields, False, 12, data.size, data, True)


def diagnostics(marker: SampleMarker):
    """The message that babble publishes; see recording/marker.py."""
    pair, status = T["diagnostic_msgs/msg/KeyValue"], T["diagnostic_msgs/msg/DiagnosticStatus"]

    def values(texts):
        return [pair(key, value) for key, value in texts.items()]

    level = 0 if marker.accepted else 1
    statuses = [
        status(level, "sample", marker.verdict, "", values(marker.values())),
        status(0, "goals", "", "", values(marker.goal_values())),
    ]
    return T["diagnostic_msgs/msg/DiagnosticArray"](header(marker.image_ns // 10**6), statuses)
