"""`rena mimic`: mirror a person's face on the robot or its twin, live, and keep a film and the figures."""

import argparse
import datetime
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros.errors import RenaError
from rena_ros.graph import TWIN, environment_defaults, mimic_graph
from rena_ros.mimic import film, preflight, summary
from rena_ros.mimic.round_trip import compare, person_track, twin_track
from rena_ros.mimic.session import Outcome, Session
from rena_ros.mimic.spool import SpoolReader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena mimic` takes."""
    parser.add_argument("--source", default=preflight.PERFORMER, metavar="performer|FILE|CAMERA_INDEX")
    parser.add_argument("--robot", default=TWIN, metavar="twin|PORT", help="the drawn robot, or a serial port")
    parser.add_argument("--out", type=Path, default=Path("out/mimic"), metavar="DIR", help="default: out/mimic")
    parser.add_argument(
        "--duration", type=_positive, metavar="S", help="seconds; a shorter clip starts over (default: once through)"
    )
    parser.add_argument("--mirror", action="store_true", help="turn the picture around, as a looking-glass would")
    parser.add_argument("--model", metavar="FILE", help="ONNX model; default: the one that ships with Rena")
    parser.add_argument("--robot-file", metavar="FILE", help="servos and limits; default: config/rena.yaml")
    parser.add_argument("--autostart", action="store_true", help="switch a real robot's torque on at start")
    parser.add_argument("--namespace", default="", help="ROS namespace of all nodes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")


def run(args: argparse.Namespace) -> int:
    """Run the chain, then make the film and the figures. Returns 0, or 1 when a process died or a part is missing."""
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `cmd &` in a script starts with Ctrl-C ignored
    source = preflight.check_source(args.source)
    preflight.check_robot(args.robot)
    model = preflight.check_model(args.model)
    robot_file = preflight.check_robot_file(args.robot_file)
    out = args.out.resolve()
    lock = preflight.prepare_out(out)
    spool, report = out / ".spool", out / ".spool" / "emulator.json"
    report.unlink(missing_ok=True)
    os.environ.update(environment_defaults())
    processes = mimic_graph(
        source.name,
        args.robot,
        model=str(model),
        mirror=args.mirror,
        robot_file=robot_file,
        autostart=args.autostart,
        loop=args.duration is not None,
        link=str(spool / "servos"),
        report=str(report),
    )
    total_s = args.duration or source.duration_s
    title = f"rena mimic · {args.source} → {args.robot}"
    console.print(f"{title}, {_length(total_s)}; results in {out}", highlight=False, markup=False, soft_wrap=True)
    session = Session(processes, out, console, args.namespace)
    outcome = session.run(title, args.duration, total_s)
    try:
        return _results(args, console, session, outcome, model, out, report)
    finally:
        shutil.rmtree(spool, ignore_errors=True)
        os.close(lock)


def _results(args, console: Console, session: Session, outcome: Outcome, model: Path, out: Path, report: Path) -> int:
    """Film, round trip and summary of what was recorded; said in the summary where a part is missing."""
    is_twin = args.robot == TWIN
    notes = [f"{name} did not leave on Ctrl-C and took a {number}" for name, number in outcome.forced.items()]
    if outcome.spool_failure:
        notes.append(f"pictures could not be kept: {outcome.spool_failure}")
    emulator = _read_report(report) if is_twin else None
    if is_twin and emulator is None:
        notes.append("the emulator left no report")
    figures = summary.measure(session.samples, emulator)
    figures["provenance"] = {
        "source": args.source,
        "robot": args.robot,
        "mirror": args.mirror,
        "model": {"file": model.name, "sha256": summary.fingerprint(model)},
        "recorded": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "duration_s": _recorded_s(session),
        "ended": outcome.ending,
        "film": None,
        "emulator": emulator,
        "versions": summary.versions(),
        "notes": notes,
    }
    paths = [out / "summary.json", *([args.json] if args.json else [])]
    summary.write(figures, *paths)  # the film may take a while, and the figures are safe meanwhile
    problem = outcome.failure
    if problem is not None:
        print(f"rena mimic: {problem}", file=sys.stderr, flush=True)
    try:
        if figures["frames"]:
            _add_film(figures, console, session, out, is_twin)
            if problem is None:
                _add_round_trip(figures, console, out, is_twin)
    except KeyboardInterrupt:
        notes.append("interrupted while the film or the round trip was being made")
    except RenaError as error:
        notes.append(str(error))
        problem = error
    summary.write(figures, *paths)
    if figures["frames"]:
        summary.show(figures, console)
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True, style="yellow")
    if figures["provenance"]["film"]:
        console.print(f"film: {out / 'mimic.mp4'}", highlight=False, markup=False, soft_wrap=True)
    if problem is not None:
        return 1
    if not figures["frames"]:
        print("rena mimic: the run ended before the camera sent a picture", file=sys.stderr)
        return 130 if outcome.ending == "interrupted" else 1
    return 0


def _add_film(figures: dict, console: Console, session: Session, out: Path, is_twin: bool) -> None:
    finished = session.samples.events("servos")
    path = out / "mimic.mp4"
    try:
        with _progress(console) as progress:
            task = progress.add_task("film", total=None)
            film.make_film(
                path,
                out / ".spool",
                finished,
                with_robot=is_twin,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    finally:
        figures["provenance"]["film"] = path.name if path.exists() else None
    if not is_twin:
        figures["provenance"]["notes"].append("no picture of a real robot: the film shows the person alone")


def _add_round_trip(figures: dict, console: Console, out: Path, is_twin: bool) -> None:
    notes = figures["provenance"]["notes"]
    if not is_twin:
        notes.append("no round trip without the twin")
        return
    with _progress(console) as progress:
        task = progress.add_task("reading the robot's face", total=None)
        twin = twin_track(
            SpoolReader.open(out / ".spool", "robot"),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    trip = compare(person_track(SpoolReader.open(out / ".spool", "readings")), twin)
    if trip is None:
        notes.append("no round trip: the person and the robot were hardly ever seen at the same time")
    else:
        figures["round_trip"] = trip.as_dict()


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _recorded_s(session: Session) -> float:
    frames = session.samples.frames()
    return round((frames[-1] - frames[0]) / 1e9, 3) if frames else 0.0


def _read_report(report: Path) -> dict | None:
    try:
        return json.loads(report.read_text())
    except (OSError, json.JSONDecodeError):
        return None


def _length(total_s: float | None) -> str:
    return "until Ctrl-C" if total_s is None else f"{total_s:.0f} s"


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return value


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
