"""How a servo's own controller moves it: speed and acceleration limited, exact at any time. Pure, vectorised.

From position p0 and speed v0 to rest at a target, as fast as the limits allow: a phase that changes the
speed to the cruising speed, a cruise, and braking; the acceleration is constant in each (a trapezoid of
speed, or a triangle when the way is short). Closed form, so virtual time may pass in steps of any size.
"""

import numpy as np


class TrapezoidMotion:
    """n independent motions. Positions in ticks, speeds in ticks/s; arrays float64 (n,)."""

    def __init__(self, positions: np.ndarray) -> None:
        """Start at rest at ``positions``."""
        count = len(positions)
        self._age_s = np.zeros(count)
        self._sign = np.ones(count)
        # Per phase (rows): its length in seconds, acceleration, and position and speed at its beginning.
        self._length_s, self._acceleration, self._speed = (np.zeros((4, count)) for _ in range(3))
        self._place = np.tile(np.asarray(positions, np.float64), (4, 1))

    def advance(self, dt_s: float) -> None:
        """Let time pass."""
        self._age_s += dt_s

    def stop(self, which: np.ndarray) -> None:
        """Stop dead where they are now; ``which`` is a mask or indices (n,)."""
        self.place(which, self.state()[0][which])

    def place(self, which: np.ndarray, places: np.ndarray) -> None:
        """Be at rest at other positions at once."""
        self._length_s[:, which] = self._acceleration[:, which] = self._speed[:, which] = 0.0
        self._place[:, which] = places
        self._age_s[which] = 0.0

    def state(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and speeds at this moment."""
        ends = np.cumsum(self._length_s[:3], axis=0)
        phase = (self._age_s >= ends).sum(axis=0)
        column = np.arange(len(phase))
        begun = np.where(phase > 0, ends[phase - 1, column], 0.0)
        t = self._age_s - begun
        speed, acceleration = self._speed[phase, column], self._acceleration[phase, column]
        return self._place[phase, column] + (speed + acceleration * t / 2) * t, speed + acceleration * t

    def moving(self) -> np.ndarray:
        """Which have not arrived yet, bool (n,)."""
        return self._age_s < self._length_s.sum(axis=0)

    def move(self, which: np.ndarray, targets: np.ndarray, top_speed: np.ndarray, acceleration: np.ndarray) -> None:
        """Move some (``which``: indices (m,)) to targets (m,), with limits (m,) > 0, from where they are now."""
        place, speed = (column[which] for column in self.state())
        way = targets - place
        braking_way = speed * np.abs(speed) / (2 * acceleration)
        sign = np.where(way >= braking_way, 1.0, -1.0)
        # From here on everything is seen in the direction of travel.
        v, way = speed * sign, way * sign
        peak = np.minimum(np.sqrt(np.maximum(acceleration * way + v * v / 2, 0)), top_speed)
        change = np.where(peak >= v, acceleration, -acceleration)
        first_s = np.abs(peak - v) / acceleration
        last_s = peak / acceleration
        first_way, last_way = (v + peak) / 2 * first_s, peak / 2 * last_s
        rest = np.maximum(way - first_way - last_way, 0)
        cruise_s = np.divide(rest, peak, out=np.zeros_like(peak), where=peak > 0)
        nothing = np.zeros_like(v)
        self._length_s[:, which] = first_s, cruise_s, last_s, nothing
        self._acceleration[:, which] = change * sign, nothing, -acceleration * sign, nothing
        self._speed[:, which] = v * sign, peak * sign, peak * sign, nothing
        arrived = place + first_way * sign
        self._place[:, which] = place, arrived, targets - last_way * sign, targets
        self._age_s[which] = 0.0
