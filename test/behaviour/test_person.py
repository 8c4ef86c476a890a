"""PersonFace: a synthetic person whose rest, range and activity are known, at slow and fast frame rates."""

import numpy as np
import pytest

from rena_ros.behaviour.person import GAIN_PER_S, GAINS, REST_PER_S, PersonFace
from rena_ros.behaviour.policy import RestReading
from rena_ros.perception.face_reader import READING_NAMES

ROBOT = RestReading(np.full(55, 0.1, np.float32) * (np.arange(55) < 52), np.zeros((478, 3), np.float32))
REST = np.full(55, 0.1)
REST[52:] = 0.03, -0.05, 0.01
REST[[READING_NAMES.index(name) for name in ("browOuterUpLeft", "eyeSquintRight", "browDownLeft")]] = 0.35, 0.5, 0.3
SMILE = READING_NAMES.index("mouthSmileLeft")
JAW, BROW = READING_NAMES.index("jawOpen"), READING_NAMES.index("browInnerUp")


def acting(t_s: float, smile: float = 0.6, constant: float = 0.0) -> np.ndarray:
    """The person's features, without noise: now and then a smile and an open mouth, never two calm seconds."""
    features = REST.copy()
    burst = max(0.0, np.sin(2 * np.pi * t_s / 2.5)) ** 2
    features[SMILE] += smile * burst + constant
    features[JAW] += 0.4 * burst
    features[BROW] += 0.3 * max(0.0, np.sin(2 * np.pi * t_s / 3.7)) ** 4
    return features


def watch(person: PersonFace, rate_hz: float, seconds: float, start_s: float = 0.0, **how) -> PersonFace:
    rng = np.random.default_rng(5)
    for i in range(int(rate_hz * seconds)):
        noise = rng.normal(0, 0.015, 55) * (np.arange(55) < 52)
        t_s = start_s + i / rate_hz
        person.observe(np.clip(acting(t_s, **how) + noise, -1, 1), t_s)
    return person


def error(person: PersonFace) -> float:
    return float(np.abs(person.rest.features - REST).mean())


@pytest.mark.parametrize("rate_hz", [5, 60])
def test_the_error_of_the_rest_falls_with_time_at_every_frame_rate(rate_hz):
    errors = [error(watch(PersonFace(ROBOT), rate_hz, seconds)) for seconds in (0, 2, 6, 15)]
    assert errors[0] == pytest.approx(np.abs(ROBOT.features - REST).mean(), abs=1e-6)
    assert errors[1] < errors[0] and errors[2] < 0.75 * errors[0] and errors[3] < 0.5 * errors[0]


def test_slow_and_fast_cameras_tell_the_same():
    slow, fast = (watch(PersonFace(ROBOT), rate_hz, 12) for rate_hz in (5, 60))
    np.testing.assert_allclose(slow.rest.features, fast.rest.features, atol=0.03)
    assert slow.confidence == pytest.approx(fast.confidence, abs=0.15)


def test_who_smiles_all_the_time_is_not_taken_to_rest_smiling():
    person = watch(PersonFace(ROBOT), 10, 40, constant=0.6)
    assert person.rest.features[SMILE] < 0.25  # it is 0.7 throughout
    brow = READING_NAMES.index("browOuterUpLeft")
    assert person.rest.features[brow] == pytest.approx(0.35, abs=0.1)  # the rest of the face is learned


def test_a_weak_face_is_strengthened_and_a_strong_one_held_back_within_bounds():
    weak, strong = (watch(PersonFace(ROBOT), 5, 100, smile=smile) for smile in (0.3, 0.85))
    for person in (weak, strong):
        assert (GAINS[0] <= person.gains).all() and (person.gains <= GAINS[1]).all()
    assert weak.gains[SMILE] > 1.2 and strong.gains[SMILE] < 0.95
    still = READING_NAMES.index("cheekPuff")
    assert weak.gains[still] == 1 and (weak.gains[[9, 11, 17]] == 1).all()  # noise; lids and gaze
    peak = REST.astype(np.float32)
    peak[SMILE] += 0.3
    assert weak.strengthen(peak)[SMILE] > 0.1 + 1.1 * 0.3


@pytest.mark.parametrize("rate_hz", [5, 60])
def test_adaptation_alone_never_makes_the_output_jump(rate_hz):
    person, probes = PersonFace(ROBOT), np.random.default_rng(1).random((5, 55)).astype(np.float32)
    rest, gains, most, before = person.rest.features, person.gains.copy(), 1 / rate_hz, None
    for i in range(8 * rate_hz):
        person.observe(acting(i / rate_hz), i / rate_hz)
        assert np.abs(person.rest.features - rest).max() <= REST_PER_S * most + 1e-6
        assert np.abs(person.gains - gains).max() <= GAIN_PER_S * most + 1e-9
        rest, gains = person.rest.features, person.gains.copy()
        after = np.array([person.adapt(person.strengthen(probe)) for probe in probes])
        if before is not None:
            assert np.abs(after - before).max() <= 2 * (REST_PER_S + GAIN_PER_S) * most + 1e-5
        before = after


def test_landmarks_at_rest_are_the_weighted_mean_of_differences():
    person, shift = PersonFace(ROBOT, rest_seconds=2.0), np.random.default_rng(2).normal(0, 0.1, (478, 3))
    for i in range(300):
        person.observe(REST, i / 30, shift)
    seen_s = np.min(person.seen_s)  # constant landmarks: their share alone remains
    np.testing.assert_allclose(person.rest.landmarks, shift * seen_s / (seen_s + 2.0), rtol=0.02, atol=1e-4)


def test_what_is_not_finite_never_enters():
    person, broken = watch(PersonFace(ROBOT), 30, 2), REST.copy()
    before, broken[3] = person.rest.features, np.nan
    person.observe(broken, 2.1)
    person.observe(REST, float("nan"))
    person.observe(REST, 2.2, np.full((478, 3), np.nan))
    assert np.isfinite(person.rest.features).all() and np.isfinite(person.rest.landmarks).all()
    np.testing.assert_allclose(person.rest.features, before, atol=0.02)


def test_another_person_begins_at_the_robots_rest_and_time_may_start_again():
    person = watch(PersonFace(ROBOT), 30, 10, start_s=100.0)
    seen_s = person.seen_s.max()
    watch(person, 30, 2)
    assert person.seen_s.max() > seen_s
    assert person.differences()[0][0] == "eyeSquintRight"
    person.reset()
    np.testing.assert_array_equal(person.rest.features, ROBOT.features)
    assert person.confidence == 0 and (person.gains == 1).all()
    np.testing.assert_allclose(person.adapt(REST.astype(np.float32)), REST, atol=1e-6)
