"""Which lengths of reply are free while late replies may still come."""

from rena_ros.bus.late_replies import MAX_EXTRA_BYTES, MAX_LATENESS_S, LateReplyGuard


def test_the_needed_length_is_requested_while_no_reply_is_missing():
    assert LateReplyGuard().choose_length((1, 2), 8, 0.0) == (8, None)


def test_the_length_of_a_missing_reply_is_not_used_until_the_reply_cannot_come_any_more():
    guard = LateReplyGuard()
    for k in range(3):
        assert guard.choose_length((1, 2), 8, k * 0.02) == (8 + k, None)
        guard.expect_late([2], 8 + k, k * 0.02)
    assert guard.choose_length((1,), 8, 0.06) == (8, None)  # no reply of servo 1 is missing
    assert guard.choose_length((2,), 8, MAX_LATENESS_S - 0.001) == (11, None)
    assert guard.choose_length((2,), 8, MAX_LATENESS_S) == (8, None)
    assert guard.choose_length((2,), 9, MAX_LATENESS_S + 0.01) == (11, None)
    assert guard.choose_length((2,), 9, MAX_LATENESS_S + 0.04) == (9, None)


def test_a_length_is_blocked_whatever_size_is_needed():
    guard = LateReplyGuard()
    guard.expect_late([1], 2, 0.0)
    assert guard.choose_length((1,), 1, 0.1) == (1, None)
    assert guard.choose_length((1,), 2, 0.1) == (3, None)


def test_when_no_length_is_free_for_all_servos_the_guard_says_for_which_one_is():
    guard = LateReplyGuard()
    for k in range(MAX_EXTRA_BYTES + 1):
        guard.expect_late([1, 2] if k != 4 else [2], 8 + k, 0.0)
    assert guard.choose_length((1, 2, 3), 8, 0.5) == (12, [True, False, True])
    assert guard.choose_length((2,), 8, 0.5) == (8, [False])
