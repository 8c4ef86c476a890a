"""`rena servo calibrate`: record each servo's range and neutral, and write them to the robot file.

Torque is off; the operator moves each horn by hand, or with the arrow keys, to three places: goal 0, goal 1, rest. Each
servo is saved before the next one begins, so the operator can end this at any moment. ``range_recording`` computes the
range; this module is the terminal around it.
"""

import argparse
import contextlib
from dataclasses import replace
from enum import Enum

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.bus.access import read_register
from rena_ros.bus.line import Line
from rena_ros.bus.registers import TICKS_PER_TURN
from rena_ros.robot.edit import RobotFileEdit
from rena_ros.robot.model import Robot, Servo
from rena_ros.servo_tools import options
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue, label
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.keys import Keys
from rena_ros.servo_tools.range_recording import PLACES, WRAP_MARGIN_TICKS, Range, Recording, changed_fields, to_range
from rena_ros.servo_tools.torque_hold import (
    ServoSnapshot,
    confirm_torque_off,
    hold_torque,
    limit_ticks,
    read_servo,
    set_register,
    slow_speed_ticks_s,
)

_PERIOD_S = 0.03
_STEPS = {"left": -8, "right": 8, "down": -40, "up": 40}
_LEAD_TICKS = 80  # a goal is no farther ahead than this, so that the servo stops soon after the key is released
_WHERE = {
    "goal 0": "move it to the end where it does nothing, or the opposite of its name",
    "goal 1": "move it to the end that its name says: raised, open, lid closed; for an eye or the head: left, down, "
    "towards the right shoulder",
    "rest": "move it to its neutral place, as in a calm face",
}
_KEYS = (
    "Enter: mark this place   arrows: move it slowly under torque   space: release torque\n"
    "r: start this servo again   s: skip this servo   q: quit"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    options.add_servos_argument(parser)
    parser.add_argument("--from", dest="first", metavar="SERVO", help="begin with this servo")
    percent, help_text = options.whole_number(5, 100), "torque limit of the arrow keys; default: 40"
    parser.add_argument("--torque", type=percent, default=40, metavar="%", help=help_text)


def run(args: argparse.Namespace, dialogue: Dialogue | None = None, keys: Keys | None = None) -> int:
    """Calibrate servo by servo. Returns 0, or 1 when a servo was skipped or is not calibrated yet."""
    interrupt_on_signals()
    if args.robot_file is None:
        raise RenaError(
            "this writes to your own robot file; the one that ships with Rena stays as it is. Begin with\n"
            f"  cp {share_path('config/rena.yaml')} my_face.yaml\n"
            f"  {options.command_line(args)} --robot-file my_face.yaml"
        )
    dialogue, keys = dialogue or Dialogue(), keys or Keys("run this in a terminal")
    edit = RobotFileEdit(args.robot_file)
    servos = options.select_servos(edit.robot, args.servos)
    if args.first:
        first = options.find_servo(edit.robot, args.first)
        if first not in servos:
            raise RenaError(f"--from {args.first}: this servo is not among the servos named on the command line")
        servos = servos[servos.index(first) :]
    with contextlib.closing(open_line(args)) as line:
        return Calibration(line, edit, args, dialogue, keys).run(servos)


class ServoOutcome(Enum):
    """How the calibration of one servo ended, or that it is to be repeated."""

    SAVED = "saved"
    SKIPPED = "skipped"
    QUIT = "quit"
    AGAIN = "again"


class Calibration:
    """The terminal around the recording: shows positions, reads keys, moves a horn, saves ranges."""

    def __init__(
        self, line: Line, edit: RobotFileEdit, args: argparse.Namespace, dialogue: Dialogue, keys: Keys
    ) -> None:
        self._line, self._edit, self._args, self._dialogue, self._keys = line, edit, args, dialogue, keys

    def run(self, servos: tuple[Servo, ...]) -> int:
        """Calibrate the servos in turn; at the end, also after an error, say what is saved and how to continue."""
        dialogue = self._dialogue
        if not confirm_torque_off(self._line, self._edit.robot.servos, dialogue):
            dialogue.say("Nothing was recorded.")
            return 1
        for servo in servos:
            self._restore_torque_limit(servo)  # a calibration that was cut off may have left it lowered
        dialogue.say(f"\n{_KEYS}")
        outcomes: dict[str, ServoOutcome] = {}
        try:
            with self._keys:
                for servo in servos:
                    outcome = self._calibrate(servo)
                    if outcome is ServoOutcome.QUIT:
                        break
                    outcomes[servo.name] = outcome
        finally:
            self._report(servos, outcomes)
        return 0 if list(outcomes.values()) == [ServoOutcome.SAVED] * len(servos) else 1

    def _calibrate(self, servo: Servo) -> ServoOutcome:
        """Calibrate one servo; SAVED also when the file holds this range already."""
        say = self._dialogue.say
        say(f"\n{label(servo)}: now {servo.min_ticks}..{servo.max_ticks}, neutral {servo.neutral_ticks}")
        if why := self._unsuitable(servo):
            say(f"  Skipped: {why}.")
            return ServoOutcome.SKIPPED
        outcome = ServoOutcome.AGAIN
        while outcome is ServoOutcome.AGAIN:
            with contextlib.ExitStack() as hold:
                recording = self._record(servo, hold)
            if isinstance(recording, ServoOutcome):
                return recording
            result = to_range(recording)
            if isinstance(result, str):
                say(f"  Not usable: {result}.")
            else:
                outcome = self._save(servo, result)
        return outcome

    def _record(self, servo: Servo, hold: contextlib.ExitStack) -> Recording | ServoOutcome:
        """Follow the horn until all places are marked or the operator skips or quits; ``hold`` releases torque."""
        recording, goal, announced = Recording(), None, None
        while not recording.complete:
            place = PLACES[len(recording.marks)]
            if announced != place:
                announced = place
                self._dialogue.say(f"  {place}: {_WHERE[place]}")
            state = read_servo(self._line, servo)
            if state is not None:
                recording = recording.moved_to(state.ticks % TICKS_PER_TURN)
            self._show(servo, place, state, goal)
            key = self._keys.pressed(_PERIOD_S)
            if key == "enter" and state is not None:
                recording = recording.with_mark()
                self._dialogue.say(f"    {place}: {state.ticks} ticks")
            elif key in _STEPS and state is not None:
                goal = self._step(servo, hold, goal, state.ticks, _STEPS[key])
            elif key == " ":
                hold.close()
                goal = None
            elif key == "r":
                recording, announced = Recording(), None
            elif key in ("s", "q"):
                return ServoOutcome.SKIPPED if key == "s" else ServoOutcome.QUIT
        return recording

    def _step(self, servo: Servo, hold: contextlib.ExitStack, goal: int | None, present: int, step: int) -> int:
        """Carry out one arrow key: switch torque on at the present position if it is off, then move the goal."""
        unlimited = _without_limits(self._edit.robot, servo)
        own = unlimited.servos[unlimited.index[servo.name]]
        if goal is None:
            hold.callback(self._restore_torque_limit, servo)
            set_register(self._line, servo, "torque_limit", self._args.torque * 10)
            hold.enter_context(hold_torque(self._line, own, slow_speed_ticks_s(servo)))
            goal = present
        goal = limit_ticks(unlimited, own, min(max(goal + step, present - _LEAD_TICKS), present + _LEAD_TICKS))
        set_register(self._line, servo, "goal_position", goal)
        return goal

    def _restore_torque_limit(self, servo: Servo) -> None:
        """Set the torque limit to its value after power on; a lowered one would stay, unnoticed, until power off."""
        own = read_register(self._line, servo.id, "max_torque")
        if own is not None and read_register(self._line, servo.id, "torque_limit") not in (own, None):
            with contextlib.suppress(RenaError):  # an error of `hold_torque` about the same servo matters more
                set_register(self._line, servo, "torque_limit", own)

    def _save(self, servo: Servo, result: Range) -> ServoOutcome:
        """Show what changes and write it to the file when the operator presses Enter."""
        say, changes = self._dialogue.say, changed_fields(servo, result)
        for name, value in changes.items():
            say(f"  {name}: {_shown(getattr(servo, name))} -> {_shown(value)}")
        if "reversed" in changes:
            say("    In the file the two ends are the other way round: were goal 0 and goal 1 mixed up?")
        if not changes:
            say("  The file holds this range already.")
            return ServoOutcome.SAVED
        say("  Enter: write this to the file   r: record again   s: skip   q: quit")
        self._keys.forget()
        others = {"r": ServoOutcome.AGAIN, "s": ServoOutcome.SKIPPED, "q": ServoOutcome.QUIT}
        while (key := self._keys.pressed(1.0)) != "enter":
            if key in others:
                return others[key]
        try:
            self._edit.change({servo.name: changes})
        except RenaError as error:
            values = ", ".join(f"{name}: {_shown(value)}" for name, value in changes.items())
            raise RenaError(f"{error}\n  recorded for {servo.name} and not saved: {values}") from error
        say("  Saved.")
        return ServoOutcome.SAVED

    def _unsuitable(self, servo: Servo) -> str | None:
        """Return why this servo cannot be calibrated as it is set; warn when its own limits are narrower."""
        mode, low, high = (read_register(self._line, servo.id, name) for name in ("mode", "min_angle", "max_angle"))
        if mode is None or low is None or high is None:
            return "it does not reply; `rena servo scan` looks for the cause"
        remedy = "run `rena servo export FILE`, correct the file, and run `rena servo restore FILE`"
        if mode != 0:
            return f"its mode is {mode}, not 0 (position); to change that, {remedy}"
        if low == high == 0:
            return f"it counts several turns (min_angle and max_angle are 0, not 0 and 4095); to change that, {remedy}"
        if (low, high) != (0, TICKS_PER_TURN - 1):
            self._dialogue.say(
                f"  Its own limits are {low}..{high} (min_angle, max_angle) and it never moves beyond them. To widen "
                f"them, {remedy}."
            )
        return None

    def _show(self, servo: Servo, place: str, state: ServoSnapshot | None, goal: int | None) -> None:
        if state is None:
            torque = "" if goal is None else " Its torque may be on."
            self._dialogue.live(f"  {servo.name}: no reply; check its plug.{torque}   [{place}]")
            return
        how = "by hand" if goal is None else f"torque on, goal {goal}, load {state.load:+.0%}"
        conditions = f"   {state.conditions}!" if state.conditions else ""
        self._dialogue.live(f"  {servo.name}: {state.ticks:4d} ticks   {how}{conditions}   [{place}: Enter]")

    def _report(self, servos: tuple[Servo, ...], outcomes: dict[str, ServoOutcome]) -> None:
        say = self._dialogue.say
        saved, skipped = (
            ", ".join(name for name, outcome in outcomes.items() if outcome is wanted)
            for wanted in (ServoOutcome.SAVED, ServoOutcome.SKIPPED)
        )
        say(f"\nSaved in {self._edit.path}: {saved or 'nothing new'}.")
        if self._edit.backup:
            say(f"The file as it was before: {self._edit.backup}")
        if skipped:
            say(f"Skipped: {skipped}.")
        if left := [servo.name for servo in servos if servo.name not in outcomes]:
            rest = ("--from", left[0]) if not self._args.servos else tuple(left)
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            say(f"Not calibrated yet: {left[0]}{more}.\nTo continue: {options.command_line(self._args, *rest)}")


def _without_limits(robot: Robot, servo: Servo) -> Robot:
    """Return the robot with no known range for this servo: it may go anywhere but near the wrap-around."""
    top = TICKS_PER_TURN - 1 - WRAP_MARGIN_TICKS
    free = replace(servo, min_ticks=WRAP_MARGIN_TICKS, neutral_ticks=TICKS_PER_TURN // 2, max_ticks=top, antagonists=())
    others = [replace(other, antagonists=()) for other in robot.servos if other.name != servo.name]
    return replace(robot, servos=(free, *others))


def _shown(value: int | bool) -> str:
    """Return a value as YAML writes it."""
    return str(value).lower()
