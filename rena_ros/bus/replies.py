"""Which of the received bytes count as replies, and from which servo. Pure.

A reply counts only with the expected id, length and checksum, and only in its turn: servos reply in the order of the
request, so a reply out of order is an old one that came late, or comes from a foreign device. Two different replies
of one servo to one request are both void. A reply with condition bits in its status byte (``registers.Status``) counts
like any other; any other status bit is a rejection, which voids the data (a rejection may come without data).
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rena_ros.base.arrays import BoolArray, ByteArray, IntArray
from rena_ros.bus.protocol import HEADER, OVERHEAD_BYTES, Packet, Parser, checksum
from rena_ros.bus.registers import Status

REJECTION = 0xFF & ~sum(Status)  # the remaining bits: 16, 64, 128
_REJECTION_BITS = bytes(status & REJECTION for status in range(256))
_FF = b"\xff"


@dataclass(frozen=True)
class Noise:
    """How many packets and broken frames among the received bytes do not count, by reason."""

    bad_checksums: int = 0
    wrong_lengths: int = 0
    foreign_ids: int = 0
    duplicates: int = 0
    out_of_order: int = 0


NO_NOISE = Noise()


@dataclass(frozen=True)
class Replies:
    """The replies of n servos to one request, in the order of the request.

    ``data`` uint8 (n, length) and ``status`` uint8 (n,); the data is valid where ``fresh``. The others are bool (n,).
    ``rejected``: the servo rejected the request, ``status`` says why. ``corrupt``: its bytes came, but not as one
    valid reply. ``arrived``: no more bytes are expected from the servo, whether its reply counts or not. ``polled``:
    the servo was part of the request.
    """

    data: ByteArray
    status: ByteArray
    fresh: BoolArray
    rejected: BoolArray
    corrupt: BoolArray
    arrived: BoolArray
    polled: BoolArray
    noise: Noise = NO_NOISE

    def put(self, places: list[int] | IntArray, replies: "Replies") -> None:
        """Copy other replies to these places; their data is cut to the length here, and the noise here stays."""
        self.data[places] = replies.data[:, : self.data.shape[1]]
        for name in ("status", "fresh", "rejected", "corrupt", "arrived", "polled"):
            getattr(self, name)[places] = getattr(replies, name)


def no_replies(count: int, length: int, polled: bool = True) -> Replies:
    """Return the result of a request without any reply."""
    fresh, rejected, corrupt, arrived = np.zeros((4, count), bool)
    data, status = np.zeros((count, length), np.uint8), np.zeros(count, np.uint8)
    return Replies(data, status, fresh, rejected, corrupt, arrived, np.full(count, polled))


def match_replies(received: bytes, ids: Sequence[int], length: int) -> Replies:
    """Assign the received bytes to servos; ``ids`` in the order of the request, ``length`` bytes of data each."""
    if len(received) == len(ids) * (length + OVERHEAD_BYTES) and _is_flawless(received, bytes(ids), length):
        table = np.frombuffer(received, np.uint8).reshape(len(ids), -1)
        yes, no = np.ones(len(ids), bool), np.zeros(len(ids), bool)
        return Replies(table[:, 5:-1], table[:, 4], yes, no, no, yes, yes)
    return _match_packets(received, ids, length)


def strip_echo(received: bytes, request: bytes) -> tuple[bytes, bool]:
    """Return the bytes after our own request, and whether the request is among the received bytes.

    An adapter that echoes returns what was sent before the replies, and perhaps the end of an earlier echo first.
    """
    start = received.find(request)
    return (received, False) if start < 0 else (received[start + len(request) :], True)


def _is_flawless(received: bytes, ids: bytes, length: int) -> bool:
    """Whether these bytes are exactly the expected replies without a rejection; checked column by column."""
    frame, count = length + OVERHEAD_BYTES, len(ids)
    *head, status = (received[column::frame] for column in range(5))
    if head != [_FF * count, _FF * count, ids, bytes((length + 2,)) * count] or any(status.translate(_REJECTION_BITS)):
        return False
    # The bytes from the id to the checksum add up to 255, modulo 256.
    table = np.frombuffer(received, np.uint8).reshape(count, frame)
    sums: bytes = table[:, 2:].sum(axis=1, dtype=np.uint8).tobytes()
    return sums == _FF * count


def _match_packets(received: bytes, ids: Sequence[int], length: int) -> Replies:
    """Assign bytes with errors among them, packet by packet; a slot is a servo's place in the request."""
    slots = {servo_id: slot for slot, servo_id in enumerate(ids)}
    packets, broken = _find_packets(received, slots, length)
    known = [packet for packet in packets if packet.id in slots]
    candidates = [p for p in known if len(p.params) == length or (not p.params and p.code & REJECTION)]
    counted = _longest_rising([slots[packet.id] for packet in candidates])
    in_order = {candidates[i].id: candidates[i] for i in counted}
    repeated = [packet for i, packet in enumerate(candidates) if i not in counted and packet.id in in_order]
    contradicted = {packet.id for packet in repeated if packet != in_order[packet.id]}
    noise = Noise(
        bad_checksums=broken,
        wrong_lengths=len(known) - len(candidates),
        foreign_ids=len(packets) - len(known),
        duplicates=len(repeated),
        out_of_order=len(candidates) - len(counted) - len(repeated),
    )
    replies = no_replies(len(ids), length)
    for servo_id, packet in in_order.items():
        slot = slots[servo_id]
        replies.arrived[slot], replies.status[slot] = True, packet.code
        if packet.code & REJECTION:
            replies.rejected[slot] = True
        elif servo_id in contradicted:
            replies.corrupt[slot] = True
        else:
            replies.fresh[slot] = True
            replies.data[slot] = np.frombuffer(packet.params, np.uint8)
    missing = ~replies.arrived
    spare = len(received) - sum(len(packet.params) + OVERHEAD_BYTES for packet in packets)
    # The senders of the broken bytes are known only when there are enough bytes for all missing replies.
    if spare >= int(missing.sum()) * (length + OVERHEAD_BYTES):
        replies.corrupt[missing] = replies.arrived[missing] = True
    return replace(replies, noise=noise)


def _find_packets(received: bytes, ids: Container[int], length: int) -> tuple[list[Packet], int]:
    """Return all packets in their order, and the number of broken frames.

    Expected replies are searched first, other packets only between them: a length byte that is one too high makes,
    together with the first FF of the next frame, a valid frame that would swallow the next reply.
    """
    parser, packets, size, taken, at = Parser(), [], length + OVERHEAD_BYTES, 0, 0
    while (start := received.find(HEADER, at)) >= 0:
        frame = received[start : start + size]
        at = start + 1
        if len(frame) == size and frame[2] in ids and frame[3] == length + 2 and checksum(frame[2:-1]) == frame[-1]:
            packets += parser.feed(received[taken:start]) + parser.finish()
            packets.append(Packet(frame[2], frame[4], frame[5:-1]))
            taken = at = start + size
    packets += parser.feed(received[taken:]) + parser.finish()
    return packets, parser.bad_checksums


def _longest_rising(slots: list[int]) -> list[int]:
    """Return the indices of the longest strictly rising subsequence; of equally long ones, the last."""
    rising: list[list[int]] = []  # [i]: the longest one that ends with index i
    for i, slot in enumerate(slots):
        before = [earlier for earlier in reversed(rising) if slots[earlier[-1]] < slot]
        rising.append([*max(before, key=len, default=[]), i])
    return max(reversed(rising), key=len, default=[])
