import numpy as np
import pytest

from rena_ros.measures.prediction import at_times, prediction_scores

TIMES_S = np.arange(0, 30, 1 / 30)


def waves(times_s):
    return np.stack([0.5 + 0.3 * np.sin(2.1 * times_s), 0.5 + 0.2 * np.sin(5 * times_s), 0 * times_s], axis=1)


def test_a_perfect_prediction_has_no_error_and_leads_by_the_horizon():
    found = prediction_scores(TIMES_S, waves(TIMES_S), waves(TIMES_S + 0.08), 0.08)
    assert found.rmse < 0.002 and found.lag_ms == pytest.approx(-80, abs=5)
    assert found.false_starts == 0


def test_no_prediction_errs_as_much_as_the_track_moves():
    found = prediction_scores(TIMES_S, waves(TIMES_S), waves(TIMES_S), 0.1)
    half = [0.3 * 2.1, 0.2 * 5]  # amplitude times frequency: of the sine's difference over 0.1 s, nearly
    assert found.rmse == pytest.approx(np.mean([0.1 * speed / np.sqrt(2) for speed in half]), rel=0.05)
    assert found.lag_ms == pytest.approx(0, abs=5)


def test_what_comes_late_lags():
    assert prediction_scores(TIMES_S, waves(TIMES_S), waves(TIMES_S - 0.05), 0.08).lag_ms == pytest.approx(50, abs=5)


def test_an_abrupt_change_is_timed_from_its_first_frame():
    truth = np.interp(TIMES_S, [10, 10.1], [0.1, 0.7])[:, None]
    late = np.interp(TIMES_S, [10.1, 10.2], [0.1, 0.7])[:, None]
    late[TIMES_S > 10.15] += 0.06 * (late[TIMES_S > 10.15] > 0.65)
    same, behind = (prediction_scores(TIMES_S, truth, led, 0.08) for led in (truth, late))
    assert same.changes == behind.changes == 1
    assert behind.to_90_ms - same.to_90_ms == pytest.approx(100, abs=34)
    assert same.overshoot == 0 and behind.overshoot == pytest.approx(0.1, abs=0.001)  # 0.06 of 0.6


def test_jitter_is_that_of_white_noise():
    rng = np.random.default_rng(1)
    truth = np.where(TIMES_S > 15, 0.7, 0.2)[:, None] * np.ones(3)
    found = prediction_scores(TIMES_S, truth, truth + rng.normal(0, 0.01, truth.shape), 0.08)
    assert found.jitter == pytest.approx(0.01 * np.sqrt(6), rel=0.05)  # variance of x(t) - 2 x(t-1) + x(t-2)


def test_a_lead_that_nothing_follows_is_a_false_start():
    truth = waves(TIMES_S)[:, :1]
    led = at_times(truth, TIMES_S, TIMES_S + 0.08)
    sign = np.sign(led[300:304, 0] - truth[300:304, 0])
    led[300:304, 0] = truth[300:304, 0] - sign * [0.11, 0.2, 0.15, 0.12]  # the other way
    found = prediction_scores(TIMES_S, truth, led, 0.08)
    assert found.false_starts == pytest.approx(2, rel=0.01)  # one in half a minute
    assert found.false_size == found.false_most == pytest.approx(0.2)
