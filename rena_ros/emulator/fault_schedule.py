"""Which faults are active at a moment of virtual time, and which replies they hit. No I/O, no clock; deterministic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from rena_ros.base.file_model import FileModel
from rena_ros.emulator.faults import KINDS, Fault, make_fault
from rena_ros.robot.file import ServoName

# Values of random faults whose kind has no default of its own.
_RANDOM_VALUES: dict[str, Mapping[str, object]] = {
    "late": {"delay_ms": 30.0},
    "wrong_id": {"id": 253},
    "wrong_baud": {"baud": 500_000},
}
_RandomKind: Any = Literal[tuple(kind for kind in KINDS if kind != "same_id")]  # that one needs a second servo
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RandomFaults(FileModel):
    """Faults that begin at random, for endurance runs; the same seed brings the same faults."""

    seed: int = Field(0, ge=0)
    rate_per_minute: float = Field(6.0, gt=0, le=6000)  # on average
    kinds: tuple[_RandomKind, ...] = Field(("dead", "late", "corrupt", "truncated", "duplicated"), min_length=1)
    servos: tuple[ServoName, ...] = ()  # each fault is on one of them; empty: of all servos
    for_s: tuple[_Seconds, _Seconds] = (0.5, 3.0)  # the shortest and the longest

    @field_validator("for_s")
    @classmethod
    def _begins_with_the_shortest(cls, for_s: tuple[float, float]) -> tuple[float, float]:
        if for_s[0] > for_s[1]:
            raise ValueError(f"for_s must be [shortest, longest] in seconds, found {list(for_s)}")
        return for_s


@dataclass(eq=False)
class ScheduledFault:
    """A fault on these servos (indices) from ``begin_s`` to ``end_s``; ``replies``: how many it could have hit."""

    fault: Fault
    servos: frozenset[int]
    begin_s: float
    end_s: float
    begun: bool = False
    replies: int = 0
    saved: dict[int, int] = field(default_factory=dict)  # value of the changed register before, by servo


Change = Callable[[ScheduledFault], None]


class FaultSchedule:
    """Faults to come and active faults; ``on_begin`` and ``on_end`` are called when a fault begins or ends."""

    def __init__(self, names: Sequence[str], seed: int, on_begin: Change, on_end: Change) -> None:
        self.now_s = 0.0
        self.begun: dict[str, int] = {}  # how many have begun, by kind
        self.rng = np.random.default_rng(seed)
        self._index = {name: i for i, name in enumerate(names)}
        self._names = tuple(names)
        self._faults: list[ScheduledFault] = []
        self._on_begin, self._on_end = on_begin, on_end
        self._random: tuple[RandomFaults, np.random.Generator] | None = None
        self._next_random_s = inf

    @property
    def active(self) -> list[ScheduledFault]:
        """The faults that are active now."""
        return [one for one in self._faults if one.begun]

    def add(self, fault: Fault) -> None:
        """Schedule a fault; its times count from now. Raises ValueError for an unknown servo."""
        others = [fault.value("with")] if fault.kind == "same_id" else []
        self._refuse_unknown([*fault.servo, *others])
        names = () if KINDS[fault.kind].whole_bus else fault.servo or self._names
        which = frozenset(self._index[name] for name in names)
        begin_s = self.now_s + fault.at_s
        self._faults.append(ScheduledFault(fault, which, begin_s, begin_s + fault.for_s))
        self.advance(0.0)

    def add_random(self, random: RandomFaults) -> None:
        """Begin faults at random from now on, in place of earlier random faults. Raises ValueError as ``add``."""
        self._refuse_unknown(random.servos)
        self._random = random, np.random.default_rng(random.seed)
        self._plan_random(*self._random)

    def clear(self, kind: str | None = None, servos: Sequence[str] = ()) -> None:
        """End active faults and drop faults to come; without ``kind`` and ``servos``, random faults end too."""
        if kind is None and not servos:
            self._random, self._next_random_s = None, inf
        gone = frozenset(self._index[name] for name in servos)
        for one in list(self._faults):
            if kind not in (None, one.fault.kind) or (gone and not one.servos & gone):
                continue
            left = one.servos - gone if gone else frozenset()
            if left:
                rest = ScheduledFault(one.fault, left, one.begin_s, one.end_s, one.begun, one.replies, one.saved)
                self._faults.append(rest)
            self._faults.remove(one)
            if one.begun:
                one.servos = one.servos - left
                self._on_end(one)

    def next_change_s(self) -> float:
        """Return when a fault begins or ends next; inf: never."""
        times = [one.end_s if one.begun else one.begin_s for one in self._faults]
        return min([*times, self._next_random_s])

    def advance(self, dt_s: float) -> None:
        """Let virtual time pass, not beyond ``next_change_s``: the caller takes care of that."""
        self.now_s += dt_s
        if self._random is not None and self.now_s >= self._next_random_s:
            self._begin_random(*self._random)
        for one in list(self._faults):
            if not one.begun and self.now_s >= one.begin_s:
                one.begun = True
                self.begun[one.fault.kind] = self.begun.get(one.fault.kind, 0) + 1
                self._on_begin(one)
            if one.begun and self.now_s >= one.end_s:
                self._faults.remove(one)
                self._on_end(one)

    def hits(self, kind: str, servo: int) -> Fault | None:
        """Return the fault of this kind that hits the next reply of a servo (-1: of the bus); None: it is spared."""
        for one in self._faults:
            if one.fault.kind != kind or not one.begun or (servo not in one.servos and servo >= 0):
                continue
            one.replies += 1
            chance = one.fault.probability
            if one.replies % one.fault.every == 0 and (chance is None or self.rng.random() < chance):
                return one.fault
        return None

    def _refuse_unknown(self, names: Sequence[str]) -> None:
        if unknown := [name for name in names if name not in self._index]:
            raise ValueError(f"no servo is called {', '.join(unknown)}")

    def _plan_random(self, random: RandomFaults, rng: np.random.Generator) -> None:
        self._next_random_s = self.now_s + rng.exponential(1 / (random.rate_per_minute / 60))

    def _begin_random(self, random: RandomFaults, rng: np.random.Generator) -> None:
        kind = str(rng.choice(random.kinds))
        servo = str(rng.choice(random.servos or self._names))
        for_s = float(rng.uniform(*random.for_s))
        servos = () if KINDS[kind].whole_bus else (servo,)
        self._plan_random(random, rng)
        self.add(make_fault(kind, *servos, for_s=for_s, **_RANDOM_VALUES.get(kind, {})))
