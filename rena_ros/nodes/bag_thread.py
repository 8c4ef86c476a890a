"""The thread that writes a recording: a bounded queue before it, so that no callback waits for a disk."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from rena_ros.bags.header import stamp_of
from rena_ros.base.errors import RenaError
from rena_ros.nodes.bag_series import BagSeries
from rena_ros.nodes.images import from_image_msg
from rena_ros.nodes.messages import sample_marker
from rena_ros.nodes.recorded_topics import COMPANION, MARKER, PICTURE, READING, RecordedTopic
from rena_ros.perception.pixels import to_jpeg
from rena_ros.recording.marker import SampleMarker
from rena_ros.recording.sample_pictures import SamplePictures, WholeSamples

QUEUE_BYTES = 100_000_000  # a minute of everything in 640x480; a disk that others use may stall for seconds
TEND_S = 0.25
WAIT_S = 0.05


@dataclass(frozen=True)
class Incoming:
    """One message: its topic, its full name in the bag, its publication in ns of system time, its CDR bytes.

    ``raw``: it is a sensor_msgs/Image, which the bag gets as JPEG. ``marker``: what it marks, on the topic ``sample``.
    """

    topic: RecordedTopic
    name: str
    stamp_ns: int
    data: bytes
    raw: bool = False
    marker: SampleMarker | None = None


class BagThread:
    """Hands messages to a thread that writes them. ``failure``: the error that has ended the thread, or None.

    ``dropped``: messages for which the queue was full, by topic. ``unreadable``: pictures that could not be encoded,
    and markers that mark nothing; ``reason``: of the last of them. ``stored``: samples whole in the bags so far;
    ``samples``: those that are about to be.
    """

    def __init__(
        self, series: BagSeries, pictures: SamplePictures[Incoming], quality: int, on_stored: Callable[[int], None]
    ) -> None:
        """``quality``: of JPEGs, 1 to 100. ``on_stored`` is called with the index of each sample that is safe."""
        self.failure: BaseException | None = None
        self.dropped: dict[str, int] = {}
        self.unreadable, self.stored = 0, 0
        self.reason = ""
        self.samples = WholeSamples()
        self._series, self._pictures, self._quality, self._on_stored = series, pictures, quality, on_stored
        self._queue: queue.SimpleQueue[Incoming | None] = queue.SimpleQueue()
        self._queued_bytes = self._written_bytes = 0  # each is changed by one thread only
        self._thread = threading.Thread(target=self._run, name="bag", daemon=True)
        self._thread.start()

    def put(self, message: Incoming) -> None:
        """Hand one message to the thread, or keep it until a marker names it; what has no place is counted."""
        if message.topic.role in (PICTURE, COMPANION):
            self._put_pictures(self._pictures.add(message.name, stamp_of(message.data), message))
        elif message.topic.role == MARKER:
            marker = self._marker(message)
            self._enqueue(replace(message, marker=marker))
            self._put_pictures(self._pictures.mark(marker) if marker else [])
        else:
            self._enqueue(message)

    def finish(self) -> None:
        """Write what is in the queue, finish the bag and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write_all()
            self._series.close()
            self._tell_stored()
        except BaseException as error:
            self.failure = error

    def _write_all(self) -> None:
        tend_s = 0.0
        while True:
            try:
                message = self._queue.get(timeout=WAIT_S)
                if message is None:
                    return
                self._handle(message)
                self._written_bytes += len(message.data)
            except queue.Empty:
                pass
            if time.monotonic() >= tend_s:
                tend_s = time.monotonic() + TEND_S
                if self._series.tend():
                    self._tell_stored()
                if self._series.problem:
                    self.samples.forget()

    def _handle(self, message: Incoming) -> None:
        if not self._series.write(message.name, message.stamp_ns, message.data):
            return
        if message.topic.role == PICTURE:
            self.samples.picture_written(stamp_of(message.data))
        elif message.topic.role == READING:
            self.samples.reading_written(stamp_of(message.data))
        elif message.marker is not None:
            self.samples.marked(message.marker)

    def _put_pictures(self, messages: list[Incoming]) -> None:
        for message in messages:
            data = self._jpeg(message.data) if message.raw else message.data
            if data is not None:
                self._enqueue(replace(message, data=data, raw=False))

    def _enqueue(self, message: Incoming) -> None:
        if self._queued_bytes - self._written_bytes + len(message.data) > QUEUE_BYTES:
            self.dropped[message.topic.name] = self.dropped.get(message.topic.name, 0) + 1
            return
        self._queued_bytes += len(message.data)
        self._queue.put(message)

    def _marker(self, message: Incoming) -> SampleMarker | None:
        try:
            return sample_marker(deserialize_message(message.data, message.topic.kind))
        except RenaError as error:
            self._refuse(error)
            return None

    def _jpeg(self, data: bytes) -> bytes | None:
        """Return a raw picture as a CompressedImage, both serialized; None when it cannot be read."""
        try:
            image = deserialize_message(data, Image)
            rgb = from_image_msg(image)
        except RenaError as error:
            self._refuse(error)
            return None
        picture = CompressedImage(header=image.header, format="jpeg")
        picture.data.frombytes(to_jpeg(rgb, self._quality))
        return serialize_message(picture)

    def _refuse(self, error: RenaError) -> None:
        self.unreadable += 1
        self.reason = str(error)

    def _tell_stored(self) -> None:
        for index in self.samples.take():
            self.stored += 1
            self._on_stored(index)
