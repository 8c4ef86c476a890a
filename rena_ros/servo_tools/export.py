"""`rena servo export FILE`: save all registers of all servos for `rena servo restore`. Writes to no servo."""

import argparse
import contextlib
import sys
import time

from rena_ros.base.errors import RenaError
from rena_ros.base.files import back_up, printable, user_path, write_text
from rena_ros.bus.line import Line
from rena_ros.robot.model import Servo
from rena_ros.servo_tools import options
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.register_file import MEMORY_BYTES, decoded, formatted

_CHUNK = 40  # bytes of one READ
_STANDARD_OUTPUT = ("-", "/dev/stdout")  # the second may be redirected to a file, which is then never backed up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    parser.add_argument("file", type=user_path, metavar="FILE", help="file to write, YAML; - for standard output")
    options.add_only_argument(parser)


def run(args: argparse.Namespace, dialogue: Dialogue | None = None) -> int:
    """Read all registers, then write the file as a whole. Returns 1 when a servo did not reply."""
    dialogue = dialogue or Dialogue()
    servos = options.select_servos(options.load_robot(args), args.only)
    if not args.file.parent.is_dir():
        raise RenaError(f"cannot write {args.file}: there is no folder {args.file.parent}")
    with contextlib.closing(open_line(args)) as line:
        read = {servo.name: read_registers(line, servo) for servo in servos}
        baud, port = line.port.baud, line.port.path
    silent = [name for name, values in read.items() if values is None]
    found = {name: values for name, values in read.items() if values is not None}
    if not found:
        raise RenaError("no servo replies, nothing was written; `rena servo scan` looks for the cause")
    date = time.strftime("%Y-%m-%d %H:%M:%S")
    comments = [
        f"Registers of {len(found)} servo(s), read from {printable(port)} at {baud} baud on {date}.",
        f"`{args.prog.removesuffix('export')}restore FILE` writes back what differs in `eeprom`.",
        *([f"Did not reply: {', '.join(silent)}."] if silent else []),
    ]
    left_out = f"Silent, not in the file: {', '.join(silent)} (`rena servo scan` looks for the cause)."
    if str(args.file) in _STANDARD_OUTPUT:
        _print_registers(formatted(found, comments))
        if silent:
            print(left_out, file=sys.stderr)
        return 1 if silent else 0
    if args.file.is_file():  # an earlier export is the only way back to the registers as they were then
        dialogue.say(f"{args.file} exists already: the older file is kept as {back_up(args.file).name}")
    write_text(args.file, formatted(found, comments))
    if args.file.is_file():
        dialogue.say(f"{args.file}: {len(found)} servos")
    if silent:
        dialogue.say(left_out)
    return 1 if silent else 0


def _print_registers(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise RenaError(f"cannot write to standard output: {error.strerror}") from error


def read_registers(line: Line, servo: Servo) -> dict[str, int] | None:
    """Return every register of one servo by name; None when it does not reply."""
    memory = b""
    while len(memory) < MEMORY_BYTES:
        packet = line.read(servo.id, len(memory), min(_CHUNK, MEMORY_BYTES - len(memory)))
        if packet is None:
            return None
        memory += packet.params
    return decoded(memory)
