"""Which bytes of an answer count, and for whom. Pure.

A reply counts only with the right id, length and checksum, and only in its place: servos answer in the
order they were asked, so a reply out of order is an old one that came late (or somebody else's). A servo
that says two different things in one answer has said nothing. Status bits that tell of a condition (hot,
overloaded, ...) leave the payload as it is; any other bit is a rejection and voids it (a rejection may
come without payload).
"""

from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rena_ros.bus.protocol import HEADER, OVERHEAD_BYTES, Packet, Parser, checksum
from rena_ros.bus.registers import Status

REJECTION = 0xFF & ~sum(Status)  # what is left: 16, 64, 128
_REJECTING = bytes(status & REJECTION for status in range(256))
_FF = b"\xff"


@dataclass(frozen=True)
class Noise:
    """How many packets and broken frames of an answer did not count, by why."""

    bad_checksums: int = 0
    wrong_lengths: int = 0
    foreign_ids: int = 0
    duplicates: int = 0
    out_of_order: int = 0


QUIET = Noise()


@dataclass(frozen=True)
class Replies:
    """``data`` uint8 (n, length) and ``status`` uint8 (n,), the data valid where ``fresh`` (n,).

    ``rejected`` (n,): answered with a rejection (``status`` says which). ``garbled`` (n,): its bytes came,
    but not as one valid reply. ``came`` (n,): nothing more is to be expected of it, whether it counts or not.
    ``asked`` (n,): whether it was asked at all.
    """

    data: np.ndarray
    status: np.ndarray
    fresh: np.ndarray
    rejected: np.ndarray
    garbled: np.ndarray
    came: np.ndarray
    asked: np.ndarray
    noise: Noise = QUIET


def nothing(count: int, length: int, asked: bool = True) -> Replies:
    """Nobody has answered."""
    flags = {name: np.zeros(count, bool) for name in ("fresh", "rejected", "garbled", "came")}
    return Replies(np.zeros((count, length), np.uint8), np.zeros(count, np.uint8), **flags, asked=np.full(count, asked))


def match_replies(received: bytes, ids: Sequence[int], length: int) -> Replies:
    """Sort the received bytes by servo; ``ids`` in the order asked, ``length`` bytes of data each."""
    if len(received) == len(ids) * (length + OVERHEAD_BYTES) and _flawless(received, bytes(ids), length):
        table = np.frombuffer(received, np.uint8).reshape(len(ids), -1)
        yes, no = np.ones(len(ids), bool), np.zeros(len(ids), bool)
        return Replies(table[:, 5:-1], table[:, 4], yes, no, no, yes, yes)
    return _Sifted(received, ids, length).replies()


def without_echo(received: bytes, request: bytes) -> tuple[bytes, bool]:
    """What follows our own request in the received bytes, and whether it was found there.

    An adapter that hears itself hands back what was sent before the answers (and perhaps the end of an
    earlier, unanswered request before that).
    """
    start = received.find(request)
    return (received, False) if start < 0 else (received[start + len(request) :], True)


def _flawless(received: bytes, ids: bytes, length: int) -> bool:
    """Whether these are exactly the replies asked for, column by column, and no rejection among them."""
    frame, count = length + OVERHEAD_BYTES, len(ids)
    if (
        received[2::frame] != ids
        or received[3::frame] != bytes((length + 2,)) * count
        or received[0::frame] != _FF * count
        or received[1::frame] != _FF * count
        or any(received[4::frame].translate(_REJECTING))
    ):
        return False
    # Everything from the id on, its checksum included, adds up to 255 in one byte.
    table = np.frombuffer(received, np.uint8).reshape(count, frame)
    return table[:, 2:].sum(axis=1, dtype=np.uint8).tobytes() == _FF * count


@dataclass
class _Sifted:
    """An answer with faults, packet by packet."""

    received: bytes
    ids: Sequence[int]
    length: int
    _packets: list[Packet] = field(init=False)

    def replies(self) -> Replies:
        places = {servo_id: place for place, servo_id in enumerate(self.ids)}
        packets, broken = _packets(self.received, places, self.length)
        known = [packet for packet in packets if packet.id in places]
        candidates = [p for p in known if len(p.params) == self.length or (not p.params and p.code & REJECTION)]
        counted = _longest_in_order([places[packet.id] for packet in candidates])
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
        spare = len(self.received) - sum(len(packet.params) + OVERHEAD_BYTES for packet in packets)
        return self._table(in_order, contradicted, places, spare, noise)

    def _table(self, in_order, contradicted, places, spare: int, noise: Noise) -> Replies:
        replies = nothing(len(self.ids), self.length)
        for servo_id, packet in in_order.items():
            place = places[servo_id]
            replies.came[place], replies.status[place] = True, packet.code
            if packet.code & REJECTION:
                replies.rejected[place] = True
            elif servo_id in contradicted:
                replies.garbled[place] = True
            else:
                replies.fresh[place] = True
                replies.data[place] = np.frombuffer(packet.params, np.uint8)
        missing = ~replies.came
        # Only when as many bytes came as all the missing replies have is it known whose they were.
        if spare >= int(missing.sum()) * (self.length + OVERHEAD_BYTES):
            replies.garbled[missing] = replies.came[missing] = True
        return replace(replies, noise=noise)


def _packets(received: bytes, ids: Container[int], length: int) -> tuple[list[Packet], int]:
    """All packets in their order, and how many frames were broken.

    The replies that are expected are looked for first and everything else in between: a length byte that reads
    one too many, followed by the next frame's FF, is a valid frame that would take the next one with it.
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


def _longest_in_order(places: list[int]) -> list[int]:
    """Indices of the longest strictly rising run-with-gaps of ``places``; of equals, the later one."""
    tops: list[int] = []  # tops[k]: lowest place that ends a rising choice of k + 1
    ends: list[int] = []  # its index in places
    before: list[int] = []
    for i, place in enumerate(places):
        k = bisect_left(tops, place)
        before.append(ends[k - 1] if k else -1)
        tops[k : k + 1], ends[k : k + 1] = [place], [i]
    chosen, i = [], ends[-1] if ends else -1
    while i >= 0:
        chosen.append(i)
        i = before[i]
    return chosen[::-1]
