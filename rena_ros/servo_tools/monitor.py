"""`rena servo monitor`: read all servos again and again and show what they report. Reads only.

A live table survives a pulled cable: it waits until the port is back.
"""

import argparse
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rena_ros.base.arrays import BoolArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost
from rena_ros.bus.states import HealthState
from rena_ros.control.health import Level
from rena_ros.servo_tools import options
from rena_ros.servo_tools.connection import open_bus
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.monitor_table import MonitorView, draw_table, monitor_rows

_HEALTH_S = 1.0  # how often torque, current and motion are read
_RETRY_S = 0.25
_OTHER_LINES = 3  # the headline, the table's header, and the line that the cursor is in


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    parser.add_argument("servo", nargs="*", metavar="SERVO", help="names or ids to show; default: all")
    rate = options.number_above_zero("number of reads per second", most=100)
    parser.add_argument("--rate", type=rate, default=10.0, metavar="HZ", help="reads per second; default: 10")
    parser.add_argument("--once", action="store_true", help="print one table and end")
    json_help = "write one table as JSON and end; - for standard output"
    parser.add_argument("--json", type=user_path, metavar="FILE", help=json_help)


def run(args: argparse.Namespace) -> int:
    """Show the table until Ctrl-C. With --once or --json, returns 0 when all servos shown are well, else 1."""
    robot = options.load_robot(args)
    shown = [robot.index[servo.name] for servo in options.select_servos(robot, args.servo)]
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
    except KeyboardInterrupt:  # the usual end of a live table; reading leaves nothing to undo
        pass
    finally:
        watch.bus.close()
    return 0


class BusWatch:
    """Reads all servos of a bus, again and again."""

    def __init__(self, bus: Bus) -> None:
        """Read the servos' return delays. Closes the bus when that fails."""
        self.bus = bus
        self._health: HealthState | None = None
        self._health_s = -np.inf
        self._fresh: deque[tuple[float, BoolArray]] = deque()
        try:
            bus.read_return_delays()
        except BaseException:
            bus.close()
            raise

    def look(self) -> MonitorView:
        """Read all servos once. Raises PortLost when the port has vanished."""
        state = self.bus.read_state()
        if self._health is None or state.stamp_s - self._health_s > _HEALTH_S:
            self._health, self._health_s = self.bus.read_health(), state.stamp_s
        self._fresh.append((state.stamp_s, state.fresh))
        while self._fresh[0][0] < state.stamp_s - 1.0:
            self._fresh.popleft()
        return MonitorView(state, self._health, np.mean([fresh for _, fresh in self._fresh], axis=0))


def _once(watch: BusWatch, shown: list[int], json_file: Path | None, console: Console) -> int:
    for _ in range(3):  # one lost reply does not make a servo silent
        view = watch.look()
        if view.state.fresh[shown].all():
            break
    all_rows = monitor_rows(watch.bus.robot, view)
    rows = [all_rows[i] for i in shown]
    if json_file is None:
        console.print(draw_table(rows, console.width, wrap=True))
    else:
        write_json(json_file, [asdict(row) for row in rows])
    return 0 if all(row.level == Level.OK for row in rows) else 1


def _live(args: argparse.Namespace, watch: BusWatch, shown: list[int], console: Console) -> None:
    next_s = time.monotonic()
    table: Table | Text = Text("")
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            try:
                view = watch.look()
                rows = monitor_rows(watch.bus.robot, view)
                room = max(1, console.height - _OTHER_LINES)
                table = draw_table([rows[i] for i in shown[:room]], console.width, wrap=False)
                live.update(Group(_headline(watch.bus, view, len(shown[room:])), table), refresh=True)
            except PortLost as error:
                watch.bus.close()
                lost = Text(f"{error} Waiting until the port is back; Ctrl-C ends.", style="bold red")
                live.update(Group(lost, table), refresh=True)
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


def _headline(bus: Bus, view: MonitorView, hidden: int) -> Text:
    """Return the line above the table. ``hidden``: how many servos the window is too low to show."""
    port, servos = bus.line.port, len(bus.robot.names)
    replying = int(view.state.fresh.sum())
    text = f"{replying} of {servos} reply   {bus.counters.cycle_s * 1e3:.1f} ms a read   Ctrl-C ends"
    if hidden:
        text = f"{hidden} servos do not fit in this window   {text}"
    style = "" if replying == servos else "bold yellow"
    return Text(f"{text}   {port.path} {port.baud} baud", style=style, no_wrap=True, overflow="ellipsis")
