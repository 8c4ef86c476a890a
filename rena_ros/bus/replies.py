"""Which bytes of a SYNC_READ's answer count, and for whom. Pure.

A reply counts only with the right id, length and checksum, and only in its place: servos answer in the
order they were asked, so a reply out of order is an old one that came late (or somebody else's).
"""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from rena_ros.bus.protocol import OVERHEAD_BYTES, Packet, Parser


@dataclass(frozen=True)
class Replies:
    """``data`` uint8 (n, size) and ``status`` uint8 (n,), valid where ``fresh`` (n,).

    ``errors``: how many packets and broken frames did not count.
    """

    data: np.ndarray
    status: np.ndarray
    fresh: np.ndarray
    errors: int = 0


def match_replies(received: bytes, ids: np.ndarray, size: int) -> Replies:
    """Sort the received bytes by servo; ``ids`` (n,) in the order asked, ``size`` bytes of data each.

    ``errors`` counts bad checksums, wrong lengths, foreign ids and replies out of order.
    """
    if len(received) == len(ids) * (size + OVERHEAD_BYTES):
        table = np.frombuffer(received, np.uint8).reshape(len(ids), -1)
        if _flawless(table, ids, size):
            return Replies(table[:, 5:-1], table[:, 4], np.ones(len(ids), bool))
    return _sift(received, ids, size)


def ends_with_reply(received: bytes, servo_id: int, size: int) -> bool:
    """Whether the last bytes are a whole reply of this servo: nothing more will come."""
    tail = received[-(size + OVERHEAD_BYTES) :]
    packets = Parser().feed(tail) if len(tail) == size + OVERHEAD_BYTES else []
    return len(packets) == 1 and packets[0].id == servo_id and len(packets[0].params) == size


def _flawless(table: np.ndarray, ids: np.ndarray, size: int) -> bool:
    sums = table[:, 2:].sum(axis=1, dtype=np.int64)
    return bool(
        (table[:, :2] == 0xFF).all()
        and (table[:, 2] == ids).all()
        and (table[:, 3] == size + 2).all()
        and (sums & 0xFF == 0xFF).all()
    )


def _sift(received: bytes, ids: np.ndarray, size: int) -> Replies:
    parser = Parser()
    packets = parser.feed(received)
    places = {int(servo_id): place for place, servo_id in enumerate(ids)}
    candidates = [packet for packet in packets if packet.id in places and len(packet.params) == size]
    counted = _longest_in_order([places[packet.id] for packet in candidates])
    data, status = np.zeros((len(ids), size), np.uint8), np.zeros(len(ids), np.uint8)
    fresh = np.zeros(len(ids), bool)
    for packet in (candidates[i] for i in counted):
        place = places[packet.id]
        data[place] = np.frombuffer(packet.params, np.uint8)
        status[place] = packet.code
        fresh[place] = True
    errors = parser.bad_checksums + len(packets) - len(counted)
    return Replies(data, status, fresh, errors)


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


def is_reply(packet: Packet, servo_id: int, size: int) -> bool:
    """Whether a packet can be one servo's answer with ``size`` bytes of data."""
    return packet.id == servo_id and len(packet.params) == size
