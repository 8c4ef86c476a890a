"""The round trip's mathematics against the textbook formula, and against signals with a known result."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rena_ros.mimic.round_trip import MIN_STD, RoundTrip, Track, compare, correlations
from rena_ros.perception.face_reader import READING_NAMES

N = len(READING_NAMES)
JAW, SMILE_LEFT, SMILE_RIGHT, YAW, STILL = (
    READING_NAMES.index(name) for name in ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "head_yaw", "cheekPuff")
)


def textbook_r(x: list[float], y: list[float]) -> float:
    """Pearson's r by its single-pass formula."""
    n = len(x)
    top = n * sum(a * b for a, b in zip(x, y, strict=True)) - sum(x) * sum(y)
    left, right = n * sum(a * a for a in x) - sum(x) ** 2, n * sum(b * b for b in y) - sum(y) ** 2
    return top / (left * right) ** 0.5


def signal(times_s: np.ndarray) -> np.ndarray:
    """Smooth and different in every channel: two sines of unrelated frequencies, within [0, 1]; one stands still."""
    k = np.arange(N)
    waves = np.sin(times_s[:, None] * (1.7 + 0.11 * k) + k) + np.sin(times_s[:, None] * (0.6 + 0.07 * k) + 2 * k)
    features = 0.5 + 0.2 * waves
    features[:, STILL] = 0.3
    return features


def track(rate_hz: float, delay_s: float = 0.0, seconds: float = 12.0) -> Track:
    times_s = 1.7e9 + np.arange(0, seconds, 1 / rate_hz)
    return Track(times_s, signal(times_s - 1.7e9 - delay_s).astype(np.float32))


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 40), st.integers(0, 2**32 - 1))
def test_correlation_is_the_textbooks(n, seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, 3))
    b = 0.5 * a + rng.normal(size=(n, 3))
    expected = [textbook_r(a[:, i].tolist(), b[:, i].tolist()) for i in range(3)]
    assert correlations(a, b) == pytest.approx(expected, abs=1e-9)


def test_a_constant_has_no_correlation():
    a = np.stack([np.arange(9.0), np.full(9, 0.1)], axis=1)
    assert np.isnan(correlations(a, a)).tolist() == [False, True]


@pytest.mark.parametrize("delay_ms", [0, 85, 140, 400])
def test_the_lag_that_was_put_in_is_found(delay_ms):
    trip = compare(track(24), track(30, delay_ms / 1e3))
    assert trip.lag_ms == pytest.approx(delay_ms, abs=5)
    moved = np.arange(N) != STILL
    assert trip.r[moved].min() > 0.99
    if delay_ms:
        assert np.mean(trip.r_zero_lag[moved]) < np.mean(trip.r[moved])


def test_a_robot_that_leads_has_a_lag_below_0_where_it_is_looked_for():
    leading = track(30, -0.06)
    assert compare(track(24), leading, range(-150, 155, 5)).lag_ms == pytest.approx(-60, abs=5)
    assert compare(track(24), leading).lag_ms == 0


def test_a_channel_that_hardly_moved_has_no_correlation_but_its_standard_deviation():
    trip = compare(track(24), track(30))
    assert np.isnan(trip.r[STILL])
    assert trip.std[STILL] < MIN_STD
    written = trip.as_dict()
    assert written["channels"][READING_NAMES[STILL]]["r"] is None
    assert written["channels"][READING_NAMES[STILL]]["std"] == pytest.approx(0.0, abs=1e-4)
    assert set(written["channels"]) == set(READING_NAMES)
    json.dumps(written, allow_nan=False)


def test_a_robot_that_does_the_opposite_has_a_negative_correlation():
    person, twin = track(24), track(30)
    features = twin.features.copy()
    features[:, JAW] = 1 - features[:, JAW]
    assert compare(person, Track(twin.times_s, features)).r[JAW] < -0.99


def test_the_headline_is_the_mean_of_left_and_right():
    r = np.full(N, np.nan)
    r[SMILE_LEFT], r[SMILE_RIGHT], r[YAW] = 0.9, 0.7, 0.95
    trip = RoundTrip(50.0, r, r, np.ones(N), 100)
    assert trip.as_dict()["mouthSmile"] == pytest.approx(0.8)
    assert trip.as_dict()["head_yaw"] == pytest.approx(0.95)
    assert trip.as_dict()["jawOpen"] is None


def test_moments_at_which_one_face_is_absent_are_left_out():
    person, twin = track(24), track(30)
    gone = (twin.times_s - 1.7e9 > 4) & (twin.times_s - 1.7e9 < 8)
    torn = Track(twin.times_s[~gone], twin.features[~gone])
    whole, part = compare(person, twin), compare(person, torn)
    assert part.moments < whole.moments - 90
    assert part.r[JAW] > 0.99  # a line drawn across the four seconds would have spoilt this


def test_too_little_in_common_gives_no_result():
    nothing = Track(np.empty(0), np.empty((0, N), np.float32))
    assert compare(track(24), nothing) is None
    assert compare(nothing, track(30)) is None
    assert compare(track(24, seconds=1.0), track(30, seconds=1.0)) is None
