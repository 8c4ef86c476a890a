"""`rena mimic`: mirror a person's face on the robot or its twin, live, and keep a film and the figures."""

import argparse
import os
import shutil
import signal
from pathlib import Path

from rich.console import Console

from rena_ros.base.signals import on_end
from rena_ros.graph import TWIN, environment_defaults, mimic_graph
from rena_ros.mimic import preflight
from rena_ros.mimic.results import REPORT, MimicRun, conclude
from rena_ros.mimic.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena mimic`."""
    parser.add_argument(
        "--source",
        default=preflight.PERFORMER,
        metavar="performer|FILE|CAMERA_INDEX",
        help="the face to mirror; default: the built-in performer, which needs no camera",
    )
    parser.add_argument("--robot", default=TWIN, metavar="twin|PORT", help="the drawn robot, or a serial port")
    parser.add_argument("--out", type=Path, default=Path("out/mimic"), metavar="DIR", help="default: out/mimic")
    parser.add_argument(
        "--duration", type=_positive, metavar="S", help="seconds; a shorter clip starts over (default: once through)"
    )
    parser.add_argument("--mirror", action="store_true", help="flip the picture left to right, as a mirror does")
    parser.add_argument("--model", metavar="FILE", help="ONNX model; default: the one that ships with Rena")
    parser.add_argument("--robot-file", metavar="FILE", help="servos and limits; default: config/rena.yaml")
    parser.add_argument("--autostart", action="store_true", help="switch a real robot's torque on at start")
    parser.add_argument("--namespace", default="", help="ROS namespace of all nodes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE, too")


def run(args: argparse.Namespace) -> int:
    """Run the nodes, then make film and figures. Returns 0, or 1 when a process died or a result is missing."""
    console = Console(highlight=False)
    on_end(signal.default_int_handler)  # includes Ctrl-C: `cmd &` in a script starts with it ignored
    source = preflight.check_source(args.source)
    preflight.check_robot(args.robot)
    model = preflight.check_model(args.model)
    robot_file = preflight.check_robot_file(args.robot_file)
    out = args.out.resolve()
    preflight.check_json(args.json)
    lock = preflight.prepare_out(out)
    mimic_run = MimicRun(args.source, args.robot, args.mirror, model, out, args.json)
    report = mimic_run.spool / REPORT
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
        link=str(mimic_run.spool / "servos"),
        report=str(report),
        listeners=2,  # the blendshapes node and the monitor
    )
    total_s = args.duration or source.duration_s
    title = f"rena mimic · {args.source} → {args.robot}"
    length = "until Ctrl-C" if total_s is None else f"{total_s:.0f} s"
    console.print(f"{title}, {length}; results in {out}", markup=False, soft_wrap=True)
    if args.source == preflight.PERFORMER:
        console.print("the source is the built-in performer; --source 0 takes the first camera", markup=False)
    session = Session(processes, out, console, args.namespace)
    outcome = session.run(title, args.duration, total_s)
    try:
        return conclude(mimic_run, session.measurements, outcome, console)
    finally:
        shutil.rmtree(mimic_run.spool, ignore_errors=True)
        os.close(lock)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return value
