"""What crossed the wire against the robot's rules: limits, antagonists, speed and acceleration. Pure.

Goals are whole ticks, so each is up to half a tick beside the motion it is a sample of; the checks allow exactly
for that. Speed and acceleration are judged between goals that follow each other for one servo; a goal that is written
to one servo alone belongs to its torque going on, where the servo is: there its way begins anew, at rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rena_ros.bus.protocol import Instruction
from rena_ros.emulator.goal_log import NOT_COMMANDED, GoalFrame
from rena_ros.robot.model import RAD_PER_TICK, Robot

_CODE = 4  # place of the instruction in a frame
_EXAMPLES = 5


@dataclass
class GoalCheck:
    """Feed it the log with ``add``; the counts are of violations, one for each servo (or pair) and frame."""

    robot: Robot
    frames: int = 0
    goals: int = 0
    limits: int = 0
    antagonists: int = 0
    speed: int = 0
    acceleration: int = 0
    top_speed: float = 0.0  # the fastest a servo was sent anywhere, as a fraction of its limit
    examples: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.robot.names)
        self._top_speed = self.robot.max_speed_rad_s / RAD_PER_TICK
        self._top_acceleration = self.robot.max_acceleration_rad_s2 / RAD_PER_TICK
        self._pairs = np.array(self.robot.antagonist_pairs, int).reshape(-1, 2)
        # Of the goal before: ticks and time; and the mean speed on the way to it, with how long that way took.
        self._ticks, self._time_s = np.zeros(count), np.full(count, np.nan)
        self._speed, self._way_s = np.full(count, np.nan), np.full(count, np.nan)

    @property
    def violations(self) -> int:
        """All of them."""
        return self.limits + self.antagonists + self.speed + self.acceleration

    def add(self, log: Sequence[GoalFrame]) -> None:
        """Check these frames, which follow those of the last call."""
        for goals in log:
            named = goals.ticks != NOT_COMMANDED
            self.goals += int(named.sum())
            self.frames += 1
            self._check_places(goals, named)
            if goals.frame[_CODE] == Instruction.SYNC_WRITE:
                self._check_ways(goals, named)
            else:
                self._speed[named] = np.nan
            self._ticks[named], self._time_s[named] = goals.ticks[named], goals.time_s

    def _check_places(self, goals: GoalFrame, named: np.ndarray) -> None:
        robot = self.robot
        outside = named & ((goals.ticks < robot.min_ticks) | (goals.ticks > robot.max_ticks))
        self.limits += self._note("outside its limits", goals, outside)
        away = named & (np.abs(goals.ticks - robot.neutral_ticks) > 1)
        both = away[self._pairs[:, 0]] & away[self._pairs[:, 1]]
        if both.any():
            pulling = np.zeros(len(named), bool)
            pulling[self._pairs[both]] = True
            self._note("pulls against its antagonist", goals, pulling)
            self.antagonists += int(both.sum())

    def _check_ways(self, goals: GoalFrame, named: np.ndarray) -> None:
        way_s = goals.time_s - self._time_s
        way = goals.ticks - self._ticks
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN where its way begins anew: never a violation
            fast = named & (np.abs(way) > self._top_speed * way_s + 1 + 1e-6)
            speed = way / way_s
            change = self._top_acceleration * (way_s + self._way_s) / 2 + 1 / way_s + 1 / self._way_s
            jerky = named & (np.abs(speed - self._speed) > change * (1 + 1e-6))
            share = (np.abs(way) - 1) / way_s / self._top_speed
        self.speed += self._note("too fast", goals, fast)
        self.acceleration += self._note("too sudden", goals, jerky)
        if np.isfinite(share[named]).any():
            self.top_speed = max(self.top_speed, float(np.nanmax(share[named])))
        self._speed[named], self._way_s[named] = speed[named], way_s[named]

    def _note(self, what: str, goals: GoalFrame, which: np.ndarray) -> int:
        for i in np.flatnonzero(which)[: _EXAMPLES - len(self.examples)]:
            before = f"{self._ticks[i]:.0f} at {self._time_s[i]:.4f} s"
            self.examples.append(
                f"{self.robot.names[i]} {what}: {goals.ticks[i]} at {goals.time_s:.4f} s after {before}"
            )
        return int(which.sum())
