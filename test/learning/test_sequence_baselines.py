import numpy as np
import pytest

from rena_ros.learning.sequence_baselines import constant_velocity, kalman

TIMES_S = np.sort(np.arange(0, 8, 1 / 30) + np.random.default_rng(0).normal(0, 0.003, 240))


def test_constant_velocity_is_exact_on_a_ramp():
    ramp = np.stack([0.3 * TIMES_S, 1 - 0.1 * TIMES_S], axis=1)
    assert constant_velocity(TIMES_S, ramp, 0.08)[1:] == pytest.approx(ramp[1:] + 0.08 * np.array([0.3, -0.1]))


def test_the_filter_finds_a_ramp():
    ramp = 0.3 * TIMES_S[:, None]
    assert kalman(TIMES_S, ramp, 0.08)[-60:] == pytest.approx(ramp[-60:] + 0.024, abs=0.003)


def test_the_filter_smooths_noise():
    noise = np.random.default_rng(1).normal(0, 0.02, (240, 50))
    assert kalman(TIMES_S, noise, 0.08)[60:].std() < 0.7 * noise[60:].std()


def test_the_filter_follows_the_textbook_one():
    """One channel in matrices: predict, then update (Bar-Shalom et al. 2001, section 5.2)."""
    rng, r, q = np.random.default_rng(2), 0.05, 0.4
    track = np.cumsum(rng.normal(0, 0.02, (40, 1)), axis=0)
    x, p, h = np.array([track[0, 0], 0.0]), np.diag([r**2, 1.0]), np.array([[1.0, 0.0]])
    expected = [track[0, 0]]
    for k in range(1, 40):
        dt = TIMES_S[k] - TIMES_S[k - 1]
        f = np.array([[1, dt], [0, 1]])
        x, p = f @ x, f @ p @ f.T + q**2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        s = h @ p @ h.T + r**2
        gain = p @ h.T @ np.linalg.inv(s)
        x, p = x + gain[:, 0] * (track[k, 0] - x[0]), (np.eye(2) - gain @ h) @ p
        expected.append(x[0] + 0.08 * x[1])
    assert kalman(TIMES_S[:40], track, 0.08, r, q)[:, 0] == pytest.approx(expected)
