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

from rena_ros import __version__
from rena_ros.base.commit import source_commit
from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, ros_path, write_json
from rena_ros.base.parameter_file import parameters_in
from rena_ros.base.resources import share_path
from rena_ros.base.signals import on_end
from rena_ros.collecting.live import LiveOutcome, LiveSession
from rena_ros.graph import TWIN, Process, collect_graph, environment_defaults, full_name, ros_domain, ros_namespace
from rena_ros.perception.camera import absence, camera_path
from rena_ros.processes.checks import check_names, check_robot
from rena_ros.recording import session as sessions
from rena_ros.recording.session import SessionFile
from rena_ros.recording.stored import Stored
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import load_strategy, strategy_path


def run(args: argparse.Namespace) -> int:
    """Collect over ROS. Returns 0, 1 when the session failed, or 130 after Ctrl-C (--resume goes on)."""
    console = Console(highlight=False)
    on_end(signal.default_int_handler)
    domain, namespace = ros_domain(), ros_namespace(args.namespace or "")
    params_file = args.params_file or share_path("config/nodes.yaml")
    servos = parameters_in(params_file, full_name("servos", namespace))
    check_robot(args.robot)
    _check_source(args)
    robot = load_robot(args.robot_file or servos.get("robot_file"))
    assert robot.source is not None  # it was loaded from a file
    load_strategy(args.strategy, robot)
    out, robot_file, strategy_file = args.out.resolve(), robot.source.resolve(), strategy_path(args.strategy)
    with sessions.locked(out):
        note = {
            "command": shlex.join(["rena", *sys.argv[1:]]),
            "rena_version": __version__,
            "commit": source_commit() or "",
            "source": args.source or ("robot" if args.robot == TWIN else ""),
        }
        session = sessions.begin(out, args.samples, args.seed, robot_file, strategy_file, note, bool(args.resume))
        if mended := sessions.mend(out):
            console.print(f"{mended} bag(s) of a run that was cut off are mended")
        held = sessions.stored(out)
        session = sessions.note_delay(out, held)
        todo = sessions.missing(held.samples, args.samples)
        if not todo and not args.measure_delay:
            console.print(f"all {args.samples} samples are in {out} already", markup=False, soft_wrap=True)
            return 0
        processes = _graph(args, session, todo, robot_file, out)
        names = [full_name(one.name, namespace) for one in processes]
        with contextlib.closing(check_names(names, domain, namespace, "rena collect")):
            outcome = _collect(args, processes, out, console, namespace, params_file, args.samples - len(todo))
        return _conclude(args, out, outcome, len(held.samples), console)


def _collect(
    args: argparse.Namespace,
    processes: tuple[Process, ...],
    out: Path,
    console: Console,
    namespace: str,
    params_file: Path,
    earlier: int,
) -> LiveOutcome:
    log = out / "log"
    log.mkdir(exist_ok=True)
    (log / "servos").unlink(missing_ok=True)  # a run that was killed leaves a port that leads nowhere
    os.environ.update(environment_defaults())
    title = printable(f"rena collect · {args.robot} → {out}")
    there = f", {earlier} are there" if earlier else ""
    console.print(f"{title}: {args.samples} samples{there}", markup=False, soft_wrap=True)
    if args.robot != TWIN and not args.autostart:
        console.print(
            'torque stays off; ros2 service call /set_torque std_srvs/srv/SetBool "{data: true}" switches it on',
            markup=False,
            soft_wrap=True,
        )
    return LiveSession(processes, out, console, namespace, params_file).run(title, earlier, args.samples)


def _check_source(args: argparse.Namespace) -> None:
    if args.robot != TWIN and not args.source:
        raise RenaError("--source is missing: name the camera that looks at the robot, such as --source 0")
    if args.robot != TWIN and args.source == "robot":
        raise RenaError("--source robot is the twin's picture: name the camera that looks at the robot")
    if args.source and (camera := camera_path(args.source)) and (reason := absence(camera)):
        raise RenaError(reason)


def _graph(
    args: argparse.Namespace, session: SessionFile, todo: list[int], robot_file: Path, out: Path
) -> tuple[Process, ...]:
    return collect_graph(
        ros_path(out),
        args.robot,
        args.source or "",
        samples=args.samples,
        seed=args.seed,
        todo=sessions.todo_text(todo),
        strategy=args.strategy or "",
        robot_file=ros_path(robot_file),
        autostart=args.autostart,
        rest_every=args.rest_every,
        rest_s=args.rest_s,
        capture_delay_s=session.capture_delay_s,
        measure_delay=args.measure_delay,
        robot_delay_s=args.robot_delay_s,
        body_file=ros_path(args.body.resolve()) if args.body else "",
        link=ros_path(out / "log" / "servos"),
        report=ros_path(out / "log" / "emulator.json"),
    )


def _conclude(args: argparse.Namespace, out: Path, outcome: LiveOutcome, earlier: int, console: Console) -> int:
    """Count what is in the bags, print the figures and what to do next. Returns the exit code."""
    if outcome.failure is not None:
        console.print(f"rena collect: {outcome.failure}", markup=False, soft_wrap=True)
    sessions.mend(out)  # where the recorder was killed
    held = sessions.stored(out)
    session = sessions.note_delay(out, held)
    figures = _figures(args, out, outcome, held, earlier, session)
    _report(console, figures)
    left = args.samples - len(held.samples)
    if left > 0:
        again = "the same command with --resume goes on"
        console.print(f"{len(held.samples)} of {args.samples} samples are safe in {out}; {again}", markup=False)
    else:
        console.print(
            f"all {args.samples} samples are in {out}; next: rena dataset build {out} --out DIR", markup=False
        )
    if args.json:
        write_json(args.json, figures)
    return {"complete": 0, "interrupted": 130}.get(outcome.ending, 1)


def _figures(
    args: argparse.Namespace, out: Path, outcome: LiveOutcome, held: Stored, earlier: int, session: SessionFile
) -> dict[str, Any]:
    """Return the figures for `--json`; rates and shares are of this run."""
    now = len(held.samples) - earlier
    size = sum(path.stat().st_size for path in (out / sessions.BAGS).rglob("*") if path.is_file())
    return {
        "ending": outcome.ending,
        "samples": len(held.samples),
        "collected_now": now,
        "wanted": args.samples,
        "seconds": round(outcome.seconds, 1),
        "samples_per_s": round(now / outcome.seconds, 3) if outcome.seconds else None,
        "phases_s": {name: float(mean) for name, mean in (outcome.progress.phases or {}).items()},
        "rejected": held.rejected,
        "cpu_percent": {name: round(share, 1) for name, share in outcome.cpu_percent.items()},
        "bags_mb": round(size / 1e6, 1),
        "capture_delay_s": session.capture_delay_s,
        "forced": outcome.forced,
    }


def _report(console: Console, figures: dict[str, Any]) -> None:
    table = Table(show_header=False)
    rate = figures["samples_per_s"] or 0.0
    table.add_row("samples of this run", f"{figures['collected_now']} in {figures['seconds']:.0f} s, {rate:.2f}/s")
    table.add_row("phases, mean s", ", ".join(f"{name} {mean:.2f}" for name, mean in figures["phases_s"].items()))
    table.add_row("rejected tries", ", ".join(f"{why} {n}" for why, n in figures["rejected"].items()) or "none")
    table.add_row("CPU, % of a core", ", ".join(f"{name} {cpu:.0f}" for name, cpu in figures["cpu_percent"].items()))
    table.add_row("bags", f"{figures['bags_mb']:.1f} MB")
    if figures["capture_delay_s"] is not None:
        table.add_row("camera's delay", f"{1e3 * figures['capture_delay_s']:.0f} ms")
    console.print(table)
