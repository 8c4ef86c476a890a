"""Which sample is next: the plan of a session, what of it is done, and what a rejected try means for the next one."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rena_ros.base.errors import RenaError
from rena_ros.recording.marker import ACCEPTED
from rena_ros.strategy.expert import Expression

NO_FACE, NOT_SETTLED, MOVING, NO_STATE, LATE = "no face", "not settled", "moving", "no state", "late"
FAULT, STOPPED = "fault", "stopped"
SETTLE_TRIES = 2  # of one expression; then another replaces it


@dataclass(frozen=True)
class Task:
    """One expression to show: sample ``index`` of the plan; ``attempt``: how many expressions were replaced before."""

    index: int
    attempt: int
    expression: Expression


class Worklist:
    """The samples of a session in their order. No clock: times are given, in seconds.

    An accepted sample is done, or where it ``confirms``, done once it is stored; one that is never confirmed comes
    again after all others.
    """

    def __init__(
        self,
        plan: Sequence[Expression],
        replacement: Callable[[int, int], Expression],
        todo: Iterable[int],
        confirm: bool = False,
    ) -> None:
        """``replacement(index, attempt)``: the expression that replaces one; ``todo``: indices, in their order."""
        self._plan, self._replacement, self.confirms = plan, replacement, confirm
        self._todo = deque(todo)
        self._attempts: dict[int, int] = {}  # of samples of which an expression was replaced
        self._unsettled = 0  # tries of the present expression that did not settle
        self._waiting: dict[int, float] = {}  # accepted, not confirmed: when accepted
        self._given_up: set[int] = set()  # of those that are to do: accepted before, never confirmed
        self._confirmed_s = float("-inf")
        self._done: set[int] = set()
        self.samples = len(self._todo)

    @property
    def done(self) -> int:
        """How many samples are done."""
        return len(self._done)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do or to confirm."""
        return not self._todo and not self._waiting

    def next(self) -> Task | None:
        """Return what to show next; the same until it is judged. None: nothing is left, but for confirmations."""
        if not self._todo:
            return None
        index = self._todo[0]
        attempt = self._attempts.get(index, 0)
        return Task(index, attempt, self._replacement(index, attempt) if attempt else self._plan[index])

    def judge(self, verdict: str, now_s: float) -> None:
        """Note the verdict on the present try: it is accepted, or comes again, perhaps with another expression."""
        index = self._todo[0]
        self._unsettled += verdict == NOT_SETTLED
        if verdict == ACCEPTED:
            self._todo.popleft()
            self._given_up.discard(index)
            if self.confirms:
                self._waiting[index] = now_s
            else:
                self._done.add(index)
        elif verdict == NO_FACE or self._unsettled >= SETTLE_TRIES:
            self._attempts[index] = self._attempts.get(index, 0) + 1
        else:
            return
        self._unsettled = 0

    def confirm(self, index: int, now_s: float) -> None:
        """Note that a sample is stored: one that waits, or was given up meanwhile; not the one that is being tried."""
        if index in self._waiting:
            del self._waiting[index]
        elif index in self._given_up:
            self._todo.remove(index)
        else:
            return
        self._given_up.discard(index)
        self._confirmed_s = now_s
        self._done.add(index)

    def unconfirmed_s(self, now_s: float) -> float:
        """Return for how long a sample has waited without any being confirmed, s; 0: none waits."""
        first_s = min(self._waiting.values(), default=now_s)
        return max(0.0, now_s - max(first_s, self._confirmed_s)) if self._waiting else 0.0

    def give_up_waiting(self) -> None:
        """Put the samples that wait for confirmation at the end."""
        self._todo.extend(self._waiting)
        self._given_up.update(self._waiting)
        self._waiting.clear()


def parse_todo(text: str, samples: int) -> list[int]:
    """Return the indices, ascending, that a text such as "57,103-8999" names; "": all. Raises RenaError."""
    if not text.strip():
        return list(range(samples))
    indices: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise RenaError(f"todo {text!r} names no samples: write numbers and ranges, such as 57,103-8999")
        span = range(int(first), int(last if dash else first) + 1)
        if not span or span[-1] >= samples:
            raise RenaError(f"todo: {part.strip()} is not among the samples 0-{samples - 1}")
        indices.update(span)
    return sorted(indices)
