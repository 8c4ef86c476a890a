"""A blink seen in a few frames is closed whole; what is no blink is left alone."""

import numpy as np
import pytest

from rena_ros.base.easing import least_jerk
from rena_ros.behaviour.whole_blinks import WholeBlinks
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
LIDS = [ROBOT.index["lid_left"], ROBOT.index["lid_right"]]
FRAME_S = 1 / 30


def followed(left, right=None, seconds=3.0, phase_s=0.0, **others) -> tuple[WholeBlinks, np.ndarray]:
    """Show eyeBlink as functions of time; the lids' goals of each frame, (n, 2)."""
    blinks, lids = WholeBlinks(ROBOT), []
    for t_s in np.arange(phase_s, seconds, FRAME_S):
        features = np.zeros(55)
        features[READING_NAMES.index("eyeBlinkLeft")] = left(t_s)
        features[READING_NAMES.index("eyeBlinkRight")] = (right or left)(t_s)
        for name, course in others.items():
            features[READING_NAMES.index(name)] = course(t_s)
        lids.append(blinks.close(ROBOT.neutral_goals, features, t_s)[LIDS])
    return blinks, np.array(lids)


def shut(t_s, closing_s=0.075, closed_s=0.1, opening_s=0.15, highest=0.6, start_s=1.0):
    end_s = start_s + closing_s + closed_s + opening_s
    return 0.1 + (highest - 0.1) * min(least_jerk((t_s - start_s) / closing_s), least_jerk((end_s - t_s) / opening_s))


@pytest.mark.parametrize("phase_s", np.arange(0, 1, 0.1) * FRAME_S)
def test_a_blink_at_any_phase_of_the_frames_is_closed_whole_and_opened(phase_s):
    blinks, lids = followed(shut, phase_s=phase_s)
    assert blinks.blinks == 1 and lids.max() == 1.0
    times_s = np.arange(phase_s, 3.0, FRAME_S)
    still = (times_s < 1.0) | (times_s > 1.325 + 0.1 + 2 * FRAME_S)
    np.testing.assert_allclose(lids[still], np.tile(ROBOT.neutral_goals[LIDS], (still.sum(), 1)))


def test_what_is_no_blink_is_left_alone():
    nearly = 0.34  # less than a blink, but as fast
    for name, (left, right, others) in {
        "slow": (lambda t: shut(t, closing_s=0.6, closed_s=0.5, opening_s=0.6), None, {}),
        "wink": (shut, lambda t: 0.1, {}),
        "squint": (shut, None, {f"mouthSmile{s}": lambda t: 1.6 * shut(t) for s in ("Left", "Right")}),
        "down": (
            lambda t: shut(t, closing_s=0.05, closed_s=0.8, highest=nearly),
            None,
            {f"eyeLookDown{s}": lambda t: 2.0 * shut(t, 0.05, 0.8, highest=nearly) for s in ("Left", "Right")},
        ),
        "eyes that are never open": (lambda t: 0.6, None, {}),
    }.items():
        blinks, lids = followed(left, right, **others)
        assert blinks.blinks == 0, name
        np.testing.assert_array_equal(lids, np.tile(ROBOT.neutral_goals[LIDS], (len(lids), 1)))


def test_the_lids_stay_shut_until_the_horns_can_have_arrived_even_where_the_eyes_open_at_once():
    way = ROBOT.positions(np.ones(len(ROBOT.names)))[LIDS[0]]  # rad from neutral
    servo = ROBOT.servos[LIDS[0]]
    # The whole way at full speed, with one half of the time of speeding up lost at either end.
    least_s = abs(way) / servo.max_speed_rad_s + servo.max_speed_rad_s / servo.max_acceleration_rad_s2
    _, lids = followed(lambda t: shut(t, closing_s=0.05, closed_s=0.0, opening_s=0.06))
    assert np.count_nonzero(lids[:, 0] == 1.0) >= int(least_s / FRAME_S)


def test_a_switch_amid_a_blink_opens_the_lids_within_two_frames_and_no_more_blinks_follow():
    blinks, lids = WholeBlinks(ROBOT), []
    for t_s in np.arange(0.0, 4.0, FRAME_S):
        features = np.zeros(55)
        for side in ("Left", "Right"):
            features[READING_NAMES.index(f"eyeBlink{side}")] = max(shut(t_s), shut(t_s, start_s=2.5))
        lids.append(blinks.close(ROBOT.neutral_goals, features, t_s, wanted=t_s < 1.15)[LIDS[0]])
    times_s, lids = np.arange(0.0, 4.0, FRAME_S), np.array(lids)
    assert lids[(times_s > 1.1) & (times_s < 1.15)].min() == 1.0 and blinks.blinks == 1
    np.testing.assert_array_equal(lids[times_s > 1.15 + 3 * FRAME_S], ROBOT.neutral_goals[LIDS[0]])


def test_a_reading_that_is_not_finite_or_a_gap_starts_no_blink():
    blinks = WholeBlinks(ROBOT)
    open_eyes, closed = np.zeros(55), np.zeros(55)
    closed[[READING_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 0.8
    for t_s in np.arange(0.0, 1.0, FRAME_S):
        blinks.close(ROBOT.neutral_goals, open_eyes, t_s)
    assert blinks.close(ROBOT.neutral_goals, np.full(55, np.nan), 1.0) is ROBOT.neutral_goals
    assert blinks.close(ROBOT.neutral_goals, closed, 1.5) is ROBOT.neutral_goals


def test_eyes_that_stay_closed_are_given_back_to_the_model():
    _, lids = followed(lambda t: shut(t, closed_s=5.0))
    np.testing.assert_array_equal(lids[-1], ROBOT.neutral_goals[LIDS])
