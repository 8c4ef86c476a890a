"""Opening the serial port that a tool's options name: as a bare port, as a line to single servos, or as a bus."""

import argparse
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.bus.bus import Bus
from rena_ros.bus.line import Line
from rena_ros.bus.port import PortMissing, SerialPort
from rena_ros.robot.model import Robot

_ADAPTERS = ("serial/by-id/*", "ttyUSB*", "ttyACM*")  # below /dev; the first pattern that matches anything counts


def open_port(args: argparse.Namespace, baud: int | None = None) -> SerialPort:
    """Open the port of --port, or the only USB adapter, at ``baud`` or at the rate of --baud. Sends nothing.

    Raises RenaError when there is no such port, when there are several adapters and no --port, or when another
    program has the port.
    """
    path = args.port or _only_adapter()
    try:
        return SerialPort(path, args.baud if baud is None else baud)
    except PortMissing as error:
        others = ", ".join(adapters())
        found = f"use one of the adapters that are plugged in: {others}"
        advice = found if others else "plug in a USB adapter, or correct --port"
        raise PortMissing(f"there is no port {path}; {advice}") from error


def open_line(args: argparse.Namespace, baud: int | None = None) -> Line:
    """Open a line to single servos on that port. Sends nothing. Raises RenaError as ``open_port`` does."""
    return Line(open_port(args, baud))


def open_bus(args: argparse.Namespace, robot: Robot) -> Bus:
    """Open a bus to all servos of a robot on that port. Moves nothing. Raises RenaError as ``open_port`` does."""
    return Bus(open_port(args), robot)


def adapters(folder: Path = Path("/dev")) -> list[str]:
    """Return the paths of this machine's USB serial adapters."""
    return next((found for pattern in _ADAPTERS if (found := sorted(map(str, folder.glob(pattern))))), [])


def _only_adapter() -> str:
    found = adapters()
    if not found:
        raise RenaError("no USB serial adapter is plugged in; plug one in, or name another port with --port")
    if len(found) > 1:
        raise RenaError(f"several USB serial adapters are plugged in; choose one with --port: {', '.join(found)}")
    return found[0]
