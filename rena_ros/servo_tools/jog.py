"""`rena servo jog SERVO`: move one servo, slowly and within its limits, with the arrow keys or to a given position.

Torque is switched on for this servo alone, at its present position, and off again at the end, whatever ends it.
Positions are ticks, the unit of the limits in the robot file; 4096 ticks are one turn.
"""

import argparse
import contextlib
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.line import Line
from rena_ros.bus.registers import Status
from rena_ros.robot.model import RAD_PER_TICK, Robot, Servo
from rena_ros.servo_tools import options
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import label
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.keys import Keys
from rena_ros.servo_tools.torque_hold import (
    ARRIVED_TICKS,
    MAX_SPEED_TICKS_S,
    ServoSnapshot,
    hold_torque,
    limit_ticks,
    read_servo,
    set_register,
    slow_speed_ticks_s,
)

_STEPS = {"left": -1, "right": 1, "down": -10, "up": 10}
_PERIOD_S = 0.05
_STUCK_S = 0.7  # without getting nearer to the goal
_RELEASED = "; its torque is off again"
_TORQUE_LOST = (
    "stopped at {} ticks because its torque went off by itself (overload, or a loss of power): check its plug and what "
    "blocks it, then start again"
)
_HELP = "left/right: {step} ticks   up/down: {large}   n: neutral   q: quit (torque off)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    parser.add_argument("servo", metavar="SERVO", help="name or id of the servo")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--to", metavar="TICKS", help="move there, or to `min`, `neutral` or `max`, then release torque")
    how.add_argument("--by", type=int, metavar="TICKS", help="move this far from where it is, then release torque")
    parser.add_argument(
        "--step",
        type=options.whole_number(1),
        default=5,
        metavar="TICKS",
        help="step of left and right, a tenth of up and down; default: 5",
    )
    parser.add_argument(
        "--speed",
        type=options.whole_number(1),
        metavar="TICKS/S",
        help="at most the limit in the robot file; default: a tenth of that limit",
    )


def run(args: argparse.Namespace) -> int:
    """Move the servo. Returns 0, or 1 when it did not reach its goal."""
    robot = options.load_robot(args)
    servo = options.find_servo(robot, args.servo)
    ticks = None if args.to is None else wanted_ticks(servo, args.to)
    keys = Keys("use --to or --by") if ticks is None and args.by is None else None
    speed = register_speed(servo, args.speed or slow_speed_ticks_s(servo))
    interrupt_on_signals()
    console = Console(highlight=False)
    if args.robot_file is None:
        console.print(
            "Limits: config/rena.yaml, which is an assumption; name your own file with --robot-file.", style="yellow"
        )
    with contextlib.closing(open_line(args)) as line:
        jogged = JoggedServo(line, robot, servo)
        _refuse_overload(jogged)
        _refuse_pulling_antagonists(line, robot, servo)
        if args.by is not None:
            ticks = wanted_ticks(servo, str(jogged.state().ticks + args.by))
        try:
            with hold_torque(line, servo, speed):
                if keys is not None:
                    code, outcome = _follow_keys(jogged, keys, args.step, speed, console)
                elif ticks is not None:
                    code, outcome = _move_to(jogged, ticks, speed, console)
        except KeyboardInterrupt:
            code, outcome = 130, f"interrupted{_RELEASED}"
        console.print(f"{servo.name}: {outcome}.")
        return code


def wanted_ticks(servo: Servo, text: str) -> int:
    """Return the ticks that --to names. Raises RenaError for text that is no position, or outside the limits."""
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
    """Return the speed for the goal_speed register, ticks/s: at most the servo's limit, and never 0 (no limit)."""
    return max(1, min(wanted, round(servo.max_speed_rad_s / RAD_PER_TICK), MAX_SPEED_TICKS_S))


def step_goal(goal: int, present: int, step: int, lead: int) -> int:
    """Return the goal after one more key press, at most ``lead`` ticks ahead of the present position.

    So the servo stops soon after a key that was held down is released. A goal that is farther ahead already stays.
    """
    return min(max(goal + step, min(present - lead, goal)), max(present + lead, goal))


@dataclass
class GoalProgress:
    """Whether a servo gets nearer to its goal; call ``feed`` with every position that was read."""

    goal: int
    speed: int
    since_s: float
    nearest: int = 1 << 16

    def feed(self, ticks: int, now_s: float) -> str:
        """Return "moving", "arrived" or "stuck"."""
        distance = abs(ticks - self.goal)
        if distance < self.nearest:
            self.nearest, self.since_s = distance, now_s
        if now_s - self.since_s > _STUCK_S + 1 / self.speed:
            return "arrived" if distance <= ARRIVED_TICKS else "stuck"
        return "arrived" if distance <= 1 else "moving"


class JoggedServo:
    """The servo that is moved."""

    def __init__(self, line: Line, robot: Robot, servo: Servo) -> None:
        """Send nothing."""
        self.line, self.robot, self.servo = line, robot, servo

    def state(self) -> ServoSnapshot:
        """Read the servo's state. Raises RenaError when it does not reply."""
        state = read_servo(self.line, self.servo)
        if state is None:
            raise RenaError(f"{label(self.servo)} does not reply; `rena servo scan` looks for the cause")
        return state

    def limp(self) -> bool:
        """Return whether the servo says that its torque is off; a lost reply does not count as that."""
        return read_register(self.line, self.servo.id, "torque_enable") == 0

    def go(self, ticks: int) -> int:
        """Set the nearest goal to ``ticks`` that the limiter permits, and return it."""
        goal = limit_ticks(self.robot, self.servo, ticks)
        set_register(self.line, self.servo, "goal_position", goal)
        return goal


def _refuse_overload(jogged: JoggedServo) -> None:
    """Raise RenaError when the servo might refuse to release its torque at the end."""
    if jogged.state().status & Status.OVERLOAD:
        raise RenaError(
            f"{label(jogged.servo)} reports overload and might not release its torque again: remove what blocks it, "
            "then switch its power off and on"
        )


def _refuse_pulling_antagonists(line: Line, robot: Robot, servo: Servo) -> None:
    """Raise RenaError when a servo that pulls against this one is under torque."""
    for other in robot.servos:
        paired = servo.name in other.antagonists or other.name in servo.antagonists
        if paired and read_register(line, other.id, "torque_enable"):
            raise RenaError(
                f"{label(other)} pulls against {servo.name} and is under torque: release its torque first, by "
                "switching the servos' power off and on, or with the service set_torque"
            )


def _move_to(jogged: JoggedServo, ticks: int, speed: int, console: Console) -> tuple[int, str]:
    """Move to one position. Returns the exit code and what happened."""
    goal = jogged.go(ticks)
    progress = GoalProgress(goal, speed, jogged.line.port.now())
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            state = jogged.state()
            live.update(_status_line(jogged.servo, state, goal), refresh=True)
            outcome = progress.feed(state.ticks, jogged.line.port.now())
            if outcome != "moving":
                break
            jogged.line.port.sleep_until(jogged.line.port.now() + _PERIOD_S)
    if outcome == "arrived":
        return 0, f"is at {state.ticks} ticks{_RELEASED}"
    if jogged.limp():
        return 1, _TORQUE_LOST.format(state.ticks)
    conditions = f", reports {state.conditions}" if state.conditions else ""
    return 1, (
        f"stopped at {state.ticks} ticks, {abs(goal - state.ticks)} short of {goal} (load {state.load:.0%}"
        f"{conditions}): it is blocked, or too weak{_RELEASED}"
    )


def _follow_keys(jogged: JoggedServo, keys: Keys, step: int, speed: int, console: Console) -> tuple[int, str]:
    """Move by keys until q or Escape, or until torque goes off by itself. Returns the exit code and what happened."""
    lead = max(20 * step, round(0.3 * speed))
    goal = jogged.go(jogged.state().ticks)
    console.print(_HELP.format(step=step, large=10 * step))
    with keys, Live(console=console, auto_refresh=False) as live:
        while True:
            state = jogged.state()
            live.update(_status_line(jogged.servo, state, goal), refresh=True)
            if jogged.limp():
                return 1, _TORQUE_LOST.format(state.ticks)
            key = keys.pressed(_PERIOD_S)
            if key in ("q", "escape"):
                return 0, f"is at {state.ticks} ticks{_RELEASED}"
            if key == "n":
                goal = jogged.go(jogged.servo.neutral_ticks)
            elif key in _STEPS:
                goal = jogged.go(step_goal(goal, state.ticks, _STEPS[key] * step, lead))


def _status_line(servo: Servo, state: ServoSnapshot, goal: int) -> Text:
    at_limit = {servo.min_ticks: " (min)", servo.neutral_ticks: " (neutral)", servo.max_ticks: " (max)"}
    text = Text(
        f"{servo.name}  at {state.ticks}  goal {goal}{at_limit.get(goal, '')}  load {state.load:+.0%}  "
        f"{state.temperature_c} C  {state.voltage_v:.1f} V"
    )
    if state.conditions:
        text.append(f"  {state.conditions}!", style="bold red")
    return text
