"""`rena bench faults`: what drivers report with a dead servo, with corrupt and with late replies; see ``measure``."""

import argparse
import contextlib
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.bench.drivers import VENDOR, installed
from rena_ros.bench.machine import Machine
from rena_ros.bench.measure import Record
from rena_ros.bench.processes import emulated_bus, interruptible
from rena_ros.bench.report import begin, progress_bar, save_figures
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot

INSTANT = "rena_ros.bench.instant_servos"
FAULTY = 12  # the 13th of 25 servos: some come before it and some after
OURS = "rena-position"
RATE_HZ = 50.0  # as a control loop runs
# Name of a row -> the fault of one servo, as in a fault file.
FAULTS: dict[str, dict[str, object]] = {
    "none": {},
    "dead": {"kind": "dead"},
    "1 in 10 corrupt": {"kind": "corrupt", "every": 10},
    "1 in 50 late, all": {"kind": "late", "delay_ms": 120, "hold": True, "every": 50},
    "1 in 50 late, alone": {"kind": "late", "delay_ms": 120, "hold": False, "every": 50},
}
NAMES = {"vendor": "vendor's SDK", OURS: "Rena"}
CAPTION = f"""\
late: by 120 ms, with all replies after it, or alone. ok: cycles that the driver reported as successful. new: readings
that it offered as new. stale: those of them that were not of this cycle (in brackets: in successful cycles). healthy:
the other servos' readings that were new and true. lost: other servos without such a reading in the last quarter of the
run. raised: cycles that ended in an exception. The vendor's SDK is {VENDOR}."""


@dataclass(frozen=True)
class FaultRow:
    """One driver under one fault; CAPTION says what the figures mean."""

    driver: str
    fault: str
    cycles: int
    p50_ms: float
    success: int  # the column "ok"
    offered: int  # the column "new"
    stale: int
    stale_in_success: int  # in brackets
    healthy: float  # 0..1
    lost: int
    raised: int


def summarise(driver: str, fault: str, record: Record, faulty: int | None) -> FaultRow:
    """Summarise a record in a row; ``faulty``: index of the servo with the fault, None without a fault."""
    others = np.arange(record.offered.shape[1]) != (-1 if faulty is None else faulty)
    stale = record.offered & ~record.true
    right = (record.offered & record.true)[:, others]
    last_quarter = right[-max(1, len(right) // 4) :]
    return FaultRow(
        driver=driver,
        fault=fault,
        cycles=len(record.cycle_s),
        p50_ms=round(float(np.median(record.cycle_s)) * 1e3, 3),
        success=int(record.success.sum()),
        offered=int(record.offered.sum()),
        stale=int(stale.sum()),
        stale_in_success=int(stale[record.success].sum()),
        healthy=round(float(right.mean()), 4),
        lost=int((~last_quarter.any(axis=0)).sum()),
        raised=int(record.raised.sum()),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench faults` takes."""
    parser.add_argument("--cycles", type=int, default=200, metavar="N", help="cycles under each fault (default 200)")
    parser.add_argument("--robot-file", metavar="FILE", help="servos and limits; default: config/rena.yaml")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write faults.json there")


def run(args: argparse.Namespace) -> int:
    """Measure. Returns 0; 1 when Rena's driver offered stale readings or lost a healthy servo; 130 if interrupted."""
    if args.cycles < 10:
        raise RenaError("--cycles must be at least 10")
    robot = load_robot(args.robot_file)
    console, machine = begin(args.out)
    drivers = installed(("vendor", OURS), console)
    rows = _rows(drivers, robot, args, console)
    faulty = robot.names[_faulty(robot)]
    title = f"Faults of {faulty}, one of {len(robot.names)} servos; {args.cycles} cycles at {RATE_HZ:g} Hz"
    console.print(_table(rows, title))
    console.print(CAPTION, style="dim", highlight=False)
    wrong = [row for row in rows if row.driver == OURS and (row.stale or row.lost)]
    for row in wrong:
        console.print(f"wrong: {row.fault}: {row.stale} stale readings, {row.lost} healthy servos lost", style="red")
    if args.out and rows:
        header = {"machine": vars(machine), "load_at_end": Machine.now().load, "faulty": faulty, "rate_hz": RATE_HZ}
        save_figures(console, args.out, "faults", {**header, "rows": [vars(row) for row in rows]})
    if len(rows) < len(FAULTS) * len(drivers):
        console.print("interrupted: the measurements until then", style="yellow")
        return 130
    return 1 if wrong else 0


def _rows(drivers: tuple[str, ...], robot: Robot, args: argparse.Namespace, console: Console) -> list[FaultRow]:
    """Return the rows, fewer after an interrupt."""
    rows: list[FaultRow] = []
    faulty = _faulty(robot)
    with contextlib.suppress(KeyboardInterrupt), interruptible(), progress_bar(console) as progress:
        bar = progress.add_task("", total=len(FAULTS) * len(drivers))
        for name, values in FAULTS.items():
            faults = [{**values, "servo": robot.names[faulty]}] if values else []
            for driver in drivers:
                progress.update(bar, description=f"{NAMES[driver]}: {name}")
                with emulated_bus(INSTANT, faults, args.robot_file) as bus:
                    record = bus.measure(driver, args.cycles, warm_up=0, rate_hz=RATE_HZ)
                rows.append(summarise(driver, name, record, faulty if values else None))
                progress.update(bar, advance=1)
    return rows


def _faulty(robot: Robot) -> int:
    return min(FAULTY, len(robot.names) // 2)


def _table(rows: list[FaultRow], title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for i, text in enumerate(("fault", "driver", "ms", "ok", "new", "stale", "healthy", "lost", "raised")):
        table.add_column(text, justify="left" if i < 2 else "right", no_wrap=True)
    before = ""
    for row in rows:
        stale = f"{row.stale} ({row.stale_in_success})" if row.stale else "0"
        counts = (row.success, row.offered, stale, f"{row.healthy:.1%}", row.lost, row.raised)
        fault = "" if row.fault == before else row.fault
        table.add_row(fault, NAMES[row.driver], f"{row.p50_ms:.2f}", *map(str, counts))
        before = row.fault
    return table
