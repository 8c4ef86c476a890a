"""Which faults are there at a moment of virtual time, and which answers they hit. Pure and deterministic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from rena_ros.emulator.faults import KINDS, Fault


@dataclass(frozen=True)
class RandomFaults:
    """Faults that come by chance, for endurance runs: ``rate_per_minute`` on average, each of one of ``kinds`` on one
    of ``servos`` (names; empty: any), for a time between the two of ``for_s``. The same seed, the same faults.
    """

    seed: int = 0
    rate_per_minute: float = 6.0
    kinds: tuple[str, ...] = ("dead", "late", "corrupt", "truncated", "duplicated")
    servos: tuple[str, ...] = ()
    for_s: tuple[float, float] = (0.5, 3.0)


# What a random fault does where its kind has no default of its own.
_RANDOM_VALUES = {
    "late": {"delay_ms": 30.0},
    "wrong_id": {"id": 253},
    "wrong_baud": {"baud": 500_000},
}
NOT_BY_CHANCE = ("same_id",)  # it needs somebody to share with


@dataclass(eq=False)
class ScheduledFault:
    """A fault on these servos (indices) from ``begin_s`` to ``end_s``; ``answers`` that it could have hit so far."""

    fault: Fault
    servos: frozenset[int]
    begin_s: float
    end_s: float
    begun: bool = False
    answers: int = 0
    saved: dict[int, int] = field(default_factory=dict)  # value of the changed register before, by servo


class FaultSchedule:
    """Faults to come and faults that are there. ``began`` and ``ended`` are called when one begins or ends."""

    def __init__(
        self,
        names: Sequence[str],
        seed: int,
        began: Callable[[ScheduledFault], None],
        ended: Callable[[ScheduledFault], None],
    ) -> None:
        self.now_s = 0.0
        self.begun: dict[str, int] = {}  # how many have begun, by kind
        self.rng = np.random.default_rng(seed)
        self._index = {name: i for i, name in enumerate(names)}
        self._names = tuple(names)
        self._faults: list[ScheduledFault] = []
        self._began, self._ended = began, ended
        self._random: tuple[RandomFaults, np.random.Generator] | None = None
        self._next_random_s = inf

    @property
    def active(self) -> list[ScheduledFault]:
        """What is there now."""
        return [one for one in self._faults if one.begun]

    def add(self, fault: Fault) -> None:
        """From now on. Raises ValueError for a servo that is not there."""
        if unknown := [name for name in self.named(fault) if name not in self._index]:
            raise ValueError(f"no servo is called {', '.join(unknown)}")
        where = frozenset(self._index[name] for name in fault.servos or self._names)
        if KINDS[fault.kind].whole_bus:
            where = frozenset()
        begin_s = self.now_s + fault.at_s
        self._faults.append(ScheduledFault(fault, where, begin_s, begin_s + fault.for_s))
        self.pass_time(0.0)

    def add_random(self, random: RandomFaults) -> None:
        """From now on, in place of those before."""
        if unknown := [name for name in random.servos if name not in self._index]:
            raise ValueError(f"no servo is called {', '.join(unknown)}")
        self._random = random, np.random.default_rng(random.seed)
        self._plan_random()

    def clear(self, kind: str | None = None, servos: Sequence[str] = ()) -> None:
        """End faults, those to come included: of one kind, or of all (then nothing random comes either); on these
        servos, or on all.
        """
        if kind is None and not servos:
            self._random, self._next_random_s = None, inf
        gone = frozenset(self._index[name] for name in servos)
        for one in list(self._faults):
            if kind not in (None, one.fault.kind) or (gone and not one.servos & gone):
                continue
            left = one.servos - gone if gone else frozenset()
            if left:
                rest = ScheduledFault(one.fault, left, one.begin_s, one.end_s, one.begun, one.answers, one.saved)
                self._faults.append(rest)
            self._faults.remove(one)
            if one.begun:
                one.servos = one.servos - left
                self._ended(one)

    def next_change_s(self) -> float:
        """When a fault begins or ends next; inf: never."""
        times = [one.end_s if one.begun else one.begin_s for one in self._faults]
        return min([*times, self._next_random_s])

    def pass_time(self, dt_s: float) -> None:
        """Let virtual time pass, not beyond the next change (the caller sees to that)."""
        self.now_s += dt_s
        if self.now_s >= self._next_random_s:
            self._begin_random()
        for one in list(self._faults):
            if not one.begun and self.now_s >= one.begin_s:
                one.begun = True
                self.begun[one.fault.kind] = self.begun.get(one.fault.kind, 0) + 1
                self._began(one)
            if one.begun and self.now_s >= one.end_s:
                self._faults.remove(one)
                self._ended(one)

    def hits(self, kind: str, servo: int) -> Fault | None:
        """The fault of this kind that the next answer of this servo (-1: of the bus) suffers, if it does."""
        for one in self._faults:
            if one.fault.kind != kind or not one.begun or (servo not in one.servos and servo >= 0):
                continue
            one.answers += 1
            fault = one.fault
            if fault.probability is not None:
                hit = self.rng.random() < fault.probability
            else:
                hit = one.answers % fault.every == 0
            if hit:
                return fault
        return None

    def named(self, fault: Fault) -> tuple[str, ...]:
        """All the servos that a fault names."""
        return (*fault.servos, *((fault.values["with"],) if "with" in fault.values else ()))

    def _plan_random(self) -> None:
        random, rng = self._random
        rate = random.rate_per_minute / 60
        self._next_random_s = self.now_s + rng.exponential(1 / rate) if rate > 0 else inf

    def _begin_random(self) -> None:
        random, rng = self._random
        kind = str(rng.choice(random.kinds))
        servo = str(rng.choice(random.servos or self._names))
        for_s = float(rng.uniform(*random.for_s))
        servos = () if KINDS[kind].whole_bus else (servo,)
        self._plan_random()
        self.add(Fault(kind, servos, for_s=for_s, values=_RANDOM_VALUES.get(kind, {})))
