"""The camera's delay: found in synthetic pictures and horn angles whose delay is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.capture_delay import LONGEST_S, MOTION_S, SHORTEST_S, DelayMeasurement, estimate_delay
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
NECK = ROBOT.index["neck_yaw"]


def horn_angle(t_s):
    """Where the horn is at any time, rad: as a servo follows the measurement's motion, a little late and smoothed."""
    motion, times = DelayMeasurement(ROBOT), np.atleast_1d(t_s)
    return np.array([motion.target(float(np.clip(t - 0.06, 0, MOTION_S)))[NECK] for t in times])


def recordings(delay_s, seed=0, noise_rad=0.01, gain=0.8, lost=0.05, jitter_s=0.002):
    """Horn stamps and angles at 50 Hz, picture stamps and yaws at 30 Hz; both with noise, jitter and gaps."""
    rng = np.random.default_rng(seed)
    horn_s = np.arange(0, MOTION_S, 0.02) + rng.uniform(0, jitter_s, round(MOTION_S / 0.02))
    captured_s = np.arange(0.01, MOTION_S, 1 / 30) + rng.uniform(0, jitter_s)
    captured_s = captured_s[rng.random(len(captured_s)) > lost]
    ticks = 2 * np.pi / 4096
    horn_rad = np.round(horn_angle(horn_s) / ticks) * ticks
    seen_rad = gain * horn_angle(captured_s) + 0.03 + rng.normal(0, noise_rad, len(captured_s))
    return horn_s, horn_rad, captured_s + delay_s, seen_rad


@settings(max_examples=10, deadline=None)
@given(st.floats(-0.1, 0.9), st.integers(0, 10_000), st.sampled_from([0.8, -1.1, 0.3]))
def test_any_delay_is_found_within_10_ms_or_20_where_little_motion_is_seen(delay_s, seed, gain):
    found = estimate_delay(*recordings(delay_s, seed, gain=gain))
    assert found.delay_s == pytest.approx(delay_s, abs=0.01 if abs(gain) > 0.5 else 0.02)
    assert np.sign(found.correlation) == np.sign(gain) and abs(found.correlation) > 0.9


def test_120_ms_are_found_within_a_few_milliseconds_of_good_pictures():
    errors = [estimate_delay(*recordings(0.12, seed, noise_rad=0.004)).delay_s - 0.12 for seed in range(10)]
    assert np.abs(errors).max() < 0.003


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"noise_rad": 0.5}, "do not show how the neck moves"),
        ({"gain": 0.0}, "do not show how the neck moves"),
        ({"lost": 0.96}, "pictures show the face"),
        ({"delay_s": LONGEST_S + 0.3}, "do not show|it is not between"),
        ({"delay_s": SHORTEST_S - 0.1}, "do not show|it is not between"),
    ],
)
def test_pictures_that_do_not_tell_are_refused(change, complaint):
    with pytest.raises(RenaError, match=complaint):
        estimate_delay(*recordings(**{"delay_s": 0.1, **change}))


def test_a_frozen_picture_is_refused():
    horn_s, horn_rad, seen_s, _ = recordings(0.1)
    with pytest.raises(RenaError, match="do not show"):
        estimate_delay(horn_s, horn_rad, seen_s, np.full(len(seen_s), 0.02))


def test_the_neck_moves_gently_and_alone():
    times_s = np.arange(0, MOTION_S + 0.01, 0.02)
    motion = np.array([DelayMeasurement(ROBOT).target(float(t)) for t in times_s])
    assert not np.delete(motion, NECK, axis=1).any()
    yaw = motion[:, NECK]
    assert yaw[0] == yaw[-1] == 0
    assert (yaw > ROBOT.lower[NECK]).all() and (yaw < ROBOT.upper[NECK]).all() and np.ptp(yaw) > 0.25
    speed = np.diff(yaw) / 0.02
    assert np.abs(speed).max() < ROBOT.max_speed_rad_s[NECK] / 2
    assert np.abs(np.diff(speed)).max() / 0.02 < ROBOT.max_acceleration_rad_s2[NECK] / 2
