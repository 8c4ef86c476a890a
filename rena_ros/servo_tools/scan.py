"""`rena servo scan`: find the servos on the bus and explain which of them are missing.

Reads only: nothing moves and nothing is written. Exits with 0 when exactly the servos of the robot file reply, each
alone on its id, at the right rate, without a condition and with its EEPROM locked; otherwise with 1.
"""

import argparse
import contextlib
from collections.abc import Callable
from dataclasses import asdict

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rena_ros.base.files import user_path, write_json
from rena_ros.bus.line import Line
from rena_ros.bus.protocol import MAX_ID
from rena_ros.bus.registers import BAUDS
from rena_ros.robot.model import Robot
from rena_ros.servo_tools import options
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.diagnosis import Diagnosis, diagnose, model_name
from rena_ros.servo_tools.search import FoundServo, search_ids


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    all_help = "ask all ids at every rate; without it, the other rates are searched for missing servos only"
    parser.add_argument("--all-bauds", action="store_true", help=all_help)
    json_help = "also write the result to a file; - for standard output"
    parser.add_argument("--json", type=user_path, metavar="FILE", help=json_help)


def run(args: argparse.Namespace) -> int:
    """Search, print the table and the advice. Returns 0 when all is well, else 1."""
    robot = options.load_robot(args)
    to_stdout = args.json is not None and str(args.json) == "-"
    console = Console(stderr=to_stdout)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"asking ids 0 to {MAX_ID}", total=None)

        def begin(baud: int, count: int) -> Callable[[], None]:
            progress.update(task, description=f"{baud} baud", total=count, completed=0)
            return lambda: progress.advance(task)

        found = find_servos(robot, args.baud, lambda baud: open_line(args, baud), begin, all_rates=args.all_bauds)
    diagnosis = diagnose(robot, found, args.baud)
    print_report(diagnosis, console)
    if args.json is not None:
        write_json(args.json, {"good": diagnosis.good, **asdict(diagnosis)})
    return 0 if diagnosis.good else 1


def find_servos(
    robot: Robot,
    baud: int,
    open_at: Callable[[int], Line],
    begin: Callable[[int, int], Callable[[], None]],
    *,
    all_rates: bool = False,
) -> list[FoundServo]:
    """Search all ids at ``baud``, and at the other rates the missing ids, or with ``all_rates`` all ids.

    ``open_at(baud)`` opens the line. ``begin(baud, count)`` is called before ``count`` ids are asked, and returns the
    function to call after each id.
    """
    expected = robot.ids.tolist()
    others = [servo_id for servo_id in range(MAX_ID + 1) if servo_id not in expected]
    found: list[FoundServo] = []
    for rate in (baud, *(rate for rate in BAUDS if rate != baud)):
        if rate == baud or all_rates:
            asked = (expected, others)
        else:
            asked = (sorted(set(expected) - {servo.id for servo in found}), [])
        if not any(asked):
            break
        with contextlib.closing(open_at(rate)) as line:
            found += search_ids(line, *asked, begin(rate, sum(map(len, asked))))
    return found


def print_report(diagnosis: Diagnosis, console: Console) -> None:
    """Print the table and the advice, at most as wide as the console."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "servo", "model", "firmware", "delay", "remark"):
        table.add_column(name, justify="right" if name in ("id", "delay") else "left", no_wrap=name != "remark")
    for row in diagnosis.rows:
        style = None if row.good else "red"
        table.add_row(str(row.id), row.name or "-", *_identity(row.found), row.remark, style=style)
    console.print(table)
    good = [row.good for row in diagnosis.rows if row.name is not None]
    console.print(f"\n{sum(good)} of {len(good)} servos are as they should be.", highlight=False)
    for sentence in diagnosis.advice:
        console.print(f"- {sentence}", highlight=False, markup=False)


def _identity(found: FoundServo | None) -> tuple[str, str, str]:
    if found is None:
        return "", "", ""
    if found.model is None:
        return "?", "?", "?"
    return model_name(found.model), found.firmware or "?", f"{found.return_delay_us} us"
