"""Pairing by stamps: what servos, face and commands were at the moment that the picture of a sample was taken.

Every message is judged by the stamp in its header alone, so the order in which messages arrived, or lie in the bag,
has no effect. Per sample only the nearest state and the extremes around the capture are kept: memory grows with the
number of samples, not with the size of the bag.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.recording.marker import SampleMarker

AROUND_NS = 40_000_000  # before and after a capture; in this time no servo may move: exposures are shorter
_REACH_NS = 500_000_000  # no state further away from a capture is looked at


@dataclass
class Candidate:
    """One marker, and what the bag holds for it. ``bag``: number of its bag. Positions and commands: rad, (n,).

    ``capture_ns``: when its picture was taken. ``positions``: of the state nearest to the capture in which every servo
    replied, stamped ``state_ns``. ``low``, ``high``: extremes of all states around the capture; NaN for a servo that
    never replied. ``command``: the last one before the capture, stamped ``command_ns``. ``face``: None: no reading;
    False: a reading without a face. ``picture``: a copy of it, None where the bag holds none; ``damage``: why it cannot
    be decoded, else "". ``size``: its width and height, pixels; ``sharpness``: see ``build_pictures``.
    """

    marker: SampleMarker
    bag: int
    capture_ns: int
    state_ns: int | None = None
    positions: FloatArray | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None
    command_ns: int | None = None
    command: FloatArray | None = None
    face: bool | None = None
    features: FloatArray | None = None
    landmarks: FloatArray | None = None
    picture: Path | None = None
    damage: str = ""
    sharpness: float = 0.0
    size: tuple[int, int] = (0, 0)


def candidate(marker: SampleMarker, bag: int, delay_s: float) -> Candidate:
    """Return the candidate of a marker; ``delay_s``: how much later than its capture its picture is stamped."""
    return Candidate(marker, bag, marker.image_ns - round(delay_s * 1e9))


class Pairing:
    """Collects what belongs to the candidates of one bag; messages come in any order."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = sorted(candidates, key=lambda one: one.capture_ns)
        self._captures = [one.capture_ns for one in self.candidates]
        self._by_image: dict[int, list[Candidate]] = {}
        for one in self.candidates:
            self._by_image.setdefault(one.marker.image_ns, []).append(one)
        self._command_ns: list[int] = []
        self._commands: list[FloatArray] = []

    def of_image(self, image_ns: int) -> list[Candidate]:
        """Return the candidates whose picture has this stamp."""
        return self._by_image.get(image_ns, [])

    def add_state(self, stamp_ns: int, positions: FloatArray) -> None:
        """Take one state of the servos, rad (n,), NaN for a servo that did not reply."""
        first = bisect_left(self._captures, stamp_ns - _REACH_NS)
        known = np.isfinite(positions)
        for one in self.candidates[first : bisect_right(self._captures, stamp_ns + _REACH_NS)]:
            after_ns = stamp_ns - one.capture_ns
            if abs(after_ns) <= AROUND_NS:
                one.low = positions if one.low is None else np.fmin(one.low, positions)
                one.high = positions if one.high is None else np.fmax(one.high, positions)
            # Of two states equally far away the earlier one counts, whichever arrives first.
            if known.all() and (
                one.state_ns is None or (abs(after_ns), stamp_ns) < (abs(one.state_ns - one.capture_ns), one.state_ns)
            ):
                one.state_ns, one.positions = stamp_ns, positions

    def add_command(self, stamp_ns: int, positions: FloatArray) -> None:
        """Take one command, rad (n,)."""
        self._command_ns.append(stamp_ns)
        self._commands.append(positions)

    def add_reading(self, stamp_ns: int, features: FloatArray | None) -> None:
        """Take one reading, (55,), or None where no face was found."""
        for one in self.of_image(stamp_ns):
            one.face = features is not None
            one.features = features

    def add_landmarks(self, stamp_ns: int, landmarks: FloatArray) -> None:
        """Take the landmarks of one reading, (478, 3)."""
        for one in self.of_image(stamp_ns):
            one.landmarks = landmarks

    def finish(self) -> None:
        """Give each candidate its command, now that all are known."""
        stamps = np.array(self._command_ns, np.int64)
        order: IntArray = np.argsort(stamps, kind="stable")
        ends = np.searchsorted(stamps[order], self._captures, side="right")
        for one, end in zip(self.candidates, ends, strict=True):
            if end:
                last = int(order[end - 1])
                one.command_ns, one.command = self._command_ns[last], self._commands[last]
