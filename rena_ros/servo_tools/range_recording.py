"""From marked horn positions to a servo's range in ticks: the computation behind `rena servo calibrate`. Pure.

A servo counts ticks from 0 to 4095 and then from 0 again. A range must keep clear of this wrap-around, because a goal
beyond it would send the horn the long way round.
"""

from dataclasses import dataclass, replace

from rena_ros.bus.registers import TICKS_PER_TURN
from rena_ros.robot.model import Servo

WRAP_MARGIN_TICKS = 32  # 2.8 degrees: positions fluctuate, and a horn pushed by hand overshoots
MIN_RANGE_TICKS = 20  # 1.8 degrees: with less, the horn was not moved
NEUTRAL_SLACK_TICKS = 20  # the rest may be marked so far outside the ends; it is set to the nearer end
PLACES = ("goal 0", "goal 1", "rest")


@dataclass(frozen=True)
class Range:
    """A servo's recorded range: the fields of the robot file."""

    min_ticks: int
    neutral_ticks: int
    max_ticks: int
    reversed: bool


@dataclass(frozen=True)
class Recording:
    """One servo's recording: its position now, and the positions marked so far in the order of PLACES.

    Positions are unwrapped: they count on beyond 0 and 4095. ``unwrapped_ticks`` is None before the first reply.
    """

    unwrapped_ticks: int | None = None
    marks: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all places are marked."""
        return len(self.marks) == len(PLACES)

    def moved_to(self, ticks: int) -> "Recording":
        """Return the recording with the horn at ``ticks``, 0..4095, less than half a turn from its last position."""
        if self.unwrapped_ticks is None:
            return replace(self, unwrapped_ticks=ticks)
        half = TICKS_PER_TURN // 2
        step = (ticks - self.unwrapped_ticks + half) % TICKS_PER_TURN - half
        return replace(self, unwrapped_ticks=self.unwrapped_ticks + step)

    def with_mark(self) -> "Recording":
        """Return the recording with the next of PLACES marked at the present position.

        Raises ValueError before the first position, and when all places are marked.
        """
        if self.unwrapped_ticks is None or self.complete:
            raise ValueError("nothing to mark")
        return replace(self, marks=(*self.marks, self.unwrapped_ticks))


def to_range(recording: Recording) -> Range | str:
    """Return the range of a complete recording, or why there is none and what to do."""
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
        return f"the rest, {rest}, lies outside the ends, {low}..{high}: record all three places again"
    return Range(low, min(max(rest, low), high), high, reversed=zero > one)


def changed_fields(servo: Servo, new: Range) -> dict[str, int | bool]:
    """Return the fields of the robot file that differ from the servo's present ones, with their new values."""
    return {name: value for name, value in vars(new).items() if getattr(servo, name) != value}


def _wrap_around_fault(low: int, high: int) -> str:
    """Explain a range that meets the wrap-around, and how to move it. ``low``: 0..4095; ``high`` may be beyond."""
    middle = TICKS_PER_TURN // 2
    degrees = abs(middle - (low + high) // 2 % TICKS_PER_TURN) * 360 // TICKS_PER_TURN
    if high >= TICKS_PER_TURN:
        fault = f"its range goes from {low} over the wrap-around (4095, then 0) to {high - TICKS_PER_TURN}"
    else:
        fault = f"its range, {low} to {high}, comes within {WRAP_MARGIN_TICKS} ticks of the wrap-around (4095, then 0)"
    return (
        f"{fault}. Move the part to the middle of its range, take the horn off the shaft, turn the shaft by about "
        f"{degrees} degrees, until this shows {middle} ticks, put the horn back on, and record this servo again"
    )
