"""Does the robot show what the person shows? The twin's pictures are read by the same perception, and compared.

The measure, per channel: the Pearson correlation over time between the person's coefficients and the twin's, after the
twin is shifted back by one lag, common to all channels: the lag with the largest mean correlation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.mimic.picture import from_jpeg
from rena_ros.mimic.spool import SpoolReader
from rena_ros.perception.face_reader import READING_NAMES, FaceReader

LAGS_MS = tuple(range(0, 405, 5))
# A channel in which the person hardly moved says nothing about the robot: its correlation is noise.
MIN_STD = 0.02
# No interpolation across a longer gap between readings: the face was absent. A busy machine, too, leaves gaps of some
# tenths of a second.
MAX_GAP_S = 0.4
MIN_MOMENTS = 30
HEADLINES = {
    "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
    "jawOpen": ("jawOpen",),
    "eyeBlink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "head_yaw": ("head_yaw",),
    "head_pitch": ("head_pitch",),
}


@dataclass(frozen=True)
class Track:
    """Readings over time: ``times_s`` float64 (n,) rising, ``features`` float32 (n, 55) in READING_NAMES order."""

    times_s: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class RoundTrip:
    """How well two tracks agree.

    ``lag_ms``: the lag that fits best. ``r`` at that lag and ``r_zero_lag``: correlation per channel, float64 (55,);
    NaN where the person's standard deviation ``std``, float64 (55,), is below MIN_STD or the twin's is zero.
    ``moments``: number of times at which they were compared.
    """

    lag_ms: float
    r: np.ndarray
    r_zero_lag: np.ndarray
    std: np.ndarray
    moments: int

    def as_dict(self) -> dict:
        """For summary.json: the headline channels (means over left and right), then every channel."""
        return {
            **_headlines(self.r),
            "lag_ms": self.lag_ms,
            "samples": self.moments,
            "zero_lag": _headlines(self.r_zero_lag),
            "channels": {
                name: {"r": _rounded(self.r[i]), "r_zero_lag": _rounded(self.r_zero_lag[i]), "std": _rounded(std)}
                for i, (name, std) in enumerate(zip(READING_NAMES, self.std, strict=True))
            },
        }


def person_track(readings: SpoolReader) -> Track:
    """The person's readings as they were recorded live."""
    features = [np.frombuffer(readings[i], np.float32) for i in range(len(readings))]
    return Track(readings.stamps_ns / 1e9, np.array(features, np.float32).reshape(-1, len(READING_NAMES)))


def twin_track(pictures: SpoolReader, progress: Callable[[int, int], None]) -> Track:
    """Read every picture of the twin with the perception that read the person; pictures without a face are left out.

    About 10 ms a picture. ``progress(done, total)`` is called after each.
    """
    times_s, features = [], []
    with FaceReader() as reader:
        for i in range(len(pictures)):
            reading = reader.read(from_jpeg(pictures[i]), int(pictures.stamps_ns[i] // 1_000_000))
            if reading is not None:
                times_s.append(pictures.stamps_ns[i] / 1e9)
                features.append(reading.features)
            progress(i + 1, len(pictures))
    return Track(np.array(times_s), np.array(features, np.float32).reshape(-1, len(READING_NAMES)))


def compare(person: Track, twin: Track, lags_ms: Sequence[int] = LAGS_MS) -> RoundTrip | None:
    """Correlate two tracks; None when fewer than MIN_MOMENTS moments are covered by both.

    For each of ``lags_ms``, 0 among them, the twin is interpolated linearly at the person's times plus the lag. All
    lags are compared at the same moments, those that both tracks cover at every lag, so that no lag wins by leaving
    moments out.
    """
    usable = np.ones(len(person.times_s), bool)
    for lag_ms in lags_ms:
        usable &= _covered(twin.times_s, person.times_s + lag_ms / 1e3)
    if usable.sum() < MIN_MOMENTS:
        return None
    times_s, mine = person.times_s[usable], person.features[usable].astype(np.float64)
    std = mine.std(axis=0)
    at_lag = {lag_ms: correlations(mine, _resampled(twin, times_s + lag_ms / 1e3)) for lag_ms in lags_ms}
    for r in at_lag.values():
        r[std < MIN_STD] = np.nan
    scores = {lag_ms: np.nanmean(r) if np.isfinite(r).any() else -np.inf for lag_ms, r in at_lag.items()}
    best = max(scores, key=lambda lag_ms: scores[lag_ms])
    return RoundTrip(float(best), at_lag[best], at_lag[0], std, int(usable.sum()))


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column, (t, n) with (t, n) -> (n,); NaN for a column that is constant."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    constant = norm < 1e-12
    return np.where(constant, np.nan, (a * b).sum(axis=0) / np.where(constant, 1.0, norm))


def _covered(known_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """Mask of the ``wanted_s`` that lie between two neighbours in ``known_s`` at most MAX_GAP_S apart, bool."""
    if len(known_s) < 2:
        return np.zeros(len(wanted_s), bool)
    after = np.searchsorted(known_s, wanted_s, side="left")
    inside = (after > 0) & (after < len(known_s))
    after = np.clip(after, 1, len(known_s) - 1)
    return inside & (known_s[after] - known_s[after - 1] <= MAX_GAP_S)


def _resampled(track: Track, times_s: np.ndarray) -> np.ndarray:
    columns = [np.interp(times_s, track.times_s, column) for column in track.features.T.astype(np.float64)]
    return np.stack(columns, axis=1)


def _headlines(r: np.ndarray) -> dict[str, float | None]:
    means = {name: np.mean([r[READING_NAMES.index(one)] for one in channels]) for name, channels in HEADLINES.items()}
    return {name: _rounded(mean) for name, mean in means.items()}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
