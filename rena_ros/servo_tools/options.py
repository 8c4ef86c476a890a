"""What all servo tools have in common: which port, which rate, which robot file, and opening them."""

import argparse
import contextlib
import difflib
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.base.signals import HOLDING, on_end
from rena_ros.bus.bus import Bus
from rena_ros.bus.line import Line
from rena_ros.bus.port import RATES, PortMissing, SerialPort
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot, Servo

_ADAPTERS = ("serial/by-id/*", "ttyUSB*", "ttyACM*")  # below /dev; the first kind that is there counts


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """--port, --baud and --robot-file."""
    parser.add_argument("--port", metavar="PORT", help="serial port of the servos; default: the only USB adapter")
    parser.add_argument("--baud", type=whole_number(*RATES), default=1_000_000, metavar="RATE", help="default: 1000000")
    parser.add_argument("--robot-file", metavar="FILE", help="servos and limits; default: config/rena.yaml")


def load(args: argparse.Namespace) -> Robot:
    """The robot that the arguments name. Raises RenaError when its file has faults."""
    return load_robot(args.robot_file)


def open_port(args: argparse.Namespace, baud: int | None = None) -> SerialPort:
    """The port that the arguments name, at their rate or another; sends nothing.

    Raises RenaError when there is none, more than one to choose from, or it is taken.
    """
    path = args.port or _only_adapter()
    try:
        return SerialPort(path, args.baud if baud is None else baud)
    except PortMissing as error:
        others = ", ".join(adapters())
        there = f"use one of those that are there: {others}" if others else "no USB serial adapter is plugged in"
        raise PortMissing(f"there is no port {path}; {there}") from error


def open_line(args: argparse.Namespace, baud: int | None = None) -> Line:
    """A line to single servos on that port."""
    return Line(open_port(args, baud))


def open_bus(args: argparse.Namespace, robot: Robot) -> Bus:
    """All servos of a robot on that port. Moves nothing."""
    return Bus(open_port(args), robot)


def find_servo(robot: Robot, name: str) -> Servo:
    """A servo by its name or id. Raises RenaError with the name that was meant, or all of them."""
    for servo in robot.servos:
        if name in (servo.name, str(servo.id)):
            return servo
    if near := difflib.get_close_matches(name, robot.names, n=1):
        raise RenaError(f"{name} is no servo of {robot.source}; did you mean {near[0]}?")
    listed = ", ".join(f"{servo.name} ({servo.id})" for servo in robot.servos)
    raise RenaError(f"{name} is no servo of {robot.source}; it has {listed}")


def write_json(data: object, path: Path) -> None:
    """Write data to a file, or to standard output when the path is "-". Raises RenaError when it cannot be written."""
    text = json.dumps(data, indent=1) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        path.write_text(text)
    except OSError as error:
        raise RenaError(f"cannot write {path}: {error.strerror}") from error


def adapters(folder: Path = Path("/dev")) -> list[str]:
    """The USB serial adapters of this machine."""
    return next((found for kind in _ADAPTERS if (found := sorted(map(str, folder.glob(kind))))), [])


def _only_adapter() -> str:
    found = adapters()
    if not found:
        raise RenaError("no USB serial adapter is plugged in; name another port with --port")
    if len(found) > 1:
        raise RenaError(f"several USB serial adapters are plugged in; choose one with --port: {', '.join(found)}")
    return found[0]


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """The type of an option that takes a whole number from ``low`` on, up to ``high``."""

    def read(text: str) -> int:
        with contextlib.suppress(ValueError):
            if low <= int(text) <= (int(text) if high is None else high):
                return int(text)
        wanted = f"from {low} on" if high is None else f"in {low}..{high}"
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number {wanted}")

    return read


def end_orderly() -> None:
    """Let everything that asks a tool to end, or to stop (Ctrl-Z), do as Ctrl-C does, so that servos are let go."""
    on_end(signal.default_int_handler, HOLDING)
