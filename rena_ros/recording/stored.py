"""Which samples of a session are in its bags, each with its picture and its reading."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rena_ros.bags.header import stamp_of
from rena_ros.bags.reader import BagReader
from rena_ros.recording.marker import TOPIC, SampleMarker, markers_in

DELAY = "capture_delay"  # status of the measured delay
READINGS, PICTURES = "face/blendshapes", ("camera/image_raw/compressed", "camera/image_raw")


@dataclass(frozen=True)
class Stored:
    """What the bags of a session hold.

    ``samples``: by index the marker of the first accepted try whose picture and reading are there. ``rejected``: how
    many tries were rejected, by reason. ``incomplete``: accepted tries without picture or reading. ``capture_delay_s``:
    the camera's delay as it was measured last; None: it was not.
    """

    samples: dict[int, SampleMarker]
    rejected: dict[str, int]
    incomplete: int
    capture_delay_s: float | None = None


def stored_in(bags: Iterable[Path]) -> Stored:
    """Read finished bags in their order. Raises RenaError for one that is unfinished or damaged."""
    samples: dict[int, SampleMarker] = {}
    rejected: dict[str, int] = {}
    incomplete, delay_s = 0, None
    for bag in bags:
        with BagReader(bag) as reader:
            markers, delays, readings, pictures = _contents(reader)
        delay_s = delays[-1] if delays else delay_s
        for marker in markers:
            if not marker.accepted:
                rejected[marker.verdict] = rejected.get(marker.verdict, 0) + 1
            elif marker.image_ns in readings and marker.image_ns in pictures:
                samples.setdefault(marker.index, marker)
            else:
                incomplete += 1
    return Stored(samples, rejected, incomplete, delay_s)


def delay_in(message: Any) -> float | None:
    """Return the measured delay of the camera in a message of the topic ``sample``, s; None: it is about a sample."""
    for status in message.status:
        if status.name == DELAY:
            return next((float(pair.value) for pair in status.values if pair.key == "capture_delay_s"), None)
    return None


def _contents(reader: BagReader) -> tuple[list[SampleMarker], list[float], set[int], set[int]]:
    """Return a bag's markers, measured delays, and the stamps of its readings of a face and of its pictures."""
    markers: list[SampleMarker] = []
    delays: list[float] = []
    readings: set[int] = set()
    pictures: set[int] = set()
    wanted = {topic: name for name in (TOPIC, READINGS, *PICTURES) for topic in reader.topics if _is(topic, name)}
    for message in reader.messages(*wanted) if wanted else ():
        name = wanted[message.topic]
        if name == TOPIC:
            decoded = reader.decode(message)
            markers += markers_in(decoded)
            delays += [found for found in (delay_in(decoded),) if found is not None]
        elif name == READINGS:
            if len(message.data) > _EMPTY_READING:
                readings.add(stamp_of(message.data))
        else:
            pictures.add(stamp_of(message.data))
    return markers, delays, readings, pictures


_EMPTY_READING = 400  # bytes; a reading has 55 names and values, a message without a face none


def _is(topic: str, name: str) -> bool:
    return topic == f"/{name}" or topic.endswith(f"/{name}")
