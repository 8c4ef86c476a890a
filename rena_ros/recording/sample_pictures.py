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
    each under the stamp of its header, ns. With ``keep_all`` none waits. ``lost``: accepted samples so far whose
    picture or reading did not come, so that they are not whole in the bag.
    """

    def __init__(self, *, keep_all: bool) -> None:
        self.lost = 0
        self._keep_all = keep_all
        self._waiting: dict[str, OrderedDict[int, Message]] = {}
        self._named: OrderedDict[int, None] = OrderedDict()  # stamps of accepted pictures
        self._pictures: OrderedDict[int, None] = OrderedDict()  # stamps of pictures that were written
        self._readings: OrderedDict[int, None] = OrderedDict()
        self._incomplete: dict[int, int] = {}  # stamp -> index of a sample that lacks its picture or its reading
        self._newer: dict[int, int] = {}  # stamp of such a sample -> pictures that have come since its marker
        self._complete: list[int] = []

    def add(self, topic: str, stamp_ns: int, message: Message, *, picture: bool = True) -> list[Message]:
        """Add a message; returns what is to be written now. ``picture``: it is one, and does not just accompany one."""
        if picture:
            self._give_up_old()
        if self._keep_all or stamp_ns in self._named:
            return [message]
        waiting = self._waiting.setdefault(topic, OrderedDict())
        waiting[stamp_ns] = message
        while len(waiting) > KEPT:
            waiting.popitem(last=False)
        return []

    def mark(self, marker: SampleMarker) -> list[Message]:
        """Note that a marker is written; returns what is to be written now."""
        if not marker.accepted:
            return []
        stamp_ns = marker.image_ns
        _remember(self._named, stamp_ns)
        self._incomplete[stamp_ns], self._newer[stamp_ns] = marker.index, 0
        self._complete_if_whole(stamp_ns)
        return [held.pop(stamp_ns) for held in self._waiting.values() if stamp_ns in held]

    def picture_written(self, stamp_ns: int) -> None:
        """Note that the picture with this stamp is written."""
        _remember(self._pictures, stamp_ns)
        self._complete_if_whole(stamp_ns)

    def reading_written(self, stamp_ns: int) -> None:
        """Note that the reading of the picture with this stamp is written."""
        _remember(self._readings, stamp_ns)
        self._complete_if_whole(stamp_ns)

    def take_complete(self) -> list[int]:
        """Return the indices of the samples that have become whole since the last call: picture, reading, marker."""
        complete, self._complete = self._complete, []
        return complete

    def forget(self) -> None:
        """Forget everything: what comes next goes into another bag."""
        for held in (self._waiting, self._named, self._pictures, self._readings, self._incomplete, self._newer):
            held.clear()
        self._complete.clear()

    def _complete_if_whole(self, stamp_ns: int) -> None:
        if stamp_ns in self._incomplete and stamp_ns in self._pictures and stamp_ns in self._readings:
            self._complete.append(self._incomplete.pop(stamp_ns))
            del self._newer[stamp_ns]

    def _give_up_old(self) -> None:
        """Give up samples since whose markers so many pictures have come that their own will not come any more."""
        for stamp_ns in list(self._newer):
            self._newer[stamp_ns] += 1
            if self._newer[stamp_ns] > KEPT:
                del self._newer[stamp_ns], self._incomplete[stamp_ns]
                self.lost += 1


def _remember(stamps: OrderedDict[int, None], stamp_ns: int) -> None:
    stamps[stamp_ns] = None
    while len(stamps) > _REMEMBERED:
        stamps.popitem(last=False)
