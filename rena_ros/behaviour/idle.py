"""Blinks and small movements of the gaze while no person is present. No I/O, no clock: each call is given the time.

Only lids and eyes move. A blink closes from where the lids are, and the gaze is added to where the eyes look. Both are
scaled by a share that eases between 0 (nothing) and 1, so that neither a face that comes nor a switch makes a jump.
"""

from dataclasses import replace

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.easing import least_jerk
from rena_ros.robot.model import Robot
from rena_ros.strategy.eyes import Blink, Saccade, draw_blinks, draw_saccades

FADE_S = 0.3  # from all to nothing, and back
GAZE_SCALE = 0.4  # small shifts: a person at rest who looks at nothing new (an assumption)
LEAST_CLOSED_S = 0.1  # of a drawn blink: a servo's horn needs longer than a human lid to arrive
_LONGEST_STEP_S = 0.04  # of the fade: calls that come late make no jump


class IdleLife:
    """Adds blinks and gaze to goals while no person is present. ``missing``: names of servos that this robot lacks.

    The gaze is an angle of the eyes' own servos. Equal seeds and times give equal movements.
    """

    def __init__(self, robot: Robot, seed: int = 0):
        """``seed``: of the random numbers."""
        self._rng = np.random.default_rng(seed)
        self._lids = _found(robot, "lid_{}")
        self._axes = [_found(robot, "eye_{}_" + axis) for axis in ("yaw", "pitch")]
        spans = robot.positions(np.ones(len(robot.names), np.float32))
        self._rad = np.abs(spans - robot.positions(np.zeros(len(robot.names), np.float32)))
        wanted = [pattern.format(s) for pattern in ("lid_{}", "eye_{}_yaw", "eye_{}_pitch") for s in ("left", "right")]
        self.missing = tuple(name for name in wanted if name not in robot.index)
        self.reset()

    def reset(self) -> None:
        """Begin again without any movement, as when another source has had the robot."""
        self._share, self._last_s = 0.0, -np.inf
        self._blink: Blink | None = None
        self._saccade: Saccade | None = None

    @property
    def moves(self) -> bool:
        """Whether the goals of the last call of ``live`` may differ from those that it was given."""
        return self._share > 0.0

    def live(self, goals: FloatArray, now_s: float, alone: bool) -> FloatArray:
        """Return ``goals``, (n,) in [0, 1], with the movements of ``now_s``, in [0, 1], too.

        ``alone``: whether to move; if not, movements fade out within FADE_S, then ``goals`` itself is returned.
        """
        elapsed_s = min(max(now_s - self._last_s, 0.0), _LONGEST_STEP_S)
        if alone and not self.moves:
            self._begin(now_s)
        change = elapsed_s / FADE_S
        self._last_s = now_s
        self._share = min(1.0, self._share + change) if alone else max(0.0, self._share - change)
        if not self.moves:
            return goals
        share = least_jerk(self._share)
        moved = np.array(goals, np.float32)
        closure, gaze = share * self._closure(now_s), share * self._gaze(now_s)
        for axis, angle in zip(self._axes, gaze, strict=True):
            for i in axis:
                moved[i] = np.clip(moved[i] + angle / self._rad[i], 0.0, 1.0)
        for i in self._lids:
            moved[i] += closure * max(1.0 - moved[i], 0.0)
        return moved

    def _begin(self, now_s: float) -> None:
        self._blinks = draw_blinks(self._rng, start_s=now_s)
        self._saccades = draw_saccades(self._rng, start_s=now_s, scale=GAZE_SCALE)
        self._blink, self._saccade = next(self._blinks), next(self._saccades)

    def _closure(self, now_s: float) -> float:
        blink = _lasting(self._blink)
        while blink is not None and now_s >= blink.end_s:
            self._blink = next(self._blinks)
            blink = _lasting(self._blink)
        return 0.0 if blink is None else blink.closure(now_s)

    def _gaze(self, now_s: float) -> FloatArray:
        # The next movement starts where this one ends: it is drawn once this one has ended.
        while self._saccade is not None and now_s >= self._saccade.start_s + self._saccade.duration_s:
            self._saccade = next(self._saccades)
        return np.zeros(2) if self._saccade is None else self._saccade.gaze(now_s)


def _found(robot: Robot, pattern: str) -> list[int]:
    return [robot.index[name] for side in ("left", "right") if (name := pattern.format(side)) in robot.index]


def _lasting(blink: Blink | None) -> Blink | None:
    return blink and replace(blink, closed_s=max(blink.closed_s, LEAST_CLOSED_S))
