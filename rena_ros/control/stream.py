"""A stream of commands as a signal: where it is between two commands, and a little beyond. No I/O, no clock.

A robot that only goes from command to command is always behind: by half an interval on average, by the time in which
each of its ways is planned to end, and by the servos. So the stream is led on, along the parabola through the last
three commands, as far as it can be trusted:

* The speed is that of the parabola at the newest command, but at most twice that of either of the last two ways, and
  none where these disagree in direction (the monotonized central limiter of van Leer, 1977). A step has no speed.
* The parabola counts only where it slows the stream down, and only until it stands: nothing turns back by itself.
* It ends where the next command is due, and lies back at the last one when none has come for ``HOLD_S``.
* How far is led is in proportion to how well the last leads came true. Noise is not led, nor are movements too quick
  for their samples.

``rena bench lag``, 30 commands a second, each 20 ± 2 ms late: at 1 Hz the horns are 7 to 10 ms behind the commands and
overshoot by .7 % of the way, at 3 Hz by 2.4 %; of the noise of a resting face .8 to 1.0 arrives, and a step is not
overshot. Ways between commands alone, each led on by 25 ms at the speed of the last: 35 ms, 1.5 %, 12 %, 1.6 to 1.7,
and small steps by 48 to 77 %. docs/lag.md compares others.
"""

import numpy as np

from rena_ros.base.arrays import FloatArray

STREAM_S = (0.008, 0.1)  # commands this far apart are a stream whose speed is known
LEAD_S = 0.04  # beyond the time asked for: the servos, and the time in which a trajectory ends
HOLD_S = 0.07  # without a further command for this long (two frames at 30 Hz), the last one is where it ends
_LATE = 3.0  # a command is at most so much earlier or later after the last one than its stamp is
_MEMORY = 0.5  # of the squared errors of the leads, from one command to the next


class CommandStream:
    """Targets, rad (n,), at times in s of any clock that never goes back.

    ``target``: the last one.
    """

    def __init__(self, target: FloatArray, top_speed: FloatArray) -> None:
        """Begin at rest at ``target``; ``top_speed``, rad/s (n,): no way counts as faster."""
        self._top_speed = top_speed
        self.end(target)

    def end(self, target: FloatArray) -> None:
        """Be at rest at ``target``: the next command is the first of a stream."""
        self.target, self._time_s, self._stamp_s = target, -np.inf, np.nan
        self._way: FloatArray = np.zeros(len(target))  # speed of the last way
        self._forget()

    def add(self, target: FloatArray, time_s: float, stamp_s: float = np.nan) -> None:
        """Take the next command, which came at ``time_s``.

        ``stamp_s``: the time of what it was made from, of any clock; NaN: not known. Commands come more or less late,
        so the time between two of them is that between their stamps, unless these say something else entirely.
        """
        interval_s, stamped_s = time_s - self._time_s, stamp_s - self._stamp_s
        if interval_s / _LATE <= stamped_s <= interval_s * _LATE:  # False for NaN
            interval_s = stamped_s
        if STREAM_S[0] <= interval_s <= STREAM_S[1]:
            self._judge(target, interval_s)
            way = np.clip((target - self.target) / interval_s, -self._top_speed, self._top_speed)
            self._velocity = _limited(self._way, way)
            slowing = (way - self._way) / interval_s
            self._slowing = np.where(slowing * self._velocity < 0, slowing, 0.0)
            self._way, self._interval_s = way, interval_s
        else:
            self._forget()
        self.target, self._time_s, self._stamp_s = target, time_s, stamp_s

    def at(self, time_s: float) -> FloatArray:
        """Return where to aim at ``time_s`` so that the horns are where the stream is then: rad (n,), not limited."""
        since_s = time_s - self._time_s
        if since_s > HOLD_S:
            return self.target
        ahead: FloatArray = self._trust * self._led(min(since_s, self._interval_s) + LEAD_S)
        return self.target + ahead

    def _forget(self) -> None:
        nothing: FloatArray = np.zeros(len(self._top_speed))
        self._interval_s = 0.0
        self._velocity = self._slowing = self._way = self._trust = nothing
        self._missed = self._moved = nothing  # means of squares, rad2: of the leads' errors, of the ways

    def _judge(self, target: FloatArray, interval_s: float) -> None:
        """Compare the command that came with the lead to it."""
        missed, moved = target - self.target - self._led(interval_s), target - self.target
        self._missed = _MEMORY * self._missed + (1 - _MEMORY) * missed**2
        self._moved = _MEMORY * self._moved + (1 - _MEMORY) * moved**2
        error = np.sqrt(np.divide(self._missed, self._moved, out=np.ones_like(missed), where=self._moved > 0))
        self._trust = np.clip(1 - error, 0.0, 1.0)

    def _led(self, time_s: float) -> FloatArray:
        """Return how far the parabola goes within ``time_s``, rad (n,)."""
        never = np.full(len(self._velocity), np.inf)
        stands_s = np.divide(-self._velocity, self._slowing, out=never, where=self._slowing != 0)
        t = np.minimum(time_s, stands_s)
        way: FloatArray = self._velocity * t + self._slowing * t * t / 2
        return way


def _limited(before: FloatArray, now: FloatArray) -> FloatArray:
    """Return the speed at the end of two ways at the mean speeds ``before`` and ``now``."""
    parabola = np.abs(1.5 * now - 0.5 * before)
    size = np.minimum(parabola, 2 * np.minimum(np.abs(before), np.abs(now)))
    limited: FloatArray = np.where(before * now > 0, np.sign(now) * size, 0.0)
    return limited
