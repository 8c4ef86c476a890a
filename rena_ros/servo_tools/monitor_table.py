"""The table of `rena servo monitor`: one row per servo from the bus's state, drawn for a terminal's width. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table

from rena_ros.base.arrays import FloatArray
from rena_ros.bus.registers import condition_names
from rena_ros.bus.states import BusState, HealthState
from rena_ros.control.health import Level, ServoHealth, judge_servo
from rena_ros.robot.model import Robot

_STYLES = {Level.OK: "", Level.WARN: "yellow", Level.ERROR: "bold red", Level.STALE: "dim"}


@dataclass(frozen=True)
class MonitorView:
    """What one read found. ``fresh``: the share of the last second's reads that each servo replied to, (n,)."""

    state: BusState
    health: HealthState
    fresh: FloatArray


@dataclass(frozen=True)
class MonitorRow:
    """One line of the table. None: not known."""

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


# Each column's text and its least width, so that the columns do not move while values change.
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
_DROP_ORDER = ("A", "C", "V", "load", "id", "remark")  # the remark names what is wrong with the other values


def monitor_rows(robot: Robot, view: MonitorView) -> list[MonitorRow]:
    """Return one row per servo, in the order of ``robot.names``."""
    return [_row(robot, view, i) for i in range(len(robot.servos))]


def _row(robot: Robot, view: MonitorView, i: int) -> MonitorRow:
    servo, state, health = robot.servos[i], view.state, view.health
    seen = bool(np.isfinite(state.seen_s[i]))
    torque = None if health.torque[i] < 0 else bool(health.torque[i])
    row = MonitorRow(
        id=servo.id,
        name=servo.name,
        ticks=int(state.ticks[i]) if seen else None,
        load=float(state.load[i]) if seen else None,
        voltage_v=float(state.voltage_v[i]) if seen else None,
        temperature_c=int(state.temperature_c[i]) if seen else None,
        current_a=float(health.current_a[i]) if torque is not None else None,
        torque=torque,
        age_s=max(0.0, float(state.age_s[i])) if seen else None,
        level=Level.OK,
        remark="",
    )
    verdict = judge_servo(
        robot.thresholds,
        ServoHealth(
            age_s=row.age_s,
            fresh=float(view.fresh[i]),
            temperature_c=row.temperature_c,
            voltage_v=row.voltage_v,
            load=None if row.load is None else abs(row.load),
            current_a=row.current_a,
            conditions=condition_names(int(state.status[i])) if seen else (),
            torque=torque,
            commanded=torque,  # the monitor does not know what was commanded, so torque is never a fault here
        ),
    )
    return replace(row, level=int(verdict.level), remark=verdict.message)


def draw_table(rows: Sequence[MonitorRow], width: int, *, wrap: bool) -> Table:
    """Draw the rows for a terminal of ``width`` columns; numbers are never cut off.

    Where the terminal is narrow, the least important columns are left out. A remark that does not fit is wrapped with
    ``wrap``; otherwise it is cut off, so that every row keeps its line.
    """
    texts = {name: [text(row) for row in rows] for name, (text, _) in _COLUMNS.items()}
    needed = {name: max([least, *map(len, texts[name])]) for name, (_, least) in _COLUMNS.items()}
    needed["remark"] = _COLUMNS["remark"][1]
    names = columns_that_fit(needed, width)
    stretched = not wrap and "remark" in names
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", expand=stretched)
    for name in names:
        if name == "remark":
            table.add_column(
                name, no_wrap=not wrap, overflow="fold" if wrap else "ellipsis", ratio=1 if stretched else None
            )
        elif name == "servo":
            table.add_column(name, no_wrap=True, max_width=max(1, width - needed["ticks"] - 1))
        else:
            table.add_column(name, justify="right", no_wrap=True, min_width=needed[name])
    for row, *cells in zip(rows, *(texts[name] for name in names), strict=True):
        table.add_row(*cells, style=_STYLES[Level(row.level)])
    return table


def columns_that_fit(needed: Mapping[str, int], width: int) -> list[str]:
    """Return the columns that fit side by side, in their order; the servo's name and its ticks are always kept.

    ``needed``: each column's width in characters; one space stands between two columns.
    """
    kept = dict(needed)
    for name in _DROP_ORDER:
        if sum(kept.values()) + len(kept) - 1 <= width:
            break
        del kept[name]
    return list(kept)
