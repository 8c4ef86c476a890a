"""Readings and the landmarks of the same image, which come on two topics, in any order. No I/O, no clock."""

from collections import OrderedDict

from rena_ros.base.arrays import FloatArray

_KEPT = 4  # landmarks that wait for their reading


class LandmarkPairing:
    """Brings together what carries the same stamp. Only the newest reading waits for its landmarks.

    ``skipped``: readings so far that a newer one has replaced before their landmarks came.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._waiting: tuple[int, FloatArray] | None = None
        self._landmarks: OrderedDict[int, FloatArray] = OrderedDict()

    def reading(self, stamp_ns: int, features: FloatArray) -> FloatArray | None:
        """Take a reading (55,); return its landmarks if they are here already, else keep it waiting."""
        self.no_face()
        landmarks = self._landmarks.pop(stamp_ns, None)
        if landmarks is None:
            self._waiting = stamp_ns, features
        return landmarks

    def landmarks(self, stamp_ns: int, landmarks: FloatArray) -> FloatArray | None:
        """Take landmarks (478, 3); return the reading that waits for them, or None and keep them for theirs."""
        if self._waiting is not None and self._waiting[0] == stamp_ns:
            (_, features), self._waiting = self._waiting, None
            return features
        self._landmarks[stamp_ns] = landmarks
        while len(self._landmarks) > _KEPT:
            self._landmarks.popitem(last=False)
        return None

    def no_face(self) -> None:
        """Note an image without a face, or a newer reading: one that still waits is skipped."""
        self.skipped += self._waiting is not None
        self._waiting = None
