"""recorder node: what the other nodes publish -> bags (rosbag2, MCAP) below a folder: 0000, 0001, ...

Messages are written as they come, each with the time of its publication. Pictures become JPEG (CompressedImage on
``camera/image_raw/compressed``); with ``pictures`` samples, only those that accepted markers on ``sample`` name, with
their camera_info and landmarks. Publishes ``sample/stored``, the index of a sample whose picture, reading and marker
are safe whatever happens to this process, and ``/diagnostics`` once a second.

While the disk is nearly full, nothing is recorded and the last bag is finished; once there is room, the next one
begins. What this node cannot keep up with it drops and counts: it never keeps another node waiting.
"""

import os
import time
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import UInt32

from rena_ros import __version__
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, read_text, sha256_of, user_path
from rena_ros.nodes.bag_series import MB, BagSeries
from rena_ros.nodes.bag_thread import BagThread, Incoming
from rena_ros.nodes.image_topics import TOPIC as IMAGES
from rena_ros.nodes.image_topics import ImageTopics
from rena_ros.nodes.messages import diagnostics_msg
from rena_ros.nodes.parameters import ParameterSpec, declare
from rena_ros.nodes.recorded_topics import READING, TOPICS, Polled, RecordedTopic, picture_topic
from rena_ros.nodes.recorder_status import RecorderStatus
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.perception.pixels import JPEG_QUALITY
from rena_ros.recording.marker import STORED_TOPIC
from rena_ros.recording.sample_pictures import SamplePictures
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import strategy_path

COLLECT, MIMIC = "collect", "mimic"
ALL, SAMPLES = "all", "samples"
TAKE_S = 0.02
PARAMETERS = (
    ParameterSpec("directory", "", "folder of the bags; each start makes the next one in it: 0000, 0001, ..."),
    ParameterSpec("kind", MIMIC, "what is recorded, for the bag's metadata: mimic or collect"),
    ParameterSpec("pictures", ALL, "which pictures are written: all, or samples: those of accepted samples"),
    ParameterSpec("quality", JPEG_QUALITY, "quality of the JPEGs, 1 to 100", (1, 100)),
    ParameterSpec("transport", "auto", "images read: raw, compressed, or auto: compressed where no raw ones are"),
    ParameterSpec("split_mb", 1000, "size at which a bag goes on in another file, MB", (1, 1_000_000)),
    ParameterSpec("min_free_mb", 500, "free space below which recording pauses, MB", (0, 1_000_000)),
    ParameterSpec("robot_file", "", "robot file (YAML) for the metadata; empty: the Rena that ships"),
    ParameterSpec("strategy_file", "", "strategy for the metadata of a collection, as in the babble node"),
    ParameterSpec("seed", 0, "seed of a collection, for its metadata", (0, 2**53)),
    ParameterSpec("camera_delay_s", 0.0, "time from a capture to its stamp, for the metadata, s", (-10, 10)),
)


class RecorderNode(Node):
    """Takes messages from the middleware every ``TAKE_S`` and hands them to the thread that writes them."""

    def __init__(self, **node_options):
        super().__init__("recorder", **node_options)
        given = declare(self, PARAMETERS)
        if not given["directory"]:
            raise RenaError("recorder: the parameter directory is empty; give the folder of the bags, directory:=PATH")
        for name, allowed in (("pictures", (ALL, SAMPLES)), ("kind", (MIMIC, COLLECT))):
            if given[name] not in allowed:
                raise RenaError(f"recorder: the parameter {name} {given[name]!r} is none of {', '.join(allowed)}")
        self._picture = picture_topic(self.resolve_topic_name(f"{self.resolve_topic_name(IMAGES)}/compressed"))
        self._series = BagSeries(
            Path(os.path.abspath(user_path(given["directory"]))),
            bag_metadata(given, self.get_namespace()),
            {self.resolve_topic_name(one.name): (one.msgtype, one.offered) for one in (*TOPICS, self._picture)},
            split_bytes=given["split_mb"] * MB,
            min_free_bytes=given["min_free_mb"] * MB,
            log=lambda text: self.get_logger().warning(printable(text)),
        )
        self._stored = self.create_publisher(UInt32, STORED_TOPIC, QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        pictures = SamplePictures[Incoming](keep_all=given["pictures"] == ALL)
        self._thread = BagThread(self._series, pictures, given["quality"], self._publish_stored)
        self._status = RecorderStatus(self._series, self._thread, time.monotonic())
        self._polled = Polled(self, self.on_message)
        for topic in TOPICS:
            single = topic.role == READING or topic.name in ("joint_states", "servos/goals")
            self._polled.subscribe(topic, topic.kind, topic.name, one_publisher=single)
        self._images = ImageTopics(self, given["transport"], None, self._subscribe_images, self._polled.unsubscribe)
        self.create_timer(TAKE_S, self.on_take, clock=STEADY)
        self.create_timer(1.0, self.on_second, clock=STEADY)
        if (bag := self._series.bag) is not None:
            self.get_logger().info(f"recording into {printable(bag)}")
        else:
            self.get_logger().error(printable(self._series.problem))

    def on_message(self, topic: RecordedTopic, raw: bool, stamp_ns: int, data: bytes) -> None:
        """Hand one message to the thread that writes; ``raw``: it is an uncompressed picture."""
        self._thread.put(Incoming(topic, self.resolve_topic_name(topic.name), stamp_ns, data, raw))

    def on_take(self) -> None:
        """Take what has come. Raises what ended the thread that writes."""
        if self._thread.failure is not None:
            raise self._thread.failure
        self._polled.take()

    def on_second(self) -> None:
        """Follow the publishers of images, and publish the diagnostics of the last second."""
        self._images.update()
        name = f"{self.get_fully_qualified_name().lstrip('/')}: recorder"
        status = self._status.message(name, self._polled.missed, time.monotonic())
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))
        if level := status.level[0]:
            log = self.get_logger()
            (log.warning if level == 1 else log.error)(status.message, throttle_duration_sec=10.0)

    def leave(self) -> None:
        """Write what has come, and finish the bag."""
        try:
            self._polled.take()
        finally:
            self._thread.finish()
        log = self.get_logger()
        if isinstance(self._thread.failure, RenaError):
            log.error(printable(self._thread.failure))
        elif self._thread.failure is not None:
            raise self._thread.failure
        log.info(self._status.last_words(self._polled.missed))

    def _subscribe_images(self, kind: type, name: str):
        return self._polled.subscribe(self._picture, kind, name, raw=kind is Image, one_publisher=True)

    def _publish_stored(self, index: int) -> None:
        self._stored.publish(UInt32(data=index))


def bag_metadata(given: dict, namespace: str) -> dict[str, str]:
    """Return what a bag says about itself; ``given``: the node's parameters. Raises RenaError for a bad robot file."""
    robot = load_robot(given["robot_file"]).source
    assert robot is not None  # it comes from a file
    metadata = {
        "rena_version": __version__,
        "commit": source_commit() or "",
        "kind": given["kind"],
        "namespace": namespace,
        "robot": read_text(robot, "robot file", newline=""),
        "robot_sha256": sha256_of(robot),
    }
    if given["kind"] == COLLECT:
        strategy = strategy_path(given["strategy_file"])
        metadata |= {
            "strategy": read_text(strategy, "strategy file", newline=""),
            "strategy_sha256": sha256_of(strategy),
            "seed": str(given["seed"]),
            "camera_delay_s": repr(given["camera_delay_s"]),
        }
    return metadata


# Behind the bus and the pictures, but before what else is nice: starved for a second, it would lose goals.
main = partial(run_node, "recorder", RecorderNode, niceness=5)


if __name__ == "__main__":
    raise SystemExit(main())
