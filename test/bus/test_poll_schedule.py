"""Whom the bus asks when: servos that fall silent, a line that does, and those that come back."""

import numpy as np
import pytest

from rena_ros.bus.poll_schedule import FAST_POLL_S, FAST_POLLS, SILENT_AFTER, SILENT_POLL_S, PollSchedule


def miss(schedule, *places):
    """One request to those it wants to ask, which these do not answer."""
    asked = schedule.next_group(0.0)
    schedule.record_group(asked, ~np.isin(asked, places))


def silent_line(count):
    schedule = PollSchedule(count)
    for _ in range(SILENT_AFTER):
        miss(schedule, *range(count))
    return schedule


def turn(schedule, now_s):
    """Whom it asks now on a line where nobody answers."""
    together = schedule.next_group(now_s)
    schedule.record_group(together, np.zeros(len(together), bool))
    alone = schedule.next_single(now_s)
    return together.tolist() or ([] if alone is None else [alone])


def test_at_the_third_miss_in_a_row_a_servo_is_no_longer_asked_with_the_others():
    schedule = PollSchedule(4)
    miss(schedule, 1)
    miss(schedule, 1)
    miss(schedule)  # it answers
    for _ in range(SILENT_AFTER):
        assert schedule.next_group(0.0).tolist() == [0, 1, 2, 3] and not schedule.silent.any()
        miss(schedule, 1)
    assert schedule.next_group(0.0).tolist() == [0, 2, 3] and schedule.silent.tolist() == [
        False,
        True,
        False,
        False,
    ]


def test_silent_servos_are_asked_alone_one_after_the_other_at_a_slow_pace():
    schedule = PollSchedule(4)
    assert schedule.next_single(0.0) is None
    for _ in range(SILENT_AFTER):
        miss(schedule, 1, 3)
    assert [schedule.next_single(k * SILENT_POLL_S / 2) for k in range(6)] == [1, None, 3, None, 1, None]


def test_the_first_answer_brings_a_servo_back_and_the_other_silent_ones_on_trial():
    schedule = PollSchedule(4)
    for _ in range(SILENT_AFTER):
        miss(schedule, 1, 3)
    schedule.record_single_reply(3)
    assert schedule.next_group(0.0).tolist() == [0, 1, 2, 3] and not schedule.silent.any()
    miss(schedule, 1)
    assert schedule.silent.tolist() == [False, True, False, False]  # one miss was enough


def test_a_request_that_nobody_answers_is_held_against_nobody():
    schedule = PollSchedule(3)
    for _ in range(SILENT_AFTER - 1):
        miss(schedule, 0, 1, 2)
    miss(schedule, 1)
    assert schedule.misses.tolist() == [0, 1, 0]


def test_a_silent_line_is_asked_for_everybody_a_few_times_soon_then_slowly_and_comes_back_at_once():
    schedule = PollSchedule(3)
    for _ in range(SILENT_AFTER):
        miss(schedule, 2)
    for _ in range(SILENT_AFTER):
        miss(schedule, 0, 1)
    assert schedule.silent.all()
    turns = [
        turn(schedule, 1 + 1.01 * k * FAST_POLL_S / 2) for k in range(4 * FAST_POLLS)
    ]  # those that were well, then one
    assert turns[::2] == [[0, 1], [0], [0, 1], [1], [0, 1], [2], [0, 1], [0], [0, 1], [1]]
    assert turns[1::2] == [[]] * 2 * FAST_POLLS
    turns = [turn(schedule, 10 + 1.01 * k * SILENT_POLL_S / 2) for k in range(10)]
    assert turns == [[0, 1], [], [2], [], [0], [], [1], [], [0, 1], []]
    assert [turn(schedule, 20.0 + k) for k in range(4)] == [[2], [0], [1], [0, 1]]
    well = np.array([0, 1])
    schedule.record_group(well, np.array([True, True]))
    assert schedule.silent.tolist() == [False, False, True] and schedule.next_group(23.0).tolist() == [0, 1]
    schedule.record_group(np.array([], int), np.array([], bool))
    assert schedule.silent.tolist() == [False, False, True]


def test_on_a_silent_line_whoever_answers_alone_brings_all_others_on_trial():
    schedule = silent_line(3)
    while turn(schedule, 0.0) != []:  # at one moment: everybody, and nobody more
        pass
    assert turn(schedule, FAST_POLL_S) == [0]
    schedule.record_single_reply(0)
    assert schedule.next_group(FAST_POLL_S).tolist() == [0, 1, 2] and not schedule.silent.any()
    schedule.record_group(np.arange(3), np.array([True, True, False]))
    assert schedule.silent.tolist() == [False, False, True]  # one miss was enough


@pytest.mark.parametrize("sick", [0, 3, 6])
def test_who_holds_up_all_others_stays_out_and_they_come_back(sick):
    """Whoever is asked after the sick one, or together with it in its reach, is not heard."""
    schedule, count = PollSchedule(7), 7
    heard, now_s = np.zeros(count), 0.0
    while now_s < 12.0:
        asked = schedule.next_group(now_s)
        first = np.flatnonzero(asked == sick)
        answered = np.arange(len(asked)) < (first[0] if first.size else count)
        schedule.record_group(asked, answered)
        if (place := schedule.next_single(now_s)) is not None and place != sick:
            schedule.record_single_reply(place)
        if now_s > 4.0:
            heard[asked[answered]] += 1
        now_s += 0.02
    assert heard[sick] == 0 and (np.delete(heard, sick) >= 0.95 * 400).all()


def test_when_all_are_well_again_they_are_no_longer_brought_back_one_by_one():
    schedule = PollSchedule(4)
    for _ in range(SILENT_AFTER):
        miss(schedule, 2, 3)
    schedule.record_single_reply(2)
    miss(schedule, 2, 3)  # who answered alone fails with the other: one by one from now on
    schedule.record_single_reply(3)
    assert schedule.silent.tolist() == [False, False, True, False]
    miss(schedule)
    schedule.record_single_reply(2)
    miss(schedule)
    assert not schedule.silent.any()
    for _ in range(SILENT_AFTER):
        miss(schedule, 2, 3)
    schedule.record_single_reply(2)
    assert not schedule.silent.any()


@pytest.mark.parametrize("sick", [{0}, {12}, {24}, {3, 9, 15}])
@pytest.mark.parametrize("delay_s", [0.03, 0.12])
def test_those_whom_late_answers_shut_up_for_a_while_are_back_in_seconds(sick, delay_s):
    """After every question to a sick one nobody is heard for ``delay_s``, as with an adapter that hands on in order."""
    schedule, count, shut_until_s, heard = PollSchedule(25), 25, 0.0, []
    for now_s in np.arange(0.0, 12.0, 0.02):
        asked = schedule.next_group(now_s)
        held_up = np.isin(asked, list(sick)).cumsum() > 0
        answered = ~held_up & (now_s >= shut_until_s)
        schedule.record_group(asked, answered)
        shut_until_s = now_s + delay_s if held_up.any() else shut_until_s
        if (place := schedule.next_single(now_s)) in sick:
            shut_until_s = now_s + delay_s
        elif place is not None and now_s >= shut_until_s:
            schedule.record_single_reply(place)
        heard.append(np.isin(np.arange(count), asked[answered]))
    well = [place for place in range(count) if place not in sick]
    assert np.any(heard[200:225], axis=0)[well].all()  # after 4 s nobody has to be given up any more (0.5 s)
    assert np.mean(heard[400:], axis=0)[well].min() > 0.85
