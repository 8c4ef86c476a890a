"""What a finished file of a bag holds: topics, counts and times, from its own index."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import make_reader
from rosbags.interfaces import ConnectionExtRosbag2
from rosbags.rosbag2 import Reader, ReaderError

from rena_ros.bags.metadata_file import FileContents, TopicContents, parse_embedded
from rena_ros.base.errors import RenaError

MAGIC = b"\x89MCAP0\r\n"
_END = b"\x02\x14" + bytes(7)  # begins the footer: opcode, and its length of 20 bytes
# What the two libraries raise at bytes that are no MCAP or no database.
UNREADABLE = (
    *(ReaderError, McapError, struct.error, OSError, EOFError, RuntimeError),
    *(AssertionError, ValueError, TypeError, LookupError),
)


def has_end(path: Path) -> bool:
    """Return whether an MCAP file has its footer; other files are taken as whole."""
    if path.suffix != ".mcap":
        return True
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 37))
            tail = file.read()
    except OSError:
        return False
    return len(tail) == 37 and tail.startswith(_END) and tail.endswith(MAGIC)


def file_contents(path: Path) -> FileContents:
    """Return what a finished MCAP or sqlite3 file holds. Raises RenaError when it is neither."""
    try:
        hashes = _type_hashes(path) if path.suffix == ".mcap" else {}
        with Reader(path) as reader:
            topics = []
            for found in reader.connections:
                qos = found.ext.offered_qos_profiles if isinstance(found.ext, ConnectionExtRosbag2) else []
                type_hash = found.digest or hashes.get(found.topic, "")
                topics.append(TopicContents(found.topic, found.msgtype, tuple(qos), type_hash, found.msgcount))
            empty = not reader.message_count
            start, end = (0, 0) if empty else (reader.start_time, reader.end_time - 1)
    except UNREADABLE as error:
        raise RenaError(f"{path} cannot be read as a bag's file ({error}); take it out of its folder") from error
    return FileContents(path.name, tuple(topics), start, end)


def embedded_information(path: Path) -> dict[str, Any]:
    """Return what an MCAP file itself holds of metadata.yaml, as it was at the file's beginning; empty without."""
    found: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            for record in make_reader(file).iter_metadata():
                if record.name == "rosbag2":
                    found = parse_embedded(record.metadata.get("serialized_metadata", "")) or found
    except UNREADABLE:
        return found
    return found


def _type_hashes(path: Path) -> Mapping[str, str]:
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    channels = summary.channels.values() if summary else ()
    return {channel.topic: channel.metadata.get("topic_type_hash", "") for channel in channels}
