"""From where a horn was seen to a servo's range in ticks: a core that is told positions and says what to do. Pure.

A servo counts 0 to 4095 and starts over at the seam. A range must lie on one side of it, with some room:
a goal beyond the seam would send the horn the long way round.
"""

from dataclasses import dataclass, replace

from rena_ros.bus.registers import TICKS_PER_TURN
from rena_ros.robot.model import Servo

WRAP_MARGIN_TICKS = 32  # ticks, 2.8 degrees: readings tremble, and a horn pushed by hand overshoots
MIN_RANGE_TICKS = 20  # ticks, 1.8 degrees: less than that is a horn that was not moved
NEUTRAL_SLACK_TICKS = 20  # ticks that the resting place may lie outside the ends: it is put to the end
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

    unwrapped_ticks: int | None = None
    marks: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all places are marked."""
        return len(self.marks) == len(PLACES)


def followed(recording: Recording, ticks: int) -> Recording:
    """The horn is at ``ticks``, 0..4095, less than half a turn from where it was when last seen."""
    if recording.unwrapped_ticks is None:
        return replace(recording, unwrapped_ticks=ticks)
    half = TICKS_PER_TURN // 2
    step = (ticks - recording.unwrapped_ticks + half) % TICKS_PER_TURN - half
    return replace(recording, unwrapped_ticks=recording.unwrapped_ticks + step)


def with_mark(recording: Recording) -> Recording:
    """Here is the next of PLACES. Raises ValueError before anything was seen, and when all are marked."""
    if recording.unwrapped_ticks is None or recording.complete:
        raise ValueError("nothing to mark")
    return replace(recording, marks=(*recording.marks, recording.unwrapped_ticks))


def to_range(recording: Recording) -> Range | str:
    """The range of a complete recording, or why there is none and what to do."""
    zero, one, rest = recording.marks
    low, high = min(zero, one), max(zero, one)
    if high - low < MIN_RANGE_TICKS:
        return f"the two ends are only {high - low} ticks apart: move the horn from one end to the other"
    if high - low >= TICKS_PER_TURN - 2 * WRAP_MARGIN_TICKS:
        return f"the two ends are {high - low} ticks apart, a whole turn or more: a servo of this robot turns less"
    turn = low // TICKS_PER_TURN * TICKS_PER_TURN
    low, high, rest = low - turn, high - turn, rest - turn
    if low < WRAP_MARGIN_TICKS or high > TICKS_PER_TURN - 1 - WRAP_MARGIN_TICKS:
        return _wrap_around_fault(low, high)
    if not low - NEUTRAL_SLACK_TICKS <= rest <= high + NEUTRAL_SLACK_TICKS:
        return f"the resting place, {rest}, lies outside the ends, {low}..{high}: record all three places again"
    return Range(low, min(max(rest, low), high), high, reversed=zero > one)


def changed_fields(servo: Servo, new: Range) -> dict[str, int | bool]:
    """What has to change in the robot file, by field."""
    return {name: value for name, value in vars(new).items() if getattr(servo, name) != value}


def _wrap_around_fault(low: int, high: int) -> str:
    """Explain a range that meets the wrap-around, and how to move it. ``low`` is in 0..4095, ``high`` may be beyond."""
    middle_ticks = TICKS_PER_TURN // 2
    degrees = abs(middle_ticks - (low + high) // 2 % TICKS_PER_TURN) * 360 // TICKS_PER_TURN
    if high >= TICKS_PER_TURN:
        fault = f"its range goes from {low} over the wrap-around (4095, then 0) to {high - TICKS_PER_TURN}"
    else:
        fault = f"its range, {low} to {high}, comes within {WRAP_MARGIN_TICKS} ticks of the wrap-around (4095, then 0)"
    return (
        f"{fault}. Bring the part to the middle of its range, take the horn off the shaft, turn the shaft by about "
        f"{degrees} degrees, until this shows {middle_ticks} ticks, put the horn back on, and record this servo again"
    )
