"""The timing of a half-duplex wire: when the bytes of replies arrive at the client. No I/O, no clock."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from rena_ros.bus.protocol import BITS_PER_BYTE, wire_time_s

BURST_S = 0.001  # a USB adapter hands on what came in the last millisecond


@dataclass(frozen=True)
class TimedReply:
    """One servo's reply frame."""

    delay_s: float  # after the end of the frame before it
    frame: bytes
    late_s: float = 0.0  # it alone arrives that much later; the frames after it do not wait
    servo: int = -1  # index of its sender


class Wire:
    """Carries requests and replies one after another at ``baud`` and delivers replies in bursts."""

    def __init__(self, baud: int) -> None:
        self.baud = baud
        self.collisions = 0  # requests that began while servos were still replying
        self._free_s = 0.0
        self._replies_end_s = 0.0
        self._due: list[tuple[float, int, bytes]] = []  # a heap; the number keeps what is due at once in order
        self._number = 0

    def request(self, size: int, now_s: float) -> float:
        """Carry a request of ``size`` bytes now, or once the wire is free; return when its last byte ends."""
        self.collisions += now_s < self._replies_end_s
        self._free_s = max(now_s, self._free_s) + wire_time_s(size, self.baud)
        return self._free_s

    def echo(self, request: bytes) -> None:
        """Deliver the request to its own sender, as some adapters do."""
        self._queue(self._free_s, request)

    def queue_replies(self, replies: Sequence[TimedReply]) -> None:
        """Queue replies, one after another, gathered into bursts."""
        burst, begun_s = b"", 0.0
        for reply in replies:
            if reply.late_s:
                alone_s = reply.delay_s + wire_time_s(len(reply.frame), self.baud)
                self._queue(self._free_s + alone_s + reply.late_s, reply.frame)
                continue
            if burst and reply.delay_s > BURST_S:
                self._queue(self._free_s, burst)
                burst = b""
            if not burst:
                begun_s = self._free_s
            self._free_s += reply.delay_s + wire_time_s(len(reply.frame), self.baud)
            self._replies_end_s = self._free_s
            burst += reply.frame
            if self._free_s - begun_s > BURST_S:
                self._queue(self._free_s, burst)
                burst = b""
        if burst:
            self._queue(self._free_s, burst)

    def arrived(self, now_s: float) -> bytes:
        """Take the bytes that have arrived by now."""
        data = b""
        while self._due and self._due[0][0] <= now_s:
            data += heapq.heappop(self._due)[2]
        return data

    def next_s(self) -> float:
        """Return when the next burst arrives; inf: nothing is on its way."""
        return self._due[0][0] if self._due else inf

    def cut(self) -> None:
        """Drop what is on its way, as a pulled cable does."""
        self._due.clear()
        self._replies_end_s = 0.0

    def _queue(self, due_s: float, data: bytes) -> None:
        heapq.heappush(self._due, (due_s, self._number, data))
        self._number += 1


def superimpose(frames: Sequence[bytes], offsets: Sequence[int]) -> bytes:
    """Return what a receiver reads when frames overlap, each beginning ``offsets`` bit times after the first.

    The line is low while any sender pulls it low, so levels are ANDed bit by bit: a start bit 0, eight data bits,
    lowest first, a stop bit 1. They are read as a UART does, from each falling edge on. A byte whose stop bit is low
    reads as 0, as Linux hands it on.
    """
    length = max(offset + len(frame) * BITS_PER_BYTE for frame, offset in zip(frames, offsets, strict=True))
    line = [1] * length
    for frame, offset in zip(frames, offsets, strict=True):
        bits = [bit for byte in frame for bit in (0, *((byte >> k) & 1 for k in range(8)), 1)]
        for k, bit in enumerate(bits):
            line[offset + k] &= bit
    read, at = bytearray(), 0
    while at + BITS_PER_BYTE <= length:
        if line[at]:
            at += 1
            continue
        byte = sum(bit << k for k, bit in enumerate(line[at + 1 : at + 9]))
        read.append(byte if line[at + 9] else 0)
        at += BITS_PER_BYTE
        while at < length and not line[at - 1] and not line[at]:
            at += 1  # after a broken byte the next falling edge counts
    return bytes(read)
