"""`rena servo set-return-delay`: how long servos wait before they reply. 25 waits of 500 us are 12.5 ms a cycle."""

import argparse
import contextlib
from collections.abc import Mapping, Sequence

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.line import Line
from rena_ros.robot.model import Servo
from rena_ros.servo_tools import options
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.eeprom_job import Change, EepromJob, confirm_changes, relock_eeprom
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.search import RETURN_DELAY_COUNT_US

MAX_US = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    options.add_servos_argument(parser)
    us_help = "delay in microseconds, 0 to 500, even; default: 0"
    parser.add_argument("--us", type=int, default=0, metavar="US", help=us_help)
    options.add_yes_argument(parser)


def run(args: argparse.Namespace, dialogue: Dialogue | None = None) -> int:
    """Read all delays, show what would change, ask, write. Returns 1 when a servo keeps its old delay."""
    interrupt_on_signals()
    counts = to_counts(args.us)
    dialogue = dialogue or Dialogue(args.yes)
    servos = options.select_servos(options.load_robot(args), args.servos)
    resume = options.command_line(args, *args.servos, "--us", str(args.us))
    with contextlib.closing(open_line(args)) as line:
        return set_delays(line, servos, counts, dialogue, resume)


def to_counts(us: int) -> int:
    """Return microseconds as counts of the register. Raises RenaError for a delay that the register cannot hold."""
    if not 0 <= us <= MAX_US or us % RETURN_DELAY_COUNT_US:
        raise RenaError(f"--us {us}: a return delay is 0 to {MAX_US} us in steps of {RETURN_DELAY_COUNT_US}")
    return us // RETURN_DELAY_COUNT_US


def plan(servos: Sequence[Servo], read: Mapping[str, int | None], counts: int) -> list[Change]:
    """Return the changes needed. ``read``: each servo's register by name, None where the servo did not reply."""
    return [
        Change(servo.name, servo.id, "return_delay", old, counts)
        for servo in servos
        if (old := read[servo.name]) is not None and old != counts
    ]


def set_delays(line: Line, servos: Sequence[Servo], counts: int, dialogue: Dialogue, resume: str) -> int:
    """Set servos to one return delay once the operator says yes. Returns 1 when a servo keeps its old delay.

    ``resume``: the command that continues when this is cut off.
    """
    read = {servo.name: read_register(line, servo.id, "return_delay") for servo in servos}
    silent = [servo.name for servo in servos if read[servo.name] is None]
    if len(silent) == len(servos):
        raise RenaError("no servo replies; check their power. `rena servo scan` looks for the cause")
    relock_eeprom(line, [servo for servo in servos if servo.name not in silent], dialogue)
    changes, us = plan(servos, read, counts), counts * RETURN_DELAY_COUNT_US
    for old in sorted({change.old for change in changes}):
        names = [change.name for change in changes if change.old == old]
        dialogue.say(f"{len(names)} servo(s) wait {old * RETURN_DELAY_COUNT_US} us: {', '.join(names)}")
    if silent:
        dialogue.say(f"Silent and unchanged: {', '.join(silent)} (`rena servo scan` looks for the cause).")
    if not changes:
        dialogue.say(f"All {len(servos) - len(silent)} servos that reply wait {us} us already.")
        return 1 if silent else 0
    if not confirm_changes(line, servos, changes, f"a delay of {us} us", dialogue):
        return 1
    good = EepromJob(line, changes, dialogue).run(resume)
    if good:
        dialogue.say(f"Done: {len(changes)} servo(s) wait {us} us from now on.")
    return 0 if good and not silent else 1
