"""Which answer guard are free while old answers may still come."""

from rena_ros.bus.late_replies import MAX_EXTRA_BYTES, MAX_LATENESS_S, LateReplyGuard


def test_what_is_needed_is_asked_for_while_nothing_is_missing():
    assert LateReplyGuard().choose_length((1, 2), 8, 0.0) == (8, None)


def test_a_length_that_is_outstanding_is_not_used_again_until_it_cannot_come_any_more():
    guard = LateReplyGuard()
    for k in range(3):
        assert guard.choose_length((1, 2), 8, k * 0.02) == (8 + k, None)
        guard.expect_late([2], 8 + k, k * 0.02)
    assert guard.choose_length((1,), 8, 0.06) == (8, None)  # servo 1 owes nothing
    assert guard.choose_length((2,), 8, MAX_LATENESS_S - 0.001) == (11, None)
    assert guard.choose_length((2,), 8, MAX_LATENESS_S) == (8, None)
    assert guard.choose_length((2,), 9, MAX_LATENESS_S + 0.01) == (11, None)
    assert guard.choose_length((2,), 9, MAX_LATENESS_S + 0.04) == (9, None)


def test_what_is_outstanding_for_one_purpose_is_for_all():
    guard = LateReplyGuard()
    guard.expect_late([1], 2, 0.0)
    assert guard.choose_length((1,), 1, 0.1) == (1, None)
    assert guard.choose_length((1,), 2, 0.1) == (3, None)


def test_when_no_length_is_free_for_all_only_those_are_asked_for_whom_one_is():
    guard = LateReplyGuard()
    for k in range(MAX_EXTRA_BYTES + 1):
        guard.expect_late([1, 2] if k != 4 else [2], 8 + k, 0.0)
    assert guard.choose_length((1, 2, 3), 8, 0.5) == (12, [True, False, True])
    assert guard.choose_length((2,), 8, 0.5) == (8, [False])
