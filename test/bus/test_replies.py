"""Which replies of a SYNC_READ count: byte by byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rena_ros.bus import protocol
from rena_ros.bus.replies import ends_with_reply, match_replies

IDS = np.array([3, 1, 7, 9, 5])
SIZE = 4


def reply(servo_id, value=0, status=0, size=SIZE):
    return protocol.reply(servo_id, status, bytes([servo_id, value] + [0] * (size - 2)))


def match(*frames):
    return match_replies(b"".join(frames), IDS, SIZE)


def test_a_flawless_answer_is_taken_whole():
    found = match(*(reply(i, 10 + i, status=i % 2) for i in IDS))
    assert found.fresh.all() and found.errors == 0
    assert found.data[:, 0].tolist() == IDS.tolist()
    assert found.data[:, 1].tolist() == [13, 11, 17, 19, 15]
    assert found.status.tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("lost", range(5))
def test_a_lost_reply_costs_only_its_servo(lost):
    found = match(*(reply(i) for k, i in enumerate(IDS) if k != lost))
    assert found.fresh.tolist() == [k != lost for k in range(5)]


@pytest.mark.parametrize("byte", range(SIZE + 6))
def test_a_corrupt_reply_costs_only_its_servo(byte):
    spoilt = bytearray(reply(7))
    spoilt[byte] ^= 0x10
    found = match(reply(3), reply(1), bytes(spoilt), reply(9), reply(5))
    assert found.fresh.tolist() == [True, True, False, True, True]


def test_a_late_reply_from_the_last_cycle_is_not_a_fresh_one():
    found = match(reply(9, 99), reply(3), reply(1), reply(7), reply(5))
    assert found.fresh.tolist() == [True, True, True, False, True]
    assert found.errors == 1


def test_of_a_late_and_a_present_reply_the_present_one_counts():
    found = match(reply(9, 99), reply(3), reply(1), reply(7), reply(9, 1), reply(5))
    assert found.fresh.all() and found.data[3, 1] == 1


def test_foreign_and_wrongly_long_replies_and_our_own_echo_do_not_count():
    echo = protocol.sync_read(IDS.tolist(), 56, SIZE)
    found = match(echo, reply(3), reply(8), reply(1, size=SIZE + 1), reply(7), reply(9), reply(5))
    assert found.fresh.tolist() == [True, False, True, True, True]
    assert found.errors == 3


def test_a_truncated_reply_does_not_take_the_next_with_it():
    found = match(reply(3), reply(1)[:6], reply(7), reply(9), reply(5))
    assert found.fresh.tolist() == [True, False, True, True, True]


@given(st.binary(max_size=120))
def test_garbage_of_any_kind_upsets_nothing(data):
    found = match_replies(data, IDS, SIZE)
    assert found.data.shape == (5, SIZE) and found.fresh.sum() * (SIZE + 6) <= len(data)


def test_the_end_of_an_answer_is_recognised():
    assert ends_with_reply(reply(3) + reply(5), 5, SIZE)
    assert not ends_with_reply(reply(3) + reply(5)[:-1], 5, SIZE)
    assert not ends_with_reply(reply(5) + reply(3), 5, SIZE)
