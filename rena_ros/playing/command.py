"""`rena play`: give a recorded take back on the robot or its twin."""

import argparse
import contextlib
import math
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, ros_path, user_path
from rena_ros.base.parameter_file import parameters_in
from rena_ros.base.resources import share_path
from rena_ros.base.signals import end_noted, on_end
from rena_ros.graph import TWIN, Process, environment_defaults, full_name, play_graph, ros_domain, ros_namespace
from rena_ros.playing.take import load_take
from rena_ros.processes.checks import check_names, check_robot
from rena_ros.processes.ending import ProcessDied, take_down
from rena_ros.processes.supervisor import Supervisor
from rena_ros.robot.file import load_robot

PLAY_NODE = "play"
LOOK_S = 0.1
EASE_WAIT_S = 1.0  # the servos node eases to neutral when commands cease, before torque goes off


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rena play`."""
    parser.add_argument("bag", type=user_path, metavar="BAG", help="the folder of a bag, or one file of it")
    parser.add_argument("--robot", default=TWIN, metavar="twin|PORT", help="the drawn robot, or a serial port")
    parser.add_argument("--robot-file", default="", metavar="FILE", help="servos and limits; default: config/rena.yaml")
    parser.add_argument("--autostart", action="store_true", help="switch a real robot's torque on at start")
    parser.add_argument("--start", type=_seconds, metavar="S", help="where to begin, s after the first command")
    parser.add_argument("--end", type=_seconds, metavar="S", help="where to end, s after the first command")
    parser.add_argument("--speed", type=_speed, metavar="X", help="times the recorded speed; default: 1")
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until Ctrl-C")
    pictures = "publish the recorded pictures, too, on camera/image_raw/compressed"
    parser.add_argument("--pictures", action="store_true", help=pictures)
    parser.add_argument("--record", type=user_path, metavar="DIR", help="record what the robot does into a bag in DIR")
    params_file = "parameters of every node, as config/nodes.yaml; the options given here override it"
    parser.add_argument("--params-file", type=user_path, metavar="FILE", help=params_file)
    parser.add_argument("--namespace", default="", help="ROS namespace of all nodes")


def run(args: argparse.Namespace) -> int:
    """Play. Returns 0, 1 when a process died, or 130 after Ctrl-C. Raises RenaError for a bag that cannot be played."""
    console = Console(highlight=False)
    on_end(signal.default_int_handler)
    domain, namespace = ros_domain(), ros_namespace(args.namespace)
    params_file = args.params_file or share_path("config/nodes.yaml")
    servos = parameters_in(params_file, full_name("servos", namespace))
    check_robot(args.robot)
    robot = load_robot(args.robot_file or servos.get("robot_file"))
    assert robot.source is not None  # it was loaded from a file
    take = load_take(args.bag, robot)
    part = take.between(args.start or 0.0, args.end or take.duration_s, robot)
    if args.pictures and take.pictures is None:
        raise RenaError(f"the bag {args.bag} holds no pictures; play it without --pictures")
    folder = Path(tempfile.mkdtemp(prefix="rena-play-"))
    processes = play_graph(
        ros_path(args.bag.resolve()),
        args.robot,
        robot_file=ros_path(robot.source.resolve()),
        autostart=args.autostart or None,
        start_s=args.start,
        end_s=args.end,
        speed=args.speed,
        loop=args.loop or None,
        pictures=args.pictures or None,
        record=ros_path(args.record.resolve()) if args.record else "",
        link=ros_path(folder / "servos"),
        report=ros_path(folder / "emulator.json"),
    )
    names = [full_name(process.name, namespace) for process in processes]
    with contextlib.closing(check_names(names, domain, namespace, "rena play")):
        os.environ.update(environment_defaults())
        os.environ.setdefault("ROS_LOG_DIR", str(folder))
        length_s = (part.duration_s - part.points[0].time_s) / (args.speed or 1.0)
        what = "" if take.planned else "; it holds no goals, so its commands are planned anew"
        rounds = ", again and again until Ctrl-C" if args.loop else ""
        title = printable(f"rena play · {args.bag} → {args.robot}, {length_s:.1f} s{rounds}{what}")
        console.print(title, markup=False, soft_wrap=True)
        if args.robot != TWIN and not args.autostart:
            switch = 'ros2 service call /set_torque std_srvs/srv/SetBool "{data: true}"'
            console.print(f"torque stays off: the take begins after {switch}", markup=False, soft_wrap=True)
        code = _watch(processes, folder, console, _command_of(params_file, namespace))
    if code == 1:
        console.print(f"logs: {folder}", markup=False, soft_wrap=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _command_of(params_file: Path, namespace: str) -> Callable[[Process], tuple[str, ...]]:
    return lambda process: process.command(params_file=params_file, namespace=namespace)


def _watch(
    processes: tuple[Process, ...],
    log: Path,
    console: Console,
    command_of: Callable[[Process], tuple[str, ...]],
) -> int:
    """Run the processes until the take is over; returns the exit code."""
    supervisor, code = Supervisor(log), 1
    with contextlib.ExitStack() as leaving:
        leaving.callback(supervisor.close)
        try:
            for process in processes:
                environment = {"PYTHONUNBUFFERED": "1", "RCUTILS_COLORIZED_OUTPUT": "0", **os.environ}
                supervisor.start(process.name, command_of(process), environment)
            while not (ends := supervisor.ended()):
                time.sleep(LOOK_S)
            if ends[0].name != PLAY_NODE or ends[0].code:
                raise ProcessDied(ends[0], log)
            code = 0
        except KeyboardInterrupt:
            code = 130
            _wait_for_ease(supervisor)
        except RenaError as error:
            console.print(f"rena play: {error}", markup=False, soft_wrap=True)
            _wait_for_ease(supervisor)
        with end_noted() as presses:
            tell = "waiting for {} to end; Ctrl-C again ends them by force"
            take_down(supervisor, presses, lambda names: console.print(tell.format(names), markup=False))
    return code


def _wait_for_ease(supervisor: Supervisor) -> None:
    """Let the robot ease to neutral: no command comes any more."""
    with contextlib.suppress(KeyboardInterrupt):
        supervisor.interrupt(PLAY_NODE, EASE_WAIT_S)
        time.sleep(EASE_WAIT_S)


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text} is no time from the first command on, s")
    return value


def _speed(text: str) -> float:
    value = float(text)
    if not 0.05 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{text} is no speed from 0.05 to 10")
    return value
