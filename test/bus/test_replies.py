"""Which replies count, byte by byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rena_ros.bus import protocol
from rena_ros.bus.replies import Noise, match_replies, strip_echo

IDS = (3, 1, 7, 9, 5)
SIZE = 4


def reply(servo_id, value=0, status=0, size=SIZE):
    return protocol.reply(servo_id, status, bytes([servo_id, value] + [0] * (size - 2)))


def match(*frames):
    return match_replies(b"".join(frames), IDS, SIZE)


def all_but(*places):
    return [k not in places for k in range(len(IDS))]


def test_flawless_replies_all_count():
    found = match(*(reply(i, 10 + i, status=i % 2) for i in IDS))
    assert found.fresh.all() and found.arrived.all() and found.noise == Noise()
    assert found.data[:, 0].tolist() == list(IDS)
    assert found.data[:, 1].tolist() == [13, 11, 17, 19, 15]
    assert found.status.tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("lost", range(5))
def test_a_lost_reply_costs_only_its_servo(lost):
    found = match(*(reply(i) for k, i in enumerate(IDS) if k != lost))
    assert found.fresh.tolist() == all_but(lost) == found.arrived.tolist()
    assert found.noise == Noise() and not found.corrupt.any()


@pytest.mark.parametrize("bit", [0, 4, 7])
@pytest.mark.parametrize("byte", range(SIZE + 6))
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_corrupt_reply_costs_only_its_servo(place, byte, bit):
    frames = [reply(i) for i in IDS]
    spoilt = bytearray(frames[place])
    spoilt[byte] ^= 1 << bit
    frames[place] = bytes(spoilt)
    found = match(*frames)
    assert found.fresh.tolist() == all_but(place)
    # As many bytes as expected came: the sender of the corrupt reply is known, and no more bytes will come.
    assert found.arrived.all() and np.flatnonzero(found.corrupt).tolist() == [place]


def test_a_late_reply_from_the_last_cycle_is_not_fresh():
    found = match(reply(9, 99), reply(3), reply(1), reply(7), reply(5))
    assert found.fresh.tolist() == all_but(3) == found.arrived.tolist()
    assert found.noise == Noise(out_of_order=1)


def test_two_different_replies_of_one_servo_are_both_void():
    found = match(reply(9, 99), reply(3), reply(1), reply(7), reply(9, 1), reply(5))
    assert found.fresh.tolist() == all_but(3) and found.arrived.all()
    assert found.corrupt[3] and found.noise == Noise(duplicates=1)
    assert not match(reply(9, 1, status=4), reply(9, 1)).fresh.any()


def test_two_equal_replies_of_one_servo_count_once():
    found = match(*(frame for i in IDS for frame in (reply(i, 7), reply(i, 7))))
    assert found.fresh.all() and found.data[:, 1].tolist() == [7] * 5
    assert found.noise == Noise(duplicates=5)


def test_replies_with_a_foreign_id_or_a_wrong_length_and_a_foreign_request_do_not_count():
    request = protocol.sync_read(IDS, 56, SIZE)
    found = match(request, reply(3), reply(8), reply(1, size=SIZE + 1), reply(7), reply(9), reply(5))
    assert found.fresh.tolist() == all_but(1)
    assert found.noise == Noise(wrong_lengths=1, foreign_ids=2)


@pytest.mark.parametrize("kept", range(1, SIZE + 6))
@pytest.mark.parametrize("place", [0, 1, 4])
def test_a_truncated_reply_does_not_swallow_the_next_one(place, kept):
    frames = [reply(i) for i in IDS]
    frames[place] = frames[place][:kept]
    found = match(*frames)
    assert found.fresh.tolist() == all_but(place)
    assert not found.arrived[place]  # the rest of it may still come


def test_a_length_byte_that_is_too_high_hides_no_later_reply():
    spoilt = bytearray(reply(7))
    spoilt[3] = 200
    found = match(reply(3), reply(1), bytes(spoilt), reply(9), reply(5))
    assert found.fresh.tolist() == all_but(2)


@pytest.mark.parametrize("bit", [1, 2, 4, 8, 32])
def test_a_condition_keeps_its_payload(bit):
    found = match(*(reply(i, 50, status=bit) for i in IDS))
    assert found.fresh.all() and found.status.tolist() == [bit] * 5 and found.data[0, 1] == 50


@pytest.mark.parametrize("bit", [16, 64, 128])
@pytest.mark.parametrize("size", [0, SIZE])
def test_a_rejection_voids_its_payload(bit, size):
    rejection = protocol.reply(7, bit | 4, bytes(range(1, size + 1)))
    found = match(reply(3), reply(1), rejection, reply(9), reply(5))
    assert found.fresh.tolist() == all_but(2) and found.rejected.tolist() == [not k for k in all_but(2)]
    assert found.arrived.all() and found.status[2] == bit | 4 and not found.data[2].any()
    assert not found.corrupt.any() and found.noise == Noise()


def test_with_a_missing_reply_the_sender_of_a_corrupt_one_is_unknown():
    spoilt = bytearray(reply(7))
    spoilt[6] ^= 1
    found = match(reply(3), bytes(spoilt), reply(9), reply(5))
    assert found.fresh.tolist() == all_but(1, 2) == found.arrived.tolist()
    assert not found.corrupt.any() and found.noise == Noise(bad_checksums=1)


def test_the_beginning_of_a_longer_reply_is_not_taken_for_a_shorter_one():
    longer = bytearray(reply(3))
    longer[3] += 1
    longer[-1] = protocol.checksum(longer[2:-1])
    assert not match_replies(bytes(longer), (3,), SIZE).fresh.any()


@given(st.binary(max_size=120))
def test_any_garbage_gives_consistent_replies(data):
    found = match_replies(data, IDS, SIZE)
    assert found.data.shape == (5, SIZE) and found.fresh.sum() * (SIZE + 6) <= len(data)
    assert not (found.fresh & (found.corrupt | found.rejected)).any()


def test_our_echo_is_cut_off_together_with_the_bytes_before_it():
    request = protocol.read(3, 56, SIZE)
    assert strip_echo(request + reply(3), request) == (reply(3), True)
    assert strip_echo(b"\x12\x34" + request, request) == (b"", True)
    assert strip_echo(reply(3), request) == (reply(3), False)
    assert strip_echo(request[:-1], request) == (request[:-1], False)
