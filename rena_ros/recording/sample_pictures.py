"""Which pictures of a session go into its bag, and which samples are whole there. No ROS, no clock, no files.

A picture is worth its space when an accepted sample shows it, and that is known only when the sample's marker comes,
some pictures later. Until then pictures wait here, and with them what carries the same stamp.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from rena_ros.recording.marker import SampleMarker

KEPT = 45  # pictures that wait for a marker: 1.5 s at 30 Hz
_REMEMBERED = 4 * KEPT  # stamps
Message = TypeVar("Message")


class SamplePictures(Generic[Message]):
    """Decides, message by message; ``Message`` is whatever the caller takes a message to be.

    Of each topic of pictures, or of what accompanies them (camera_info, landmarks), the newest ``KEPT`` messages wait,
    each under the stamp of its header, ns. With ``keep_all`` none waits.
    """

    def __init__(self, *, keep_all: bool) -> None:
        self._keep_all = keep_all
        self._waiting: dict[str, OrderedDict[int, Message]] = {}
        self._named: OrderedDict[int, None] = OrderedDict()  # stamps of accepted pictures

    def add(self, topic: str, stamp_ns: int, message: Message) -> list[Message]:
        """Add a message; returns what is to be written now."""
        if self._keep_all or stamp_ns in self._named:
            return [message]
        waiting = self._waiting.setdefault(topic, OrderedDict())
        waiting[stamp_ns] = message
        while len(waiting) > KEPT:
            waiting.popitem(last=False)
        return []

    def mark(self, marker: SampleMarker) -> list[Message]:
        """Add a marker; returns what is to be written now."""
        if not marker.accepted:
            return []
        _remember(self._named, marker.image_ns)
        return [held.pop(marker.image_ns) for held in self._waiting.values() if marker.image_ns in held]


class WholeSamples:
    """Which samples are whole in the bag: marker, picture and reading are written, in whichever order.

    ``lost``: accepted samples that are not, although ``KEPT`` markers have been written since theirs.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._pictures: OrderedDict[int, None] = OrderedDict()
        self._readings: OrderedDict[int, None] = OrderedDict()
        self._incomplete: OrderedDict[int, int] = OrderedDict()  # stamp -> index of a sample that lacks something
        self._whole: list[int] = []

    def marked(self, marker: SampleMarker) -> None:
        """Note that a marker is written."""
        if not marker.accepted:
            return
        self._incomplete[marker.image_ns] = marker.index
        self._look(marker.image_ns)
        while len(self._incomplete) > KEPT:
            self._incomplete.popitem(last=False)
            self.lost += 1

    def picture_written(self, stamp_ns: int) -> None:
        """Note that the picture with this stamp is written."""
        _remember(self._pictures, stamp_ns)
        self._look(stamp_ns)

    def reading_written(self, stamp_ns: int) -> None:
        """Note that the reading of the picture with this stamp is written."""
        _remember(self._readings, stamp_ns)
        self._look(stamp_ns)

    def take(self) -> list[int]:
        """Return the indices of the samples that have become whole since the last call."""
        whole, self._whole = self._whole, []
        return whole

    def forget(self) -> None:
        """Forget everything: what comes next goes into another bag."""
        for held in (self._pictures, self._readings, self._incomplete):
            held.clear()
        self._whole.clear()

    def _look(self, stamp_ns: int) -> None:
        if stamp_ns in self._incomplete and stamp_ns in self._pictures and stamp_ns in self._readings:
            self._whole.append(self._incomplete.pop(stamp_ns))


def _remember(stamps: OrderedDict[int, None], stamp_ns: int) -> None:
    stamps[stamp_ns] = None
    while len(stamps) > _REMEMBERED:
        stamps.popitem(last=False)
