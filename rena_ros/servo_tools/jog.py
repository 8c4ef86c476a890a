"""`rena servo jog SERVO`: move one servo, slowly and within its limits, with the arrow keys or to a given position.

Torque is switched on for this servo alone, at its present position (or the nearer limit, if it is outside), and off
again at the end, also after Ctrl-C or an error. Positions are ticks, as in the robot file; 4096 ticks are one turn.
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
_STANDSTILL_S = 0.7  # a servo that has got no nearer to its goal for this long has stopped
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
    target_options = parser.add_mutually_exclusive_group()
    to_help = "position to move to: ticks, `min`, `neutral` or `max`; torque is released afterwards"
    target_options.add_argument("--to", metavar="TICKS", help=to_help)
    by_help = "distance to move from the present position; torque is released afterwards"
    target_options.add_argument("--by", type=int, metavar="TICKS", help=by_help)
    count = options.whole_number(1)
    step_help = "step of left/right; up/down move ten times as far; default: 5"
    parser.add_argument("--step", type=count, default=5, metavar="TICKS", help=step_help)
    speed_help = "at most the limit in the robot file; default: a tenth of that limit"
    parser.add_argument("--speed", type=count, metavar="TICKS/S", help=speed_help)


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
    """Return the ticks that --to names. Raises RenaError for any other text, and outside the limits."""
    named = {"min": servo.min_ticks, "neutral": servo.neutral_ticks, "max": servo.max_ticks}
    try:
        ticks = named[text] if text in named else int(text)
    except ValueError:
        raise RenaError(f"--to {text}: must be a number of ticks, or min, neutral or max") from None
    if not servo.min_ticks <= ticks <= servo.max_ticks:
        raise RenaError(
            f"{ticks} ticks is outside {servo.min_ticks}..{servo.max_ticks}, the limits of {label(servo)}; "
            "`rena servo calibrate` changes them"
        )
    return ticks


def register_speed(servo: Servo, wanted: int) -> int:
    """Return the speed for the goal_speed register, ticks/s: at most the servo's limit, and never 0 (no limit)."""
    return max(1, min(wanted, round(servo.max_speed_rad_s / RAD_PER_TICK), MAX_SPEED_TICKS_S))


def step_goal(goal: int, present: int, step: int, lead_ticks: int) -> int:
    """Return the goal after one more key press, at most ``lead_ticks`` ticks ahead of the present position.

    So the servo stops soon after a key that was held down is released. If the goal is already farther ahead, a key
    press in the same direction leaves it; one in the other direction moves it.
    """
    return min(max(goal + step, min(present - lead_ticks, goal)), max(present + lead_ticks, goal))


@dataclass
class GoalProgress:
    """Whether a servo gets nearer to its goal, at ``speed`` ticks/s; ``nearer_at_s``: when it last did, or began."""

    goal: int
    speed: int
    nearer_at_s: float
    nearest: int = 1 << 16

    def feed(self, ticks: int, now_s: float) -> str:
        """Return "moving", "arrived" or "stuck"; call this with every position that was read, ticks."""
        distance = abs(ticks - self.goal)
        if distance < self.nearest:
            self.nearest, self.nearer_at_s = distance, now_s
        if now_s - self.nearer_at_s > _STANDSTILL_S + 1 / self.speed:
            return "arrived" if distance <= ARRIVED_TICKS else "stuck"
        return "arrived" if distance <= 1 else "moving"


class JoggedServo:
    """The servo to move, on its line, and the robot whose limiter its goals pass."""

    def __init__(self, line: Line, robot: Robot, servo: Servo) -> None:
        """Send nothing."""
        self.line, self.robot, self.servo = line, robot, servo

    def state(self) -> ServoSnapshot:
        """Read the servo's state. Raises RenaError when it does not reply."""
        state = read_servo(self.line, self.servo)
        if state is None:
            raise RenaError(f"{label(self.servo)} does not reply; `rena servo scan` looks for the cause")
        return state

    def torque_is_off(self) -> bool:
        """Return whether the servo reports that its torque is off; False also when it does not reply."""
        return read_register(self.line, self.servo.id, "torque_enable") == 0

    def go(self, ticks: int) -> int:
        """Write the permitted goal that is nearest to ``ticks``, and return it."""
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
    if jogged.torque_is_off():
        return 1, _TORQUE_LOST.format(state.ticks)
    conditions = f", reports {state.conditions}" if state.conditions else ""
    return 1, (
        f"stopped at {state.ticks} ticks, {abs(goal - state.ticks)} short of {goal} (load {state.load:.0%}"
        f"{conditions}): it is blocked, or too weak{_RELEASED}"
    )


def _follow_keys(jogged: JoggedServo, keys: Keys, step: int, speed: int, console: Console) -> tuple[int, str]:
    """Move by keys until q or Escape, or until torque goes off by itself. Returns the exit code and what happened."""
    lead_ticks = max(20 * step, round(0.3 * speed))
    goal = jogged.go(jogged.state().ticks)
    console.print(_HELP.format(step=step, large=10 * step))
    with keys, Live(console=console, auto_refresh=False) as live:
        while True:
            state = jogged.state()
            live.update(_status_line(jogged.servo, state, goal), refresh=True)
            if jogged.torque_is_off():
                return 1, _TORQUE_LOST.format(state.ticks)
            key = keys.pressed(_PERIOD_S)
            if key in ("q", "escape"):
                return 0, f"is at {state.ticks} ticks{_RELEASED}"
            if key == "n":
                goal = jogged.go(jogged.servo.neutral_ticks)
            elif key in _STEPS:
                goal = jogged.go(step_goal(goal, state.ticks, _STEPS[key] * step, lead_ticks))


def _status_line(servo: Servo, state: ServoSnapshot, goal: int) -> Text:
    place_names = {servo.min_ticks: " (min)", servo.neutral_ticks: " (neutral)", servo.max_ticks: " (max)"}
    text = Text(
        f"{servo.name}  at {state.ticks}  goal {goal}{place_names.get(goal, '')}  load {state.load:+.0%}  "
        f"{state.temperature_c} C  {state.voltage_v:.1f} V"
    )
    if state.conditions:
        text.append(f"  {state.conditions}!", style="bold red")
    return text
