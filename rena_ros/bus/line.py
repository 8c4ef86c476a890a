"""One request, one answer, on one port; knows no robot.

Before each request the receive buffer is emptied. A reply counts only with the right id, length and
checksum (see ``replies``) and before a deadline made of the wire time, the return delays and a margin; one
that comes later has a length that nobody asks for any more (see ``lengths``). What did not count is counted.
An acknowledgement has no length to choose, so it proves nothing: who must know what was written reads it back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from rena_ros.bus import protocol
from rena_ros.bus.late_replies import LateReplyGuard
from rena_ros.bus.port import Port
from rena_ros.bus.protocol import HEADER, OVERHEAD_BYTES, Packet, Parser, wire_time_s
from rena_ros.bus.replies import QUIET, REJECTION, Noise, Replies, match_replies, nothing, without_echo

SLOWEST_RETURN_DELAY_S = 250 * 2e-6  # the factory's setting
_CALMING = 0.9  # how fast one answer that came unusually late is forgotten
_NOISES = tuple(field.name for field in fields(Noise))
_COLUMNS = ("data", "status", "fresh", "rejected", "garbled", "came", "asked")
_sync_read = lru_cache(maxsize=256)(protocol.sync_read)  # the same few again and again


@dataclass
class LineCounters:
    """What has happened on the line since it was opened.

    ``unanswered``: answers that did not come, one for each servo asked; ``echoes``: requests that came back
    to us; ``discarded_bytes``: what lay in the receive buffer when a request was made; ``wire_s``: time in
    which bytes were on the wire.
    """

    requests: int = 0
    retries: int = 0
    unanswered: int = 0
    bad_checksums: int = 0
    wrong_lengths: int = 0
    foreign_ids: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    echoes: int = 0
    rejected: int = 0
    discarded_bytes: int = 0
    wire_s: float = 0.0

    @property
    def reply_errors(self) -> int:
        """Packets and broken frames that did not count."""
        return sum(getattr(self, name) for name in _NOISES)


class Line:
    """See the module. Raises PortLost from every method once the port has vanished."""

    def __init__(
        self, port: Port, *, retries: int = 2, margin_s: float = 0.012, counters: LineCounters | None = None
    ) -> None:
        """``retries``: how often a single request is repeated; ``margin_s``: patience beyond the computed
        end of an answer, for the operating system and USB.
        """
        self.port = port
        self.counters = LineCounters() if counters is None else counters
        self.failure = ""  # why the last single request got no answer that counts; empty when it got one
        self._retries, self._margin_s = retries, margin_s
        self._late_s: float | None = None  # how long after the computed end answers have come lately
        self._lengths = LateReplyGuard()
        self._absent: frozenset[int] = frozenset()  # who did not answer the last time everybody was asked

    @property
    def short_margin_s(self) -> float:
        """Patience with a servo that is probably not there: enough for answers as they come on this computer and
        adapter, s.
        """
        return self._margin_s if self._late_s is None else min(self._margin_s, 2 * self._late_s + 0.002)

    def read(
        self, servo_id: int, address: int, size: int, *, retries: int | None = None, margin_s: float | None = None
    ) -> Packet | None:
        """One servo's registers, ``size`` bytes; None when no try got an answer (``failure`` says why).

        A condition in the status byte (``Packet.code``) is the caller's to look at; a rejection is no answer.
        """
        self.failure = ""
        for attempt in range(self._tries(retries)):
            self.counters.retries += attempt > 0
            length, usable = self._lengths.choose((servo_id,), size, self.port.now())
            if usable is not None:
                self.failure = "does not answer"
                break  # a dozen answers of this servo are outstanding: it has had its chances for now
            answer = self._ask(servo_id, protocol.read(servo_id, address, length), length, margin_s)
            if answer is not None and not answer.code & REJECTION:
                return Packet(servo_id, answer.code, answer.params[:size])
        return None

    def write(
        self, servo_id: int, address: int, data: bytes, *, retries: int | None = None, margin_s: float | None = None
    ) -> Packet | None:
        """Write one servo's registers; its acknowledgement, or None when no try got one (``failure`` says why).

        An acknowledgement may be a rejection (``Packet.code``).
        """
        request, answer, self.failure = protocol.write(servo_id, address, data), None, ""
        for attempt in range(self._tries(retries)):
            self.counters.retries += attempt > 0
            answer = self._ask(servo_id, request, 0, margin_s)
            if answer is not None and not answer.code & REJECTION:
                break
        return answer

    def sync_write(self, ids: Sequence[int], address: int, rows: np.ndarray) -> float:
        """Write rows, uint8 (n, size), to n servos; unanswered. Returns when the last byte is on the wire."""
        frame = protocol.sync_write(ids, address, rows)
        self.counters.requests += 1
        self.counters.wire_s += wire_time_s(len(frame), self.port.baud)
        return self.port.write(frame)

    def sync_read(self, ids: Sequence[int], address: int, size: int, return_delays_s: np.ndarray) -> Replies:
        """Ask n servos for ``size`` bytes each; once, without retries.

        Replies in the order of ``ids``, data uint8 (n, size); ``return_delays_s`` (n,): what is known of them.
        Who did not answer the last time is asked first, so that nobody waits for it.
        A servo that could not be asked, because no length of answer is free for it, is neither fresh nor missing.
        """
        ids, absent = tuple(ids), self._absent
        replies, self._absent = self._round(ids, address, size, return_delays_s, absent)
        left = np.flatnonzero(~replies.asked)
        if 0 < left.size < len(ids):  # many answers are outstanding: the others need another length
            more, missing = self._round(tuple(ids[i] for i in left), address, size, return_delays_s[left], absent)
            for name in _COLUMNS:
                getattr(replies, name)[left] = getattr(more, name)
            self._absent |= missing
        return replies

    def read_all_replies(
        self, servo_id: int, address: int, size: int, *, margin_s: float | None = None
    ) -> tuple[list[Packet], bool]:
        """All answers to one READ, waited for until the deadline, and whether anything else came (garbage,
        rejections). More than one answer, or garbage, means that several servos have this id.
        """
        length, _ = self._lengths.choose((servo_id,), size, self.port.now())
        request = protocol.read(servo_id, address, length)
        received = self._send(request, length, 0.0, SLOWEST_RETURN_DELAY_S + self._margin(margin_s), _never)
        parser = Parser()
        packets = [
            packet
            for packet in parser.feed(received) + parser.finish()
            if packet.id == servo_id and len(packet.params) == length and not packet.code & REJECTION
        ]
        if not packets:
            self._lengths.missing((servo_id,), length, self.port.now())
        garbage = len(received) != len(packets) * (length + OVERHEAD_BYTES)
        return [Packet(p.id, p.code, p.params[:size]) for p in packets], garbage

    def close(self) -> None:
        """Give the port back."""
        self.port.close()

    def _round(
        self, ids: tuple[int, ...], address: int, size: int, return_delays_s: np.ndarray, absent: frozenset[int]
    ) -> tuple[Replies, frozenset[int]]:
        """Ask all those for whom one length of answer is free; their replies, and who did not answer."""
        length, usable = self._lengths.choose(ids, size, self.port.now())
        order, asked, awaited = None, ids, None
        if absent or usable is not None:
            order = [i for i in range(len(ids)) if usable is None or usable[i]]
            order.sort(key=lambda i: ids[i] not in absent)
            if not order:
                return nothing(len(ids), size, asked=False), frozenset()
            asked = tuple(ids[i] for i in order)
            awaited = np.array([servo_id not in absent for servo_id in asked])
        replies = self._exchange(
            _sync_read(asked, address, length),
            asked,
            length,
            delay_s=float(return_delays_s.sum()),
            margin_s=self._margin_s,
            awaited=awaited if awaited is not None and awaited.any() else None,
        )
        missing = frozenset(() if replies.came.all() else (asked[i] for i in np.flatnonzero(~replies.came)))
        return _placed(replies, order, len(ids), size), missing

    def _tries(self, retries: int | None) -> int:
        return 1 + (self._retries if retries is None else retries)

    def _margin(self, margin_s: float | None) -> float:
        return self._margin_s if margin_s is None else margin_s

    def _ask(self, servo_id: int, request: bytes, length: int, margin_s: float | None) -> Packet | None:
        """One servo's answer, rejections included."""
        margin_s = SLOWEST_RETURN_DELAY_S + self._margin(margin_s)
        replies = self._exchange(request, (servo_id,), length, 0.0, margin_s, None)
        if replies.rejected[0]:
            self.failure = f"rejects the request (status {replies.status[0]})"
        elif replies.fresh[0]:
            self.failure = ""
        else:
            self.failure = "answers, but garbled" if replies.came[0] or replies.noise != QUIET else "does not answer"
            return None
        return Packet(servo_id, int(replies.status[0]), replies.data[0].tobytes())

    def _exchange(
        self,
        request: bytes,
        asked: tuple[int, ...],
        length: int,
        delay_s: float,
        margin_s: float,
        awaited: np.ndarray | None,
    ) -> Replies:
        """Send a request and collect its answers until those awaited (None: all) have come, or the last of them
        after most others: servos answer in turn, so who is missing then was passed over.
        """
        frame = length + OVERHEAD_BYTES
        enough = frame * (len(asked) if awaited is None else int(awaited.sum()))
        last = HEADER + bytes((asked[-1], length + 2))
        matched: tuple[bytes, Replies] | None = None

        def complete(received: bytes) -> bool:
            nonlocal matched
            at_its_end = received.startswith(last, len(received) - frame)
            if len(received) < enough and not at_its_end:
                return False
            matched = received, match_replies(received, asked, length)
            came = matched[1].came
            if at_its_end and came[-1] and 2 * np.count_nonzero(came) > len(came):
                return True
            return bool(came.all() if awaited is None else came[awaited].all())

        received = self._send(request, length * len(asked), delay_s, margin_s, complete, len(asked))
        replies = matched[1] if matched and matched[0] == received else match_replies(received, asked, length)
        self._count(replies, asked, length)
        return replies

    def _send(
        self,
        request: bytes,
        payload_bytes: int,
        delay_s: float,
        margin_s: float,
        complete: Callable[[bytes], bool],
        replies: int = 1,
    ) -> bytes:
        """Send a request; what came back, without our echo."""
        port, counters = self.port, self.counters
        counters.requests += 1
        counters.discarded_bytes += port.discard_input()
        sent_s = port.write(request)
        answer_s = wire_time_s(payload_bytes + replies * OVERHEAD_BYTES, port.baud)
        expected_s = sent_s + answer_s + delay_s
        came_s: float | None = None

        def whole(received: bytes) -> bool:
            nonlocal came_s
            came_s = port.now() if complete(without_echo(received, request)[0]) else None
            return came_s is not None

        received = port.read(expected_s, expected_s + margin_s, whole)
        if came_s is not None:
            self._late_s = max(came_s - expected_s, (self._late_s or 0.0) * _CALMING)
        answer, echoed = without_echo(received, request)
        counters.echoes += echoed
        counters.wire_s += wire_time_s(len(request) + len(answer), port.baud)
        return answer

    def _count(self, replies: Replies, asked: tuple[int, ...], length: int) -> None:
        if replies.noise is not QUIET:
            for name in _NOISES:
                setattr(self.counters, name, getattr(self.counters, name) + getattr(replies.noise, name))
        if replies.fresh.all():
            return
        self.counters.rejected += int(replies.rejected.sum())
        missing = [asked[i] for i in np.flatnonzero(~replies.came)]
        self.counters.unanswered += len(missing)
        self._lengths.missing(missing, length, self.port.now())


def _never(_received: bytes) -> bool:
    return False


def _placed(replies: Replies, order: list[int] | None, count: int, size: int) -> Replies:
    """Replies in the order asked -> in places 0..count - 1, data cut to ``size``."""
    if order is None:
        return replies if replies.data.shape[1] == size else replace(replies, data=replies.data[:, :size])
    placed = nothing(count, size, asked=False)
    placed.data[order] = replies.data[:, :size]
    for name in _COLUMNS[1:]:
        getattr(placed, name)[order] = getattr(replies, name)
    return replace(placed, noise=replies.noise)
