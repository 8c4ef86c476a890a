"""Reading a bag by time: MCAP or sqlite3, in one file or split, from Rena or from `ros2 bag record`."""

import heapq
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from rena_ros.bags.contents import UNREADABLE, embedded_information, has_end
from rena_ros.bags.definitions import jazzy_types
from rena_ros.bags.finished import is_finished
from rena_ros.bags.lock import is_locked
from rena_ros.bags.metadata_file import NAME, SUFFIXES, custom_data, read_metadata, storage_files
from rena_ros.base.errors import RenaError


@dataclass(frozen=True)
class BagMessage:
    """One message of a bag: ``stamp_ns`` as it was recorded, ``data`` as CDR."""

    topic: str
    msgtype: str
    stamp_ns: int
    data: bytes


class BagReader:
    """A finished bag: its folder, or one .mcap or .db3 file of it.

    ``topics``: name -> type, ``counts``: name -> messages, ``start_ns`` and ``end_ns``: stamps of the first and the
    last message (both 0 without messages), ``metadata``: the bag's own ("custom data"; none in a single .db3 file).
    Raises RenaError when there is no bag, or one that was cut off or is being written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _refuse_unfinished(path)
        self._files = ExitStack()
        try:
            self._reader = self._files.enter_context(Reader(path))
        except UNREADABLE as error:
            raise RenaError(f"{path} cannot be read as a bag: {error}") from error
        found = self._reader.topics
        self.topics: Mapping[str, str] = MappingProxyType({c.topic: c.msgtype for c in self._reader.connections})
        self.counts: Mapping[str, int] = MappingProxyType({name: topic.msgcount for name, topic in found.items()})
        empty = not self._reader.message_count
        self.start_ns: int = 0 if empty else self._reader.start_time
        self.end_ns: int = 0 if empty else self._reader.end_time - 1
        own = custom_data(read_metadata(path) if path.is_dir() else embedded_information(path))
        self.metadata: Mapping[str, str] = MappingProxyType(own)
        self._types: dict[str, Typestore] = {}

    def messages(self, *topics: str, start_ns: int | None = None, stop_ns: int | None = None) -> Iterator[BagMessage]:
        """Yield the messages of these topics (all without one) by stamp, from ``start_ns`` to before ``stop_ns``.

        A topic that the bag does not have yields none. Raises RenaError where the bag is damaged.
        """
        files = [_messages_of(storage, set(topics), start_ns, stop_ns) for storage in self._storages()]
        try:
            yield from heapq.merge(*files, key=lambda message: message.stamp_ns)
        except Exception as error:  # whatever rosbags and its decompressors raise at damaged bytes
            raise RenaError(f"the bag {self.path} is damaged ({error}); copy it again from where it came") from error

    def decode(self, message: BagMessage) -> Any:
        """Return the message as an object with the fields of its type; sequences of numbers are arrays.

        The bag's own definition of the type counts; Jazzy's where the bag has none. Raises RenaError for an unknown
        type, or bytes that are no message of it.
        """
        types = self._types_for(message.msgtype)
        definition = types.get_msgdef(message.msgtype)
        try:
            # Not types.deserialize_cdr: it refuses what rclpy's serialize_message leaves behind the last field.
            read = definition.deserialize_cdr_le if message.data[1] else definition.deserialize_cdr_be
            return read(message.data[4:], 0, definition.cls, types)[0]
        except (SerdeError, ValueError, IndexError, AssertionError, struct.error) as error:
            raise RenaError(
                f"a message on {message.topic} in {self.path} is no {message.msgtype} ({error}): it is damaged"
            ) from error

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        self._files.close()

    def __enter__(self) -> "BagReader":
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.close()

    def _storages(self) -> list[Any]:
        """Return what reads each file: rosbags reads the files of a folder one after the other, not by time.

        It alone unpacks messages that `ros2 bag record` has compressed one by one: then it reads the whole folder.
        """
        storage: Any = self._reader.storage
        split = self.path.is_dir() and self._reader.storage.metadata.compression_mode != "message"
        return list(storage.storages) if split else [storage]

    def _types_for(self, msgtype: str) -> Typestore:
        if msgtype not in self._types:
            self._types[msgtype] = self._find_types(msgtype)
        return self._types[msgtype]

    def _find_types(self, msgtype: str) -> Typestore:
        for connection in self._reader.connections:
            if connection.msgtype == msgtype and connection.msgdef.format == MessageDefinitionFormat.MSG:
                return _own_types(connection)
        if msgtype not in jazzy_types().fielddefs:
            raise RenaError(f"{self.path} does not define the message type {msgtype}, nor does ROS 2 Jazzy")
        return jazzy_types()


def _messages_of(storage: Any, topics: set[str], start_ns: int | None, stop_ns: int | None) -> Iterator[BagMessage]:
    wanted = [one for one in storage.connections if not topics or one.topic in topics]
    if not wanted:
        return
    for connection, stamp_ns, data in storage.messages(wanted, start_ns, stop_ns):
        yield BagMessage(connection.topic, connection.msgtype, stamp_ns, bytes(data))


def _own_types(connection: Connection) -> Typestore:
    types = get_typestore(Stores.EMPTY)
    types.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
    return types


def _refuse_unfinished(path: Path) -> None:
    if path.is_dir():
        folder, finished = path, is_finished(path)
        if not finished and not storage_files(path) and not (path / NAME).exists():
            raise RenaError(f"{path} holds no bag; name a folder with {NAME} and .mcap or .db3 files")
    elif path.is_file():
        if path.suffix not in SUFFIXES.values():
            raise RenaError(f"{path} is no bag; name a bag's folder, or a file that ends in .mcap or .db3")
        folder, finished = path.parent, has_end(path)
    else:
        raise RenaError(f"there is no bag {path}; name a bag's folder, or a file that ends in .mcap or .db3")
    if finished:
        return
    if is_locked(folder):
        raise RenaError(f"the bag {folder} is being recorded at this moment; wait until that has ended")
    raise RenaError(f"the bag {folder} was cut off; mend it: rena bag recover {folder}")
