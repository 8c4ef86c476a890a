"""Bytes <-> packets of the Feetech STS bus. No I/O, no clock.

A frame is ``FF FF ID LEN CODE PARAMS... CHK`` with LEN = number of params + 2 and CHK = the inverted low byte of the
sum of all bytes between header and checksum. CODE is the instruction in a request and the status byte in a reply.
Words are little-endian; a signed word has a separate sign bit, not two's complement. Source: FEETECH communication
protocol manual.

This module refuses with ValueError: an id outside 0..253 (254 is the broadcast id), a value that is not a byte, more
than 253 params, a READ from the broadcast id (all servos would reply at once), an id that occurs twice in a SYNC
frame, a value that does not fit beside its sign bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from rena_ros.base.arrays import ByteArray, IntArray

HEADER = b"\xff\xff"
BROADCAST_ID = 0xFE
MAX_ID = 0xFD
MAX_PARAMS = 253
OVERHEAD_BYTES = 6  # a frame without params: header 2, id, length, code, checksum
BITS_PER_BYTE = 10  # on the wire: start, eight data, stop


class Instruction(IntEnum):
    """The code of a request. The servo carries out a REG_WRITE at the next ACTION; this driver sends neither."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


@dataclass(frozen=True)
class Packet:
    """One frame without header, length and checksum; ``code`` is an instruction or a status byte."""

    id: int
    code: int
    params: bytes = b""


def checksum(body: bytes | bytearray) -> int:
    """Return the checksum of all bytes between header and checksum, one byte."""
    return ~sum(body) & 0xFF


def encode(packet: Packet) -> bytes:
    """Return the frame of a packet. Raises ValueError for what the module docstring refuses."""
    if not 0 <= packet.id <= BROADCAST_ID:
        raise ValueError(f"id {packet.id} is outside 0..{BROADCAST_ID}")
    if len(packet.params) > MAX_PARAMS:
        raise ValueError(f"{len(packet.params)} params do not fit into a frame, at most {MAX_PARAMS} do")
    body = bytes((packet.id, len(packet.params) + 2, packet.code)) + packet.params
    return HEADER + body + bytes((checksum(body),))


def ping(servo_id: int) -> bytes:
    """Make a PING of one servo, or of the broadcast id when one servo is alone on the bus."""
    return encode(Packet(servo_id, Instruction.PING))


def read(servo_id: int, address: int, size: int) -> bytes:
    """Make a READ of ``size`` bytes from ``address`` on, of one servo."""
    if servo_id == BROADCAST_ID:
        raise ValueError("READ from the broadcast id: every servo would reply at once")
    return encode(Packet(servo_id, Instruction.READ, bytes((address, size))))


def write(servo_id: int, address: int, data: bytes) -> bytes:
    """Make a WRITE of bytes from ``address`` on; with the broadcast id to every servo, without replies."""
    return encode(Packet(servo_id, Instruction.WRITE, bytes((address,)) + data))


def sync_read(ids: Sequence[int], address: int, size: int) -> bytes:
    """Make a SYNC_READ of the same registers of several servos, which reply one after another in this order."""
    _refuse_repeated(ids)
    return encode(Packet(BROADCAST_ID, Instruction.SYNC_READ, bytes((address, size, *ids))))


def sync_write(ids: Sequence[int], address: int, rows: ByteArray) -> bytes:
    """Make a SYNC_WRITE of ``rows``, uint8 (n, size), one row to each of n servos, without replies."""
    _refuse_repeated(ids)
    rows = np.asarray(rows)
    if rows.dtype != np.uint8 or rows.ndim != 2 or len(rows) != len(ids):
        raise ValueError(f"expected uint8 rows for {len(ids)} servos, got {rows.dtype} {rows.shape}")
    table = np.empty((len(ids), rows.shape[1] + 1), np.uint8)
    table[:, 0], table[:, 1:] = ids, rows
    return encode(Packet(BROADCAST_ID, Instruction.SYNC_WRITE, bytes((address, rows.shape[1])) + table.tobytes()))


def reply(servo_id: int, status: int, params: bytes = b"") -> bytes:
    """Make a servo's reply."""
    return encode(Packet(servo_id, status, params))


def to_word(value: int, sign_bit: int | None = None) -> bytes:
    """Return one value as a little-endian word with its sign in ``sign_bit``; None: unsigned."""
    magnitude, limit = abs(int(value)), 1 << (16 if sign_bit is None else sign_bit)
    if magnitude >= limit or (value < 0 and sign_bit is None):
        raise ValueError(f"{value} does not fit into a word with sign bit {sign_bit}")
    return (magnitude | (limit if value < 0 else 0)).to_bytes(2, "little")


def from_words(data: ByteArray, sign_bit: int | IntArray | None = None) -> IntArray:
    """Decode little-endian words, uint8 (..., 2), into int64 (...).

    ``sign_bit``: one for all words, or one for each column of the result; None: unsigned. Bits above the sign bit have
    other meanings in some registers (load) and are ignored.
    """
    raw = data[..., 0].astype(np.int64) | (data[..., 1].astype(np.int64) << 8)
    if sign_bit is None:
        return raw
    magnitude = raw & ((1 << sign_bit) - 1)
    return np.where(raw >> sign_bit & 1, -magnitude, magnitude)


def wire_time_s(size: int, baud: int) -> float:
    """Return how long ``size`` bytes take on the wire, seconds."""
    return size * BITS_PER_BYTE / baud


class Parser:
    """Finds the packets in a stream of bytes, which may contain garbage and arrive in pieces of any size.

    After a frame with a bad checksum the search goes on inside that frame, so that a corrupt length byte does not
    swallow the next frame. A frame that never ends stays pending until the caller, which has the clock, calls
    ``finish`` or ``reset`` after a silence.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.bad_checksums = 0

    def reset(self) -> None:
        """Forget an unfinished frame."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Packet]:
        """Add received bytes; return the packets that are complete now, in order."""
        self._buffer += data
        packets = []
        while (packet := self._next()) is not None:
            packets.append(packet)
        return packets

    def finish(self) -> list[Packet]:
        """Treat an unfinished frame as broken, since no more bytes will come; return the packets inside it."""
        packets: list[Packet] = []
        self.bad_checksums += bool(self._buffer)
        while self._buffer:
            del self._buffer[0]
            packets += self.feed(b"")
        return packets

    def _next(self) -> Packet | None:
        buffer = self._buffer
        while True:
            start = buffer.find(HEADER)
            if start < 0:
                del buffer[: len(buffer) - buffer.endswith(b"\xff")]
                return None
            del buffer[:start]
            if len(buffer) < 4:
                return None
            size = buffer[3] + 4
            if buffer[2] > BROADCAST_ID or size < OVERHEAD_BYTES:
                del buffer[0]
                continue
            if len(buffer) < size:
                return None
            if checksum(buffer[2 : size - 1]) == buffer[size - 1]:
                packet = Packet(buffer[2], buffer[4], bytes(buffer[5 : size - 1]))
                del buffer[:size]
                return packet
            self.bad_checksums += 1
            del buffer[0]


def _refuse_repeated(ids: Sequence[int]) -> None:
    if len(set(ids)) != len(ids) or not all(0 <= servo_id <= MAX_ID for servo_id in ids):
        raise ValueError(f"ids of a SYNC frame must differ and lie in 0..{MAX_ID}: {list(ids)}")
