"""`rena collect` over ROS: a session in a folder, from the checks before it to the figures after it."""

import argparse
import contextlib
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, write_json
from rena_ros.base.signals import on_end
from rena_ros.collecting.live import LiveOutcome, LiveSession
from rena_ros.collecting.opening import OpenSession, opened
from rena_ros.graph import environment_defaults, full_name, overruled, ros_domain
from rena_ros.processes.checks import check_json, check_names
from rena_ros.recording import session as sessions
from rena_ros.recording.session import SessionFile
from rena_ros.recording.stored import Stored


def run(args: argparse.Namespace) -> int:
    """Collect over ROS. Returns 0, 1 when the session failed, or 130 after Ctrl-C (--resume goes on)."""
    # Where the figures go to standard output, they are alone there.
    console = Console(highlight=False, soft_wrap=True, stderr=str(args.json) == "-")
    on_end(signal.default_int_handler)
    domain = ros_domain()
    check_json(args.json)
    with opened(args, shlex.join(["rena", *sys.argv[1:]])) as opening:
        if opening.mended:
            console.print(f"{opening.mended} bag(s) of a run that was cut off are mended")
        if not opening.has_work:
            console.print(opening.done_text, markup=False)
            if args.json:
                write_json(args.json, _figures(opening, LiveOutcome("complete"), opening.held, opening.session))
            return 0
        names = [full_name(one.name, opening.namespace) for one in opening.processes]
        with contextlib.closing(check_names(names, domain, opening.namespace, "rena collect")):
            outcome = _collect(args, opening, console)
        return _conclude(args.json, opening, outcome, console)


def _collect(args: argparse.Namespace, opening: OpenSession, console: Console) -> LiveOutcome:
    os.environ.update(environment_defaults())
    samples, collected, out = opening.session.samples, opening.collected, opening.out
    title = printable(f"rena collect · {args.robot} → {out}")
    there = f", {collected} are there" if collected else ""
    console.print(f"{title}: {samples} samples{there}", markup=False)
    if args.params_file:
        for line in overruled(opening.processes, opening.params_file, opening.namespace):
            console.print(f"note: {line}", markup=False)
    if not next(one for one in opening.processes if one.name == "servos").parameters.get("autostart"):
        service = full_name("set_torque", opening.namespace)
        console.print(
            f'torque stays off; ros2 service call {service} std_srvs/srv/SetBool "{{data: true}}" switches it on',
            markup=False,
        )
    live = LiveSession(opening.processes, out, console, opening.namespace, opening.params_file)
    return live.run(title, collected, samples, args.duration)


def _conclude(json_file: Path | None, opening: OpenSession, outcome: LiveOutcome, console: Console) -> int:
    """Count what is in the bags, print the figures and what to do next. Returns the exit code."""
    out, samples = opening.out, opening.session.samples
    if outcome.failure is not None:
        console.print(f"rena collect: {outcome.failure}", markup=False)
    try:
        sessions.end_run(out, outcome.ending)
        sessions.mend(out)  # where the recorder was killed
        held = sessions.stored(out)
        session = sessions.note_delay(out, held)
    except RenaError as error:  # a full disk
        remedy = f"what was recorded stays in {out}; the same command with --resume mends it and goes on"
        console.print(f"rena collect: {error}; {remedy}", markup=False)
        return 1
    figures = _figures(opening, outcome, held, session)
    _report(console, figures)
    if len(held.samples) < samples:
        again = "the same command with --resume goes on"
        console.print(f"{len(held.samples)} of {samples} samples are safe in {out}; {again}", markup=False)
    else:
        build = f"rena dataset build {shlex.quote(str(out))} --out DIR"
        console.print(f"all {samples} samples are in {out}; next: {build}", markup=False)
    if json_file:
        write_json(json_file, figures)
    return {"complete": 0, "interrupted": 130}.get(outcome.ending, 1)


def _figures(opening: OpenSession, outcome: LiveOutcome, held: Stored, session: SessionFile) -> dict[str, Any]:
    """Return the figures for `--json`; shares are of this run, the rate is that of its last 100 samples."""
    now = len(held.samples) - opening.collected
    size = sum(path.stat().st_size for path in (opening.out / sessions.BAGS).rglob("*") if path.is_file())
    return {
        "ending": outcome.ending,
        "samples": len(held.samples),
        "collected_now": now,
        "wanted": session.samples,
        "seconds": round(outcome.seconds, 1),
        "samples_per_min": float(outcome.progress.rate_per_min or 0),
        "phases_s": {name: float(mean) for name, mean in (outcome.progress.phases or {}).items()},
        "rejected": held.rejected,
        "cpu_percent": {name: round(share, 1) for name, share in outcome.cpu_percent.items()},
        "bags_mb": round(size / 1e6, 1),
        "capture_delay_s": session.capture_delay_s,
        "forced": outcome.forced,
    }


def _report(console: Console, figures: dict[str, Any]) -> None:
    table = Table(show_header=False)
    run = f"{figures['collected_now']} in {figures['seconds']:.0f} s with start and end"
    table.add_row("samples of this run", f"{run}; {figures['samples_per_min']:.0f}/min at the end")
    table.add_row("phases, mean s", ", ".join(f"{name} {mean:.2f}" for name, mean in figures["phases_s"].items()))
    table.add_row("rejected tries", ", ".join(f"{why} {n}" for why, n in figures["rejected"].items()) or "none")
    table.add_row("CPU, % of a core", ", ".join(f"{name} {cpu:.0f}" for name, cpu in figures["cpu_percent"].items()))
    table.add_row("bags", f"{figures['bags_mb']:.1f} MB")
    if figures["capture_delay_s"] is not None:
        table.add_row("camera's delay", f"{1e3 * figures['capture_delay_s']:.0f} ms")
    console.print(table)
