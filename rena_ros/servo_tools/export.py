"""`rena servo export FILE`: all registers of all servos, as `rena servo restore` reads them. Writes to no servo."""

import argparse
import sys
import time
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.base.files import back_up, write_text
from rena_ros.bus.line import Line
from rena_ros.robot.model import Servo
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.options import add_common_arguments, load, select_servos
from rena_ros.servo_tools.register_file import MEMORY_BYTES, decoded, formatted

_CHUNK = 40  # bytes of one READ
_STANDARD_OUTPUT = ("-", "/dev/stdout")  # the second may lead to a file, which is the caller's affair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_common_arguments(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="file to write, YAML; - for standard output")
    parser.add_argument("--only", action="append", default=[], metavar="SERVO", help="name or id; may be repeated")


def run(args: argparse.Namespace, dialogue: Dialogue | None = None) -> int:
    """Read, then write the file whole. Returns 1 when a servo did not answer."""
    dialogue = dialogue or Dialogue()
    servos = select_servos(load(args), args.only)
    if not args.file.parent.is_dir():
        raise RenaError(f"cannot write {args.file}: there is no folder {args.file.parent}")
    line = open_line(args)
    try:
        read = {servo.name: read_registers(line, servo) for servo in servos}
        baud, port = line.port.baud, line.port.path
    finally:
        line.close()
    silent = [name for name, values in read.items() if values is None]
    found = {name: values for name, values in read.items() if values is not None}
    if not found:
        raise RenaError("no servo answers, nothing was written; `rena servo scan` looks for the cause")
    comments = [
        f"Registers of {len(found)} servo(s), read from {port} at {baud} baud on {time.strftime('%Y-%m-%d %H:%M:%S')}.",
        f"`{args.prog.removesuffix('export')}restore FILE` writes back what differs in `eeprom`.",
        *([f"Did not answer: {', '.join(silent)}."] if silent else []),
    ]
    left_out = f"Silent, not in the file: {', '.join(silent)} (`rena servo scan` looks for the cause)."
    if str(args.file) in _STANDARD_OUTPUT:
        _show(formatted(found, comments))
        if silent:
            print(left_out, file=sys.stderr)
        return 1 if silent else 0
    if args.file.is_file():  # what servos held on the first day is the only way back to it
        dialogue.say(f"{args.file} was there already: kept as {back_up(args.file).name}")
    write_text(args.file, formatted(found, comments))
    if args.file.is_file():
        dialogue.say(f"{args.file}: {len(found)} servos")
    if silent:
        dialogue.say(left_out)
    return 1 if silent else 0


def _show(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise RenaError(f"cannot write to standard output: {error.strerror}") from error


def read_registers(line: Line, servo: Servo) -> dict[str, int] | None:
    """Every register of one servo by name; None when it does not answer."""
    memory = b""
    while len(memory) < MEMORY_BYTES:
        packet = line.read(servo.id, len(memory), min(_CHUNK, MEMORY_BYTES - len(memory)))
        if packet is None:
            return None
        memory += packet.params
    return decoded(memory)
