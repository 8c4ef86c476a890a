"""One line, byte by byte: which bytes count as a reply, and what becomes of all others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_port import ScriptedPort

from rena_ros.bus import protocol
from rena_ros.bus.late_replies import MAX_EXTRA_BYTES, MAX_LATENESS_S
from rena_ros.bus.line import FACTORY_RETURN_DELAY_S, Line

IDS = (3, 1, 7, 9, 5)
CYCLE_S = 0.02


@pytest.fixture
def port():
    return ScriptedPort()


@pytest.fixture
def line(port):
    return Line(port, retries=1)


def sync_read(line, ids=IDS):
    return line.sync_read(ids, 56, 8, np.zeros(len(ids)))


def without(port, servo_id):
    """Return a script in which one servo does not reply."""
    return lambda request: [(0.0, frame) for frame in port.frames() if frame[2] != servo_id]


def spoilt(frame, byte=6):
    return frame[:byte] + bytes([frame[byte] ^ 0x04]) + frame[byte + 1 :]


def changed(port, servo_id, change):
    """Return a script in which ``change`` turns one servo's frame into a list of frames."""
    return lambda request: [
        (0.0, sent) for frame in port.frames() for sent in (change(frame) if frame[2] == servo_id else [frame])
    ]


# Requests


def test_a_read_is_sent_as_the_vendor_prints_it_and_its_reply_cut_to_size(port, line):
    reply = line.read(3, 56, 2)
    assert port.requests == [bytes.fromhex("FF FF 03 04 02 38 02 BC")]
    assert (reply.id, reply.code, reply.params) == (3, 0, bytes([1, 57]))
    assert line.failure == ""


def test_a_write_returns_its_acknowledgement(port, line):
    assert line.write(5, 42, bytes.fromhex("00 08")) == protocol.Packet(5, 0)
    assert port.requests == [bytes.fromhex("FF FF 05 05 03 2A 00 08 C0")]


def test_a_sync_write_is_sent_once_without_waiting_for_replies(port, line):
    before_s = port.now()
    rows = np.arange(24, dtype=np.uint8).reshape(4, 6)
    last_byte_s = line.sync_write((1, 2, 3, 4), 42, rows)
    assert port.requests == [protocol.sync_write((1, 2, 3, 4), 42, rows)]
    assert last_byte_s == port.now() == pytest.approx(before_s + 36 * 10 / 1e6)
    assert line.counters.requests == 1 and line.counters.wire_s == pytest.approx(36 * 10 / 1e6)


def test_a_sync_read_sends_one_request_and_takes_no_longer_than_the_wire_time(port, line):
    before_s = port.now()
    replies = sync_read(line)
    assert port.requests == [protocol.sync_read(IDS, 56, 8)]
    assert replies.fresh.all() and replies.data.tolist() == [[1, *range(57, 64)]] * 5
    assert port.now() - before_s == pytest.approx((13 + 5 * 14) * 10 / 1e6)
    assert line.counters.wire_s == pytest.approx((13 + 5 * 14) * 10 / 1e6)


# Deadlines


def test_a_read_waits_until_the_deadline_and_is_then_repeated(port, line):
    port.script = lambda request: []
    before_s = port.now()
    assert line.read(3, 56, 2) is None
    assert line.failure == "does not reply"
    frames_s = (8 + 8 + 8 + 9) * 10 / 1e6  # two requests, and the two replies that are missing
    assert port.now() - before_s == pytest.approx(frames_s + 2 * (FACTORY_RETURN_DELAY_S + 0.012))
    assert line.counters.requests == 2 and line.counters.retries == 1 and line.counters.unanswered == 2


@pytest.mark.parametrize(("retries", "requests"), [(0, 1), (3, 4), (None, 2)])
def test_the_caller_chooses_the_number_of_retries(port, line, retries, requests):
    port.script = lambda request: []
    assert line.write(3, 40, b"\0", retries=retries) is None and line.failure == "does not reply"
    assert line.read(3, 40, 1, retries=retries) is None
    assert len(port.requests) == 2 * requests


def test_the_caller_chooses_the_margin(port, line):
    port.script = lambda request: [(FACTORY_RETURN_DELAY_S + 0.004, frame) for frame in port.frames()]
    assert line.read(3, 56, 2, retries=0, margin_s=0.003) is None
    assert line.read(3, 56, 2, retries=0, margin_s=0.005) is not None
    assert line.read(3, 56, 2, retries=0) is not None


@pytest.mark.parametrize(("late_s", "in_time"), [(0.0119, True), (0.0121, False)])
def test_a_sync_read_waits_for_return_delays_and_margin_and_no_longer(port, line, late_s, in_time):
    delays_s = np.full(5, 0.0005)
    port.script = lambda request: [(5 * 0.0005 + late_s, frame) for frame in port.frames()]
    assert line.sync_read(IDS, 56, 8, delays_s).fresh[-1] == in_time


# Broken and foreign replies


def test_a_reply_that_arrives_in_pieces_is_put_together(port, line):
    port.script = lambda request: [(k * 1e-4, bytes([byte])) for k, byte in enumerate(b"".join(port.frames()))]
    assert sync_read(line).fresh.all()
    assert line.read(3, 56, 2).params == bytes([2, 57])


def test_the_input_buffer_is_discarded_before_a_request(port, line):
    port.script = lambda request: [(0.0, protocol.reply(3, 0, b"\x77\x77"))]
    line.sync_write(IDS, 40, np.zeros((5, 1), np.uint8))
    port.sleep_until(port.now() + 0.001)
    port.script = lambda request: []
    assert line.read(3, 56, 2, retries=0) is None
    assert line.counters.discarded_bytes == 8


@pytest.mark.parametrize("byte", range(2, 14))
def test_a_corrupt_reply_is_requested_again_and_counted(port, line, byte):
    port.script = lambda request: [(0.0, spoilt(f, byte) if port.serial == 1 else f) for f in port.frames()]
    assert line.read(3, 56, 8).params[0] == 2
    assert line.counters.bad_checksums == 1 and line.counters.retries == 1
    assert line.counters.unanswered == 0  # a reply came


@pytest.mark.parametrize("kept", range(14))
def test_a_truncated_reply_does_not_count(port, line, kept):
    port.script = lambda request: [(0.0, frame[:kept]) for frame in port.frames()]
    assert line.read(3, 56, 8) is None
    assert line.failure == ("does not send a valid reply (other bytes came)" if kept else "does not reply")


def test_replies_with_a_foreign_id_or_another_length_do_not_count(port, line):
    foreign, long = protocol.reply(4, 0, b"ab"), protocol.reply(3, 0, b"abc")
    port.script = lambda request: [(0.0, foreign), (0.0, long)]
    assert line.read(3, 56, 2, retries=0) is None
    assert line.counters.foreign_ids == 1 and line.counters.wrong_lengths == 1
    assert line.failure == "does not send a valid reply (other bytes came)"


def test_two_equal_replies_count_once_and_two_different_ones_not_at_all(port, line):
    port.script = changed(port, 7, lambda frame: [frame, frame])
    assert sync_read(line).fresh.all() and line.counters.duplicates == 1
    port.script = changed(port, 7, lambda frame: [frame, protocol.reply(7, 0, bytes(8))])
    replies = sync_read(line)
    assert replies.fresh.tolist() == [True, True, False, True, True] and line.counters.duplicates == 2
    # Its bytes have arrived, so no late reply is expected and the needed length is used.
    port.script = lambda request: [(0.0, frame) for frame in port.frames()]
    sync_read(line)
    assert port.requests[-1] == protocol.sync_read(IDS, 56, 8)


def test_a_reply_out_of_order_does_not_count_and_the_right_one_is_awaited(port, line):
    old = protocol.reply(9, 0, bytes(8))
    port.script = lambda request: [(0.0, old), *without(port, 9)(request)]
    replies = sync_read(line)
    assert replies.fresh.tolist() == [True, True, True, False, True] and not replies.arrived[3]
    assert line.counters.out_of_order == 1 and line.counters.unanswered == 1


@pytest.mark.parametrize("status", [1, 2, 4, 8, 32, 47])
def test_a_condition_is_reported_with_its_payload(port, line, status):
    port.script = lambda request: [(0.0, frame) for frame in port.frames(status)]
    reply = line.read(3, 56, 2)
    assert reply.code == status and reply.params == bytes([1, 57]) and line.counters.rejected == 0
    assert sync_read(line).status.tolist() == [status] * 5


@pytest.mark.parametrize("status", [16, 64, 128, 64 | 32])
def test_a_rejection_does_not_count_but_differs_from_silence(port, line, status):
    port.script = lambda request: [(0.0, frame) for frame in port.frames(status)]
    assert line.read(3, 56, 2) is None
    assert line.failure == f"rejects the request (status {status})"
    assert line.write(3, 40, b"\1").code == status and line.failure
    assert line.counters.rejected == 4 and line.counters.unanswered == 0
    replies = sync_read(line)
    assert replies.rejected.all() and not replies.fresh.any() and not replies.data.any()


def test_after_a_rejection_the_next_try_counts(port, line):
    port.script = lambda request: [(0.0, frame) for frame in port.frames(64 if port.serial % 2 else 0)]
    assert line.read(3, 56, 2).params == bytes([2, 57]) and line.failure == ""
    assert line.write(3, 40, b"\1").code == 0 and line.failure == ""


# Echo


@pytest.mark.parametrize("size", range(1, 9))
def test_an_adapter_that_echoes_changes_nothing(port, line, size):
    port.script = lambda request: [(0.0, request), *((0.0, frame) for frame in port.frames())]
    assert line.read(3, 56, size).params[0] == 1
    assert line.write(3, 40, b"\1") == protocol.Packet(3, 0)
    assert sync_read(line).fresh.all()
    assert line.counters.echoes == 3 and line.counters.reply_errors == 0


def test_an_echo_alone_is_not_taken_for_a_reply(port, line):
    # The echo of a READ is, byte by byte, a reply with status 2 and two bytes of data.
    port.script = lambda request: [(0.0, request)]
    assert line.read(3, 56, 2) is None and line.failure == "does not reply"
    assert not sync_read(line).fresh.any()
    assert line.read_all_replies(3, 56, 2) == ([], False)


def test_an_echo_of_earlier_goals_is_cut_off_too(port, line):
    port.script = lambda request: [(0.0005, request), *((0.0005, frame) for frame in port.frames())]
    line.sync_write(IDS, 42, np.zeros((5, 2), np.uint8))
    assert sync_read(line).fresh.all() and line.counters.reply_errors == 0


# Late replies


def test_a_late_reply_to_an_earlier_read_never_counts(port, line):
    late_s = iter([0.02, 0.0, 0.0])
    port.script = lambda request: [(wait, frame) for wait, frame in zip(late_s, port.frames(), strict=False)]
    # The first reply comes after the second request to the same register of the same servo.
    reply = line.read(3, 56, 2)
    assert reply.params == bytes([2, 57])
    assert port.requests[1] == protocol.read(3, 56, 3)


def test_a_late_reply_to_a_read_of_another_register_never_counts(port, line):
    port.script = lambda request: [(0.013, frame) for frame in port.frames()]
    assert line.read(3, 40, 2, retries=0) is None
    port.script = lambda request: []
    assert line.read(3, 56, 2, retries=0) is None  # the first reply comes now
    assert line.counters.wrong_lengths == 1


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("late_s", [CYCLE_S, 6 * CYCLE_S, 45 * CYCLE_S])
def test_late_replies_to_a_sync_read_never_count(port, line, hold, late_s):
    held_until_s = 0.0

    def script(request):
        nonlocal held_until_s
        late = port.serial % 50 == 1
        if late and hold:
            held_until_s = port.now() + late_s
        return [
            (max(held_until_s - port.now(), 0.0) if hold else late_s if late and frame[2] == 7 else 0.0, frame)
            for frame in port.frames()
        ]

    port.script = script
    fresh = 0
    for _ in range(200):
        began_s = port.now()
        replies = sync_read(line)
        assert (replies.data[replies.fresh, 0] == port.serial).all()
        fresh += replies.fresh.sum()
        port.sleep_until(began_s + CYCLE_S)
    lost = 4 * 5 * (np.ceil(late_s / CYCLE_S) + 1) if hold else 4
    assert fresh >= 200 * 5 - lost
    assert line.counters.wrong_lengths >= 4 or hold


def test_the_needed_length_is_requested_again_once_no_late_reply_can_come(port, line):
    port.script = without(port, 7)
    sync_read(line)
    port.script = lambda request: [(0.0, frame) for frame in port.frames()]
    assert sync_read(line).data.shape == (5, 8)
    port.sleep_until(port.now() + MAX_LATENESS_S)
    sync_read(line)
    assert [request[6] for request in port.requests] == [8, 9, 8]


def test_a_servo_without_a_free_length_is_not_polled_until_one_is_free(port, line):
    port.script = without(port, 7)
    for k in range(MAX_EXTRA_BYTES + 1):
        assert sync_read(line).polled.all()
        assert port.requests[-1][6] == 8 + k
    replies = sync_read(line)
    assert replies.polled.tolist() == [True, True, False, True, True]
    assert replies.fresh.tolist() == [True, True, False, True, True]
    assert port.requests[-1] == protocol.sync_read((3, 1, 9, 5), 56, 8)
    requests = len(port.requests)
    assert line.read(7, 56, 8) is None and line.failure == "does not reply"
    assert not sync_read(line, (7,)).polled.any()
    assert len(port.requests) == requests
    port.sleep_until(port.now() + MAX_LATENESS_S)
    assert sync_read(line).polled.all()


# Early ends of a read


def test_a_servo_that_missed_comes_first_in_the_request_and_is_not_awaited(port, line):
    port.script = without(port, 7)
    sync_read(line)
    began_s = port.now()
    replies = sync_read(line)
    assert port.requests[-1] == protocol.sync_read((7, 3, 1, 9, 5), 56, 9)
    assert replies.fresh.tolist() == [True, True, False, True, True]
    assert replies.data[replies.fresh, 0].tolist() == [2] * 4
    assert port.now() - began_s == pytest.approx((13 + 5 * 15) * 10 / 1e6)
    port.script = lambda request: [(0.0, frame) for frame in port.frames()]
    assert sync_read(line).fresh.all()
    sync_read(line)
    assert port.requests[-1][7:12] == bytes(IDS)


def test_a_read_ends_when_the_last_servo_has_replied_although_one_before_it_missed(port, line):
    # Servos reply in turn, so no other reply can follow the last one.
    port.script = without(port, 7)
    began_s = port.now()
    replies = sync_read(line)
    assert replies.fresh.tolist() == [True, True, False, True, True] and not replies.arrived[2]
    assert port.now() - began_s == pytest.approx((13 + 5 * 14) * 10 / 1e6)


def test_a_missing_last_reply_is_awaited_until_the_deadline(port, line):
    port.script = without(port, 5)
    began_s = port.now()
    assert sync_read(line).fresh.tolist() == [True, True, True, True, False]
    assert port.now() - began_s == pytest.approx((13 + 5 * 14) * 10 / 1e6 + 0.012)


def test_a_late_reply_of_the_last_servo_does_not_end_a_read(port, line):
    # The late reply comes first and the others follow; if it ended the read, they would be lost.
    old = protocol.reply(5, 0, bytes(8))
    port.script = lambda request: [(0.0, old)] + [(0.003, f) for f in port.frames() if f[2] != 5]
    assert sync_read(line).fresh.tolist() == [True, True, True, True, False]
    # As many bytes as expected do not make all replies.
    port.script = lambda request: [(0.0, f) for f in port.frames()[:4]] + [(0.0, port.frames()[3])]
    port.sleep_until(port.now() + 1.0)
    began_s = port.now()
    sync_read(line, IDS)
    assert port.now() - began_s > 0.012


def test_after_a_read_without_any_reply_all_servos_are_awaited_again(port, line):
    port.script = lambda request: []
    assert not sync_read(line).fresh.any()
    port.script = lambda request: [(0.004, frame) for frame in port.frames()]
    assert sync_read(line).fresh.all()


def test_a_corrupt_reply_costs_no_time(port, line):
    port.script = changed(port, 7, lambda frame: [spoilt(frame)])
    began_s = port.now()
    replies = sync_read(line)
    assert replies.corrupt.tolist() == [False, False, True, False, False]
    assert port.now() - began_s == pytest.approx((13 + 5 * 14) * 10 / 1e6)
    sync_read(line)
    assert port.requests[-1] == protocol.sync_read(IDS, 56, 8)


# All replies to one id


def test_all_replies_to_one_id_are_returned(port, line):
    port.script = lambda request: [(0.0, port.frames()[0]), (0.003, protocol.reply(3, 1, bytes(2)))]
    found, garbage = line.read_all_replies(3, 56, 2)
    assert [packet.params for packet in found] == [bytes([1, 57]), bytes(2)] and not garbage
    port.script = lambda request: []
    assert line.read_all_replies(3, 56, 2) == ([], False)
    port.script = lambda request: [(0.0, spoilt(port.frames()[0]))]
    assert line.read_all_replies(3, 56, 2) == ([], True)
    port.script = lambda request: [(0.0, frame) for frame in port.frames(64)]
    assert line.read_all_replies(3, 56, 2) == ([], True)


def test_a_missing_reply_to_read_all_replies_blocks_its_length_for_the_next_read(port, line):
    port.script = lambda request: []
    line.read_all_replies(3, 56, 2)
    line.read(3, 40, 2, retries=0)
    assert [request[6] for request in port.requests] == [2, 3]


def test_read_all_replies_waits_for_the_given_margin(port, line):
    port.script = lambda request: []
    began_s = port.now()
    line.read_all_replies(3, 56, 2, margin_s=0.001)
    assert port.now() - began_s == pytest.approx(16 * 10 / 1e6 + FACTORY_RETURN_DELAY_S + 0.001)


# All faults together

FAULTS = st.sampled_from(
    ["none"] * 6 + ["dead", "late", "held", "corrupt", "short", "twice", "foreign", "rejects", "echo"]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(FAULTS, st.integers(0, 4), st.floats(0.001, 0.9), st.integers(2, 13)), min_size=5, max_size=40)
)
def test_under_any_faults_no_old_reply_is_taken_for_a_new_one(faults):
    port, held_until_s = ScriptedPort(), 0.0
    line = Line(port)

    def script(request):
        nonlocal held_until_s
        kind, faulty, late_s, byte = faults[(port.serial - 1) % len(faults)]
        if kind == "held":
            held_until_s = port.now() + late_s
        wait_s = max(held_until_s - port.now(), 0.0)
        out = [(0.0, request)] if kind == "echo" else []
        for k, frame in enumerate(port.frames(64 if kind == "rejects" else 0)):
            spoil = {
                "dead": [],
                "late": [(late_s, frame)],
                "corrupt": [(wait_s, spoilt(frame, byte))],
                "short": [(wait_s, frame[:byte])],
                "twice": [(wait_s, frame), (wait_s, frame)],
                "foreign": [(wait_s, protocol.reply(IDS[faulty - 1], 0, frame[5:-1]))],
            }
            out += spoil.get(kind, [(wait_s, frame)]) if k == faulty else [(wait_s, frame)]
        return out

    port.script = script
    for _ in faults:
        began_s, before = port.now(), len(port.requests)
        replies = sync_read(line)
        # A servo that shares no free length with the others is in a second request; its data is of that one.
        request_of = {i: k + 1 for k in range(before, len(port.requests)) for i in port.requests[k][7:-1]}
        for servo_id, data, fresh in zip(IDS, replies.data, replies.fresh, strict=True):
            assert not fresh or data[0] == request_of[servo_id] % 256
        port.sleep_until(began_s + CYCLE_S)
