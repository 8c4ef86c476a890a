"""metadata.yaml of a rosbag2 folder, version 9, as Jazzy writes it; and where a bag's files are."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml
from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import dump_qos_v9

from rena_ros.base.files import write_text

NAME = "metadata.yaml"
DISTRO = "jazzy"
SUFFIXES = {"mcap": ".mcap", "sqlite3": ".db3"}  # storage plugin -> its files
_ROOT = "rosbag2_bagfile_information"
_NEVER = 2**63 - 1  # start of a bag without messages, as rosbag2 writes it


@dataclass(frozen=True)
class TopicContents:
    """One topic of a bag: ``qos``, the profiles that its publishers offered, and ``type_hash``, RIHS01 or empty."""

    name: str
    msgtype: str
    qos: tuple[Qos, ...]
    type_hash: str
    messages: int


@dataclass(frozen=True)
class FileContents:
    """What one file of a bag holds; stamps in ns, both 0 without messages."""

    name: str
    topics: tuple[TopicContents, ...]
    start_ns: int
    end_ns: int

    @property
    def messages(self) -> int:
        """Number of its messages."""
        return sum(topic.messages for topic in self.topics)


def metadata_text(
    files: Sequence[FileContents],
    custom: Mapping[str, str],
    *,
    storage: str = "mcap",
    distro: str = DISTRO,
    packed: bool = False,
) -> str:
    """Return the text of metadata.yaml for finished files, in their order.

    ``custom``: the bag's own metadata; ``packed``: its messages are compressed with zstd one by one.
    """
    information = _information(files, custom) | {"storage_identifier": storage, "ros_distro": distro}
    if packed:
        information |= {"compression_format": "zstd", "compression_mode": "MESSAGE"}
    return _dump({_ROOT: information})


def embedded_text(custom: Mapping[str, str]) -> str:
    """Return what rosbag2 keeps inside an MCAP file, in its metadata record "rosbag2": the same, without the root."""
    return _dump(_information([], custom))


def write_metadata(directory: Path, text: str) -> None:
    """Write metadata.yaml as a whole, flushed to the disk. Raises RenaError."""
    write_text(directory / NAME, text)


def read_metadata(directory: Path) -> dict[str, Any] | None:
    """Return what metadata.yaml says, or None when it is missing, torn or of something else. Raises OSError."""
    try:
        read = yaml.load((directory / NAME).read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        information = dict(read[_ROOT])
        whole = isinstance(information["version"], int) and isinstance(information["message_count"], int)
        whole &= isinstance(information["relative_file_paths"], list) and "storage_identifier" in information
        whole &= "ros_distro" in information or information["version"] < 8  # the last line, since then
    except (FileNotFoundError, yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError, ValueError):
        return None
    return information if whole else None


def custom_data(information: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the bag's own metadata; empty where there is none."""
    found = (information or {}).get("custom_data")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def parse_embedded(text: str) -> dict[str, Any]:
    """Return what the text of the record "rosbag2" in an MCAP file says; empty when it says nothing."""
    try:
        read = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return {}
    return read if isinstance(read, dict) else {}


def listed_files(directory: Path, information: Mapping[str, Any]) -> list[Path]:
    """Return the bag's files that metadata.yaml names."""
    return [directory / PurePath(str(name)).name for name in information.get("relative_file_paths", ())]


def storage_files(directory: Path) -> list[Path]:
    """Return the MCAP and sqlite3 files that lie in a folder, in the order of their numbers (NAME_10 after NAME_9)."""
    try:
        found = [path for path in directory.iterdir() if path.suffix in SUFFIXES.values() and path.is_file()]
    except OSError:
        return []
    return sorted((path for path in found if not path.name.startswith(".")), key=_order)


def _order(path: Path) -> tuple[str, int]:
    stem, number = re.fullmatch(r"(.*?)(?:_(\d+))?", path.stem, re.DOTALL).groups()  # type: ignore[union-attr] # matches anything
    return stem, int(number or 0)


def _information(files: Sequence[FileContents], custom: Mapping[str, str]) -> dict[str, Any]:
    filled = [file for file in files if file.messages]
    start = min((file.start_ns for file in filled), default=_NEVER)
    end = max((file.end_ns for file in filled), default=_NEVER)
    return {
        "version": 9,
        "storage_identifier": "mcap",
        "duration": {"nanoseconds": end - start},
        "starting_time": {"nanoseconds_since_epoch": start},
        "message_count": sum(file.messages for file in files),
        "topics_with_message_count": [_topic(topic) for topic in _together(files)],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file.name for file in files],
        "files": [_file(file) for file in files],
        "custom_data": dict(custom) or None,
        "ros_distro": DISTRO,
    }


def _file(file: FileContents) -> dict[str, Any]:
    return {
        "path": file.name,
        "starting_time": {"nanoseconds_since_epoch": file.start_ns if file.messages else _NEVER},
        "duration": {"nanoseconds": file.end_ns - file.start_ns},
        "message_count": file.messages,
    }


def _together(files: Iterable[FileContents]) -> list[TopicContents]:
    """Return the topics of all files, with the sums of their messages."""
    topics: dict[tuple[str, str], TopicContents] = {}
    for topic in (topic for file in files for topic in file.topics):
        seen = topics.get((topic.name, topic.msgtype))
        count = topic.messages + (seen.messages if seen else 0)
        first = seen or topic
        topics[topic.name, topic.msgtype] = TopicContents(first.name, first.msgtype, first.qos, first.type_hash, count)
    return list(topics.values())


def _topic(topic: TopicContents) -> dict[str, Any]:
    return {
        "topic_metadata": {
            "name": topic.name,
            "type": topic.msgtype,
            "serialization_format": "cdr",
            "offered_qos_profiles": dump_qos_v9(list(topic.qos)),
            "type_description_hash": topic.type_hash,
        },
        "message_count": topic.messages,
    }


def _dump(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=10_000)
