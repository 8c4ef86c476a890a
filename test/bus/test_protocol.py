"""The codec against the frames printed in the vendor's material, and the parser against garbage."""

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
def test_frames_of_the_vendor(made, golden):
    assert made == frame(golden)


def test_sync_read_is_as_long_as_the_wire_time_of_the_vendor_says():
    # 25 ids: header 2, id, length, instruction, address, size, 25 ids, checksum = 33 bytes, 0.33 ms at 1 Mbps
    assert len(protocol.sync_read(range(1, 26), 56, 8)) == 33
    assert protocol.wire_time_s(33, 1_000_000) == pytest.approx(0.33e-3)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: protocol.ping(255),
        lambda: protocol.ping(-1),
        lambda: protocol.read(0xFE, 56, 2),
        lambda: protocol.write(1, 42, bytes(253)),
        lambda: protocol.write(1, 256, b"1"),
        lambda: protocol.sync_read((1, 2, 1), 56, 8),
        lambda: protocol.sync_read((1, 0xFE), 56, 8),
        lambda: protocol.sync_write((1, 2), 42, np.zeros((3, 2), np.uint8)),
        lambda: protocol.sync_write((1, 2), 42, np.zeros((2, 2))),
        lambda: protocol.to_word(-1),
        lambda: protocol.to_word(1 << 15, 15),
    ],
)
def test_what_the_codec_refuses(refused):
    with pytest.raises(ValueError):
        refused()


@given(st.integers(-0x7FFF, 0x7FFF))
def test_signed_words_as_the_vendors_sdk_reads_and_writes_them(value):
    word = protocol.to_word(value, 15)
    assert int.from_bytes(word, "little") == SCS_TOSCS(value, 15)
    assert protocol.from_words(np.frombuffer(word, np.uint8), 15) == value
    assert SCS_TOHOST(int.from_bytes(word, "little"), 15) == value


@given(st.integers(0, 0xFFFF))
def test_the_load_keeps_its_sign_in_bit_10(raw):
    # what lies above the sign bit belongs to other things
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
    assert parser.skipped_bytes == sum(len(garbage) for _, garbage in wanted)


@given(st.binary(max_size=300), packets)
def test_after_any_garbage_the_parser_finds_its_feet(garbage, packet):
    frames = 600 // len(protocol.encode(packet)) + 1
    found = Parser().feed(garbage + protocol.encode(packet) * frames)
    assert found[-1] == packet


@given(st.binary(max_size=400))
def test_no_bytes_upset_the_parser_and_none_are_lost_count_of(data):
    parser = Parser()
    size = sum(len(protocol.encode(packet)) for packet in parser.feed(data))
    assert size + parser.skipped_bytes + parser.pending == len(data)


@given(packets, st.data())
def test_one_flipped_bit_is_never_taken_for_the_packet(packet, data):
    good = bytearray(protocol.encode(packet))
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    good[bit // 8] ^= 1 << bit % 8
    assert packet not in Parser().feed(bytes(good))


def test_an_unfinished_frame_is_forgotten_on_reset():
    parser = Parser()
    assert parser.feed(frame("FF FF 01 F0 03")) == []
    parser.reset()
    assert parser.feed(protocol.ping(7)) == [Packet(7, 1)]


def test_when_no_more_bytes_will_come_an_unfinished_frame_gives_up_what_it_hides():
    parser, whole = Parser(), protocol.reply(3, 0, b"ab")
    assert parser.feed(frame("FF FF 07 C8 00") + whole) == [] and parser.pending
    assert parser.finish() == [Packet(3, 0, b"ab")]
    assert not parser.pending and parser.bad_checksums == 1
    assert parser.finish() == [] and parser.bad_checksums == 1
