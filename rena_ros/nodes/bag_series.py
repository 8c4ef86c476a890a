"""Bags one after another in one folder, 0000, 0001, ...: closed while the disk is nearly full. No ROS."""

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rena_ros.bags.recovery import recover
from rena_ros.bags.writer import BagWriter, TopicQos
from rena_ros.base.errors import RenaError

MB = 1_000_000
ROOM_AGAIN, SPARE_BYTES = 1.1, 5 * MB  # times the least free space, and this beyond it: then a new bag begins
RETRY_S = 5.0  # after a disk refused to take a bag


class BagSeries:
    """Writes messages into the present bag; not thread-safe: one thread calls.

    ``problem``: why nothing is recorded now, "" while a bag is open; ``bag``: the present bag, or the last one;
    ``bags``: all so far; ``messages``: written into all of them.
    """

    def __init__(
        self,
        directory: Path,
        metadata: Mapping[str, str],
        topics: Mapping[str, tuple[str, TopicQos]],
        *,
        split_bytes: int,
        min_free_bytes: int,
        log: Callable[[str], None],
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the first bag, unless the disk is nearly full. Raises RenaError when the folder cannot be written.

        ``topics``: full name -> type and offered quality of service; ``min_free_bytes``: what is left free on the disk;
        ``log``: takes one line for each change. ``free_bytes`` and ``clock`` (s) are the disk's and the system's.
        """
        self.problem = ""
        self.bags: list[Path] = []
        self.messages = 0
        self._directory, self._metadata, self._topics = directory, dict(metadata), dict(topics)
        self._split_bytes, self._min_free_bytes = split_bytes, min_free_bytes
        self._log, self._free_bytes, self._clock = log, free_bytes, clock
        self._writer: BagWriter | None = None
        self._earlier_bytes = 0
        self._latched: dict[str, bytes] = {}
        self._cut_off: list[Path] = []
        self._retry_s = -float("inf")
        self._opened_ns = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RenaError(f"cannot record into {directory}: {error.strerror}; name another folder") from error
        if not self._is_nearly_full(self._min_free_bytes):
            self._open()

    @property
    def bag(self) -> Path | None:
        """The present bag, or the last one."""
        return self.bags[-1] if self.bags else None

    @property
    def bytes_written(self) -> int:
        """Size of all bags so far."""
        return self._earlier_bytes + (self._writer.bytes_written if self._writer is not None else 0)

    @property
    def free(self) -> int:
        """Free bytes on the disk."""
        return self._free_bytes(self._directory)

    def write(self, topic: str, stamp_ns: int, data: bytes) -> bool:
        """Write one message; returns whether it was: not while there is no room, nor when the disk refuses it."""
        if self._topics[topic][1].transient_local:
            self._latched[topic] = data  # each bag gets it: its publisher sends it only once
            stamp_ns = max(stamp_ns, self._opened_ns)  # it may be hours old; a bag begins with what happens in it
        if self._writer is None:
            return False
        try:
            self._writer.write(topic, stamp_ns, data)
        except RenaError as error:
            self._give_up(error)
            return False
        self.messages += 1
        return True

    def tend(self) -> bool:
        """Flush the bag, and look whether there is room; to be called a few times a second.

        Returns whether what was written since the last call is safe, whatever happens to this process.
        """
        if self._writer is None:
            if self._clock() >= self._retry_s and not self._is_nearly_full(self._room_again):
                self._reopen()
            return False
        try:
            self._writer.flush()
            if self._is_nearly_full(self._min_free_bytes):
                self._finish(f"{self.problem}; the bag {self.bag} is closed, and everything in it is written")
        except RenaError as error:
            self._give_up(error)
            return False
        return True

    def close(self) -> None:
        """Finish the bag, and mend those that the disk had refused. Raises RenaError when it refuses again."""
        if self._writer is not None:
            self._finish("")
        while self._cut_off:
            bag = self._cut_off.pop()
            self._log(f"mended {bag}: {recover(bag).messages} messages are safe")

    @property
    def _room_again(self) -> float:
        return ROOM_AGAIN * self._min_free_bytes + SPARE_BYTES

    def _is_nearly_full(self, needed_bytes: float) -> bool:
        try:
            free = self._free_bytes(self._directory)
        except OSError as error:
            self.problem = f"the disk of {self._directory} cannot be asked for its free space: {error.strerror}"
            return True
        if free >= needed_bytes:
            return False
        self.problem = (
            f"disk nearly full: {free // MB} MB are free in {self._directory}, {self._min_free_bytes // MB} MB are to "
            "stay free; delete something, and recording goes on by itself"
        )
        return True

    def _open(self) -> None:
        taken = [int(path.name) for path in self._directory.iterdir() if path.name.isdecimal()]
        bag = self._directory / f"{max(taken, default=-1) + 1:04d}"
        writer: BagWriter | None = None
        try:
            writer = BagWriter(bag, self._metadata, split_bytes=self._split_bytes)
            for name, (msgtype, qos) in self._topics.items():
                writer.add_topic(name, msgtype, qos)
            self._opened_ns = time.time_ns()
            for name, data in self._latched.items():
                writer.write(name, self._opened_ns, data)
        except BaseException as error:
            if writer is not None:
                with contextlib.suppress(RenaError):
                    writer.close()
            if not isinstance(error.__cause__, FileExistsError):  # else it is another recorder's
                shutil.rmtree(bag, ignore_errors=True)  # nothing has been recorded into it
            raise
        self._writer, self.problem = writer, ""
        self.bags.append(bag)

    def _reopen(self) -> None:
        try:
            self._open()
        except (RenaError, OSError) as error:
            self._refused(str(error))
        else:
            self._log(f"there is room again: recording into {self.bag}")

    def _finish(self, line: str) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        try:
            writer.close()
        finally:
            self._earlier_bytes += writer.bytes_written
        if line:
            self._log(line)

    def _give_up(self, error: RenaError) -> None:
        """Leave a bag that the disk refused to take; what is in it is safe."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(RenaError):
                writer.close()
            self._earlier_bytes += writer.bytes_written
            self._cut_off.append(self.bags[-1])
        self._refused(str(error))

    def _refused(self, why: str) -> None:
        if why != self.problem:
            self._log(why)
        self.problem, self._retry_s = why, self._clock() + RETRY_S
