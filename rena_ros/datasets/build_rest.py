"""The robot's own neutral face in a session: the readings that were taken while all servos stood still at neutral."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.perception.face_reader import READING_NAMES

NEUTRAL_RAD = 0.03  # a servo this near to neutral is at rest: 20 ticks
_SETTLED_NS = 300_000_000  # a rest begins this long after the servos came to neutral
_GAP_NS = 500_000_000  # states further apart do not belong to one rest
SLOT_NS = 500_000_000  # one reading is kept in this time, so that hours of readings need little memory
ENOUGH = 3  # readings


@dataclass(frozen=True)
class RestReadings:
    """k readings of the neutral face. ``stamps_ns``: int64 (k,), rising; ``features``: float32 (k, 55)."""

    stamps_ns: IntArray
    features: FloatArray

    def median(self) -> FloatArray:
        """Return the reading of the neutral face, float32 (55,): the median, so that a few wrong ones do not count.

        Raises RenaError when there are too few readings.
        """
        if len(self.features) < ENOUGH:
            raise RenaError(
                f"the bags show the robot's neutral face in {len(self.features)} readings, {ENOUGH} are needed (all "
                f"servos within {NEUTRAL_RAD:g} rad of neutral for a second, and a face in view): record some seconds "
                "of the robot at neutral, with joint_states and face/blendshapes, and give that bag as well"
            )
        return np.asarray(np.median(self.features, axis=0), np.float32)


class RestFinder:
    """Collects states and readings of one bag, in any order, and finds the readings at rest."""

    def __init__(self) -> None:
        self._state_ns: list[int] = []
        self._neutral: list[bool] = []
        self._slots: dict[int, tuple[int, FloatArray]] = {}

    def add_state(self, stamp_ns: int, positions: FloatArray) -> None:
        """Take one state of the servos, rad (n,); one that did not reply (NaN) is not known to be at neutral."""
        self._state_ns.append(stamp_ns)
        self._neutral.append(bool((np.abs(positions) <= NEUTRAL_RAD).all()))

    def add_reading(self, captured_ns: int, features: FloatArray) -> None:
        """Take one reading, (55,), of a picture taken at ``captured_ns``; the last of each half second is kept."""
        slot = captured_ns // SLOT_NS
        if slot not in self._slots or captured_ns > self._slots[slot][0]:
            self._slots[slot] = captured_ns, features

    def at_rest(self, captured_ns: Sequence[int]) -> BoolArray:
        """Return which of these moments were at rest, (m,), now that all states are known."""
        starts, ends = self._rests()
        moments = np.array(captured_ns, np.int64)
        at = np.searchsorted(starts, moments, side="right") - 1
        if not len(starts):
            return np.zeros(len(moments), bool)
        return np.asarray((at >= 0) & (starts[at] + _SETTLED_NS <= moments) & (moments <= ends[at]))

    def readings(self) -> RestReadings:
        """Return the readings that were captured at rest."""
        kept = [found for _, found in sorted(self._slots.items())]
        good = [one for one, yes in zip(kept, self.at_rest([ns for ns, _ in kept]), strict=True) if yes]
        features = np.array([one for _, one in good], np.float32).reshape(len(good), len(READING_NAMES))
        return RestReadings(np.array([captured_ns for captured_ns, _ in good], np.int64), features)

    def _rests(self) -> tuple[IntArray, IntArray]:
        """Return the first and last stamp of each unbroken run of states at neutral, (m,) each."""
        stamps = np.array(self._state_ns, np.int64)
        order = np.argsort(stamps, kind="stable")
        stamps, neutral = stamps[order], np.array(self._neutral, bool)[order]
        near = np.diff(stamps, prepend=stamps[:1]) <= _GAP_NS
        begins: BoolArray = neutral & ~(np.append(False, neutral[:-1]) & near)[: len(neutral)]
        lasts: BoolArray = neutral & ~np.append((neutral & near)[1:], False)[: len(neutral)]
        return stamps[begins], stamps[lasts]


def together(parts: list[RestReadings]) -> RestReadings:
    """Return the readings of several bags, by time."""
    nothing = RestReadings(np.zeros(0, np.int64), np.zeros((0, len(READING_NAMES)), np.float32))
    stamps = np.concatenate([part.stamps_ns for part in (nothing, *parts)])
    order = np.argsort(stamps, kind="stable")
    return RestReadings(stamps[order], np.concatenate([part.features for part in (nothing, *parts)])[order])
