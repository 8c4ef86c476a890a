"""One request and its replies on one port; does not know the robot.

Before each request the input buffer is emptied. A reply counts only with the expected id, length and checksum (see
``replies``) and only before a deadline, which is the wire time plus the return delays plus a margin. A late reply
cannot pass for a new one, because the requests after it ask for another length (see ``late_replies``); only an
acknowledgement can, since its length is fixed: to be certain, read the register back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from rena_ros.base.arrays import BoolArray, ByteArray, FloatArray
from rena_ros.bus import protocol
from rena_ros.bus.late_replies import LateReplyGuard
from rena_ros.bus.port import Port
from rena_ros.bus.protocol import HEADER, OVERHEAD_BYTES, Packet, Parser, wire_time_s
from rena_ros.bus.registers import REGISTERS, RETURN_DELAY_COUNT_S
from rena_ros.bus.replies import NO_NOISE, REJECTION, Noise, Replies, match_replies, no_replies, strip_echo

FACTORY_RETURN_DELAY_S = REGISTERS["return_delay"].default * RETURN_DELAY_COUNT_S
_LATENESS_DECAY = 0.9  # per reply; how fast one unusually late reply is forgotten
_NOISE_FIELDS = tuple(field.name for field in fields(Noise))
Ids = tuple[int, ...]
Complete = Callable[[bytes], bool]  # whether the bytes received so far are all replies that are awaited
_sync_read = lru_cache(maxsize=256)(protocol.sync_read)  # the same few requests are sent again and again


@dataclass
class BusCounters:
    """What has happened on the line since it was opened.

    ``unanswered``: missed replies, one for each servo; ``rejected``: rejections, which are no ``reply_errors``;
    ``echoes``: requests that the adapter returned; ``discarded_bytes``: bytes in the input buffer before a request;
    ``wire_s``: time with bytes on the wire. Counted by ``Bus``: ``sync_writes``: writes of goals; ``reads``: reads of
    all states; ``stale_readings``: states in them that were not fresh; ``cycle_s``: how long the last of them took.
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
    sync_writes: int = 0
    reads: int = 0
    stale_readings: int = 0
    cycle_s: float = 0.0

    @property
    def reply_errors(self) -> int:
        """Packets and broken frames that did not count, by the reasons of ``Noise``."""
        return sum(getattr(self, name) for name in _NOISE_FIELDS)


class Line:
    """Requests to servos by id. Every method that uses the wire raises PortLost once the port has vanished."""

    def __init__(self, port: Port, *, retries: int = 2, margin_s: float = 0.012) -> None:
        """Use an open port.

        ``retries``: how often a request to a single servo is repeated; ``margin_s``: how much longer than computed a
        reply may take, for the operating system and USB.
        """
        self.port = port
        self.counters = BusCounters()
        self.last_byte_s = port.now()  # when the last bytes of the newest exchange came; without a reply: were sent
        self.failure = ""  # why the last request to a single servo got no reply that counts, as in "jaw does not reply"
        self._retries, self._margin_s = retries, margin_s
        self._lateness_s: float | None = None  # how much later than computed replies have come recently
        self._late_replies = LateReplyGuard()
        self._missed_last: frozenset[int] = frozenset()  # ids that did not reply to their last request

    @property
    def short_margin_s(self) -> float:
        """Margin, s, for a servo that is probably absent: twice the recent lateness of replies, plus 2 ms."""
        return self._margin_s if self._lateness_s is None else min(self._margin_s, 2 * self._lateness_s + 0.002)

    def read(
        self, servo_id: int, address: int, size: int, *, retries: int | None = None, margin_s: float | None = None
    ) -> Packet | None:
        """Read ``size`` bytes of one servo; None when no try got a reply (``failure`` says why).

        A reply with conditions in its status byte (``Packet.code``) is returned; a rejection is not.
        """
        self.failure = ""
        for attempt in range(self._tries(retries)):
            self.counters.retries += attempt > 0
            length, free = self._late_replies.choose_length((servo_id,), size, self.port.now())
            if free is not None:  # no length is free: a dozen replies are missing, so the servo has had enough tries
                self.failure = "does not reply"
                break
            reply = self._exchange_one(servo_id, protocol.read(servo_id, address, length), length, margin_s)
            if reply is not None and not reply.code & REJECTION:
                return Packet(servo_id, reply.code, reply.params[:size])
        return None

    def write(
        self, servo_id: int, address: int, data: bytes, *, retries: int | None = None, margin_s: float | None = None
    ) -> Packet | None:
        """Write registers of one servo; returns its acknowledgement, or None when no try got one (see ``failure``).

        An acknowledgement may be a rejection (``Packet.code``).
        """
        request, reply, self.failure = protocol.write(servo_id, address, data), None, ""
        for attempt in range(self._tries(retries)):
            self.counters.retries += attempt > 0
            reply = self._exchange_one(servo_id, request, 0, margin_s)
            if reply is not None and not reply.code & REJECTION:
                break
        return reply

    def sync_write(self, ids: Sequence[int], address: int, rows: ByteArray) -> float:
        """Write one row each, uint8 (n, size), to n servos; returns the time at which the last byte is on the wire."""
        frame = protocol.sync_write(ids, address, rows)
        self.counters.requests += 1
        self.counters.wire_s += wire_time_s(len(frame), self.port.baud)
        return self.port.write(frame)

    def sync_read(self, ids: Sequence[int], address: int, size: int, return_delays_s: FloatArray) -> Replies:
        """Read ``size`` bytes of each of n servos with one request, without retries.

        ``return_delays_s`` (n,): the known return delays. Replies are in the order of ``ids``, data uint8 (n, size).
        Servos that missed their last request come first: once a later servo has replied, they cannot reply any more,
        so the read can end without them. When no length is free for all servos (see ``late_replies``), a second request
        polls the others. A servo for which none is free is not ``polled``: neither fresh nor missing.
        """
        ids, missed_last = tuple(ids), self._missed_last
        replies = self._sync_read_once(ids, address, size, return_delays_s, missed_last)
        rest = np.flatnonzero(~replies.polled)
        if 0 < rest.size < len(ids):
            rest_ids = tuple(ids[i] for i in rest)
            replies.put(rest, self._sync_read_once(rest_ids, address, size, return_delays_s[rest], missed_last))
        return replies

    def read_all_replies(
        self, servo_id: int, address: int, size: int, *, margin_s: float | None = None
    ) -> tuple[list[Packet], bool]:
        """Send one READ and return all its replies until the deadline, and whether any other bytes came.

        Several replies, or other bytes (garbage, rejections), suggest that several servos have this id.
        """
        length, _ = self._late_replies.choose_length((servo_id,), size, self.port.now())
        request = protocol.read(servo_id, address, length)
        frame = length + OVERHEAD_BYTES
        received = self._transfer(request, frame, 0.0, self._allowance_s(margin_s), lambda _received: False)
        parser = Parser()
        found = [p for p in parser.feed(received) + parser.finish() if p.id == servo_id and len(p.params) == length]
        packets = [Packet(p.id, p.code, p.params[:size]) for p in found if not p.code & REJECTION]
        if not packets:
            self._late_replies.expect_late((servo_id,), length, self.port.now())
        return packets, len(received) != len(packets) * frame

    def close(self) -> None:
        """Release the port."""
        self.port.close()

    def _sync_read_once(
        self, ids: Ids, address: int, size: int, return_delays_s: FloatArray, missed_last: frozenset[int]
    ) -> Replies:
        """Poll the servos for which the chosen length is free, those that missed last first; return the replies of all.

        Afterwards ``_missed_last`` holds those of them that miss now.
        """
        length, free = self._late_replies.choose_length(ids, size, self.port.now())
        order, polled, awaited = list(range(len(ids))), ids, None  # awaited None: all
        if missed_last or free is not None:
            order = [i for i in order if free is None or free[i]]
            order.sort(key=lambda i: ids[i] not in missed_last)
            polled = tuple(ids[i] for i in order)
            if not missed_last.issuperset(polled):
                awaited = np.array([servo_id not in missed_last for servo_id in polled])
        if not polled:
            return no_replies(len(ids), size, polled=False)
        request, delay_s = _sync_read(polled, address, length), float(return_delays_s.sum())
        replies = self._exchange(request, polled, length, delay_s, self._margin_s, awaited)
        if self._missed_last or not replies.arrived.all():
            self._missed_last -= {polled[i] for i in np.flatnonzero(replies.arrived)}
            self._missed_last |= {polled[i] for i in np.flatnonzero(~replies.arrived)}
        if polled == ids and length == size:
            return replies
        placed = no_replies(len(ids), size, polled=False)
        placed.put(order, replies)
        return replace(placed, noise=replies.noise)

    def _tries(self, retries: int | None) -> int:
        return 1 + (self._retries if retries is None else retries)

    def _allowance_s(self, margin_s: float | None) -> float:
        return FACTORY_RETURN_DELAY_S + (self._margin_s if margin_s is None else margin_s)

    def _exchange_one(self, servo_id: int, request: bytes, length: int, margin_s: float | None) -> Packet | None:
        """Send a request to one servo and return its reply, which may be a rejection; sets ``failure``."""
        replies = self._exchange(request, (servo_id,), length, 0.0, self._allowance_s(margin_s), None)
        if replies.arrived[0]:
            self._missed_last -= {servo_id}
        if replies.rejected[0]:
            self.failure = f"rejects the request (status {replies.status[0]})"
        elif replies.fresh[0]:
            self.failure = ""
        else:
            something_came = replies.arrived[0] or replies.noise != NO_NOISE
            self.failure = "does not send a valid reply (other bytes came)" if something_came else "does not reply"
            return None
        return Packet(servo_id, int(replies.status[0]), replies.data[0].tobytes())

    def _exchange(
        self, request: bytes, polled: Ids, length: int, delay_s: float, allowance_s: float, awaited: BoolArray | None
    ) -> Replies:
        """Send a request and collect its replies.

        Ends early when all ``awaited`` replies (None: all) have arrived, valid or not, or when the last servo polled
        has replied and more than half of all have: servos reply in order, so a servo still missing then will not.
        """
        frame = length + OVERHEAD_BYTES
        enough_bytes = frame * (len(polled) if awaited is None else int(awaited.sum()))
        last_reply_start = HEADER + bytes((polled[-1], length + 2))
        matched: tuple[bytes, Replies] | None = None

        def complete(received: bytes) -> bool:
            nonlocal matched
            ends_with_last = received.startswith(last_reply_start, len(received) - frame)
            if len(received) < enough_bytes and not ends_with_last:
                return False
            matched = received, match_replies(received, polled, length)
            arrived = matched[1].arrived
            if ends_with_last and arrived[-1] and 2 * np.count_nonzero(arrived) > len(arrived):
                return True
            return bool(arrived.all() if awaited is None else arrived[awaited].all())

        received = self._transfer(request, frame * len(polled), delay_s, allowance_s, complete)
        replies = matched[1] if matched and matched[0] == received else match_replies(received, polled, length)
        self._count_errors(replies, polled, length)
        return replies

    def _transfer(
        self, request: bytes, expected_bytes: int, delay_s: float, allowance_s: float, complete: Complete
    ) -> bytes:
        """Send a request; return the bytes received until ``allowance_s`` after the expected time, without our echo."""
        port, counters = self.port, self.counters
        counters.requests += 1
        counters.discarded_bytes += port.discard_input()
        sent_s = self.last_byte_s = port.write(request)
        expected_s = sent_s + wire_time_s(expected_bytes, port.baud) + delay_s
        complete_s: float | None = None

        def complete_without_echo(received: bytes) -> bool:
            nonlocal complete_s
            self.last_byte_s = port.now()
            complete_s = self.last_byte_s if complete(strip_echo(received, request)[0]) else None
            return complete_s is not None

        received = port.read(expected_s, expected_s + allowance_s, complete_without_echo)
        if complete_s is not None:
            self._lateness_s = max(complete_s - expected_s, (self._lateness_s or 0.0) * _LATENESS_DECAY)
        reply_bytes, echoed = strip_echo(received, request)
        counters.echoes += echoed
        counters.wire_s += wire_time_s(len(request) + len(reply_bytes), port.baud)
        return reply_bytes

    def _count_errors(self, replies: Replies, polled: Ids, length: int) -> None:
        if replies.noise is not NO_NOISE:
            for name in _NOISE_FIELDS:
                setattr(self.counters, name, getattr(self.counters, name) + getattr(replies.noise, name))
        if replies.fresh.all():
            return
        self.counters.rejected += int(replies.rejected.sum())
        missing = [polled[i] for i in np.flatnonzero(~replies.arrived)]
        self.counters.unanswered += len(missing)
        self._late_replies.expect_late(missing, length, self.port.now())
