"""Which servos are polled when: silent servos, a silent line, and servos that return."""

import numpy as np
import pytest

from rena_ros.bus.poll_schedule import FAST_POLL_S, FAST_POLLS, SILENT_AFTER, SILENT_POLL_S, PollSchedule


def miss(schedule, *indices, times=1):
    """Poll the group, once or several times, without a reply of these servos."""
    for _ in range(times):
        group = schedule.next_group(0.0)
        schedule.record_group(group, ~np.isin(group, indices))


def turn(schedule, now_s):
    """Return the servos that are polled now, on a line without replies."""
    group = schedule.next_group(now_s)
    schedule.record_group(group, np.zeros(len(group), bool))
    single = schedule.next_single(now_s)
    return group.tolist() or ([] if single is None else [single])


def test_a_servo_leaves_the_group_at_its_third_miss_in_a_row():
    schedule = PollSchedule(4)
    miss(schedule, 1, times=SILENT_AFTER - 1)
    miss(schedule)  # it replies
    for _ in range(SILENT_AFTER):
        assert schedule.next_group(0.0).tolist() == [0, 1, 2, 3] and not schedule.silent.any()
        miss(schedule, 1)
    assert schedule.next_group(0.0).tolist() == [0, 2, 3]
    assert schedule.silent.tolist() == [False, True, False, False]


def test_silent_servos_are_polled_singly_in_turn_at_a_slow_rate():
    schedule = PollSchedule(4)
    assert schedule.next_single(0.0) is None
    miss(schedule, 1, 3, times=SILENT_AFTER)
    assert [schedule.next_single(k * SILENT_POLL_S / 2) for k in range(6)] == [1, None, 3, None, 1, None]


def test_the_first_reply_returns_a_servo_and_puts_the_other_silent_ones_on_probation():
    schedule = PollSchedule(4)
    miss(schedule, 1, 3, times=SILENT_AFTER)
    schedule.record_single_reply(3)
    assert schedule.next_group(0.0).tolist() == [0, 1, 2, 3] and not schedule.silent.any()
    miss(schedule, 1)
    assert schedule.silent.tolist() == [False, True, False, False]  # one miss is enough


def test_a_group_poll_without_any_reply_counts_against_no_servo():
    schedule = PollSchedule(3)
    miss(schedule, 0, 1, 2, times=SILENT_AFTER - 1)
    miss(schedule, 1)
    assert schedule.misses.tolist() == [0, 1, 0]


def test_a_silent_line_is_polled_fast_a_few_times_and_then_slowly_and_returns_at_once():
    schedule = PollSchedule(3)
    miss(schedule, 2, times=SILENT_AFTER)
    miss(schedule, 0, 1, times=SILENT_AFTER)
    assert schedule.silent.all()
    # The group of servos that were not silent, then one servo, in turn.
    turns = [turn(schedule, 1 + 1.01 * k * FAST_POLL_S / 2) for k in range(4 * FAST_POLLS)]
    assert turns[::2] == [[0, 1], [0], [0, 1], [1], [0, 1], [2], [0, 1], [0], [0, 1], [1]]
    assert turns[1::2] == [[]] * 2 * FAST_POLLS
    turns = [turn(schedule, 10 + 1.01 * k * SILENT_POLL_S / 2) for k in range(10)]
    assert turns == [[0, 1], [], [2], [], [0], [], [1], [], [0, 1], []]
    assert [turn(schedule, 20.0 + k) for k in range(4)] == [[2], [0], [1], [0, 1]]
    schedule.record_group(np.array([0, 1]), np.array([True, True]))
    assert schedule.silent.tolist() == [False, False, True] and schedule.next_group(23.0).tolist() == [0, 1]
    schedule.record_group(np.array([], int), np.array([], bool))
    assert schedule.silent.tolist() == [False, False, True]


def test_a_single_reply_on_a_silent_line_puts_all_other_servos_on_probation():
    schedule = PollSchedule(3)
    miss(schedule, 0, 1, 2, times=SILENT_AFTER)
    while turn(schedule, 0.0) != []:  # at one moment all servos are polled once, then none
        pass
    assert turn(schedule, FAST_POLL_S) == [0]
    schedule.record_single_reply(0)
    assert schedule.next_group(FAST_POLL_S).tolist() == [0, 1, 2] and not schedule.silent.any()
    schedule.record_group(np.arange(3), np.array([True, True, False]))
    assert schedule.silent.tolist() == [False, False, True]  # one miss is enough


@pytest.mark.parametrize("faulty", [0, 3, 6])
def test_a_servo_that_holds_up_all_others_stays_out_and_they_return(faulty):
    """Replies of servos that come after the faulty one in the group are not received."""
    schedule, count = PollSchedule(7), 7
    replies, now_s = np.zeros(count), 0.0
    while now_s < 12.0:
        group = schedule.next_group(now_s)
        first = np.flatnonzero(group == faulty)
        replied = np.arange(len(group)) < (first[0] if first.size else count)
        schedule.record_group(group, replied)
        if (single := schedule.next_single(now_s)) is not None and single != faulty:
            schedule.record_single_reply(single)
        if now_s > 4.0:
            replies[group[replied]] += 1
        now_s += 0.02
    assert replies[faulty] == 0 and (np.delete(replies, faulty) >= 0.95 * 400).all()


def test_servos_return_together_again_once_none_is_silent():
    schedule = PollSchedule(4)
    miss(schedule, 2, 3, times=SILENT_AFTER)
    schedule.record_single_reply(2)
    miss(schedule, 2, 3)  # the servo that replied singly misses together with the other: one by one from now on
    schedule.record_single_reply(3)
    assert schedule.silent.tolist() == [False, False, True, False]
    miss(schedule)
    schedule.record_single_reply(2)
    miss(schedule)
    assert not schedule.silent.any()
    miss(schedule, 2, 3, times=SILENT_AFTER)
    schedule.record_single_reply(2)
    assert not schedule.silent.any()


@pytest.mark.parametrize("faulty", [{0}, {12}, {24}, {3, 9, 15}])
@pytest.mark.parametrize("delay_s", [0.03, 0.12])
def test_servos_that_late_replies_hold_up_for_a_while_return_within_seconds(faulty, delay_s):
    """After each poll of a faulty servo no reply arrives for ``delay_s``, as with an adapter that keeps the order."""
    schedule, count, held_until_s, fresh = PollSchedule(25), 25, 0.0, []
    for now_s in np.arange(0.0, 12.0, 0.02):
        group = schedule.next_group(now_s)
        held_up = np.isin(group, list(faulty)).cumsum() > 0
        replied = ~held_up & (now_s >= held_until_s)
        schedule.record_group(group, replied)
        held_until_s = now_s + delay_s if held_up.any() else held_until_s
        if (single := schedule.next_single(now_s)) in faulty:
            held_until_s = now_s + delay_s
        elif single is not None and now_s >= held_until_s:
            schedule.record_single_reply(single)
        fresh.append(np.isin(np.arange(count), group[replied]))
    others = [index for index in range(count) if index not in faulty]
    assert np.any(fresh[200:225], axis=0)[others].all()  # after 4 s, each of them is read within 0.5 s
    assert np.mean(fresh[400:], axis=0)[others].min() > 0.85
