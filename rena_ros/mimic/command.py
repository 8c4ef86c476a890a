"""`rena mimic`: mirror a person's face on the robot or its twin, live, and keep a film and the figures."""

import argparse
import contextlib
import os
import shutil
import signal
from pathlib import Path

from rich.console import Console

from rena_ros.base.files import printable, ros_path, user_path
from rena_ros.base.parameter_file import parameters_in
from rena_ros.base.resources import share_path
from rena_ros.base.signals import on_end
from rena_ros.graph import (
    TWIN,
    environment_defaults,
    full_name,
    mimic_graph,
    overruled,
    ros_domain,
    ros_namespace,
)
from rena_ros.mimic import preflight
from rena_ros.mimic.results import BAGS, REPORT, MimicRun, conclude
from rena_ros.mimic.session import LINK, Session
from rena_ros.perception.engines import ENGINES, HELP
from rena_ros.processes.checks import check_json, check_names, check_robot
from rena_ros.robot.file import load_robot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena mimic`."""
    source = "the face: a video or picture, or a camera's number or device; default: the built-in performer"
    parser.add_argument("--source", default="", metavar="performer|FILE|CAMERA", help=source)
    parser.add_argument("--robot", default=TWIN, metavar="twin|PORT", help="the drawn robot, or a serial port")
    out = Path("out/mimic")
    parser.add_argument("--out", type=user_path, default=out, metavar="DIR", help=f"default: {out}")
    parser.add_argument(
        "--duration", type=_positive, metavar="S", help="seconds; a shorter clip starts over (default: once through)"
    )
    # None where not given: a parameter file may say it.
    mirror = "flip the picture left to right, as a mirror does"
    parser.add_argument("--mirror", action="store_const", const=True, help=mirror)
    parser.add_argument("--model", default="", metavar="FILE", help="ONNX model; default: the one that ships with Rena")
    parser.add_argument("--robot-file", default="", metavar="FILE", help="servos and limits; default: config/rena.yaml")
    no_film = "make no film and no round trip: only the figures"
    parser.add_argument("--no-film", dest="film", action="store_false", help=no_film)
    hops = "measure each hop of a picture on its way to the bus, too"
    parser.add_argument("--hops", action="store_true", help=hops)
    composed = "camera, blendshapes and policy in one process (the default), or each in its own"
    parser.add_argument("--composed", action=argparse.BooleanOptionalAction, help=composed)
    idle = "let the robot blink and look about while it sees no face, and close a person's blinks whole"
    parser.add_argument("--idle", action="store_const", const=True, help=idle)
    parser.add_argument("--perception", choices=ENGINES, help=HELP)
    autostart = "switch a real robot's torque on at start"
    parser.add_argument("--autostart", action="store_const", const=True, help=autostart)
    record = "record everything into a bag below DIR/bags, for `rena play` and `ros2 bag play`"
    parser.add_argument("--record", action="store_true", help=record)
    params_file = "parameters of every node, as config/nodes.yaml; the options given here override it"
    parser.add_argument("--params-file", type=user_path, metavar="FILE", help=params_file)
    parser.add_argument("--namespace", default="", help="ROS namespace of all nodes")
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write the figures to FILE, too")


def run(args: argparse.Namespace) -> int:
    """Run the nodes, then make film and figures. Returns 0, or 1 when a process died or a result is missing."""
    console = Console(highlight=False)
    on_end(signal.default_int_handler)  # includes Ctrl-C: `cmd &` in a script starts with it ignored
    domain, namespace = ros_domain(), ros_namespace(args.namespace)
    params_file = args.params_file or share_path("config/nodes.yaml")
    camera, servos, policy = (
        parameters_in(params_file, full_name(name, namespace)) for name in ("camera", "servos", "policy")
    )
    source_text = args.source or str(camera.get("source", preflight.PERFORMER))
    source = preflight.check_source(source_text)
    check_robot(args.robot)
    robot = load_robot(args.robot_file or servos.get("robot_file"))
    model = preflight.check_model(args.model or policy.get("model_path", ""), robot)
    out = args.out.resolve()
    check_json(args.json)
    mirror = bool(camera.get("mirror") if args.mirror is None else args.mirror)
    bags = frozenset((out / BAGS).iterdir()) if (out / BAGS).is_dir() else frozenset()
    mimic_run = MimicRun(
        source_text, args.robot, mirror, model, out, args.json, bags if args.record else None, args.film
    )
    report = mimic_run.spool / REPORT
    processes = mimic_graph(
        source.name,
        args.robot,
        model=ros_path(model),
        mirror=args.mirror,
        robot_file=ros_path(robot.source.resolve()) if robot.source else "",
        autostart=args.autostart,
        loop=True if args.duration is not None else None,
        link=ros_path(mimic_run.spool / LINK),
        report=ros_path(report),
        listeners=1 + args.film + args.record,  # the blendshapes node; the monitor; the recorder
        record=ros_path(out / BAGS) if args.record else "",
        perception=args.perception or "",
        composed=args.composed,
        idle=args.idle,
    )
    names = [full_name(name, namespace) for process in processes for name in process.nodes]
    with contextlib.closing(check_names(names, domain, namespace, "rena mimic")):
        lock = preflight.prepare_out(out)
        report.unlink(missing_ok=True)
        os.environ.update(environment_defaults())
        limit_s = args.duration or (preflight.STILL_S if source.still else None)
        total_s = limit_s or source.duration_s
        title = printable(f"rena mimic · {source_text} → {args.robot}")
        length = f"{total_s:.0f} s" if total_s else "until Ctrl-C" if source.camera else "to its end"
        console.print(f"{title}, {length}; results in {out}", markup=False, soft_wrap=True)
        if source_text == preflight.PERFORMER:
            console.print("the source is the built-in performer; --source 0 takes the first camera", markup=False)
        if source.still:
            console.print(f"the source is a still picture; it is shown for {limit_s:.0f} s (--duration S changes that)")
        if args.params_file:
            for line in overruled(processes, params_file, namespace):
                console.print(f"note: {line}", markup=False, soft_wrap=True)
        session = Session(processes, out, console, namespace, params_file, film=args.film, hops=args.hops)
        outcome = session.run(title, limit_s, total_s)
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
