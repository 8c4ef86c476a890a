"""RestingFace: which frames count as rest, and the map from a person's readings to the robot's."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rena_ros.behaviour.resting_face import RestingFace
from rena_ros.perception.face_reader import READING_NAMES

FPS = 30.0
ROBOT_REST = np.full(55, 0.1, np.float32)
ROBOT_REST[52:] = 0.0, 0.02, 0.0


def reading(**values) -> np.ndarray:
    """A calm face: every feature is 0.05 except ``values``; head angles are 0."""
    features = np.full(55, 0.05, np.float32)
    features[52:] = 0
    for name, value in values.items():
        features[READING_NAMES.index(name)] = value
    return features


def at(features: np.ndarray, name: str) -> float:
    return float(features[READING_NAMES.index(name)])


def watch(resting: RestingFace, frames, start_s: float = 0.0) -> float:
    """Show frames at 30 Hz; return the time of the next frame."""
    for i, features in enumerate(frames):
        resting.observe(features, start_s + i / FPS)
    return start_s + len(frames) / FPS


def measured_with(rest: np.ndarray) -> RestingFace:
    resting = RestingFace(ROBOT_REST, rest_seconds=0.5)
    watch(resting, [rest] * 30)
    assert resting.measured
    return resting


def test_calm_frames_are_measured_after_the_required_time():
    resting = RestingFace(ROBOT_REST, rest_seconds=2.0)
    person = reading(browDownLeft=0.3, eyeSquintRight=0.6, head_pitch=0.1)
    noise = np.random.default_rng(0).normal(0, 0.01, (61, 55)).astype(np.float32)
    ends = [resting.observe(person + row, i / FPS) for i, row in enumerate(noise)]
    assert [i for i, end in enumerate(ends) if end] == [60]  # 60 intervals of 1/30 s
    np.testing.assert_allclose(resting.rest, np.median(person + noise, axis=0), atol=1e-6)


@pytest.mark.parametrize(
    "grimace",
    [
        {"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.8},
        {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.6},
        {"jawOpen": 0.5},
        {"head_yaw": 0.5},
    ],
)
def test_a_grimace_at_the_start_does_not_count(grimace):
    resting = RestingFace(ROBOT_REST, rest_seconds=1.0)
    now_s = watch(resting, [reading(**grimace)] * 120)
    assert not resting.measured and resting.calm_s == 0
    np.testing.assert_array_equal(resting.adapt(reading(jawOpen=0.3)), reading(jawOpen=0.3))
    watch(resting, [reading(browDownLeft=0.3)] * 40, now_s)
    assert resting.measured
    assert at(resting.rest, "browDownLeft") == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("name", "middle", "amplitude", "rate_hz"), [("browOuterUpLeft", 0.3, 0.3, 1.5), ("head_pitch", 0.0, 0.25, 0.7)]
)
def test_a_face_in_motion_does_not_count(name, middle, amplitude, rate_hz):
    """It passes through rest repeatedly, but never stays there."""
    resting = RestingFace(ROBOT_REST, rest_seconds=0.5)
    values = middle + amplitude * np.sin(2 * np.pi * rate_hz * np.arange(300) / FPS)
    watch(resting, [reading(**{name: value}) for value in values])
    assert resting.calm_s == 0


def test_calm_time_adds_up_over_blinks_and_gaps():
    resting = RestingFace(ROBOT_REST, rest_seconds=2.0)
    blink = [reading(eyeBlinkLeft=v, eyeBlinkRight=v) for v in (0.3, 0.8, 0.9, 0.5, 0.2)]
    now_s = watch(resting, [reading()] * 31)
    assert resting.calm_s == pytest.approx(1.0, abs=1e-3)
    now_s = watch(resting, blink, now_s)
    assert not resting.measured
    now_s = watch(resting, [reading()] * 4, now_s)
    assert resting.calm_s == pytest.approx(1.0, abs=1e-3)  # the run is too short to count
    watch(resting, [reading()] * 40, now_s + 5.0)  # the gap itself is not counted
    assert resting.measured
    assert at(resting.rest, "eyeBlinkLeft") == pytest.approx(0.05)


def test_time_stamps_may_start_again():
    resting = RestingFace(ROBOT_REST, rest_seconds=1.0)
    watch(resting, [reading()] * 20, start_s=100.0)
    watch(resting, [reading()] * 20, start_s=0.0)
    assert resting.measured


@pytest.mark.parametrize("rate_hz", [1, 2, 3, 5, 10, 24, 30, 60, 120])
def test_a_calm_face_is_measured_at_every_frame_rate(rate_hz):
    """Frames come up to a fifth of their interval early or late, and one of twelve is missing."""
    resting, person = RestingFace(ROBOT_REST, rest_seconds=2.0), reading(browDownLeft=0.3)
    rng = np.random.default_rng(rate_hz)
    taken = [i for i in range(20 * rate_hz) if i % 12 != 11]
    for i in taken:
        if resting.observe(person + rng.normal(0, 0.01, 55), (i + rng.uniform(-0.2, 0.2)) / rate_hz):
            break
    seconds = 3.0 + 4 / rate_hz
    assert resting.measured and i / rate_hz <= seconds
    assert at(resting.rest, "browDownLeft") == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("rate_hz", [1, 2, 5, 10, 30, 120])
def test_a_face_in_motion_does_not_count_at_any_frame_rate(rate_hz):
    resting = RestingFace(ROBOT_REST, rest_seconds=0.5)
    for i in range(20 * rate_hz):
        t_s = i / rate_hz
        resting.observe(reading(browOuterUpLeft=0.3 + 0.3 * np.sin(2 * np.pi * 1.37 * t_s)), t_s)
    assert not resting.measured


def test_a_pause_of_a_fast_camera_is_a_gap_though_a_slow_ones_is_none():
    resting = RestingFace(ROBOT_REST, rest_seconds=2.0)
    now_s = watch(resting, [reading()] * 31)
    for pause_s in (0.5, 1.0, 1.4):
        now_s = watch(resting, [reading()] * 3, now_s + pause_s)
    assert resting.calm_s == pytest.approx(1.0, abs=1e-3)


def test_reset_starts_a_new_measurement():
    resting = measured_with(reading(browInnerUp=0.4))
    resting.reset()
    assert not resting.measured
    np.testing.assert_array_equal(resting.adapt(reading()), reading())
    watch(resting, [reading(browInnerUp=0.2)] * 30)
    assert at(resting.rest, "browInnerUp") == pytest.approx(0.2)


def test_fixed_points_of_the_map():
    rest = reading(browDownLeft=0.3, eyeSquintLeft=0.5, head_yaw=0.1, head_pitch=-0.2, head_roll=0.05)
    resting = measured_with(rest)
    np.testing.assert_allclose(resting.adapt(rest), ROBOT_REST, atol=1e-6)
    for end in (0.0, 1.0):
        np.testing.assert_allclose(resting.adapt(np.full(55, end, np.float32))[:52], end, atol=1e-6)
    turned = rest.copy()
    turned[52:] += 0.3, -0.1, 0.2
    np.testing.assert_allclose(resting.adapt(turned)[52:] - ROBOT_REST[52:], [0.3, -0.1, 0.2], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(person=st.floats(0, 1), robot=st.floats(0, 1), values=st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_the_map_is_monotone_and_stays_in_range(person, robot, values):
    rest, robot_rest = reading(), ROBOT_REST.copy()
    rest[6], robot_rest[6] = person, robot  # cheekPuff: a coefficient without a limit at rest
    resting = RestingFace(robot_rest, rest_seconds=0.5)
    watch(resting, [rest] * 30)
    mapped = [float(resting.adapt(reading(cheekPuff=value))[6]) for value in sorted(values)]
    assert all(a <= b + 1e-6 for a, b in pairwise(mapped))
    assert min(mapped) >= -1e-6 and max(mapped) <= 1 + 1e-6


def test_adapt_does_not_change_its_input():
    resting, features = measured_with(reading(jawOpen=0.1)), reading()
    resting.adapt(features)
    np.testing.assert_array_equal(features, reading())


def test_differences_are_listed_from_the_largest():
    resting = measured_with(reading(browDownLeft=0.5, eyeSquintLeft=0.3))
    (first, person, robot), second, *_ = resting.differences()
    assert (first, second[0]) == ("browDownLeft", "eyeSquintLeft")
    assert (person, robot) == pytest.approx((0.5, 0.1))
