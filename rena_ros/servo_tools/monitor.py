"""`rena servo monitor`: what every servo reports, live. Reads only; a cable that is pulled may come back."""

import argparse
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rena_ros.base.errors import RenaError
from rena_ros.base.files import write_json
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost
from rena_ros.bus.registers import condition_names
from rena_ros.bus.states import BusState, HealthState
from rena_ros.control.health import Level, ServoHealth, judge_servo
from rena_ros.robot.model import Robot
from rena_ros.servo_tools.connection import open_bus
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.options import add_common_arguments, find_servo, load, number_above_zero

_HEALTH_S = 1.0  # how often torque, current and motion are asked for
_RETRY_S = 0.25
_ROWS_BESIDE = 3  # headline, header, and the line that the cursor is in
_STYLES = {Level.OK: "", Level.WARN: "yellow", Level.ERROR: "bold red", Level.STALE: "dim"}


@dataclass(frozen=True)
class MonitorRow:
    """One line of the table; None: not known."""

    id: int
    name: str
    ticks: int | None
    load: float | None
    voltage_v: float | None
    temperature_c: int | None
    current_a: float | None
    torque: bool | None
    age_s: float | None
    level: int
    remark: str


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


# What stands in each column, and the room it gets at least, so that columns stay where they are while values change.
_COLUMNS: dict[str, tuple[Callable[[MonitorRow], str], int]] = {
    "id": (lambda row: str(row.id), 2),
    "servo": (lambda row: row.name, 5),
    "ticks": (lambda row: _number(row.ticks, "d"), 5),
    "load": (lambda row: _number(row.load, "+.0%"), 5),
    "V": (lambda row: _number(row.voltage_v, ".1f"), 4),
    "C": (lambda row: _number(row.temperature_c, "d"), 3),
    "A": (lambda row: _number(row.current_a, ".2f"), 5),
    "remark": (lambda row: row.remark, 12),
}
_LEFT_OUT_FIRST = ("A", "C", "V", "load", "id", "remark")  # the remark names whatever is wrong with the others


@dataclass(frozen=True)
class MonitorView:
    """What one look found; ``fresh``: share of the looks of the last second that each servo answered, (n,)."""

    state: BusState
    health: HealthState
    fresh: np.ndarray


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena servo monitor` takes."""
    add_common_arguments(parser)
    parser.add_argument("servo", nargs="*", metavar="SERVO", help="names or ids to show; default: all")
    parser.add_argument(
        "--rate",
        type=number_above_zero("number of looks per second", 100),
        default=10.0,
        metavar="HZ",
        help="looks per second; default: 10",
    )
    parser.add_argument("--once", action="store_true", help="print one table and end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write one look there and end; - for standard output")


def run(args: argparse.Namespace) -> int:
    """Watch until Ctrl-C. --once and --json: returns 0 when all servos shown are well, else 1."""
    robot = load(args)
    shown = [robot.index[find_servo(robot, name).name] for name in args.servo] or list(range(len(robot.names)))
    console = Console(highlight=False)
    once = args.once or args.json is not None
    if not once and not console.is_terminal:
        raise RenaError("standard output is no terminal to draw a live table on; use --once or --json FILE")
    interrupt_on_signals()
    watch = BusWatch(open_bus(args, robot))
    try:
        if once:
            return _once(watch, shown, args.json, console)
        _live(args, watch, shown, console)
    except KeyboardInterrupt:  # how a live table ends; nothing was changed that had to be undone
        pass
    finally:
        watch.bus.close()
    return 0


class BusWatch:
    """Looks at all servos of a bus, again and again."""

    def __init__(self, bus: Bus) -> None:
        """Asks the servos for their return delays. Closes the bus when that fails."""
        self.bus = bus
        self._health: HealthState | None = None
        self._health_s = -np.inf
        self._fresh: deque[tuple[float, np.ndarray]] = deque()
        try:
            bus.read_return_delays()
        except BaseException:
            bus.close()
            raise

    def look(self) -> MonitorView:
        """Ask everybody now. Raises PortLost when the port has vanished."""
        state = self.bus.read_state()
        if self._health is None or state.stamp_s - self._health_s > _HEALTH_S:
            self._health, self._health_s = self.bus.read_health(), state.stamp_s
        self._fresh.append((state.stamp_s, state.fresh))
        while self._fresh[0][0] < state.stamp_s - 1.0:
            self._fresh.popleft()
        return MonitorView(state, self._health, np.mean([fresh for _, fresh in self._fresh], axis=0))


def monitor_rows(robot: Robot, snapshot: MonitorView) -> list[MonitorRow]:
    """One row for each servo, in the order of ``robot.names``."""
    state, health = snapshot.state, snapshot.health
    made = []
    for i, servo in enumerate(robot.servos):
        seen = bool(np.isfinite(state.seen_s[i]))
        torque = None if health.torque[i] < 0 else bool(health.torque[i])
        values = {
            "load": float(state.load[i]) if seen else None,
            "voltage_v": float(state.voltage_v[i]) if seen else None,
            "temperature_c": int(state.temperature_c[i]) if seen else None,
            "current_a": float(health.current_a[i]) if torque is not None else None,
            "torque": torque,
            "age_s": max(0.0, float(state.stamp_s - state.seen_s[i])) if seen else None,
        }
        verdict = judge_servo(
            robot.thresholds,
            ServoHealth(
                **{**values, "load": abs(values["load"]) if seen else None},
                commanded=torque,  # nobody told us what it ought to be
                fresh=float(snapshot.fresh[i]),
                conditions=condition_names(int(state.status[i])) if seen else (),
            ),
        )
        ticks = int(state.ticks[i]) if seen else None
        made.append(MonitorRow(servo.id, servo.name, ticks, **values, level=int(verdict.level), remark=verdict.message))
    return made


def draw_table(shown: Sequence[MonitorRow], width: int, *, wrap: bool) -> Table:
    """The rows as a table for a terminal of ``width`` columns, in which numbers are whole: where it is narrow, what
    matters least is left out. Remarks that do not fit are wrapped or, so that lines stay where they are, cut off.
    """
    texts = {name: [text(row) for row in shown] for name, (text, _) in _COLUMNS.items()}
    needed = {name: max([least, *map(len, texts[name])]) for name, (_, least) in _COLUMNS.items()}
    needed["remark"] = _COLUMNS["remark"][1]
    chosen = columns_that_fit(needed, width)
    stretched = not wrap and "remark" in chosen
    drawn = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", expand=stretched)
    for name in chosen:
        if name == "remark":
            overflow = "fold" if wrap else "ellipsis"
            drawn.add_column(name, no_wrap=not wrap, overflow=overflow, ratio=1 if stretched else None)
        elif name == "servo":
            drawn.add_column(name, no_wrap=True, max_width=max(1, width - needed["ticks"] - 1))
        else:
            drawn.add_column(name, justify="right", no_wrap=True, min_width=needed[name])
    for row, *cells in zip(shown, *(texts[name] for name in chosen), strict=True):
        drawn.add_row(*cells, style=_STYLES[Level(row.level)])
    return drawn


def columns_that_fit(needed: Mapping[str, int], width: int) -> list[str]:
    """Which columns fit side by side, each as wide as ``needed`` says, a space between them; in their order. The
    names and positions of servos always do.
    """
    chosen = dict(needed)
    for name in _LEFT_OUT_FIRST:
        if sum(chosen.values()) + len(chosen) - 1 <= width:
            break
        del chosen[name]
    return list(chosen)


def _once(watch: BusWatch, shown: list[int], json_file: Path | None, console: Console) -> int:
    for _ in range(3):  # one lost answer is no news
        snapshot = watch.look()
        if snapshot.state.fresh[shown].all():
            break
    found = [monitor_rows(watch.bus.robot, snapshot)[i] for i in shown]
    if json_file is None:
        console.print(draw_table(found, console.width, wrap=True))
    else:
        write_json(json_file, [asdict(row) for row in found])
    return 0 if all(row.level == Level.OK for row in found) else 1


def _live(args: argparse.Namespace, watch: BusWatch, shown: list[int], console: Console) -> None:
    next_s = time.monotonic()
    drawn: Table | Text = Text("")
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            try:
                snapshot = watch.look()
                found = monitor_rows(watch.bus.robot, snapshot)
                room = max(1, console.height - _ROWS_BESIDE)
                drawn = draw_table([found[i] for i in shown[:room]], console.width, wrap=False)
                live.update(Group(_headline(watch.bus, snapshot, len(shown[room:])), drawn), refresh=True)
            except PortLost as error:
                watch.bus.close()
                lost = Text(f"{error} Waiting for it to come back; Ctrl-C ends.", style="bold red")
                live.update(Group(lost, drawn), refresh=True)
                watch = _reopen(args, watch)
            next_s = max(next_s + 1 / args.rate, time.monotonic())
            time.sleep(max(0.0, next_s - time.monotonic()))


def _reopen(args: argparse.Namespace, watch: BusWatch) -> BusWatch:
    """Wait until the port can be opened again."""
    while True:
        time.sleep(_RETRY_S)
        try:
            return BusWatch(open_bus(args, watch.bus.robot))
        except RenaError:
            continue


def _headline(bus: Bus, snapshot: MonitorView, hidden: int) -> Text:
    """``hidden``: servos for which the terminal is not high enough."""
    port = bus.line.port
    answering = int(snapshot.state.fresh.sum())
    style = "" if answering == len(bus.robot.names) else "bold yellow"
    text = f"{answering} of {len(bus.robot.names)} answer   {bus.counters.cycle_s * 1e3:.1f} ms a read   Ctrl-C ends"
    if hidden:
        text = f"{hidden} servos more than fit in this window   {text}"
    return Text(f"{text}   {port.path} {port.baud} baud", style=style, no_wrap=True, overflow="ellipsis")
