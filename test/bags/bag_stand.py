"""Messages as ROS itself serializes them, bags of them, and what others read in a bag."""

import contextlib
import struct
from functools import cache

from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader, SeekingReader
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CompressedImage, JointState

from rena_ros.bags.writer import BagWriter, TopicQos

JOINTS, PICTURES = "/lab/joint_states", "/lab/camera/image_raw/compressed"
TYPES = {JOINTS: "sensor_msgs/msg/JointState", PICTURES: "sensor_msgs/msg/CompressedImage"}
CUSTOM = {"robot": "servos:\n  - name: 'jaw' # ü\n", "seed": "42", "namespace": "/lab"}


@cache  # ROS fills gaps between fields with whatever was there
def joints(number):
    """JointState number ``number``, in CDR."""
    message = JointState(name=["jaw", "pucker"], position=[number / 7, -float(number)])
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp(number), 10**9)
    return serialize_message(message)


@cache
def picture(number, size=3000):
    """A picture's message, in CDR, of bytes that do not repeat themselves."""
    return serialize_message(CompressedImage(format="jpeg", data=bytes((number + i * i) % 251 for i in range(size))))


def stamp(number):
    """5 ms between messages."""
    return 1_700_000_000 * 10**9 + number * 5_000_000


def rows(count):
    """(topic, stamp_ns, data) of ``count`` messages, every fifth a picture."""
    return [
        (PICTURES, stamp(number), picture(number)) if number % 5 == 4 else (JOINTS, stamp(number), joints(number))
        for number in range(count)
    ]


def declare(writer):
    """Declare both topics."""
    writer.add_topic(JOINTS, TYPES[JOINTS], TopicQos(depth=100))
    writer.add_topic(PICTURES, TYPES[PICTURES], TopicQos(reliable=False, transient_local=True, depth=2))
    return writer


def write(directory, wanted, *, flush_every=7, **options):
    """Write a whole bag of these rows."""
    with declare(BagWriter(directory, CUSTOM, **options)) as writer:
        for number, row in enumerate(wanted, 1):
            writer.write(*row)
            if number % flush_every == 0:
                writer.flush()
    return directory


def read_by_rosbags(path):
    """Rows of a bag, as rosbags reads it."""
    with Reader(path) as reader:
        return [(connection.topic, stamp_ns, bytes(data)) for connection, stamp_ns, data in reader.messages()]


def read_by_mcap(path):
    """Rows of a finished file, as mcap reads it; it checks all checksums."""
    with path.open("rb") as file:
        reader = SeekingReader(file, validate_crcs=True)
        return [(channel.topic, message.log_time, message.data) for _, channel, message in reader.iter_messages()]


def read_unfinished(path):
    """Rows of a file up to where mcap finds no further record."""
    with path.open("rb") as file:
        reader, seen = NonSeekingReader(file, validate_crcs=True), []
        with contextlib.suppress(McapError, struct.error, ValueError):
            for _, channel, message in reader.iter_messages(log_time_order=False):
                seen.append((channel.topic, message.log_time, message.data))  # it ends with an error
    return seen
