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
    for name, (left, right, others) in {
        "slow": (lambda t: shut(t, closing_s=0.6, closed_s=0.5, opening_s=0.6), None, {}),
        "wink": (shut, lambda t: 0.1, {}),
        "squint": (shut, None, {f"mouthSmile{s}": lambda t: 1.6 * shut(t) for s in ("Left", "Right")}),
        "down": (lambda t: shut(t, closing_s=0.05, closed_s=0.8, highest=0.34), None, {}),
    }.items():
        assert followed(left, right, **others)[0].blinks == 0, name


def test_eyes_that_stay_closed_are_given_back_to_the_model():
    _, lids = followed(lambda t: shut(t, closed_s=5.0))
    np.testing.assert_array_equal(lids[-1], ROBOT.neutral_goals[LIDS])
