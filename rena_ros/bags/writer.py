"""Writing a bag as Jazzy's rosbag2 does, so that a kill or a power cut leaves all but about the last second.

`mcap` frames the files: its writer, unlike that of rosbags, sets checksums and closes a chunk at any time. rosbags
gives the message definitions and their hashes, without ROS. What is in a closed chunk has been handed to the kernel,
which a kill does not undo; a thread flushes it to the disk. A bag that was cut off is mended by ``recovery``.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from mcap.writer import CompressionType, Writer

from rena_ros import __version__
from rena_ros.bags.contents import file_contents
from rena_ros.bags.definitions import ENCODING, definition
from rena_ros.bags.lock import lock
from rena_ros.bags.metadata_file import FileContents, embedded_text, metadata_text, write_metadata
from rena_ros.bags.output import DiskSync, OutputFile
from rena_ros.base.errors import RenaError

_CHUNK_BYTES = 512 * 1024
_CHUNK_S = 0.25  # a chunk is closed at the latest with the first message after this time
_ENDLESS = {"sec": 9223372036, "nsec": 854775807}


@dataclass(frozen=True)
class TopicQos:
    """The quality of service that the publisher of a topic offers; the history is "keep last"."""

    reliable: bool = True
    transient_local: bool = False
    depth: int = 10

    def as_yaml(self) -> str:
        """Return the profile as rosbag2 writes it, a list of one mapping."""
        profile = {
            "history": "keep_last",
            "depth": self.depth,
            "reliability": "reliable" if self.reliable else "best_effort",
            "durability": "transient_local" if self.transient_local else "volatile",
            "deadline": dict(_ENDLESS),
            "lifespan": dict(_ENDLESS),
            "liveliness": "automatic",
            "liveliness_lease_duration": dict(_ENDLESS),
            "avoid_ros_namespace_conventions": False,
        }
        return str(yaml.safe_dump([profile], sort_keys=False))


class BagWriter:
    """A new bag: a folder with NAME_0.mcap, NAME_1.mcap, ... and metadata.yaml, locked while it is written.

    ``directory`` must not exist yet; its parents are created. ``metadata`` is kept as the bag's custom data, from the
    first moment on. A file that reaches ``split_bytes`` is followed by the next. Not thread-safe: one thread calls.
    When the disk refuses (it is full), every method but ``close`` raises RenaError from then on, and ``close`` only
    releases the folder: what was written before is safe and readable after `rena bag recover`.
    """

    def __init__(self, directory: Path, metadata: Mapping[str, str], *, split_bytes: int = 1 << 30) -> None:
        self._directory, self._metadata, self._split_bytes = directory, dict(metadata), split_bytes
        self._topics: dict[str, tuple[str, TopicQos]] = {}
        self._messages: dict[str, int] = {}
        self._finished_bytes = 0
        self._names: list[str] = []
        self._failure: RenaError | None = None
        self._closed = False
        self._chunk_since: float | None = None
        self._lock = self._new_folder()
        self._disk = DiskSync(self._lock)
        try:
            with self._disk_errors():
                self._open_file()
            write_metadata(directory, metadata_text([FileContents(self._names[0], (), 0, 0)], self._metadata))
        except BaseException:
            self._disk.close()
            os.close(self._lock)
            raise

    @property
    def bytes_written(self) -> int:
        """Size of all files of the bag, without the chunk in progress."""
        return self._finished_bytes + (0 if self._closed else self._output.tell())

    @property
    def messages(self) -> Mapping[str, int]:
        """Messages written so far, by topic."""
        return dict(self._messages)

    def add_topic(self, name: str, msgtype: str, qos: TopicQos) -> None:
        """Declare a topic by its full name; a topic declared twice must be of the same type.

        Raises RenaError for a type that Jazzy does not have.
        """
        if name in self._topics:
            if self._topics[name][0] != msgtype:
                raise RenaError(f"topic {name} is already recorded as {self._topics[name][0]}, not {msgtype}")
            return
        definition(msgtype)
        self._topics[name] = (msgtype, qos)
        self._messages[name] = 0
        with self._disk_errors():
            self._register(name)

    def write(self, topic: str, stamp_ns: int, data: bytes) -> None:
        """Add one message: CDR bytes, ``stamp_ns`` its publisher's time. Raises KeyError for an undeclared topic."""
        with self._disk_errors():
            if self._output.tell() >= self._split_bytes:
                self._finish_file()
                self._open_file()
            if self._chunk_since is None:
                self._chunk_since = time.monotonic()
            sequence = self._messages[topic]
            self._mcap.add_message(self._channels[topic], stamp_ns, data, publish_time=stamp_ns, sequence=sequence)
            self._messages[topic] += 1
            if time.monotonic() - self._chunk_since > _CHUNK_S:
                self._close_chunk()

    def flush(self) -> None:
        """Hand everything written so far to the kernel, in a closed chunk: a kill does not undo it any more.

        A thread brings it to the disk within about a second; this method does not wait for that.
        """
        with self._disk_errors():
            self._close_chunk()

    def close(self) -> None:
        """Write index, summary and metadata.yaml, and wait until all is on the disk; a second call does nothing.

        Raises RenaError when the disk refuses.
        """
        if self._closed:
            return
        try:
            if self._failure is None:
                with self._disk_errors():
                    self._close_chunk()
                    self._mcap.finish()
                    self._disk.close()
                    self._output.sync()
                self._write_final_metadata()
        finally:
            self._finished_bytes += self._output.tell()
            self._closed = True
            self._disk.close()
            self._output.close()
            os.close(self._lock)

    def __enter__(self) -> "BagWriter":
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bag."""
        self.close()

    def _new_folder(self) -> int:
        try:
            self._directory.mkdir(parents=True)
            return lock(self._directory)
        except FileExistsError as error:
            raise RenaError(f"{self._directory} exists already: a bag needs a new folder; name another") from error
        except OSError as error:
            raise RenaError(f"cannot record into {self._directory}: {error.strerror}; name another folder") from error

    def _open_file(self) -> None:
        """Begin the next file of the bag; each has all topics."""
        self._names.append(f"{self._directory.resolve().name}_{len(self._names)}.mcap")
        self._output = OutputFile(self._directory / self._names[-1])
        self._mcap: Any = Writer(self._output, chunk_size=_CHUNK_BYTES, compression=CompressionType.NONE)  # type: ignore[arg-type] # it needs write, tell and flush only
        self._mcap.start(profile="ros2", library=f"rena {__version__}")
        self._mcap.add_metadata("rosbag2", {"serialized_metadata": embedded_text(self._metadata)})
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._chunk_since = None
        for topic in self._topics:
            self._register(topic)

    def _register(self, topic: str) -> None:
        msgtype, qos = self._topics[topic]
        text, type_hash = definition(msgtype)
        if msgtype not in self._schemas:
            self._schemas[msgtype] = self._mcap.register_schema(msgtype, ENCODING, text.encode())
        about = {"offered_qos_profiles": qos.as_yaml(), "topic_type_hash": type_hash}
        self._channels[topic] = self._mcap.register_channel(topic, "cdr", self._schemas[msgtype], about)

    def _close_chunk(self) -> None:
        self._mcap.flush()
        self._chunk_since = None
        self._disk.changed(self._output)

    def _finish_file(self) -> None:
        self._close_chunk()
        self._mcap.finish()
        self._finished_bytes += self._output.tell()
        self._disk.complete(self._output)

    def _write_final_metadata(self) -> None:
        contents = [file_contents(self._directory / name) for name in self._names]
        try:
            write_metadata(self._directory, metadata_text(contents, self._metadata))
        except RenaError as error:
            raise RenaError(f"{error}; all messages are safe: rena bag recover {self._directory}") from error

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
            if self._disk.error is not None:
                raise self._disk.error
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            cause = "the disk is full" if full else str(error.strerror)
            self._failure = RenaError(
                f"cannot record into {self._directory}: {cause}; what was written is safe: "
                f"{'make room, then ' if full else ''}rena bag recover {self._directory}"
            )
            raise self._failure from error
