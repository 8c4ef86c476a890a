"""How one signal follows another: lag, amplitude, overshoot, time to 90 %, jerk. Arrays in, figures out.

A signal is sampled evenly, float64 (k,); ``step_s`` is the time between two samples. Times and lags are in s.
"""

from dataclasses import dataclass

import numpy as np
from ruckig import InputParameter, Result, Ruckig, Trajectory

from rena_ros.base.arrays import FloatArray

LAGS_S = (-0.05, 0.3)
COARSE_S = 0.008  # between the lags that are compared first: faces move far slower
JERK_STEP_S = 0.02
REACHED = 0.9
_LIMIT_STEP_S = 1e-4


def lag_s(leader: FloatArray, follower: FloatArray, step_s: float) -> float:
    """Return by how much ``follower`` is behind: the lag of the largest Pearson correlation within LAGS_S.

    Of signals of several columns, (k, n), it is one lag for all: that of the largest mean correlation, as in the round
    trip. Lags COARSE_S apart are compared first, then all beside the best; a parabola through the three largest
    correlations gives fractions of a step. All lags are compared over the same moments of ``leader``. NaN where either
    does not move. Raises ValueError for signals shorter than the lags.
    """
    first, last = (round(limit / step_s) for limit in LAGS_S)
    begin, end = max(-first, 0), len(leader) - max(last, 0)
    if end - begin < 3:
        raise ValueError(f"{len(leader)} samples are too few for lags of {LAGS_S} s")
    mine = leader[begin:end]

    def r_of(lags: range) -> FloatArray:
        return np.array([_correlations(mine, follower[begin + k : end + k]).mean() for k in lags])

    coarse = range(first, last + 1, max(round(COARSE_S / step_s), 1))
    r = r_of(coarse)
    if not np.isfinite(r).all():
        return float("nan")
    near = coarse[int(np.argmax(r))]
    lags = range(max(near - coarse.step, first), min(near + coarse.step, last) + 1)
    r = r_of(lags)
    best = int(np.argmax(r))
    if 0 < best < len(r) - 1:
        before, here, after = r[best - 1 : best + 2]
        bend = before - 2 * here + after
        return float((lags[best] + ((before - after) / (2 * bend) if bend else 0.0)) * step_s)
    return lags[best] * step_s


def _correlations(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the Pearson correlation of each column, () or (n,); NaN where either is constant."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    return np.asarray(np.where(norm > 1e-9, (a * b).sum(axis=0) / np.maximum(norm, 1e-9), np.nan))


def sine_fit(values: FloatArray, times_s: FloatArray, frequency_hz: float) -> tuple[float, float]:
    """Return amplitude and phase in rad of the sine of this frequency that fits best: a sin(2 pi f t + phase)."""
    angle = 2 * np.pi * frequency_hz * times_s
    basis = np.stack((np.sin(angle), np.cos(angle), np.ones_like(angle)), axis=1)
    sine, cosine, _ = np.linalg.lstsq(basis, values, rcond=None)[0]
    return float(np.hypot(sine, cosine)), float(np.arctan2(cosine, sine))


def beyond(leader: FloatArray, follower: FloatArray) -> float:
    """Return how far the follower goes beyond the leader's extremes, as a fraction of the leader's travel, >= 0."""
    low, high = leader.min(), leader.max()
    return float(max(follower.max() - high, low - follower.min(), 0.0) / (high - low))


@dataclass(frozen=True)
class Edge:
    """A change of one joint: from ``before`` to ``after``, begun at ``start_s`` and held until ``end_s``."""

    start_s: float
    end_s: float
    before: float
    after: float


@dataclass(frozen=True)
class EdgeFigures:
    """``reached_s``: from the edge's start until 90 % of the change; NaN: never. ``overshoot``: fraction of it."""

    reached_s: float
    overshoot: float


def edge_figures(edge: Edge, values: FloatArray, times_s: FloatArray) -> EdgeFigures:
    """Measure how a joint's ``values`` at ``times_s``, both (k,), follow a change."""
    during = (times_s >= edge.start_s) & (times_s < edge.end_s)
    share = (values[during] - edge.before) / (edge.after - edge.before)
    over = np.flatnonzero(share >= REACHED)
    reached_s = float("nan")
    if over.size:
        k, seen_s = int(over[0]), times_s[during]
        reached_s = float(seen_s[k] - edge.start_s)
        if k and share[k] > share[k - 1]:
            reached_s -= float((share[k] - REACHED) / (share[k] - share[k - 1]) * (seen_s[k] - seen_s[k - 1]))
    return EdgeFigures(reached_s, float(max(share.max(initial=0.0) - 1, 0.0)))


def fastest_s(distance_rad: float, speed: float, acceleration: float, jerk: float, share: float = REACHED) -> float:
    """Return when the time-optimal motion from rest to rest has done ``share`` of ``distance_rad`` > 0.

    Limits in rad/s, rad/s², rad/s³. The servo's own limit: no motion within them is sooner at the end (share 1); for
    90 % it is that of the motion that also stops there without overshoot.
    """
    plan = InputParameter(1)
    plan.current_position, plan.target_position = [0.0], [distance_rad]
    plan.max_velocity, plan.max_acceleration, plan.max_jerk = [speed], [acceleration], [jerk]
    trajectory = Trajectory(1)
    if Ruckig(1).calculate(plan, trajectory) not in (Result.Working, Result.Finished):
        raise ValueError(f"no motion of {distance_rad} rad within the limits")
    times_s = np.arange(0.0, trajectory.duration + _LIMIT_STEP_S, _LIMIT_STEP_S)
    positions = np.array([trajectory.at_time(time_s)[0][0] for time_s in times_s])
    return float(times_s[np.argmax(positions >= share * distance_rad - 1e-12)])


def jerk_rms(values: FloatArray, step_s: float) -> float:
    """Return the rms of the third difference over ``JERK_STEP_S``, in units of ``values`` a s³.

    The horn's acceleration jumps, so that its jerk at one moment has no limit; over 20 ms, the time of a read, it has.
    """
    every = round(JERK_STEP_S / step_s)
    third = values[3 * every :] - 3 * values[2 * every : -every] + 3 * values[every : -2 * every] - values[: -3 * every]
    return float(np.sqrt(np.mean(third**2)) / JERK_STEP_S**3)


@dataclass(frozen=True)
class TimedBlink:
    """One blink of a lid: it begins at ``start_s``, the way from ``rest`` to ``shut``, and has ended by ``end_s``."""

    start_s: float
    end_s: float
    rest: float
    shut: float


@dataclass(frozen=True)
class BlinkFigures:
    """``shown``: the horn did 80 % of the way and came back to half of it. ``peak_s``: its peak after the person's."""

    shown: bool
    peak_s: float


CLOSED, OPEN, SEEN = 0.8, 0.5, 0.05


def blink_figures(blink: TimedBlink, person: FloatArray, horn: FloatArray, times_s: FloatArray) -> BlinkFigures:
    """Judge one blink; ``person`` and ``horn`` are the lid's goals at ``times_s``, all (k,).

    A peak's time is the middle of the time that the lid spends above 90 % of its own peak.
    """
    during = (times_s >= blink.start_s) & (times_s < blink.end_s)
    mine, theirs = ((track[during] - blink.rest) / (blink.shut - blink.rest) for track in (person, horn))
    deep = np.flatnonzero(theirs >= CLOSED * mine.max())
    shown = bool(deep.size) and bool((theirs[deep[-1] :] <= OPEN).any())
    seen_s = times_s[during]
    return BlinkFigures(shown, _peak_s(theirs, seen_s) - _peak_s(mine, seen_s))


def ideal_blink(
    blink: TimedBlink, person: FloatArray, times_s: FloatArray, stamps_s: FloatArray, ways_s: tuple[float, float, float]
) -> float:
    """Return how late the peak of the least late lid is that does not know the future, s, less the latency.

    The lid starts to shut at the stamp of the first frame that shows SEEN of the closure, and to open at that of the
    first that shows SEEN of the opening, yet not before it is shut. ``ways_s``: the servo's least times for 10, 90 and
    100 % of the way. NaN where no frame of ``stamps_s`` (m,) shows the blink shut, or none shows it open again.
    """
    during = (times_s >= blink.start_s) & (times_s < blink.end_s)
    share = (person[during] - blink.rest) / (person[during].max() - blink.rest)
    peak_s, seen_s = _peak_s(share, times_s[during]), stamps_s[(stamps_s >= blink.start_s) & (stamps_s < blink.end_s)]
    shown = np.interp(seen_s, times_s[during], share)
    closes, opens = seen_s[shown >= SEEN], seen_s[(shown <= 1 - SEEN) & (seen_s > peak_s)]
    if not closes.size or not opens.size:
        return float("nan")
    tenth_s, most_s, all_s = ways_s
    open_s = max(float(opens[0]), float(closes[0]) + all_s)
    return (float(closes[0]) + most_s + open_s + tenth_s) / 2 - peak_s


def _peak_s(share: FloatArray, times_s: FloatArray) -> float:
    high = times_s[share >= 0.9 * share.max()]
    return float((high[0] + high[-1]) / 2)
