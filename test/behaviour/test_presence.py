"""Presence: goals ease to neutral while no face is present, and back."""

import numpy as np
import pytest

from rena_ros.behaviour.presence import Presence

NEUTRAL = np.array([0.0, 0.5, 0.3], np.float32)
GOALS = np.array([1.0, 0.1, 0.9], np.float32)
TIMES = {"lost_after_s": 0.5, "leave_s": 1.0, "come_s": 0.4}


def present(share: float) -> np.ndarray:
    return NEUTRAL + share * (GOALS - NEUTRAL)


def arrived(**times: float) -> Presence:
    """A face has been present for two seconds, until t = 2."""
    presence = Presence(NEUTRAL, **times)
    for i in range(61):
        presence.seen(GOALS, i / 30)
    return presence


def test_no_face_is_present_at_the_start():
    np.testing.assert_array_equal(Presence(NEUTRAL).absent(0.0), NEUTRAL)


def test_the_goals_of_a_new_face_fade_in_smoothly():
    presence = Presence(NEUTRAL, come_s=0.4)
    commands = np.array([presence.seen(GOALS, 5 + i / 30) for i in range(15)])
    np.testing.assert_array_equal(commands[0], NEUTRAL)
    np.testing.assert_allclose(commands[-1], GOALS, atol=1e-6)
    np.testing.assert_allclose(commands[6], present(0.5), atol=1e-6)  # half of 0.4 s is 6 frames
    assert (np.diff(commands[:, 0]) >= 0).all()
    assert np.abs(np.diff(commands[:, 0])).max() < 0.15  # 1.5 / 12 frames, the steepest a smooth step gets


def test_goals_of_a_present_face_pass_unchanged():
    presence = arrived(**TIMES)
    np.testing.assert_allclose(presence.seen(GOALS[::-1], 2.03), GOALS[::-1], atol=1e-6)


def test_a_short_absence_changes_nothing():
    presence = arrived(**TIMES)
    assert presence.absent(2.4) is None
    np.testing.assert_allclose(presence.seen(GOALS, 2.45), GOALS, atol=1e-6)


def test_the_last_goals_fade_to_neutral():
    presence = arrived(**TIMES)
    commands = {t: presence.absent(t) for t in (2.51, 2.75, 3.0, 3.25, 3.5, 9.0)}
    np.testing.assert_allclose(commands[3.0], present(0.5), atol=1e-6)
    np.testing.assert_allclose(commands[2.51], GOALS, atol=1e-3)
    np.testing.assert_allclose(commands[3.5], NEUTRAL, atol=1e-6)
    np.testing.assert_allclose(commands[9.0], NEUTRAL, atol=1e-6)
    assert not presence.is_present(2.51)


@pytest.mark.parametrize("polled", [True, False])
def test_a_face_that_returns_during_the_fade_continues_from_there(polled):
    """Whether or not the fade was polled in between."""
    presence = arrived(**TIMES)
    if polled:
        presence.absent(2.8)
    np.testing.assert_allclose(presence.seen(GOALS, 3.0), present(0.5), atol=1e-6)
    np.testing.assert_allclose(presence.seen(GOALS, 3.2), GOALS, atol=1e-6)


def test_by_default_the_face_is_at_neutral_a_second_after_the_person_has_left():
    # The CHANGELOG promises this; the motion of the servos is not part of it.
    presence = arrived()
    assert presence.absent(2.4) is None
    np.testing.assert_allclose(presence.absent(3.0), NEUTRAL, atol=1e-6)


def test_by_default_a_new_face_is_followed_after_half_a_second():
    presence = Presence(NEUTRAL)
    commands = [presence.seen(GOALS, i / 30) for i in range(16)]
    np.testing.assert_array_equal(commands[0], NEUTRAL)
    np.testing.assert_allclose(commands[-1], GOALS, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [1, 2, 5, 30])
def test_a_face_is_followed_at_every_frame_rate(rate_hz):
    """And it is absent two intervals after the last reading, at the latest."""
    presence = Presence(NEUTRAL)
    commands = [presence.seen(GOALS, i / rate_hz) for i in range(2 * rate_hz + 6)]
    np.testing.assert_allclose(commands[-1], GOALS, atol=1e-6)
    last_s = (2 * rate_hz + 5) / rate_hz
    assert presence.absent(last_s + 1.1 / rate_hz) is None
    np.testing.assert_allclose(presence.held(), GOALS, atol=1e-6)
    assert not presence.is_present(last_s + max(0.51, 2 / rate_hz))


def test_a_person_that_comes_and_goes_is_absent_as_soon_as_any_other():
    presence = Presence(NEUTRAL)
    for i in range(6):
        presence.seen(GOALS, 5.0 * i)
    assert presence.absent(25.51) is not None
