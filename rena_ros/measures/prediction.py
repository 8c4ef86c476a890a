"""How good a predictor of a track is: error at the horizon, lag, abrupt changes, restlessness, false starts.

``truth``: float (n, c), what was read at ``times_s`` (n,), rising. ``led``: (n, c), what a predictor put out at the
same times, for ``horizon_s`` later. Of c channels only the moving ones count, with a standard deviation of at least
MOVES.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import BoolArray, FloatArray

MOVES = 0.03
LAGS_S = np.arange(-0.2, 0.2025, 0.005)
ABRUPT, ABRUPT_S, SETTLED_S = 0.3, 0.2, 0.4  # a change of so much within so long, and the time that it is watched after
REST, REST_S = 0.03, 0.3  # at rest: the channel stays within so much for so long on either side
FALSE_LEAD, FALSE_SHARE = 0.1, 0.25  # a false start: a lead of so much, of which less than such a share came


@dataclass(frozen=True)
class PredictionScores:
    """What ``prediction_scores`` finds; units of the track (coefficients, goals: 0 to 1).

    ``rmse``: at the horizon, mean over channels. ``lag_ms``: shift against the truth with the largest mean correlation;
    negative: ahead. ``to_90_ms``: median time from the frame at which an abrupt change has done a tenth, to 90 % of it.
    ``overshoot``: mean share of an abrupt change by which it is exceeded more than in the truth. ``changes``: how many
    there are. ``jitter``: root mean square second difference at rest. ``false_starts``: a minute and person, in any
    channel; ``false_size``: their median size, ``false_most``: the largest.
    """

    rmse: float
    lag_ms: float
    to_90_ms: float
    overshoot: float
    changes: int
    jitter: float
    false_starts: float
    false_size: float
    false_most: float


def prediction_scores(times_s: FloatArray, truth: FloatArray, led: FloatArray, horizon_s: float) -> PredictionScores:
    """Return the figures of one track; NaN where there is nothing to measure. See the module's docstring."""
    moving = truth.std(axis=0) >= MOVES
    truth, led = truth[:, moving].astype(np.float64), led[:, moving].astype(np.float64)
    usable = times_s + horizon_s <= times_s[-1]
    came = at_times(truth, times_s, times_s + horizon_s)
    error = np.sqrt(np.square((led - came)[usable]).mean(axis=0))
    changes = _abrupt(times_s, truth)
    times_90, over = _followed(times_s, truth, led, changes)
    sizes = _false_starts(truth[usable], led[usable], came[usable])
    minutes = (times_s[-1] - times_s[0]) / 60
    return PredictionScores(
        rmse=float(error.mean()) if moving.any() else float("nan"),
        lag_ms=1e3 * _lag_s(times_s, truth, led) if moving.any() else float("nan"),
        to_90_ms=1e3 * float(np.median(times_90)) if times_90 else float("nan"),
        overshoot=float(np.mean(over)) if over else float("nan"),
        changes=len(changes),
        jitter=_jitter_at_rest(times_s, truth, led),
        false_starts=len(sizes) / minutes,
        false_size=float(np.median(sizes)) if sizes else 0.0,
        false_most=max(sizes, default=0.0),
    )


def at_times(track: FloatArray, times_s: FloatArray, wanted_s: FloatArray) -> FloatArray:
    """Return a track (n, c) at other times (m,), (m, c), linear between frames; its ends hold."""
    return np.stack([np.interp(wanted_s, times_s, column) for column in track.T], axis=1)


def _lag_s(times_s: FloatArray, truth: FloatArray, led: FloatArray) -> float:
    """Return the shift of ``led`` at which the mean correlation with the truth is largest; above 0: it comes late."""
    inside = (times_s >= times_s[0] - LAGS_S[0]) & (times_s <= times_s[-1] - LAGS_S[-1])
    if inside.sum() < 10:
        return float("nan")
    mine = truth[inside] - truth[inside].mean(axis=0)
    means = []
    for lag_s in LAGS_S:
        its = at_times(led, times_s, times_s[inside] + lag_s)
        its = its - its.mean(axis=0)
        norm = np.sqrt((mine**2).sum(axis=0) * (its**2).sum(axis=0))
        means.append(np.mean((mine * its).sum(axis=0) / np.maximum(norm, 1e-12)))
    return float(LAGS_S[int(np.argmax(means))])


def _abrupt(times_s: FloatArray, truth: FloatArray) -> list[tuple[int, int, int]]:
    """Return (channel, frame before the change, frame at its end), the changes of each channel apart."""
    found = []
    later = np.searchsorted(times_s, times_s + ABRUPT_S, side="right") - 1
    for channel, column in enumerate(truth.T):
        frame = 0
        while frame < len(column) - 1:
            window = column[frame : later[frame] + 1] - column[frame]
            end = frame + int(np.argmax(np.abs(window)))
            grown = abs(column[end] - column[frame])
            if grown >= ABRUPT and abs(column[frame + 1] - column[frame]) >= 0.1 * grown:
                found.append((channel, frame, end))
                frame = end
            else:
                frame += 1
    return found


def _followed(
    times_s: FloatArray, truth: FloatArray, led: FloatArray, changes: list[tuple[int, int, int]]
) -> tuple[list[float], list[float]]:
    """Return for each change the time from its first frame to 90 %, s, and the share by which it is exceeded."""
    times_90, over = [], []
    for channel, start, end in changes:
        size = truth[end, channel] - truth[start, channel]
        last = int(np.searchsorted(times_s, times_s[end] + SETTLED_S))
        done = (led[start + 1 : last, channel] - truth[start, channel]) / size
        meant = (truth[start + 1 : last, channel] - truth[start, channel]) / size
        reached = np.flatnonzero(done >= 0.9)
        times_90.append(float(times_s[start + 1 + reached[0]] - times_s[start + 1]) if len(reached) else SETTLED_S)
        over.append(max(0.0, float(done.max() - max(meant.max(), 1.0))))
    return times_90, over


def _jitter_at_rest(times_s: FloatArray, truth: FloatArray, led: FloatArray) -> float:
    rest = _at_rest(times_s, truth)[1:-1]
    second = np.diff(led, n=2, axis=0)
    return float(np.sqrt(np.square(second[rest]).mean())) if rest.any() else float("nan")


def _at_rest(times_s: FloatArray, truth: FloatArray) -> BoolArray:
    """Return where each channel hardly moves, bool (n, c)."""
    first = np.searchsorted(times_s, times_s - REST_S)
    last = np.searchsorted(times_s, times_s + REST_S, side="right")
    spans = [np.ptp(truth[a:b], axis=0) for a, b in zip(first, last, strict=True)]
    return np.array(spans) <= REST


def _false_starts(truth: FloatArray, led: FloatArray, came: FloatArray) -> list[float]:
    """Return the sizes of false starts: the largest lead of each unbroken run of frames, channel by channel."""
    lead, change = led - truth, came - truth
    false = (np.abs(lead) >= FALSE_LEAD) & (change * np.sign(lead) < FALSE_SHARE * np.abs(lead))
    sizes = []
    for channel in range(truth.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], false[:, channel].astype(int), [0]])))
        sizes += [float(np.abs(lead[a:b, channel]).max()) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return sizes
