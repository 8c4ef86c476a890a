"""The plan of a report as data: the protocol, and the frozen list of runs that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass

from rena_ros.report.kinds import ModelKind

LAMBDAS = (0.0, 0.001, 0.01, 0.1)  # Table I
SEQUENCES = "sequences"
OWN, PEOPLE = "own", "people"  # what a run trains on: the robot's own face, or many identities beside it


@dataclass(frozen=True)
class Protocol:
    """How every model is trained and measured; the defaults are the paper's 8,000 / 1,000.

    pool: training samples of the comparison, the validation part (their last tenth) included
    test: samples at the end of the dataset, never trained on
    epochs: passes over the training samples; runs on more than ``pool`` samples take fewer, see ``epochs_of``
    trials: learning rates that are tried for each kind, on the validation part, all with the seed ``TUNING_SEED``
    least_rate, greatest_rate: where they lie, evenly in the logarithm
    quick: whether the figures only show that the machinery works
    """

    pool: int = 8000
    test: int = 1000
    epochs: int = 60
    trials: int = 8
    seeds: tuple[int, ...] = (0, 1, 2)
    sizes: tuple[int, ...] = (1000, 2000, 4000, 8000, 16000, 32000, 64000)
    least_rate: float = 3e-4
    greatest_rate: float = 3e-2
    quick: bool = False

    def epochs_of(self, size: int) -> int:
        """Return the epochs of a run on ``size`` samples: its steps grow with the root of the size beyond ``pool``."""
        return self.epochs if size <= self.pool else max(1, round(self.epochs * (self.pool / size) ** 0.5))


QUICK = Protocol(pool=300, test=100, epochs=2, trials=1, seeds=(0, 1), sizes=(100, 300, 600), quick=True)
TUNING_SEED = 100  # none of the seeds that are reported


@dataclass(frozen=True)
class ReportRun:
    """One model trained once. ``size``: samples used, the validation part included."""

    kind: str
    data: str
    size: int
    consistency: float
    seed: int

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.kind}-{self.data}-{self.size}-lambda{self.consistency:g}-seed{self.seed}"


@dataclass(frozen=True)
class TuningTrial:
    """One learning rate of a kind, tried on the validation part; ``number`` counts from 0."""

    kind: str
    number: int

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"tune-{self.kind}-{self.number:03d}"


@dataclass(frozen=True)
class ShownModel:
    """A kind's model of the first seed, looked at: its goals drawn, or a film mirrored.

    ``film``: SHA-256, SEQUENCES for those of drawn persons, or "". ``data``: what the model was trained on, OWN or
    PEOPLE.
    """

    kind: str
    film: str = ""
    data: str = OWN

    @property
    def name(self) -> str:
        """Name of its files."""
        kind = self.kind if self.data == OWN else f"{self.kind}-{self.data}"
        return f"film-{kind}-{self.film[:12]}" if self.film else f"shown-{kind}"


@dataclass(frozen=True)
class FloorOfOracle:
    """What an oracle of the robot's own face would reach."""

    name: str = "floor"


Unit = ReportRun | TuningTrial | ShownModel | FloorOfOracle


def planned_units(
    protocol: Protocol, kinds: Mapping[str, ModelKind], own_samples: int, people_samples: int, film: str = ""
) -> tuple[Unit, ...]:
    """Return everything that a report carries out, trials first, none twice.

    ``own_samples``: training samples of the robot's own face, ``people_samples``: of other identities; the runs on
    people use all of both. ``film``: SHA-256 of a film to mirror, or "". Runs without chance in them are carried out
    with the first seed only.
    """
    tuned = [name for name, kind in kinds.items() if kind.tuned]
    trials = [TuningTrial(name, number) for name in tuned for number in range(protocol.trials)]
    wanted: list[tuple[str, str, int, float]] = []
    for name, kind in kinds.items():
        wanted.append((name, OWN, protocol.pool, kind.consistency))
        if kind.attention is not None:
            wanted += [(name, OWN, protocol.pool, weight) for weight in LAMBDAS]
        if kind.curve:
            wanted += [(name, OWN, size, kind.consistency) for size in curve_sizes(protocol, own_samples)]
        if kind.people and people_samples:
            wanted.append((name, PEOPLE, own_samples + people_samples, kind.consistency))
    runs = [
        ReportRun(*one, seed)
        for one in dict.fromkeys(wanted)
        for seed in (protocol.seeds if kinds[one[0]].seeded else protocol.seeds[:1])
    ]
    films = (SEQUENCES, film) if film else (SEQUENCES,)
    shown = [ShownModel(name, one) for one in ("", *films) for name in kinds]
    if people_samples:
        shown += [ShownModel(name, one, PEOPLE) for one in films for name, kind in kinds.items() if kind.people]
    return (*trials, *runs, *shown, FloorOfOracle())


def curve_sizes(protocol: Protocol, samples: int) -> tuple[int, ...]:
    """Return the sizes of the learning curve that ``samples`` allow; all of them come last if much is left over."""
    sizes = [size for size in protocol.sizes if size <= samples]
    if samples < protocol.sizes[-1] and (not sizes or samples > 1.2 * sizes[-1]):
        sizes.append(samples)
    return tuple(sizes)


def needs(unit: Unit, units: tuple[Unit, ...], kinds: Mapping[str, ModelKind]) -> tuple[str, ...]:
    """Return the names of the results that a unit waits for: a run, for all trials of its kind, or for its teachers."""
    if isinstance(unit, TuningTrial | FloorOfOracle):
        return ()
    if isinstance(unit, ShownModel):
        return (first_run(unit.kind, units, unit.data).name,)
    if kinds[unit.kind].teachers is not None:
        return tuple(one.name for one in teachers_of(unit, units, kinds))
    return tuple(one.name for one in trials_of(unit.kind, units, kinds))


def trials_of(kind: str, units: tuple[Unit, ...], kinds: Mapping[str, ModelKind]) -> tuple[TuningTrial, ...]:
    """Return the trials that choose the learning rate of a kind: its own, or those of the kind that gives it one."""
    tuned = kinds[kind].rate_of or kinds[kind].teachers or kind
    return tuple(one for one in units if isinstance(one, TuningTrial) and one.kind == tuned)


def teachers_of(run: ReportRun, units: tuple[Unit, ...], kinds: Mapping[str, ModelKind]) -> tuple[ReportRun, ...]:
    """Return the runs that teach a run: those of its kind's teachers on the same data, one for each seed."""
    teacher = kinds[run.kind].teachers
    if teacher is None:
        return ()
    wanted = (teacher, run.data, run.size, kinds[teacher].consistency)
    runs = [one for one in units if isinstance(one, ReportRun)]
    return tuple(one for one in runs if (one.kind, one.data, one.size, one.consistency) == wanted)


def first_run(kind: str, units: tuple[Unit, ...], data: str = OWN) -> ReportRun:
    """Return the run of a kind with the first seed, on OWN that of the comparison; it is planned before its others."""
    return next(one for one in units if isinstance(one, ReportRun) and (one.kind, one.data) == (kind, data))
