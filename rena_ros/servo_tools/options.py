"""Command-line options that several tools share, and what they mean: port, rate, robot file, servos, --yes."""

import argparse
import contextlib
import difflib
import shlex
from collections.abc import Callable, Sequence

from rena_ros.base.errors import RenaError
from rena_ros.bus.port import RATES
from rena_ros.robot import file as robot_file
from rena_ros.robot.model import Robot, Servo

_DEFAULT_BAUD = 1_000_000


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --port, --baud and --robot-file."""
    parser.add_argument("--port", metavar="PORT", help="serial port of the servos; default: the only USB adapter")
    rate, rate_help = whole_number(*RATES), f"rate of the bus; default: {_DEFAULT_BAUD}"
    parser.add_argument("--baud", type=rate, default=_DEFAULT_BAUD, metavar="RATE", help=rate_help)
    parser.add_argument("--robot-file", metavar="FILE", help="servos and their limits; default: config/rena.yaml")


def add_servos_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the positional SERVO …, which ``select_servos`` looks up."""
    parser.add_argument("servos", nargs="*", metavar="SERVO", help="names or ids; default: all of the robot file")


def add_only_argument(parser: argparse.ArgumentParser) -> None:
    """Declare --only SERVO, which ``select_servos`` looks up."""
    only_help = "only this servo, name or id; may be repeated"
    parser.add_argument("--only", action="append", default=[], metavar="SERVO", help=only_help)


def add_yes_argument(parser: argparse.ArgumentParser) -> None:
    """Declare --yes."""
    parser.add_argument("--yes", action="store_true", help="answer every question with yes; for scripts")


def load_robot(args: argparse.Namespace) -> Robot:
    """Load the robot of --robot-file. Raises RenaError that lists every fault of the file."""
    return robot_file.load_robot(args.robot_file)


def find_servo(robot: Robot, name: str) -> Servo:
    """Return the servo with this name or id. Raises RenaError that suggests a similar name, or lists all servos."""
    for servo in robot.servos:
        if name in (servo.name, str(servo.id)):
            return servo
    if near := difflib.get_close_matches(name, robot.names, n=1):
        raise RenaError(f"{name} is no servo of {robot.source}; did you mean {near[0]}?")
    listed = ", ".join(f"{servo.name} ({servo.id})" for servo in robot.servos)
    raise RenaError(f"{name} is no servo of {robot.source}; its servos are {listed}")


def select_servos(robot: Robot, names: Sequence[str]) -> tuple[Servo, ...]:
    """Return the servos with these names or ids, each once; all servos when there are no names. Raises RenaError."""
    return tuple(dict.fromkeys(find_servo(robot, name) for name in names)) if names else robot.servos


def command_line(args: argparse.Namespace, *rest: str) -> str:
    """Return the command line that starts this tool again, on the same port and robot, with ``rest`` as arguments."""
    port = ["--port", args.port] if args.port else []
    baud = ["--baud", str(args.baud)] if args.baud != _DEFAULT_BAUD else []
    robot = ["--robot-file", args.robot_file] if args.robot_file else []
    return shlex.join([*args.prog.split(), *port, *baud, *robot, *rest])


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return the argparse type of an option that takes a whole number from ``low`` on, up to ``high``."""

    def read(text: str) -> int:
        with contextlib.suppress(ValueError):
            if low <= int(text) <= (int(text) if high is None else high):
                return int(text)
        wanted = f"from {low} on" if high is None else f"in {low}..{high}"
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number {wanted}")

    return read


def number_above_zero(what: str, most: float | None = None) -> Callable[[str], float]:
    """Return the argparse type of an option that takes a finite number above 0, up to ``most``.

    ``what`` names the number in the error, such as "number of seconds".
    """

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if 0 < float(text) < float("inf") and (most is None or float(text) <= most):
                return float(text)
        limit = "" if most is None else f" and at most {most:g}"
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} above 0{limit}")

    return read
