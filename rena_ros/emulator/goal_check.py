"""Checks of the goals on the wire against the robot's limits, antagonists, speed and acceleration. No I/O, no clock.

Goals are whole ticks, so each differs by up to half a tick from the motion that it is a sample of; the checks allow
exactly for that. Speed and acceleration are checked between successive goals of one servo. A goal that is written to
one servo alone is part of switching its torque on, at the servo's own position: there its path begins anew, at rest.

Points of motions that were planned before may come early after they came late; ``add`` takes by how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray
from rena_ros.bus.protocol import Instruction
from rena_ros.emulator.goal_log import NOT_COMMANDED, GoalFrame
from rena_ros.robot.model import RAD_PER_TICK, Robot

_CODE = 4  # index of the instruction in a frame
_EXAMPLES = 5


@dataclass
class GoalCheck:
    """Counts of violations in the frames given to ``add``, one for each servo (or pair) and frame."""

    robot: Robot
    frames: int = 0  # that were checked
    goals: int = 0
    limits: int = 0
    antagonists: int = 0
    speed: int = 0
    acceleration: int = 0
    top_speed: float = 0.0  # the highest speed of any servo, as a fraction of its limit
    early_s: float = 0.0  # by how much a servo's goals were closer together than its speed limit permits, at most
    examples: list[str] = field(default_factory=list)  # the first violations

    def __post_init__(self) -> None:
        count = len(self.robot.names)
        self._top_speed = self.robot.max_speed_rad_s / RAD_PER_TICK
        self._top_acceleration = self.robot.max_acceleration_rad_s2 / RAD_PER_TICK
        self._pairs = np.array(self.robot.antagonist_pairs, int).reshape(-1, 2)
        # Ticks and time of the previous goal; the mean speed on the step to it, and the duration of that step.
        self._ticks, self._time_s = np.zeros(count), np.full(count, np.nan)
        self._speed, self._step_s = np.full(count, np.nan), np.full(count, np.nan)
        self._early_s = np.zeros(count)

    @property
    def last_ticks(self) -> FloatArray:
        """The last goal of each servo, (n,)."""
        return self._ticks.copy()

    @property
    def violations(self) -> int:
        """The sum of all counts of violations."""
        return self.limits + self.antagonists + self.speed + self.acceleration

    def add(self, log: Sequence[GoalFrame], early_s: float | None = None) -> None:
        """Check these frames, which follow those of the previous call.

        With ``early_s`` they may be of a motion planned before: over any time, a servo's goals are at most that much
        closer together than its speed limit permits; their acceleration is not checked.
        """
        for goals in log:
            named = goals.ticks != NOT_COMMANDED
            self.goals += int(named.sum())
            self.frames += 1
            self._check_positions(goals, named)
            if goals.frame[_CODE] == Instruction.SYNC_WRITE and early_s is not None:
                self._check_planned_steps(goals, named, early_s)
            elif goals.frame[_CODE] == Instruction.SYNC_WRITE:
                self._check_steps(goals, named)
            else:
                self._speed[named] = np.nan
            self._ticks[named], self._time_s[named] = goals.ticks[named], goals.time_s

    def _check_positions(self, goals: GoalFrame, named: BoolArray) -> None:
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

    def _check_steps(self, goals: GoalFrame, named: BoolArray) -> None:
        step_s = goals.time_s - self._time_s
        step = goals.ticks - self._ticks
        self._early_s[named] = 0.0
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN where a path begins: never a violation
            fast = named & (np.abs(step) > self._top_speed * step_s + 1 + 1e-6)
            speed = step / step_s
            change = self._top_acceleration * (step_s + self._step_s) / 2 + 1 / step_s + 1 / self._step_s
            jerky = named & (np.abs(speed - self._speed) > change * (1 + 1e-6))
            share = (np.abs(step) - 1) / step_s / self._top_speed
        self.speed += self._note("too fast", goals, fast)
        self.acceleration += self._note("too sudden", goals, jerky)
        if np.isfinite(share[named]).any():
            self.top_speed = max(self.top_speed, float(np.nanmax(share[named])))
        self._speed[named], self._step_s[named] = speed[named], step_s[named]

    def _check_planned_steps(self, goals: GoalFrame, named: BoolArray, early_s: float) -> None:
        needed_s = np.maximum(np.abs(goals.ticks - self._ticks) - 1, 0) / self._top_speed
        early = np.maximum(np.nan_to_num(self._early_s + needed_s - (goals.time_s - self._time_s)), 0.0)
        self._early_s[named] = early[named]
        self.early_s = max(self.early_s, float(self._early_s.max()))
        self.speed += self._note("too far ahead", goals, named & (early > early_s + 1e-6))
        self._speed[named] = np.nan

    def _note(self, what: str, goals: GoalFrame, which: BoolArray) -> int:
        for i in np.flatnonzero(which)[: _EXAMPLES - len(self.examples)]:
            step = f"{goals.ticks[i]} at {goals.time_s:.4f} s after {self._ticks[i]:.0f} at {self._time_s[i]:.4f} s"
            self.examples.append(f"{self.robot.names[i]} {what}: {step}")
        return int(which.sum())
