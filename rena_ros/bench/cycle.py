"""`rena bench bus`: time and CPU of one cycle (send goals, read states) of each driver, at wire speed, in one run."""

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros.base.arrays import BoolArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.bench.drivers import DRIVERS, STATE_BYTES, VENDOR, installed
from rena_ros.bench.machine import Machine
from rena_ros.bench.measure import Record
from rena_ros.bench.processes import busy_process, emulated_bus, interruptible
from rena_ros.bench.report import begin, progress_bar, pyplot, rounded, save_figures, save_plot
from rena_ros.bus.protocol import OVERHEAD_BYTES, wire_time_s
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot

BAUD = 1_000_000
DEAD = "lip_lower_left"
WARM_UP = 60
SLOW_CYCLES = 100  # for a driver that waits 40 ms a cycle for a dead servo
TITLES = {"rena": "Rena", "rena-position": "Rena, 2-byte goals", "vendor": "vendor's SDK", "bare": "bare client"}
CAPTION = f"""\
Goals have 6 bytes (position, time, speed), or 2 (position) as Rena runs. fresh: share of the living servos' readings.
others: processors in use by other programs. The bare client checks nothing: its time beyond that of the wire is that of
the emulator and the operating system. The vendor's SDK is {VENDOR}."""
Records = dict[str, dict[str, list[Record]]]  # scene -> driver -> one record for each round
ALONE, BUSY, ONE_DEAD = "alone", "beside a busy process", "one servo dead"
SCENES = {
    ALONE: ("bare", "rena", "rena-position", "vendor"),
    BUSY: ("rena", "rena-position", "vendor"),
    ONE_DEAD: ("rena", "rena-position", "vendor"),
}


@dataclass(frozen=True)
class Figures:
    """One driver in one scene; times in ms."""

    driver: str
    wire_ms: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_ms: float
    fresh: float  # share of the living servos' readings that were new, 0..1
    cycles: int
    others_cores: float  # processors in use by other programs

    @property
    def ratio(self) -> float:
        """The median cycle as a multiple of the wire's time."""
        return self.p50_ms / self.wire_ms

    def as_dict(self) -> dict:
        """Return the figures, rounded, with their ratios, ready for JSON."""
        return rounded({**vars(self), "ratio": self.ratio, "p99_ratio": self.p99_ms / self.wire_ms}, 4)


def wire_ms(servos: int, goal_bytes: int) -> float:
    """Return the wire's time for one cycle: goals to all servos, one request, a reply of each; ms at 1 Mbps."""
    goals = OVERHEAD_BYTES + 2 + servos * (1 + goal_bytes)
    request = OVERHEAD_BYTES + 2 + servos
    return wire_time_s(goals + request + servos * (OVERHEAD_BYTES + STATE_BYTES), BAUD) * 1e3


def figures(driver: str, records: list[Record], alive: BoolArray) -> Figures:
    """Summarise the rounds of one driver: all their cycles together, the CPU time as the median of the rounds.

    A cycle shorter than half the wire's time does not count as a cycle (the driver asked no servo, since none replied
    lately); its readings count as not fresh. ``alive`` bool (n,): the servos that count.
    """
    wire = wire_ms(len(alive), DRIVERS[driver].goal_bytes)
    cycle_ms = np.concatenate([record.cycle_s for record in records]) * 1e3
    cycle_ms = cycle_ms[cycle_ms > wire / 2]
    return Figures(
        driver=driver,
        wire_ms=wire,
        p50_ms=float(np.median(cycle_ms)),
        p99_ms=float(np.percentile(cycle_ms, 99)),
        worst_ms=float(cycle_ms.max()),
        cpu_ms=float(np.median([record.cpu_s / len(record.cycle_s) for record in records]) * 1e3),
        fresh=float(np.mean([record.offered[:, alive].mean() for record in records])),
        cycles=len(cycle_ms),
        others_cores=float(np.median([record.others_cores for record in records])),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench bus` takes."""
    parser.add_argument("--cycles", type=int, default=500, metavar="N", help="cycles of each measurement (default 500)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="measurements of each driver (default 3)")
    niceness = "of the measured processes (default 0; the servos node asks for -10, which needs permission)"
    parser.add_argument("--niceness", type=int, default=0, metavar="N", help=niceness)
    parser.add_argument("--scene", choices=tuple(SCENES), help="only this scene")
    parser.add_argument("--robot-file", metavar="FILE", help="servos and limits; default: config/rena.yaml")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write bus.json and bus.png there")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns 0, also for missed aims, which the output shows; 130 after an interrupt."""
    if args.cycles < 10 or args.rounds < 1:
        raise RenaError("--cycles must be at least 10 and --rounds at least 1")
    if not -20 <= args.niceness <= 19:
        raise RenaError(f"--niceness {args.niceness} is outside -20 (first) to 19 (last)")
    robot = load_robot(args.robot_file)
    console, machine = begin(args.out)
    drivers = installed(tuple(DRIVERS), console)
    scenes = {name: [d for d in SCENES[name] if d in drivers] for name in SCENES if args.scene in (None, name)}
    records: Records = {}
    try:
        with interruptible(), progress_bar(console) as progress:
            bar = progress.add_task("", total=args.rounds * sum(map(len, scenes.values())))
            for scene, driver, record in _measurements(scenes, args):
                records.setdefault(scene, {}).setdefault(driver, []).append(record)
                progress.update(bar, advance=1, description=f"{scene}: {TITLES[driver]}")
    except KeyboardInterrupt:
        console.print("interrupted: the measurements until then", style="yellow")
    results = _results(records, robot)
    for scene, rows in results.items():
        console.print(_table(scene, rows))
    console.print(CAPTION, style="dim", highlight=False)
    _verdicts(results, console)
    if args.out and results:
        header = {"machine": vars(machine), "load_at_end": Machine.now().load, "baud": BAUD, "dead": DEAD}
        header |= {"niceness": args.niceness, "warm_up": WARM_UP}
        rows_of_scenes = {scene: [row.as_dict() for row in rows] for scene, rows in results.items()}
        save_figures(console, args.out, "bus", {**header, "scenes": rows_of_scenes})
        _plot(records, robot, args.out, console)
    return 0 if len(results) == len(scenes) else 130


def _measurements(scenes: dict[str, list[str]], args: argparse.Namespace) -> Iterator[tuple[str, str, Record]]:
    """Yield scene, driver and record of each measurement; the drivers take turns in alternating order."""
    for scene, drivers in scenes.items():
        faults = [{"kind": "dead", "servo": DEAD}] if scene == ONE_DEAD else []
        for turn in range(args.rounds):
            for driver in drivers if turn % 2 == 0 else drivers[::-1]:
                cycles = min(args.cycles, SLOW_CYCLES) if (scene, driver) == (ONE_DEAD, "vendor") else args.cycles
                load = busy_process() if scene == BUSY else contextlib.nullcontext()
                with emulated_bus(faults=faults, robot_file=args.robot_file) as bus, load:
                    yield scene, driver, bus.measure(driver, cycles, WARM_UP, niceness=args.niceness)


def _results(records: Records, robot: Robot) -> dict[str, list[Figures]]:
    results = {}
    for scene, drivers in records.items():
        alive = np.array([scene != ONE_DEAD or name != DEAD for name in robot.names])
        results[scene] = [figures(driver, rounds, alive) for driver, rounds in drivers.items()]
    return results


def _table(scene: str, rows: list[Figures]) -> Table:
    table = Table(title=f"One cycle, {scene}; ms", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for title in ("", "wire", "p50", "/wire", "p99", "/wire", "CPU", "fresh", "cycles", "others"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for row in rows:
        times = (f"{row.p50_ms:.2f}", f"{row.ratio:.3f}", f"{row.p99_ms:.2f}", f"{row.p99_ms / row.wire_ms:.2f}")
        rest = (f"{row.cpu_ms:.2f}", f"{row.fresh:.1%}", f"{row.cycles}", f"{row.others_cores:.2f}")
        table.add_row(TITLES[row.driver], f"{row.wire_ms:.2f}", *times, *rest)
    return table


def _verdicts(results: dict[str, list[Figures]], console: Console) -> None:
    by_scene = {scene: {row.driver: row for row in rows} for scene, rows in results.items()}
    ours, vendor = (by_scene.get(ALONE, {}).get(driver) for driver in ("rena", "vendor"))
    aims = []
    if ours:
        aims.append(("cycle at most 1.10 x wire", ours.ratio, 1.10))
    if ours and vendor:
        aims.append((f"CPU at most 0.25 x {VENDOR}", ours.cpu_ms / vendor.cpu_ms, 0.25))
    if busy := by_scene.get(BUSY, {}).get("rena"):
        aims.append(("beside a busy process: p99 at most 2 x wire", busy.p99_ms / busy.wire_ms, 2.0))
    if dead := by_scene.get(ONE_DEAD, {}).get("rena"):
        aims.append(("one servo dead: cycle at most 2 x wire", dead.ratio, 2.0))
    for text, value, limit in aims:
        met = value <= limit
        console.print(f"{'met' if met else 'missed'}: {text}: {value:.3f}", style="" if met else "red", highlight=False)


def _plot(records: Records, robot: Robot, folder: Path, console: Console) -> None:
    plt = pyplot()
    if plt is None:
        console.print("no plot: matplotlib is not installed", style="yellow")
        return
    figure, panels = plt.subplots(1, len(records), figsize=(5 * len(records), 4), layout="constrained", squeeze=False)
    colours = {driver: f"C{i}" for i, driver in enumerate(DRIVERS)}
    for axes, (scene, drivers) in zip(panels[0], records.items(), strict=True):
        for driver, rounds in drivers.items():
            times = np.sort(np.concatenate([record.cycle_s for record in rounds])) * 1e3
            ratios = times / wire_ms(len(robot.names), DRIVERS[driver].goal_bytes)
            axes.plot(ratios, np.arange(1, len(ratios) + 1) / len(ratios), label=TITLES[driver], color=colours[driver])
        axes.axvline(1.0, color="grey", linewidth=1)
        axes.set(title=scene, xlabel="cycle time / wire time", ylabel="share of cycles", xscale="log")
        ticks = [tick for tick in (1, 1.2, 1.5, 2, 3, 5, 8, 12, 20) if tick <= 1.05 * axes.get_xlim()[1]]
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize="small")
    console.print(f"plot: {save_plot(plt, figure, folder, 'bus')}", highlight=False, soft_wrap=True)
