"""`rena servo calibrate`: record each servo's range and resting place and write them to the robot file.

All torque is off; every horn is moved by hand, or by the arrow keys, to three places: goal 0, goal 1, rest. A
servo is saved before the next one begins, so that this may be ended at any moment.
"""

import argparse
import contextlib
from dataclasses import replace

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.bus.access import read_register
from rena_ros.bus.line import Line
from rena_ros.bus.registers import TICKS_PER_TURN
from rena_ros.robot.edit import RobotFileEdit
from rena_ros.robot.model import Robot, Servo
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue, label
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.keys import Keys
from rena_ros.servo_tools.options import add_common_arguments, command_line, find_servo, select_servos, whole_number
from rena_ros.servo_tools.range_recording import (
    PLACES,
    WRAP_MARGIN_TICKS,
    Range,
    Recording,
    changed_fields,
    followed,
    to_range,
    with_mark,
)
from rena_ros.servo_tools.torque_hold import (
    Reading,
    confirm_torque_off,
    hold_torque,
    limit_ticks,
    read_servo,
    set_register,
    slow_speed_ticks_s,
)

_PERIOD_S = 0.03
_STEPS = {"left": -8, "right": 8, "down": -40, "up": 40}
_LEAD_TICKS = 80  # no goal farther ahead than this: the servo stops soon after the key is let go
_WHERE = {
    "goal 0": "the end where it does nothing, or the opposite of its name",
    "goal 1": "the end its name tells of: raised, open, closed lid; an eye or the head: left, down, right shoulder",
    "rest": "where it is in a resting face",
}
_KEYS = "Enter: here   arrows: move it slowly   space: let it go   r: from the start   s: skip   q: end"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_common_arguments(parser)
    parser.add_argument("servos", nargs="*", metavar="SERVO", help="names or ids; default: all of the robot file")
    parser.add_argument("--from", dest="first", metavar="SERVO", help="begin with this one")
    parser.add_argument(
        "--torque", type=whole_number(5, 100), default=40, metavar="%", help="of the arrow keys; default: 40"
    )


def run(args: argparse.Namespace, dialogue: Dialogue | None = None, keys: Keys | None = None) -> int:
    """Calibrate servo by servo. Returns 0, or 1 when some were skipped or are left."""
    interrupt_on_signals()
    if args.robot_file is None:
        raise RenaError(
            "this writes to your own robot file; the one that ships with Rena stays as it is. Begin with\n"
            f"  cp {share_path('config/rena.yaml')} my_face.yaml\n  {command_line(args)} --robot-file my_face.yaml"
        )
    dialogue, keys = dialogue or Dialogue(), keys or Keys("call it in a terminal")
    edit = RobotFileEdit(args.robot_file)
    servos = select_servos(edit.robot, args.servos)
    if args.first:
        servos = servos[servos.index(_first(edit.robot, servos, args.first)) :]
    line = open_line(args)
    try:
        return Calibration(line, edit, args, dialogue, keys).run(servos)
    finally:
        line.close()


class Calibration:
    """The terminal around the core: shows positions, takes keys, moves a horn, saves."""

    def __init__(
        self, line: Line, edit: RobotFileEdit, args: argparse.Namespace, dialogue: Dialogue, keys: Keys
    ) -> None:
        self._line, self._edit, self._args, self._dialogue, self._keys = line, edit, args, dialogue, keys

    def run(self, servos: tuple[Servo, ...]) -> int:
        """All of them, one after the other; whatever ends it, what was saved and how to go on is said."""
        dialogue = self._dialogue
        if not confirm_torque_off(self._line, self._edit.robot.servos, dialogue):
            dialogue.say("Nothing was recorded.")
            return 1
        for servo in servos:
            self._restore_torque_limit(servo)  # an earlier calibration may have been cut off from it
        dialogue.say(f"\n{_KEYS}")
        saved: list[str] = []
        skipped: list[str] = []
        try:
            with self._keys:
                for servo in servos:
                    kept = self._one(servo)
                    if kept is None:
                        break
                    (saved if kept else skipped).append(servo.name)
        finally:
            self._account(servos, saved, skipped)
        return 0 if len(saved) == len(servos) else 1

    def _one(self, servo: Servo) -> bool | None:
        """Calibrate one servo: True when its values are in the file, False when skipped, None to end."""
        say = self._dialogue.say
        say(f"\n{label(servo)}: now {servo.min_ticks}..{servo.max_ticks}, neutral {servo.neutral_ticks}")
        if why := self._unfit(servo):
            say(f"  Skipped: {why}")
            return False
        while True:
            with contextlib.ExitStack() as hold:
                recording = self._record(servo, hold)
            if not isinstance(recording, Recording):
                return recording
            result = to_range(recording)
            if isinstance(result, str):
                say(f"  Not usable: {result}.")
                continue
            kept = self._keep(servo, result)
            if kept != "again":
                return kept

    def _record(self, servo: Servo, hold: contextlib.ExitStack) -> Recording | bool | None:
        """Follow the horn until all places are marked; False: skip, None: end."""
        recording, goal, asked = Recording(), None, None
        while not recording.complete:
            place = PLACES[len(recording.marks)]
            if asked != place:
                asked = place
                self._dialogue.say(f"  {place}: {_WHERE[place]}")
            reading = read_servo(self._line, servo)
            if reading is not None:
                recording = followed(recording, reading.ticks % TICKS_PER_TURN)
            self._show(servo, place, reading, goal)
            key = self._keys.pressed(_PERIOD_S)
            if key == "enter" and reading is not None:
                recording = with_mark(recording)
                self._dialogue.say(f"    {place}: {reading.ticks} ticks")
            elif key in _STEPS and reading is not None:
                goal = self._step(servo, hold, goal, reading.ticks, _STEPS[key])
            elif key == " ":
                hold.close()
                goal = None
            elif key == "r":
                recording, asked = Recording(), None
            elif key in ("s", "q"):
                return False if key == "s" else None
        return recording

    def _step(self, servo: Servo, hold: contextlib.ExitStack, goal: int | None, here: int, step: int) -> int:
        """One arrow key: torque on from where the horn is if it is not yet, then a little further."""
        anywhere = _anywhere(self._edit.robot, servo)
        own = anywhere.servos[anywhere.index[servo.name]]
        if goal is None:
            hold.callback(self._restore_torque_limit, servo)
            set_register(self._line, servo, "torque_limit", self._args.torque * 10)
            hold.enter_context(hold_torque(self._line, own, slow_speed_ticks_s(servo)))
            goal = here
        goal = limit_ticks(anywhere, own, min(max(goal + step, here - _LEAD_TICKS), here + _LEAD_TICKS))
        set_register(self._line, servo, "goal_position", goal)
        return goal

    def _restore_torque_limit(self, servo: Servo) -> None:
        """To what the servo has after power on: it stays lowered until then, and nobody else would tell."""
        own = read_register(self._line, servo.id, "max_torque")
        if own is not None and read_register(self._line, servo.id, "torque_limit") not in (own, None):
            with contextlib.suppress(RenaError):  # less important than what `held` has to say of a servo that is gone
                set_register(self._line, servo, "torque_limit", own)

    def _keep(self, servo: Servo, result: Range) -> bool | str | None:
        """Save the result if the answer is yes: True, False (skip), None (end) or "again"."""
        say, changes = self._dialogue.say, changed_fields(servo, result)
        for name, value in changes.items():
            old = getattr(servo, name)
            say(f"  {name}: {str(old).lower()} -> {str(value).lower()}")
        if "reversed" in changes:
            say("    The two ends lie the other way round than in the file: were goal 0 and goal 1 mixed up?")
        if not changes:
            say("  As the file has it.")
            return True
        say("  Enter: write this to the file   r: record again   s: skip   q: end")
        self._keys.forget()
        while True:
            key = self._keys.pressed(1.0)
            if key == "enter":
                break
            if key in ("r", "s", "q"):
                return {"r": "again", "s": False, "q": None}[key]
        try:
            self._edit.change({servo.name: changes})
        except RenaError as error:
            values = ", ".join(f"{name}: {str(value).lower()}" for name, value in changes.items())
            raise RenaError(f"{error}\n  recorded for {servo.name} and not saved: {values}") from error
        say("  Saved.")
        return True

    def _unfit(self, servo: Servo) -> str | None:
        """Why this servo cannot be calibrated as it is set."""
        read = {name: read_register(self._line, servo.id, name) for name in ("mode", "min_angle", "max_angle")}
        if None in read.values():
            return "it does not answer; `rena servo scan` looks for the cause"
        mend = "mend that with `rena servo export FILE`, an editor, and `rena servo restore FILE`"
        if read["mode"] != 0:
            return f"its mode is {read['mode']}, not 0 (position); {mend}"
        if read["min_angle"] == read["max_angle"] == 0:
            return f"it counts several turns (min_angle and max_angle are 0; wanted: 0 and 4095); {mend}"
        if (read["min_angle"], read["max_angle"]) != (0, TICKS_PER_TURN - 1):
            self._dialogue.say(
                f"  It has limits of its own, {read['min_angle']}..{read['max_angle']} (min_angle, max_angle): "
                f"it never goes beyond them. To widen them, {mend.removeprefix('mend that ')}."
            )
        return None

    def _show(self, servo: Servo, place: str, reading: Reading | None, goal: int | None) -> None:
        if reading is None:
            may_hold = "" if goal is None else " Its torque may be on."
            self._dialogue.live(f"  {servo.name}: no answer; is its plug in?{may_hold}   [{place}]")
            return
        how = "by hand" if goal is None else f"torque on, goal {goal}, load {reading.load:+.0%}"
        complaint = f"   {reading.conditions}!" if reading.conditions else ""
        self._dialogue.live(f"  {servo.name}: {reading.ticks:4d} ticks   {how}{complaint}   [{place}: Enter]")

    def _account(self, servos: tuple[Servo, ...], saved: list[str], skipped: list[str]) -> None:
        say, path = self._dialogue.say, self._edit.path
        left = [servo.name for servo in servos if servo.name not in saved + skipped]
        say(f"\nSaved in {path}: {', '.join(saved) or 'nothing new'}.")
        if self._edit.backup:
            say(f"As it was before: {self._edit.backup}")
        if skipped:
            say(f"Skipped: {', '.join(skipped)}.")
        if left:
            rest = ("--from", left[0]) if not self._args.servos else tuple(left)
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            say(f"Not yet: {left[0]}{more}.\nTo go on: {command_line(self._args, *rest)}")


def _anywhere(robot: Robot, servo: Servo) -> Robot:
    """The robot before anything is known of this servo's range: it may go everywhere but near the seam."""
    top = TICKS_PER_TURN - 1 - WRAP_MARGIN_TICKS
    free = replace(servo, min_ticks=WRAP_MARGIN_TICKS, neutral_ticks=TICKS_PER_TURN // 2, max_ticks=top, antagonists=())
    others = [replace(other, antagonists=()) for other in robot.servos if other.name != servo.name]
    return replace(robot, servos=(free, *others))


def _first(robot: Robot, servos: tuple[Servo, ...], name: str) -> Servo:
    servo = find_servo(robot, name)
    if servo not in servos:
        raise RenaError(f"--from {name}: not among the servos named before it")
    return servo
