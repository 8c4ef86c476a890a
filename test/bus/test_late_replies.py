"""Which answer lengths are free while old answers may still come."""

from rena_ros.bus.late_replies import LATE_S, SPARE_LENGTHS, LateReplyGuard


def test_what_is_needed_is_asked_for_while_nothing_is_missing():
    assert LateReplyGuard().choose((1, 2), 8, 0.0) == (8, None)


def test_a_length_that_is_outstanding_is_not_used_again_until_it_cannot_come_any_more():
    lengths = LateReplyGuard()
    for k in range(3):
        assert lengths.choose((1, 2), 8, k * 0.02) == (8 + k, None)
        lengths.missing([2], 8 + k, k * 0.02)
    assert lengths.choose((1,), 8, 0.06) == (8, None)  # servo 1 owes nothing
    assert lengths.choose((2,), 8, LATE_S - 0.001) == (11, None)
    assert lengths.choose((2,), 8, LATE_S) == (8, None)
    assert lengths.choose((2,), 9, LATE_S + 0.01) == (11, None)
    assert lengths.choose((2,), 9, LATE_S + 0.04) == (9, None)


def test_what_is_outstanding_for_one_purpose_is_for_all():
    lengths = LateReplyGuard()
    lengths.missing([1], 2, 0.0)
    assert lengths.choose((1,), 1, 0.1) == (1, None)
    assert lengths.choose((1,), 2, 0.1) == (3, None)


def test_when_no_length_is_free_for_all_only_those_are_asked_for_whom_one_is():
    lengths = LateReplyGuard()
    for k in range(SPARE_LENGTHS + 1):
        lengths.missing([1, 2] if k != 4 else [2], 8 + k, 0.0)
    assert lengths.choose((1, 2, 3), 8, 0.5) == (12, [True, False, True])
    assert lengths.choose((2,), 8, 0.5) == (8, [False])
