"""The motion of a servo's own controller: limited in speed and acceleration, exact at any time. No I/O, no clock.

A motion goes from position p0 and speed v0 to rest at a target, as fast as the limits allow, in three phases of
constant acceleration: change to the cruising speed, cruise, brake. Its speed is a trapezoid, or a triangle when the
distance is short. The form is closed, so virtual time passes in steps of any size.
"""

import numpy as np

from rena_ros.base.arrays import Array, BoolArray, FloatArray, IntArray


class TrapezoidMotion:
    """n independent motions. Positions in ticks, speeds in ticks/s; arrays float64 (n,)."""

    def __init__(self, positions: Array) -> None:
        """Start at rest at ``positions``."""
        count = len(positions)
        self._age_s = np.zeros(count)
        self._sign = np.ones(count)
        # For each phase (rows): its length in seconds, its acceleration, and position and speed at its beginning.
        self._length_s, self._acceleration, self._speed = (np.zeros((4, count)) for _ in range(3))
        self._position = np.tile(np.asarray(positions, np.float64), (4, 1))

    def advance(self, dt_s: float) -> None:
        """Let time pass."""
        self._age_s += dt_s

    def stop(self, which: IntArray) -> None:
        """Stop some servos (indices (m,)) at once where they are now."""
        self.place(which, self.state()[0][which])

    def place(self, which: IntArray, positions: Array) -> None:
        """Put some servos (indices (m,)) at rest at other positions (m,) at once."""
        self._length_s[:, which] = self._acceleration[:, which] = self._speed[:, which] = 0.0
        self._position[:, which] = positions
        self._age_s[which] = 0.0

    def state(self) -> tuple[FloatArray, FloatArray]:
        """Return the present positions and speeds."""
        ends = np.cumsum(self._length_s[:3], axis=0)
        phase = (self._age_s >= ends).sum(axis=0)
        column = np.arange(len(phase))
        begun = np.where(phase > 0, ends[phase - 1, column], 0.0)
        t = self._age_s - begun
        speed, acceleration = self._speed[phase, column], self._acceleration[phase, column]
        return self._position[phase, column] + (speed + acceleration * t / 2) * t, speed + acceleration * t

    def moving(self) -> BoolArray:
        """Return which servos have not arrived yet, bool (n,)."""
        return self._age_s < self._length_s.sum(axis=0)

    def move(self, which: IntArray, targets: Array, top_speed: FloatArray, acceleration: FloatArray) -> None:
        """Move some servos (indices (m,)) from where they are to targets (m,), within limits (m,) > 0."""
        position, speed = (column[which] for column in self.state())
        distance = targets - position
        braking_distance = speed * np.abs(speed) / (2 * acceleration)
        sign = np.where(distance >= braking_distance, 1.0, -1.0)
        # From here on everything is measured in the direction of travel.
        v, distance = speed * sign, distance * sign
        peak = np.minimum(np.sqrt(np.maximum(acceleration * distance + v * v / 2, 0)), top_speed)
        change = np.where(peak >= v, acceleration, -acceleration)
        first_s = np.abs(peak - v) / acceleration
        last_s = peak / acceleration
        first_distance, last_distance = (v + peak) / 2 * first_s, peak / 2 * last_s
        rest = np.maximum(distance - first_distance - last_distance, 0)
        cruise_s = np.divide(rest, peak, out=np.zeros_like(peak), where=peak > 0)
        nothing = np.zeros_like(v)
        self._length_s[:, which] = first_s, cruise_s, last_s, nothing
        self._acceleration[:, which] = change * sign, nothing, -acceleration * sign, nothing
        self._speed[:, which] = v * sign, peak * sign, peak * sign, nothing
        cruise_start = position + first_distance * sign
        self._position[:, which] = position, cruise_start, targets - last_distance * sign, targets
        self._age_s[which] = 0.0
