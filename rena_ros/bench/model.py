"""`rena bench model`: time, CPU and memory of one answer of a model, beside other ways to run such a network."""

import argparse
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.resources import share_path
from rena_ros.bench.engines import NO_PEER, Block, Engine, Started, engines_of, hindrance, running
from rena_ros.bench.machine import Machine, machine_busy_s
from rena_ros.bench.processes import interruptible
from rena_ros.bench.report import begin, progress_bar, pyplot, rounded, save_figures, save_plot

SHIPPED = ("models/rena.onnx", "models/rena-coefficients.onnx")
WARM_UP = 50
CAPTION = """\
One reading (batch 1), one thread, every number read 0.1. Each engine has a process of its own and runs in blocks; the
engines take turns, in alternating order. CPU: processor time of a pass. MiB: peak memory of that process, which only
infers. import, load: seconds until its modules are imported, its model loaded. ONNX Runtime: the graph alone, as Policy
opens it; Policy: a whole call. torch runs the same network with the weights of the file. The MLP and efficient-kan read
as the model does and have random weights."""


@dataclass
class EngineRecord:
    """What one engine did in all rounds: one ``Started`` for each round, and all blocks."""

    started: list[Started] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def times_us(self) -> np.ndarray:
        """The times of all passes, float (m,), microseconds."""
        return np.concatenate([block.times_ns for block in self.blocks]) / 1e3


@dataclass(frozen=True)
class EngineFigures:
    """One engine: microseconds of a pass, ``ratio`` of its p50 to that of the first engine, memory, start."""

    engine: str
    p5_us: float
    p50_us: float
    p95_us: float
    p99_us: float
    cpu_us: float  # median of the blocks
    parameters: int | None
    ratio: float
    peak_mib: float
    import_s: float  # median of the rounds, as load_s
    load_s: float
    passes: int


@dataclass
class ModelRun:
    """One model's engines, as far as they were measured; ``titles``: of all that were to be, in order."""

    file: str
    titles: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, int | None] = field(default_factory=dict)
    records: dict[str, EngineRecord] = field(default_factory=dict)
    others_cores: list[float] = field(default_factory=list)  # processors in use by other programs, in each round
    whole: bool = False

    @property
    def name(self) -> str:
        """The name of the model's file."""
        return Path(self.file).name

    def figures(self) -> list[EngineFigures]:
        """Return the figures of each engine that was measured."""
        first_us = float(np.median(next(iter(self.records.values())).times_us))
        return [summarise(key, record, self.parameters.get(key), first_us) for key, record in self.records.items()]

    @property
    def goals_apart(self) -> float | None:
        """The largest difference between the goals of torch and ONNX Runtime, the same network; None without torch."""
        if not {"graph", "eager"} <= self.records.keys():
            return None
        graph, eager = (np.array(self.records[key].started[0].goals) for key in ("graph", "eager"))
        return float(np.abs(graph - eager).max())

    def as_dict(self) -> dict:
        """Return the figures, rounded, ready for JSON."""
        rows = [rounded(vars(row), 4) for row in self.figures()]
        others = {"others_cores": self.others_cores, "goals_apart": self.goals_apart}
        return {"model": self.name, **others, "engines": rows}


def summarise(key: str, record: EngineRecord, parameters: int | None, first_us: float) -> EngineFigures:
    """Return the figures of one engine; ``first_us``: the median pass of the one that it is compared with."""
    p5, p50, p95, p99 = (float(value) for value in np.percentile(record.times_us, (5, 50, 95, 99)))
    return EngineFigures(
        engine=key,
        p5_us=p5,
        p50_us=p50,
        p95_us=p95,
        p99_us=p99,
        cpu_us=float(np.median([block.cpu_ns / len(block.times_ns) for block in record.blocks])) / 1e3,
        parameters=parameters,
        ratio=p50 / first_us,
        peak_mib=max(block.peak_mib for block in record.blocks),
        import_s=float(np.median([one.import_s for one in record.started])),
        load_s=float(np.median([one.load_s for one in record.started])),
        passes=len(record.times_us),
    )


def measure(engines: list[Engine], args: argparse.Namespace, run: ModelRun, done: Callable[[], object]) -> None:
    """Run the rounds of one model's engines and note them in ``run``; ``done`` is called after each block."""
    for _ in range(args.rounds):
        with contextlib.ExitStack() as stack:
            # One after the other, so that no start slows down another.
            processes = [(engine, stack.enter_context(running(engine, args.robot_file))) for engine in engines]
            for engine, process in processes:
                run.records.setdefault(engine.key, EngineRecord()).started.append(process.started)
                process.run(WARM_UP)
            busy_s, own_s, began_s = machine_busy_s(), -time.process_time(), time.monotonic()
            for turn in range(args.blocks):
                for engine, process in processes if turn % 2 == 0 else processes[::-1]:
                    block = process.run(args.passes)
                    run.records[engine.key].blocks.append(block)
                    own_s += block.cpu_ns / 1e9
                    done()
            own_s += time.process_time()
            others_s = machine_busy_s() - busy_s - own_s
            run.others_cores.append(round(max(0.0, others_s / (time.monotonic() - began_s)), 2))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench model` takes."""
    parser.add_argument("--model", type=user_path, nargs="+", metavar="FILE", help="models; default: those that ship")
    parser.add_argument("--passes", type=int, default=100, metavar="N", help="passes of a block (default 100)")
    parser.add_argument("--blocks", type=int, default=10, metavar="N", help="blocks of each engine (default 10)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="starts of each engine (default 3)")
    parser.add_argument("--robot-file", metavar="FILE", help="the robot of the models; default: config/rena.yaml")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write model.json and model.png there")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns 0, or 130 after an interrupt."""
    if min(args.passes, args.blocks, args.rounds) < 1:
        raise RenaError("--passes, --blocks and --rounds must be at least 1")
    models = args.model or [share_path(name) for name in SHIPPED]
    missing = next((path for path in models if not path.is_file()), None)
    if missing:
        raise RenaError(f"there is no model {missing}; `rena train` writes a model to RUN/model.onnx")
    console, machine = begin(args.out)
    if reason := hindrance():
        console.print(reason, style="yellow", highlight=False)
    runs: list[ModelRun] = []
    for model in models:
        runs.append(_measured(model, args, console))
        _show(runs[-1], console)
        if not runs[-1].whole:
            console.print("interrupted: the measurements until then", style="yellow")
            break
    console.print(CAPTION, style="dim", highlight=False)
    if reason is None and runs[0].titles and "peer" not in runs[0].titles:
        console.print(NO_PEER, style="yellow", highlight=False)
    finished = [run for run in runs if run.records]
    if args.out and finished:
        header = {"machine": vars(machine), "load_at_end": Machine.now().load, "warm_up": WARM_UP}
        header |= {"passes": args.passes, "blocks": args.blocks, "rounds": args.rounds}
        save_figures(console, args.out, "model", {**header, "models": [run.as_dict() for run in finished]})
        _plot(finished, args.out, console)
    return 0 if runs[-1].whole else 130


def _measured(model: Path, args: argparse.Namespace, console: Console) -> ModelRun:
    result = ModelRun(str(model))
    try:
        with interruptible(), engines_of(model, args.robot_file) as (engines, counts), progress_bar(console) as bar:
            result.titles = {engine.key: engine.title for engine in engines}
            result.parameters = {engine.key: counts.get(engine.counted) for engine in engines}
            task = bar.add_task(model.name, total=args.rounds * args.blocks * len(engines))
            measure(engines, args, result, lambda: bar.update(task, advance=1))
        result.whole = True
    except KeyboardInterrupt:
        result.records = {key: record for key, record in result.records.items() if record.blocks}
    return result


def _show(run: ModelRun, console: Console) -> None:
    if not run.records:
        return
    console.print(_table(run))
    if run.others_cores:
        used = float(np.median(run.others_cores))
        console.print(f"other programs used {used:.2f} processors meanwhile", highlight=False)
    if run.goals_apart is not None:
        apart = f"{run.goals_apart:.1e} at most"
        console.print(f"torch's goals differ from those of ONNX Runtime by {apart}", highlight=False)


def _table(run: ModelRun) -> Table:
    table = Table(title=f"One answer of {run.name}; microseconds", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for title in ("", "p5", "p50", "p95", "p99", "CPU", "parameters", "ratio", "MiB", "import", "load"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for row in run.figures():
        passes = (row.p5_us, row.p50_us, row.p95_us, row.p99_us, row.cpu_us)
        count = "" if row.parameters is None else f"{row.parameters:,}"
        rest = (count, f"{row.ratio:.2f}", f"{row.peak_mib:.0f}", f"{row.import_s:.2f}", f"{row.load_s:.2f}")
        table.add_row(run.titles[row.engine], *(f"{value:.0f}" for value in passes), *rest)
    return table


def _plot(runs: list[ModelRun], folder: Path, console: Console) -> None:
    plt = pyplot()
    if plt is None:
        console.print("no plot: matplotlib is not installed", style="yellow")
        return
    figure, panels = plt.subplots(1, len(runs), figsize=(6 * len(runs), 4), layout="constrained", squeeze=False)
    for axes, run in zip(panels[0], runs, strict=True):
        for i, (key, title) in enumerate(run.titles.items()):
            if key in run.records:
                values = np.sort(run.records[key].times_us)
                axes.plot(values, np.arange(1, len(values) + 1) / len(values), label=title, color=f"C{i}")
        axes.set(title=run.name, xlabel="one answer, microseconds", ylabel="share of answers", xscale="log")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize="small")
    console.print(f"plot: {save_plot(plt, figure, folder, 'model')}", highlight=False, soft_wrap=True)
