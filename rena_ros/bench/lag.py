"""`rena bench lag`: where the lag between a person's face and the robot's is, each part measured by itself.

Known signals go through the real servos node onto emulated servos in virtual time; what lies before the gate and after
the horns is measured in this run, on this machine.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.table import Table

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.bench.lag_figures import (
    ALL,
    NEAR_S,
    BlinkCounts,
    SignalFigures,
    blink_counts,
    percentile,
    signal_figures,
)
from rena_ros.bench.lag_live import LiveRun, live_run
from rena_ros.bench.lag_measures import SEEN
from rena_ros.bench.lag_parts import LagPart, camera, perception, picture, state, transport
from rena_ros.bench.lag_plot import plot
from rena_ros.bench.lag_run import Ahead, Conditions, Rehearse, Trace, rehearse, run_signal
from rena_ros.bench.lag_signals import Signal, blinks, performer, sine, steps, still
from rena_ros.bench.report import begin, rounded
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot

PLOTS = (".png", ".svg", ".pdf")
NOISE = 0.01  # sd in goals of the commands at rest
PLANNING, SERVO = "command → goal", "goal → horn"
SHOWN = "sine 1 Hz"  # the signal whose lag stands in the table of the parts
CAPTION = """\
Lags are behind the picture's stamp: the lag of the largest correlation of horns (goals on the wire) with the true face;
all: one lag for all joints that move, as the round trip takes it.
amplitude: of the sine that fits the horns, of the commanded. overshoot: the largest, of the change; a sine's change is
from trough to peak: of its amplitude it is twice as much. to 90 %: median and longest; a step from the frame that shows
it first, the performer's grin and surprise behind the person's own 90 %. servo: the least for this change within its
limits, from rest to rest, without any lag. jerk: rms of the third difference over 20 ms. noise: rms of the horns over
the sd of the commands' noise."""
BLINK_CAPTION = f"""\
shown: the lid does 80 % of the person's way and comes back to half of it. peak: the middle of the time above 90 % of
its own peak, behind the person's; near: within {NEAR_S * 1e3:.0f} ms. Commands are the true lids of the frames:
what perception does to a blink is left out. at best: after the same latency a lid shuts, as fast as its servo can, from
the first frame that shows {SEEN:.0%} of the closure, and opens from the first that shows as much of the opening: what
a lid that shuts whole and does not know the future can reach."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench lag` takes."""
    parser.add_argument("--fps", type=float, default=30.0, metavar="HZ", help="pictures a second (default 30)")
    parser.add_argument("--latency-ms", type=float, metavar="MS", help="stamp to gate (default: as measured, the sum)")
    parser.add_argument("--jitter-ms", type=float, default=2.0, metavar="MS", help="its standard deviation (default 2)")
    parser.add_argument("--noise", type=float, default=NOISE, help=f"sd of noise at rest, in goals (default {NOISE})")
    parser.add_argument("--blinks", type=int, default=100, metavar="N", help="of a person's timing (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="of jitter, noise and blinks (default 0)")
    parser.add_argument("--live", type=float, default=0.0, metavar="S", help="run `rena mimic` beside it, for so long")
    parser.add_argument("--plot", type=user_path, metavar="FILE", help="draw signals, goals and horns (PNG, SVG, PDF)")
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write all figures there")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns 0, also for missed aims, which the output shows."""
    _check(args)
    console, machine = begin(None)
    parts, latency_ms = _before_and_after(args.latency_ms)
    conditions = Conditions(latency_ms / 1e3, args.jitter_ms / 1e3, args.fps, args.seed)
    begun_s = time.process_time()
    rows, counts, traces = measure(conditions, args.blinks, args.noise)
    took_s = time.process_time() - begun_s
    live = live_run(args.live) if args.live else None
    parts[2:2] = motion_parts(rows, latency_ms)
    parts.insert(0, camera(args.fps))
    console.print(parts_table(parts, rows, latency_ms, live))
    console.print(signals_table(rows))
    console.print(CAPTION, style="dim", highlight=False)
    console.print(blinks_table(counts))
    console.print(BLINK_CAPTION, style="dim", highlight=False)
    console.print(f"signals: {took_s:.0f} s of one core, in virtual time, at {args.fps:g} pictures/s, seed {args.seed}")
    if args.json:
        write_json(args.json, _figures(args, vars(machine), latency_ms, parts, rows, counts, live))
        console.print(f"figures: {args.json}", highlight=False, soft_wrap=True)
    if args.plot:
        plot(load_robot(), traces, args.plot, console)
    return 0


def measure(
    conditions: Conditions,
    blink_count: int = 100,
    noise: float = NOISE,
    rehearse: Rehearse = rehearse,
    make_ahead: Callable[[], Ahead] | None = None,
) -> tuple[list[SignalFigures], list[BlinkCounts], dict[str, Trace]]:
    """Run every signal; return its figures, its blinks and its trace, by name.

    ``rehearse`` as for ``run_signal``; ``make_ahead`` makes what it takes as ``ahead``, anew for each signal.
    """
    robot, rows, counts, traces = load_robot(), [], [], {}
    for signal in signals(robot, conditions.seed, blink_count, noise):
        ahead = make_ahead() if make_ahead else None
        trace = traces[signal.name] = run_signal(signal, conditions, rehearse, ahead)
        if signal.blinks is not None:
            counts.append(blink_counts(robot, signal, trace, conditions))
        rows += signal_figures(robot, signal, trace, conditions)
    return rows, counts, traces


def signals(robot: Robot, seed: int, blink_count: int, noise: float) -> list[Signal]:
    """Return the signals of the bench."""
    rng = np.random.default_rng((seed, 1))
    known = [sine(robot, 1.0, 6.0), sine(robot, 3.0, 4.0), steps(robot, 1.0), steps(robot, 0.5), steps(robot, 0.2)]
    known.append(performer(robot))
    return [*known, still(robot, noise), *([blinks(robot, blink_count, rng)] if blink_count else [])]


def motion_parts(rows: Iterable[SignalFigures], latency_ms: float) -> list[LagPart]:
    """Return the parts that the gate and the servo add, from the sine of 1 Hz: mean and largest over its joints."""
    shown = [row for row in rows if row.signal == SHOWN]
    planning = [(row.goals_ms or 0.0) - latency_ms for row in shown]
    servo = [(row.horns_ms or 0.0) - (row.goals_ms or 0.0) for row in shown]
    how = f"{SHOWN}, jaw and lids, virtual time"
    return [
        LagPart(
            PLANNING,
            float(np.mean(planning)),
            max(planning),
            f"{how}: commands, a frame apart, are made one motion",
        ),
        LagPart(SERVO, float(np.mean(servo)), max(servo), f"{how}: goals, a tick ahead and a tick apart, are chased"),
    ]


def _check(args: argparse.Namespace) -> None:
    if not (1 <= args.fps <= 240 and 0 <= args.jitter_ms <= 50 and 0 < args.noise <= 0.2):
        raise RenaError("--fps must be 1 to 240, --jitter-ms 0 to 50 and --noise above 0 and at most 0.2")
    if args.latency_ms is not None and not 0 <= args.latency_ms <= 200:
        raise RenaError(f"--latency-ms {args.latency_ms:g} must be 0 to 200")
    if args.blinks < 0 or args.seed < 0 or not (args.live == 0 or 5 <= args.live <= 3600):
        raise RenaError("--blinks and --seed must not be negative, and --live 5 to 3600 s")
    if args.plot and args.plot.suffix.lower() not in PLOTS:
        raise RenaError(f"--plot {args.plot.name} must end in {', '.join(PLOTS)}")
    for path in (args.json, args.plot):
        if path and not path.parent.is_dir():
            raise RenaError(f"there is no folder {path.parent} for {path.name}; make it, or choose another file")


def _before_and_after(latency_ms: float | None) -> tuple[list[LagPart], float]:
    """Measure the parts on this machine; return them and the latency of the commands, ms."""
    seeing, reading = perception()
    sending = transport(reading)
    measured_ms = seeing.p50_ms + sending.p50_ms
    return [seeing, sending, state(), picture()], measured_ms if latency_ms is None else latency_ms


def parts_table(parts: list[LagPart], rows: Iterable[SignalFigures], latency_ms: float, live: LiveRun | None) -> Table:
    """Return the parts of the lag as a table."""
    table = _table("Where the lag is, ms", ("part", "p50", "p95", "measured on"))
    for part in parts:
        table.add_row(part.name, f"{part.p50_ms:.1f}", f"{part.p95_ms:.1f}", part.how)
    horns = latency_ms + sum(part.p50_ms for part in parts if part.name in (PLANNING, SERVO))
    table.add_row("stamp → gate", f"{latency_ms:.1f}", "", "of the commands in the tables below")
    table.add_row(
        "stamp → horn",
        f"{horns:.1f}",
        "",
        f"{SHOWN}; the camera's wait, before the stamp, not in it",
        style="bold",
    )
    for row in rows:
        if row.group == ALL:
            how = f"{row.signal}, every joint that moves, one lag for all: to be held against the round trip"
            table.add_row("stamp → horn", _text(row.horns_ms), "", how, style="bold")
    if live is not None:
        text = f"`rena mimic`, performer, {live.seconds:g} s; its twin's pictures bear the states' stamps"
        table.add_row("round trip", f"{live.lag_ms:.0f}", "", f"{text}; mean r {live.mean_r:.3f}", style="bold")
        table.add_row("  stamp → wire", f"{live.wire_p50_ms:.1f}", f"{live.wire_p95_ms:.1f}", "the same run")
    return table


def signals_table(rows: Iterable[SignalFigures]) -> Table:
    """Return the figures of the signals as a table."""
    titles = ("signal", "joints", "goals ms", "horns ms", "amplitude %", "overshoot %", "to 90 % ms", "servo ms")
    table = _table("Signals", (*titles, "jerk rad/s³", "noise"))
    before = ""
    for row in rows:
        reach = "" if row.reach_ms is None else f"{row.reach_ms:.0f} / {row.reach_max_ms:.0f}"
        cells = [_text(row.goals_ms), _text(row.horns_ms), _text(row.amplitude), _text(row.overshoot), reach]
        cells += [_text(row.servo_ms, 0), _text(row.jerk_rad_s3, 0), _text(row.noise, 2)]
        table.add_row("" if row.signal == before else row.signal, row.group, *cells)
        before = row.signal
    return table


def blinks_table(counts: Iterable[BlinkCounts]) -> Table:
    """Return the blinks as a table."""
    table = _table("Blinks", ("", "blinks", "shown", f"within {NEAR_S * 1e3:.0f} ms", "peak p50 ms", "p95 ms"))
    for one in counts:
        peaks = (f"{percentile(one.peaks_ms, share):.1f}" for share in (50, 95))
        table.add_row(one.signal, f"{one.blinks}", f"{one.shown}", f"{one.near}", *peaks)
        least = (f"{percentile(one.ideal_ms, share):.1f}" for share in (50, 95))
        table.add_row("  at best", f"{len(one.ideal_ms)}", "", f"{one.ideal_near}", *least, style="dim")
    return table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for k, column in enumerate(columns):
        table.add_column(column, justify="left" if k == 0 or column in ("joints", "measured on") else "right")
    return table


def _text(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _figures(
    args: argparse.Namespace,
    machine: dict[str, object],
    latency_ms: float,
    parts: list[LagPart],
    rows: list[SignalFigures],
    counts: list[BlinkCounts],
    live: LiveRun | None,
) -> dict[str, object]:
    given = {name: getattr(args, name) for name in ("fps", "jitter_ms", "noise", "seed")}
    return {
        "machine": machine,
        **given,
        "latency_ms": round(latency_ms, 3),
        "parts": [rounded(asdict(part), 3) for part in parts],
        "signals": [_known(rounded(asdict(row), 3)) for row in rows],
        "blinks": [asdict(one) for one in counts],
        "live": None if live is None else rounded(asdict(live), 3),
    }


def _known(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the figures with None for NaN, which JSON does not know: a change that was never reached."""
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in figures.items()}
