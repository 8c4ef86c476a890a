"""`rena servo jog SERVO`: move one servo, slowly and within its limits, with the arrow keys or by a number.

Torque goes on for this servo alone, from where it is, and off again at the end, however the end comes.
Positions are ticks, the unit in which the robot file states limits; 4096 ticks are a turn.
"""

import argparse
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.line import Line
from rena_ros.bus.registers import Status
from rena_ros.robot.model import RAD_PER_TICK, Robot, Servo
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import label
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.keys import Keys
from rena_ros.servo_tools.options import add_common_arguments, find_servo, load, whole_number
from rena_ros.servo_tools.torque_hold import (
    ARRIVED_TICKS,
    Reading,
    hold_torque,
    limit_ticks,
    read_servo,
    set_register,
    slow_speed_ticks_s,
)

_STEPS = {"left": -1, "right": 1, "down": -1, "up": 1}
_LARGE = ("up", "down")  # these keys take ten steps
_PERIOD_S = 0.05
_STUCK_S = 0.7  # without getting nearer
_MOST_TICKS_S = 0x7FFF  # bit 15 of the register is its sign
_LET_GO = "; its torque is off again"
_LIMP = (
    "stopped at {} ticks, its torque went off by itself (overload, or its power failed): look for what blocks it and "
    "at its plug, then start again"
)
_HELP = "left/right: {step} ticks   up/down: {large}   n: neutral   q: quit (torque off)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena servo jog` takes."""
    add_common_arguments(parser)
    parser.add_argument("servo", metavar="SERVO", help="name or id of the servo")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--to", metavar="TICKS", help="go there, or to `min`, `neutral` or `max`, then let go")
    how.add_argument("--by", type=int, metavar="TICKS", help="go this far from where it is, then let go")
    parser.add_argument("--step", type=whole_number(1), default=5, metavar="TICKS", help="of one arrow key; default: 5")
    parser.add_argument(
        "--speed",
        type=whole_number(1),
        metavar="TICKS/S",
        help="default: a tenth of the limit in the robot file, which it also obeys",
    )


def run(args: argparse.Namespace) -> int:
    """Move the servo. Returns 0, or 1 when it did not get where it was sent."""
    robot = load(args)
    servo = find_servo(robot, args.servo)
    fixed = None if args.to is None else wanted_ticks(servo, args.to)
    keys = Keys("--to or --by moves it without") if fixed is None and args.by is None else None
    speed = register_speed(servo, args.speed or slow_speed_ticks_s(servo))
    interrupt_on_signals()
    console = Console(highlight=False)
    if args.robot_file is None:
        console.print("Limits: config/rena.yaml, which is an assumption; --robot-file names your own.", style="yellow")
    line = open_line(args)
    try:
        jogging = JoggedServo(line, robot, servo)
        _refuse_overload(jogging)
        _refuse_pulling_antagonists(line, robot, servo)
        if args.by is not None:
            fixed = wanted_ticks(servo, str(jogging.present() + args.by))
        try:
            with hold_torque(line, servo, speed):
                if keys is None:
                    code, outcome = _go(jogging, fixed, speed, console)
                else:
                    code, outcome = _with_keys(jogging, keys, args.step, speed, console)
        except KeyboardInterrupt:
            code, outcome = 130, f"interrupted{_LET_GO}"
        console.print(f"{servo.name}: {outcome}.")
        return code
    finally:
        line.close()


def wanted_ticks(servo: Servo, text: str) -> int:
    """What --to names. Raises RenaError for what is no number or outside the servo's limits."""
    named = {"min": servo.min_ticks, "neutral": servo.neutral_ticks, "max": servo.max_ticks}
    try:
        ticks = named[text] if text in named else int(text)
    except ValueError:
        raise RenaError(f"--to {text} is no number of ticks and none of min, neutral, max") from None
    if not servo.min_ticks <= ticks <= servo.max_ticks:
        raise RenaError(
            f"{ticks} ticks is outside {servo.min_ticks}..{servo.max_ticks}, the limits of {label(servo)}; "
            "`rena servo calibrate` changes them"
        )
    return ticks


def register_speed(servo: Servo, wanted: int) -> int:
    """A speed, ticks/s, that the goal_speed register holds: at most the servo's limit, and never 0, which would be
    none at all.
    """
    return max(1, min(wanted, round(servo.max_speed_rad_s / RAD_PER_TICK), _MOST_TICKS_S))


def step_goal(goal: int, present: int, step: int, lead: int) -> int:
    """The goal one key press further, but not further than ``lead`` ahead of where the servo is: when the key is
    let go after a while, the servo stops soon, too.
    """
    return min(max(goal + step, min(present - lead, goal)), max(present + lead, goal))


@dataclass
class GoalProgress:
    """Whether a servo gets nearer to its goal; ``feed`` it with what was read."""

    goal: int
    speed: int
    since_s: float
    nearest: int = 1 << 16

    def feed(self, ticks: int, now_s: float) -> str:
        """One of "moving", "arrived", "stuck"."""
        distance = abs(ticks - self.goal)
        if distance < self.nearest:
            self.nearest, self.since_s = distance, now_s
        if now_s - self.since_s > _STUCK_S + 1 / self.speed:
            return "arrived" if distance <= ARRIVED_TICKS else "stuck"
        return "arrived" if distance <= 1 else "moving"


class JoggedServo:
    """One servo and its goal."""

    def __init__(self, line: Line, robot: Robot, servo: Servo) -> None:
        """Sends nothing."""
        self.line, self.robot, self.servo = line, robot, servo

    def present(self) -> int:
        """Where the servo is, ticks. Raises RenaError when it does not answer."""
        return self.reading().ticks

    def reading(self) -> Reading:
        """What the servo says. Raises RenaError when it does not answer."""
        reading = read_servo(self.line, self.servo)
        if reading is None:
            raise RenaError(f"{label(self.servo)} does not answer; `rena servo scan` looks for the cause")
        return reading

    def limp(self) -> bool:
        """Whether the servo says that its torque is off; one answer that is lost is no such news."""
        return read_register(self.line, self.servo.id, "torque_enable") == 0

    def go(self, ticks: int) -> int:
        """Set out for ``ticks``, or the nearest goal that the limiter permits, which is returned."""
        goal = limit_ticks(self.robot, self.servo, ticks)
        set_register(self.line, self.servo, "goal_position", goal)
        return goal


def _refuse_overload(jogging: JoggedServo) -> None:
    """Raises RenaError when the servo might not let go at the end."""
    if jogging.reading().status & Status.OVERLOAD:
        raise RenaError(
            f"{label(jogging.servo)} reports overload and might not let go again: look for what blocks it, then "
            "switch its power off and on"
        )


def _refuse_pulling_antagonists(line: Line, robot: Robot, servo: Servo) -> None:
    """Raises RenaError when somebody that pulls against this servo holds torque."""
    for rival in robot.servos:
        paired = servo.name in rival.antagonists or rival.name in servo.antagonists
        if paired and read_register(line, rival.id, "torque_enable"):
            raise RenaError(
                f"{label(rival)} pulls against {servo.name} and holds torque: let it go first, by switching the "
                "servos off and on again or with the service set_torque"
            )


def _go(jogging: JoggedServo, ticks: int, speed: int, console: Console) -> tuple[int, str]:
    """To one place, then done."""
    goal = jogging.go(ticks)
    progress = GoalProgress(goal, speed, jogging.line.port.now())
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            reading = jogging.reading()
            live.update(_status(jogging.servo, reading, goal), refresh=True)
            state = progress.feed(reading.ticks, jogging.line.port.now())
            if state != "moving":
                break
            jogging.line.port.sleep_until(jogging.line.port.now() + _PERIOD_S)
    if state == "arrived":
        return 0, f"is at {reading.ticks} ticks{_LET_GO}"
    if jogging.limp():
        return 1, _LIMP.format(reading.ticks)
    complaint = f", reports {reading.conditions}" if reading.conditions else ""
    return 1, (
        f"stopped at {reading.ticks} ticks, {abs(goal - reading.ticks)} short of {goal} (load {reading.load:.0%}"
        f"{complaint}): something blocks it, or it is too weak{_LET_GO}"
    )


def _with_keys(jogging: JoggedServo, keys: Keys, step: int, speed: int, console: Console) -> tuple[int, str]:
    """Until q, Escape or Ctrl-C, or until its torque goes off by itself."""
    lead = max(20 * step, round(0.3 * speed))
    goal = jogging.go(jogging.present())
    console.print(_HELP.format(step=step, large=10 * step))
    with keys, Live(console=console, auto_refresh=False) as live:
        while True:
            reading = jogging.reading()
            live.update(_status(jogging.servo, reading, goal), refresh=True)
            if jogging.limp():
                return 1, _LIMP.format(reading.ticks)
            key = keys.pressed(_PERIOD_S)
            if key in ("q", "escape"):
                return 0, f"is at {reading.ticks} ticks{_LET_GO}"
            if key == "n":
                goal = jogging.go(jogging.servo.neutral_ticks)
            elif key in _STEPS:
                size = _STEPS[key] * step * (10 if key in _LARGE else 1)
                goal = jogging.go(step_goal(goal, reading.ticks, size, lead))


def _status(servo: Servo, reading: Reading, goal: int) -> Text:
    at_limit = {servo.min_ticks: " (min)", servo.neutral_ticks: " (neutral)", servo.max_ticks: " (max)"}
    text = Text(
        f"{servo.name}  at {reading.ticks}  goal {goal}{at_limit.get(goal, '')}  load {reading.load:+.0%}  "
        f"{reading.temperature_c} C  {reading.voltage_v:.1f} V"
    )
    if reading.conditions:
        text.append(f"  {reading.conditions}!", style="bold red")
    return text
