"""Every goal that crossed the wire, as sent: in memory, and as a table in a file (CSV)."""

import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rena_ros.base.arrays import IntArray
from rena_ros.base.errors import RenaError
from rena_ros.bus import protocol
from rena_ros.bus.protocol import BROADCAST_ID, Instruction, Packet, from_words
from rena_ros.bus.registers import REGISTERS

NOT_COMMANDED = -1
_GOAL = REGISTERS["goal_position"].address


@dataclass(frozen=True)
class GoalFrame:
    """The goals of one frame as sent: before a servo clamps them, and before ACTION applies those of a REG_WRITE."""

    time_s: float  # when the frame ended, in virtual time
    frame: bytes
    ticks: IntArray  # int64 (n,), NOT_COMMANDED without a goal


class GoalLog:
    """The newest ``limit`` frames with goals, in ``frames``; ``count``: of all so far.

    All of them go to the file ``path``, if given: a column of seconds, then one column of ticks for each servo, empty
    where the servo was not commanded. Raises RenaError when the file cannot be made.
    """

    def __init__(self, names: Sequence[str], path: Path | None = None, limit: int = 100_000) -> None:
        self.frames: deque[GoalFrame] = deque(maxlen=limit)
        self.count = 0
        self._names = tuple(names)
        self._file = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(path, "w", buffering=1, encoding="utf-8")  # noqa: SIM115 (closed by close; by lines: killed, it is whole)
                self._file.write(",".join(("time_s", *self._names)) + "\n")
            except OSError as error:
                raise RenaError(f"cannot write the goals to {path}: {error.strerror}") from error

    def take(self) -> list[GoalFrame]:
        """Return the kept frames and drop them from the log."""
        taken = list(self.frames)
        self.frames.clear()
        return taken

    def record(self, time_s: float, packet: Packet, by_id: IntArray) -> None:
        """Log the goals of a request, if it has any; ``by_id`` int (256,): index of the servo with an id, -1: none."""
        named = _named_goals(packet)
        if named is None:
            return
        ids, ticks = named
        goals = np.full(len(self._names), NOT_COMMANDED)
        which = by_id[ids]
        goals[which[which >= 0]] = ticks[which >= 0]
        if ids[-1] == BROADCAST_ID:
            goals[by_id[by_id >= 0]] = ticks[-1]
        self.count += 1
        self.frames.append(GoalFrame(time_s, protocol.encode(packet), goals))
        if self._file is not None:
            cells = ("" if tick == NOT_COMMANDED else str(tick) for tick in goals.tolist())
            with contextlib.suppress(OSError):  # a full disk does not stop the servos
                self._file.write(f"{time_s:.6f},{','.join(cells)}\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _named_goals(packet: Packet) -> tuple[IntArray, IntArray] | None:
    """Return the ids (k,) that a request sends goals to and their ticks (k,); None for a request without goals."""
    params = packet.params
    if packet.code == Instruction.SYNC_WRITE and len(params) > 2:
        at, row = _GOAL - params[0], params[1] + 1
        if not 0 <= at <= params[1] - 2 or (len(params) - 2) % row:
            return None
        table = np.frombuffer(params[2:], np.uint8).reshape(-1, row)
        return table[:, 0], from_words(table[:, at + 1 : at + 3], 15)
    if packet.code in (Instruction.WRITE, Instruction.REG_WRITE) and len(params) > 2:
        at = 1 + _GOAL - params[0]
        if 1 <= at <= len(params) - 2:
            return np.array([packet.id]), from_words(np.frombuffer(params[at : at + 2], np.uint8).reshape(1, 2), 15)
    return None
