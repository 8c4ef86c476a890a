"""`rena servo restore FILE`: write EEPROM registers back where they differ from a file of `rena servo export`.

What a servo is called, id and rate, stays as it is unless asked for: --ids, --bauds.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.bus.line import Line
from rena_ros.bus.registers import BAUDS, REGISTERS
from rena_ros.robot.model import Servo
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.eeprom_job import Change, EepromJob, relock_eeprom, verify_baud_rates
from rena_ros.servo_tools.export import read_registers
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.options import add_common_arguments, add_yes_argument, command_line, load, select_servos
from rena_ros.servo_tools.register_file import Values, parsed
from rena_ros.servo_tools.torque_hold import confirm_torque_off

_LAST = ("id", "baud_code")  # afterwards the servo has another name, or is not heard any more


@dataclass(frozen=True)
class Plan:
    """What `restore` would do: changes in the order of writing, and what it will not do, one sentence each."""

    changes: tuple[Change, ...]
    remarks: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_common_arguments(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="register file, as `rena servo export` writes it")
    parser.add_argument("--only", action="append", default=[], metavar="SERVO", help="name or id; may be repeated")
    parser.add_argument("--ids", action="store_true", help="restore ids, too")
    parser.add_argument("--bauds", action="store_true", help="restore baud rates, too")
    add_yes_argument(parser)


def run(args: argparse.Namespace, dialogue: Dialogue | None = None) -> int:
    """Read, show what differs, ask, write. Returns 1 when something could not be restored."""
    interrupt_on_signals()
    dialogue = dialogue or Dialogue(args.yes)
    robot = load(args)
    saved = parsed(_text(args.file), robot.names, str(args.file))
    servos = [servo for servo in select_servos(robot, args.only) if servo.name in saved]
    if missing := [servo.name for servo in select_servos(robot, args.only) if args.only and servo.name not in saved]:
        raise RenaError(f"{args.file} holds nothing of {', '.join(missing)}")
    line, work = open_line(args), None
    try:
        plan = _compared(line, servos, saved, args)
        relock_eeprom(line, servos, dialogue)
        if _agreed(line, servos, plan, dialogue):
            work = EepromJob(line, plan.changes, dialogue)
            work.carry_out(_again(args))
    finally:
        line.close()
        good = work is None or _ended(work, args, dialogue)
    untouched = work is None and plan.changes
    return 1 if plan.remarks or untouched or not good else 0


def plan_restore(
    servos: Sequence[Servo], saved: Mapping[str, Values], read: Mapping[str, Values | None], also: Sequence[str] = ()
) -> Plan:
    """Compare what was saved with what was read, both by servo name (None: did not answer).

    ``also``: which of id and baud_code are restored like the others.
    """
    changes: list[Change] = []
    remarks: list[str] = []
    for servo in servos:
        wanted, now = saved[servo.name], read[servo.name]
        if now is None:
            remarks.append(f"{servo.name} (id {servo.id}) does not answer: `rena servo scan` looks for the cause.")
        elif "model" in wanted and wanted["model"] != now["model"]:
            remarks.append(
                f"{servo.name} is left as it is: its model is {now['model']}, the file is of a {wanted['model']}."
            )
        else:
            names = [*(n for n in REGISTERS if n not in _LAST), *(n for n in _LAST if n in also)]
            for name in names:
                if name in wanted and REGISTERS[name].writable and wanted[name] != now[name]:
                    changes.append(Change(servo.name, servo.id, name, now[name], wanted[name]))
    return Plan(*_without_unreachable(changes, remarks))


def _without_unreachable(changes: list[Change], remarks: list[str]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Leave out what would make a servo deaf or mute to Rena."""
    mute = [change for change in changes if change.register == "response_level" and change.new != 1]
    deaf = [change for change in changes if change.register == "baud_code" and change.new >= len(BAUDS)]
    remarks = [
        *remarks,
        *(f"{change} is left out: Rena needs servos that acknowledge." for change in mute),
        *(f"{change} is left out: sources disagree which rate that is." for change in deaf),
    ]
    return tuple(change for change in changes if change not in mute + deaf), tuple(remarks)


def refuse_taken_ids(changes: Sequence[Change], answers: Callable[[int], bool]) -> None:
    """Raises RenaError when a new id is another servo's, now or then. ``answers``: whether somebody has an id."""
    wanted: dict[int, str] = {}
    for change in changes:
        if change.register != "id":
            continue
        if change.new in wanted:
            raise RenaError(f"{change.name} and {wanted[change.new]} would both get id {change.new}; correct the file")
        if answers(change.new):
            raise RenaError(
                f"{change.name} cannot get id {change.new}: somebody answers under it already. "
                "Unplug that servo, or leave --ids out"
            )
        wanted[change.new] = change.name


def _compared(line: Line, servos: Sequence[Servo], saved: Mapping[str, Values], args: argparse.Namespace) -> Plan:
    read = {servo.name: read_registers(line, servo) for servo in servos}
    if all(values is None for values in read.values()):
        raise RenaError("no servo answers: is their power on? `rena servo scan` looks for the cause")
    also = [name for name, asked in zip(_LAST, (args.ids, args.bauds), strict=True) if asked]
    plan = plan_restore(servos, saved, read, also)
    refuse_taken_ids(plan.changes, lambda servo_id: line.read(servo_id, 0, 1) is not None)
    return plan


def _agreed(line: Line, servos: Sequence[Servo], plan: Plan, dialogue: Dialogue) -> bool:
    """Show the plan and ask; False when there is nothing to be done, or nothing is to be done."""
    for remark in plan.remarks:
        dialogue.say(remark)
    if not plan.changes:
        dialogue.say("Nothing differs: every servo that answers holds what the file says.")
        return False
    for change in plan.changes:
        dialogue.say(f"  {change}{_unit(change.register)}")
    affected = [servo for servo in servos if servo.name in {change.name for change in plan.changes}]
    question = f"Write {len(plan.changes)} value(s) to the EEPROM of {len(affected)} servo(s)?"
    if not dialogue.confirm(question) or not confirm_torque_off(line, affected, dialogue):
        dialogue.say("Nothing was written.")
        return False
    return True


def _ended(work: EepromJob, args: argparse.Namespace, dialogue: Dialogue) -> bool:
    """However the work ended, new rates are read back, and new ids are told; returns whether all went well."""
    moved = {change.id: change.new for change in work.done if change.register == "id"}
    for change in work.done:
        if change.register == "id":
            dialogue.say(f"{change.name} answers as {change.new} from now on: write that id into the robot file.")
    good = verify_baud_rates(lambda baud: open_line(args, baud), work.done, moved, dialogue) and work.complete
    if good:
        dialogue.say(f"Done: {len(work.done)} value(s) written.")
    return good


def _again(args: argparse.Namespace) -> str:
    asked = [option for option, wanted in (("--ids", args.ids), ("--bauds", args.bauds)) if wanted]
    return command_line(args, str(args.file), *(f"--only={name}" for name in args.only), *asked)


def _unit(register: str) -> str:
    unit = REGISTERS[register].unit
    return f"  ({unit})" if unit else ""


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise RenaError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RenaError(f"{path} is not a text file") from error
