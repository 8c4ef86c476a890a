"""Whom the bus asks when: servos that fall silent, a line that does, and those that come back."""

import numpy as np

from rena_ros.bus.roll_call import PACE_S, SILENT_AFTER, SOON_S, SOON_TRIES, RollCall


def miss(roll_call, *places):
    """One request to those it wants to ask, which these do not answer."""
    asked = roll_call.together(0.0)
    roll_call.heard(asked, ~np.isin(asked, places))


def test_at_the_third_miss_in_a_row_a_servo_is_no_longer_asked_with_the_others():
    roll_call = RollCall(4)
    miss(roll_call, 1)
    miss(roll_call, 1)
    miss(roll_call)  # it answers
    for _ in range(SILENT_AFTER):
        assert roll_call.together(0.0).tolist() == [0, 1, 2, 3] and not roll_call.silent.any()
        miss(roll_call, 1)
    assert roll_call.together(0.0).tolist() == [0, 2, 3] and roll_call.silent.tolist() == [False, True, False, False]


def test_silent_servos_are_asked_alone_one_after_the_other_at_a_slow_pace():
    roll_call = RollCall(4)
    assert roll_call.alone(0.0) is None
    for _ in range(SILENT_AFTER):
        miss(roll_call, 1, 3)
    assert [roll_call.alone(k * PACE_S / 2) for k in range(6)] == [1, None, 3, None, 1, None]


def test_the_first_answer_brings_a_servo_back_and_the_other_silent_ones_on_trial():
    roll_call = RollCall(4)
    for _ in range(SILENT_AFTER):
        miss(roll_call, 1, 3)
    roll_call.back(3)
    assert roll_call.together(0.0).tolist() == [0, 1, 2, 3] and not roll_call.silent.any()
    miss(roll_call, 1)
    assert roll_call.silent.tolist() == [False, True, False, False]  # one miss was enough


def test_a_request_that_nobody_answers_is_held_against_nobody():
    roll_call = RollCall(3)
    for _ in range(SILENT_AFTER - 1):
        miss(roll_call, 0, 1, 2)
    miss(roll_call, 1)
    assert roll_call.misses.tolist() == [0, 1, 0]


def test_a_silent_line_is_asked_for_everybody_a_few_times_soon_then_slowly_and_comes_back_at_once():
    roll_call = RollCall(3)
    for _ in range(SILENT_AFTER):
        miss(roll_call, 2)
    for _ in range(SILENT_AFTER):
        miss(roll_call, 0, 1)
    assert roll_call.silent.all() and roll_call.alone(9.0) is None
    for k in range(SOON_TRIES):
        assert roll_call.together(1 + 1.01 * k * SOON_S).tolist() == [0, 1, 2]
        assert roll_call.together(1 + 1.01 * k * SOON_S + SOON_S / 2).tolist() == []
        roll_call.heard(np.arange(3), np.zeros(3, bool))
    asked = [roll_call.together(10 + k * PACE_S / 2).tolist() for k in range(4)]
    assert asked == [[0, 1, 2], [], [0, 1, 2], []]
    everyone = roll_call.together(20.0)
    roll_call.heard(everyone, np.array([True, True, True]))
    assert not roll_call.silent.any() and roll_call.together(20.0).tolist() == [0, 1, 2]
    roll_call.heard(np.array([], int), np.array([], bool))
    assert not roll_call.silent.any()
