import numpy as np
import pytest

from rena_ros.learning.sequence_windows import FEATURES, HORIZONS_S, STEP_S, STEPS, draw_windows, resampled

TIMES_S = np.sort(np.arange(0, 6, 1 / 30) + np.random.default_rng(0).normal(0, 0.004, 180))
C = FEATURES + 24


def test_a_history_is_what_interpolation_gives():
    channels = np.random.default_rng(1).random((180, 3)).astype(np.float32)
    found = resampled(channels, TIMES_S, np.full(180, -9.0))
    for frame in (0, 1, 7, 100, 179):
        wanted_s = np.maximum(TIMES_S[frame] - STEP_S * np.arange(STEPS)[::-1], TIMES_S[0])
        expected = np.stack([np.interp(wanted_s, TIMES_S, column) for column in channels.T], axis=1)
        assert found[frame] == pytest.approx(expected, abs=1e-4)


def test_a_history_that_begins_later_holds_its_first_reading():
    channels = TIMES_S[:, None].astype(np.float32)
    found = resampled(channels, TIMES_S, TIMES_S - 0.1)[100, :, 0]
    oldest = TIMES_S[TIMES_S[100] - 0.1 <= TIMES_S][0]
    assert found.min() == pytest.approx(oldest, abs=1e-4) and (np.diff(found) >= 0).all()


def test_the_target_is_a_frame_that_was_read():
    """Of channels that rise with time the shift is the horizon."""
    channels = np.repeat(TIMES_S[:, None], C, axis=1).astype(np.float32)
    windows = draw_windows(channels, TIMES_S, np.zeros(C, np.float32), np.random.default_rng(2))
    assert len(windows.shift) > 80
    assert windows.shift[:, 0] == pytest.approx(windows.horizon_s, abs=0.01)  # stamps are off by a few ms
    assert windows.horizon_s.min() >= HORIZONS_S[0] and windows.horizon_s.max() <= HORIZONS_S[1]
    assert (windows.history[:, -1] == 0).all() and (windows.history <= 1e-6).all()
    blind = windows.known[:, FEATURES:].sum(axis=1) == 0
    assert 0 < blind.mean() < 0.5 and (windows.history[blind][:, :, FEATURES:] == 0).all()
