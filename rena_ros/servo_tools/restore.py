"""`rena servo restore FILE`: write EEPROM registers back where they differ from a file of `rena servo export`.

Ids and baud rates stay as they are without --ids and --bauds.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, user_path
from rena_ros.bus.line import Line
from rena_ros.bus.registers import BAUDS, REGISTERS
from rena_ros.robot.model import Servo
from rena_ros.servo_tools import options
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue, label
from rena_ros.servo_tools.eeprom_job import Change, EepromJob, confirm_changes, relock_eeprom, verify_baud_rates
from rena_ros.servo_tools.export import read_registers
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.register_file import Values, parsed

_LAST = ("id", "baud_code")  # after them a servo replies under another id, or no longer at this rate


@dataclass(frozen=True)
class Plan:
    """What `restore` would do: the changes in the order of writing, and what is left out, one sentence each."""

    changes: tuple[Change, ...]
    remarks: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    parser.add_argument("file", type=user_path, metavar="FILE", help="register file, as `rena servo export` writes it")
    options.add_only_argument(parser)
    parser.add_argument("--ids", action="store_true", help="also restore ids")
    parser.add_argument("--bauds", action="store_true", help="also restore baud rates")
    options.add_yes_argument(parser)


def run(args: argparse.Namespace, dialogue: Dialogue | None = None) -> int:
    """Read, show what differs, ask, write. Returns 1 when something was not restored."""
    interrupt_on_signals()
    dialogue = dialogue or Dialogue(args.yes)
    robot = options.load_robot(args)
    saved = parsed(read_text(args.file, "register file"), robot.names, str(args.file))
    selected = options.select_servos(robot, args.only)
    servos = [servo for servo in selected if servo.name in saved]
    if missing := [servo.name for servo in selected if args.only and servo.name not in saved]:
        raise RenaError(f"{args.file} has no registers of {', '.join(missing)}")
    line, job = open_line(args), None
    try:
        plan = _read_and_plan(line, servos, saved, args)
        relock_eeprom(line, servos, dialogue)
        if _confirm_plan(line, servos, plan, dialogue):
            job = EepromJob(line, plan.changes, dialogue)
            job.run(_resume(args))
    finally:
        line.close()
        good = job is None or _finish(job, args, dialogue)
    unwritten = job is None and plan.changes
    return 1 if plan.remarks or unwritten or not good else 0


def plan_restore(
    servos: Sequence[Servo], saved: Mapping[str, Values], read: Mapping[str, Values | None], also: Sequence[str] = ()
) -> Plan:
    """Compare the saved registers with those just read, both by servo name (None: the servo did not reply).

    ``also``: which of id and baud_code are restored like the other registers.
    """
    names = [*(name for name in REGISTERS if name not in _LAST), *(name for name in _LAST if name in also)]
    changes: list[Change] = []
    remarks: list[str] = []
    for servo in servos:
        wanted, now = saved[servo.name], read[servo.name]
        if now is None:
            remarks.append(f"{label(servo)} does not reply: `rena servo scan` looks for the cause.")
        elif "model" in wanted and wanted["model"] != now["model"]:
            remarks.append(
                f"{label(servo)} is left as it is: its model is {now['model']}, in the file it is {wanted['model']}."
            )
        else:
            changes += [
                Change(servo.name, servo.id, name, now[name], wanted[name])
                for name in names
                if name in wanted and REGISTERS[name].writable and wanted[name] != now[name]
            ]
    return Plan(*_without_unreachable(changes, remarks))


def _without_unreachable(changes: list[Change], remarks: list[str]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Leave out the changes after which Rena could not communicate with a servo."""
    without_replies = [change for change in changes if change.register == "response_level" and change.new != 1]
    at_unknown_rate = [change for change in changes if change.register == "baud_code" and change.new >= len(BAUDS)]
    remarks = [
        *remarks,
        *(f"{change} is left out: Rena needs servos that acknowledge every request." for change in without_replies),
        *(f"{change} is left out: sources disagree about the rate of this code." for change in at_unknown_rate),
    ]
    return tuple(change for change in changes if change not in without_replies + at_unknown_rate), tuple(remarks)


def refuse_taken_ids(changes: Sequence[Change], replies: Callable[[int], bool]) -> None:
    """Raise RenaError when two servos would get one id, or when ``replies`` says that an id is in use already."""
    wanted: dict[int, str] = {}
    for change in changes:
        if change.register != "id":
            continue
        if change.new in wanted:
            raise RenaError(f"{change.name} and {wanted[change.new]} would both get id {change.new}; correct the file")
        if replies(change.new):
            raise RenaError(
                f"{change.name} cannot get id {change.new}: another servo replies as {change.new}. "
                "Unplug that servo, or run this without --ids"
            )
        wanted[change.new] = change.name


def _read_and_plan(line: Line, servos: Sequence[Servo], saved: Mapping[str, Values], args: argparse.Namespace) -> Plan:
    read = {servo.name: read_registers(line, servo) for servo in servos}
    if all(values is None for values in read.values()):
        raise RenaError("no servo replies; check their power. `rena servo scan` looks for the cause")
    also = [name for name, asked in zip(_LAST, (args.ids, args.bauds), strict=True) if asked]
    plan = plan_restore(servos, saved, read, also)
    refuse_taken_ids(plan.changes, lambda servo_id: line.read(servo_id, 0, 1) is not None)
    return plan


def _confirm_plan(line: Line, servos: Sequence[Servo], plan: Plan, dialogue: Dialogue) -> bool:
    """Show the plan and ask; return whether it is to be carried out."""
    for remark in plan.remarks:
        dialogue.say(remark)
    if not plan.changes:
        dialogue.say("Nothing differs: every servo that replies holds the values of the file.")
        return False
    for change in plan.changes:
        unit = REGISTERS[change.register].unit
        dialogue.say(f"  {change}" + (f"  ({unit})" if unit else ""))
    return confirm_changes(line, servos, plan.changes, f"{len(plan.changes)} value(s)", dialogue)


def _finish(job: EepromJob, args: argparse.Namespace, dialogue: Dialogue) -> bool:
    """However the job ended, report new ids and read new rates back; return whether everything is written."""
    new_ids = {change.id: change.new for change in job.done if change.register == "id"}
    for change in job.done:
        if change.register == "id":
            dialogue.say(f"{change.name} replies as {change.new} from now on: write that id into the robot file.")
    good = verify_baud_rates(lambda baud: open_line(args, baud), job.done, new_ids, dialogue) and job.complete
    if good:
        dialogue.say(f"Done: {len(job.done)} value(s) written.")
    return good


def _resume(args: argparse.Namespace) -> str:
    flags = [option for option, wanted in (("--ids", args.ids), ("--bauds", args.bauds)) if wanted]
    return options.command_line(args, str(args.file), *(f"--only={name}" for name in args.only), *flags)
