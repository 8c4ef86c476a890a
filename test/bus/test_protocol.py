"""The codec against frames that the vendor prints, and the parser against garbage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scservo_sdk import SCS_TOHOST, SCS_TOSCS

from rena_ros.bus import protocol
from rena_ros.bus.protocol import Packet, Parser

bytes_without_header = st.binary(max_size=60).map(lambda data: data.replace(b"\xff", b"\xfe"))
packets = st.builds(Packet, st.integers(0, 0xFD), st.integers(0, 0x7F), bytes_without_header)


def frame(text):
    return bytes.fromhex(text)


def four_rows():
    return np.tile(np.frombuffer(frame("00 08 00 00 E8 03"), np.uint8), (4, 1))


@pytest.mark.parametrize(
    ("made", "golden"),
    [
        (protocol.ping(1), "FF FF 01 02 01 FB"),
        (protocol.read(3, 0x38, 2), "FF FF 03 04 02 38 02 BC"),
        (protocol.write(5, 0x2A, protocol.to_word(0x0800)), "FF FF 05 05 03 2A 00 08 C0"),
        (
            protocol.sync_write((1, 2, 3, 4), 0x2A, four_rows()),
            "FF FF FE 20 83 2A 06 01 00 08 00 00 E8 03 02 00 08 00 00 E8 03 03 00 08 00 00 E8 03"
            " 04 00 08 00 00 E8 03 58",
        ),
    ],
)
def test_frames_are_those_that_the_vendor_prints(made, golden):
    assert made == frame(golden)


def test_a_sync_read_takes_the_wire_time_that_the_vendor_gives():
    # 25 ids: header 2, id, length, instruction, address, size, 25 ids, checksum = 33 bytes, 0.33 ms at 1 Mbps
    assert len(protocol.sync_read(range(1, 26), 56, 8)) == 33
    assert protocol.wire_time_s(33, 1_000_000) == pytest.approx(0.33e-3)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: protocol.ping(255), "id 255"),
        (lambda: protocol.ping(-1), "id -1"),
        (lambda: protocol.read(0xFE, 56, 2), "broadcast"),
        (lambda: protocol.write(1, 42, bytes(253)), "254 params"),
        (lambda: protocol.write(1, 256, b"1"), r"range\(0, 256\)"),
        (lambda: protocol.sync_read((1, 2, 1), 56, 8), "must differ"),
        (lambda: protocol.sync_read((1, 0xFE), 56, 8), "lie in 0..253"),
        (lambda: protocol.sync_write((1, 2), 42, np.zeros((3, 2), np.uint8)), r"uint8 \(3, 2\)"),
        (lambda: protocol.sync_write((1, 2), 42, np.zeros((2, 2))), "float64"),
        (lambda: protocol.to_word(-1), "-1 does not fit"),
        (lambda: protocol.to_word(1 << 15, 15), "32768 does not fit"),
    ],
)
def test_the_codec_refuses(refused, message):
    with pytest.raises(ValueError, match=message):
        refused()


@given(st.integers(-0x7FFF, 0x7FFF))
def test_signed_words_as_the_vendors_sdk_reads_and_writes_them(value):
    word = protocol.to_word(value, 15)
    assert int.from_bytes(word, "little") == SCS_TOSCS(value, 15)
    assert protocol.from_words(np.frombuffer(word, np.uint8), 15) == value
    assert SCS_TOHOST(int.from_bytes(word, "little"), 15) == value


@given(st.integers(0, 0xFFFF))
def test_the_load_keeps_its_sign_in_bit_10(raw):
    # the bits above the sign bit have other meanings
    expected = -(raw % 1024) if raw // 1024 % 2 else raw % 1024
    assert protocol.from_words(np.array([raw % 256, raw // 256], np.uint8), 10) == expected


@given(st.lists(st.tuples(packets, bytes_without_header), max_size=8), st.lists(st.integers(1, 30), max_size=40))
def test_packets_are_found_between_garbage_however_the_stream_breaks(wanted, cuts):
    stream = b"".join(garbage + protocol.encode(packet) for packet, garbage in wanted)
    parser, found = Parser(), []
    for cut in cuts:
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    found += parser.feed(stream)
    assert found == [packet for packet, _ in wanted]


@given(st.binary(max_size=300), packets)
def test_the_parser_finds_packets_after_any_garbage(garbage, packet):
    frames = 600 // len(protocol.encode(packet)) + 1
    found = Parser().feed(garbage + protocol.encode(packet) * frames)
    assert found[-1] == packet


@given(st.binary(max_size=400))
def test_the_parser_finds_only_frames_that_stand_in_the_input_in_their_order(data):
    at = 0
    for packet in Parser().feed(data):
        at = data.index(protocol.encode(packet), at) + len(protocol.encode(packet))


@given(packets, st.data())
def test_a_frame_with_one_flipped_bit_is_never_taken_for_the_packet(packet, data):
    good = bytearray(protocol.encode(packet))
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    good[bit // 8] ^= 1 << bit % 8
    assert packet not in Parser().feed(bytes(good))


def test_an_unfinished_frame_is_forgotten_on_reset():
    parser = Parser()
    assert parser.feed(frame("FF FF 01 F0 03")) == []
    parser.reset()
    assert parser.feed(protocol.ping(7)) == [Packet(7, 1)]


def test_finish_returns_the_packets_inside_an_unfinished_frame():
    parser, whole = Parser(), protocol.reply(3, 0, b"ab")
    assert parser.feed(frame("FF FF 07 C8 00") + whole) == []
    assert parser.finish() == [Packet(3, 0, b"ab")]
    assert parser.finish() == [] and parser.bad_checksums == 1
