"""From where a horn was seen to a servo's range in ticks: a core that is told positions and says what to do. Pure.

A servo counts 0 to 4095 and starts over at the seam. A range must lie on one side of it, with some room:
a goal beyond the seam would send the horn the long way round.
"""

from dataclasses import dataclass, replace

from rena_ros.bus.registers import TICKS_PER_TURN
from rena_ros.robot.model import Servo

SEAM_ROOM = 32  # ticks, 2.8 degrees: readings tremble, and a horn pushed by hand overshoots
LEAST_RANGE = 20  # ticks, 1.8 degrees: less than that is a horn that was not moved
NEUTRAL_SLACK = 20  # ticks that the resting place may lie outside the ends: it is put to the end
PLACES = ("goal 0", "goal 1", "rest")


@dataclass(frozen=True)
class Range:
    """What was recorded of one servo, ticks: the robot file's fields."""

    min_ticks: int
    neutral_ticks: int
    max_ticks: int
    reversed: bool


@dataclass(frozen=True)
class Recording:
    """One servo while it is calibrated: where its horn is, counted on across the seam (None: not heard of yet),
    and the places marked so far, in the order of PLACES.
    """

    turned: int | None = None
    marks: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all places are marked."""
        return len(self.marks) == len(PLACES)


def seen(recording: Recording, ticks: int) -> Recording:
    """The horn is at ``ticks``, 0..4095, less than half a turn from where it was when last seen."""
    if recording.turned is None:
        return replace(recording, turned=ticks)
    half = TICKS_PER_TURN // 2
    step = (ticks - recording.turned + half) % TICKS_PER_TURN - half
    return replace(recording, turned=recording.turned + step)


def marked(recording: Recording) -> Recording:
    """Here is the next of PLACES. Raises ValueError before anything was seen, and when all are marked."""
    if recording.turned is None or recording.complete:
        raise ValueError("nothing to mark")
    return replace(recording, marks=(*recording.marks, recording.turned))


def ranged(recording: Recording) -> Range | str:
    """The range of a complete recording, or why there is none and what to do."""
    zero, one, rest = recording.marks
    low, high = min(zero, one), max(zero, one)
    if high - low < LEAST_RANGE:
        return f"the two ends are only {high - low} ticks apart: move the horn from one end to the other"
    if high - low >= TICKS_PER_TURN - 2 * SEAM_ROOM:
        return f"the two ends are {high - low} ticks apart, a whole turn or more: a servo of this robot turns less"
    turn = low // TICKS_PER_TURN * TICKS_PER_TURN
    low, high, rest = low - turn, high - turn, rest - turn
    if low < SEAM_ROOM or high > TICKS_PER_TURN - 1 - SEAM_ROOM:
        return _seam(low, high)
    if not low - NEUTRAL_SLACK <= rest <= high + NEUTRAL_SLACK:
        return f"the resting place, {rest}, lies outside the ends, {low}..{high}: record all three places again"
    return Range(low, min(max(rest, low), high), high, reversed=zero > one)


def differences(servo: Servo, new: Range) -> dict[str, int | bool]:
    """What has to change in the robot file, by field."""
    return {name: value for name, value in vars(new).items() if getattr(servo, name) != value}


def _seam(low: int, high: int) -> str:
    """``low`` lies in 0..4095, ``high`` may lie beyond."""
    middle = (low + high) // 2
    turn = TICKS_PER_TURN // 2 - middle % TICKS_PER_TURN
    crosses = high >= TICKS_PER_TURN
    where = f"from {low} over the seam (4095, then 0) to {high - TICKS_PER_TURN}" if crosses else f"{low} to {high}"
    return (
        f"its range, {where}, {'crosses' if crosses else f'comes within {SEAM_ROOM} ticks of'} the seam of the servo's "
        "counting. Bring the part to the middle of its range, take the horn off the shaft, turn the shaft by about "
        f"{abs(turn) * 360 // TICKS_PER_TURN} degrees, until this shows {TICKS_PER_TURN // 2}, put the horn back on, "
        "and record this servo again"
    )
