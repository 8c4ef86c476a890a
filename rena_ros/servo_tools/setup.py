"""`rena servo setup`: new servos get their ids, one at a time. It may be ended and started again at any moment.

Each new servo gets the id of the robot file and no return delay. Those that have their ids stay connected, so
the chain grows. Nothing is written before the answer is yes; each value is read back and locked again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.protocol import MAX_ID
from rena_ros.bus.registers import BAUDS
from rena_ros.robot.model import Robot, Servo
from rena_ros.servo_tools import return_delay
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.eeprom_job import Change, EepromJob, relock_eeprom, verify_baud_rates
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.options import (
    add_common_arguments,
    add_yes_argument,
    command_line,
    find_servo,
    load,
    number_above_zero,
    select_servos,
)
from rena_ros.servo_tools.search import FoundServo, look, search
from rena_ros.servo_tools.setup_steps import (
    FACTORY_ID,
    Assign,
    BusSnapshot,
    Connect,
    Finished,
    Refuse,
    Step,
    begin,
    next_step,
    settle,
    updated,
)
from rena_ros.servo_tools.torque_hold import confirm_torque_off

_POLL_S = 0.3
_ALL_IDS_EVERY = 10  # looks; in between only the factory's id and what was odd last time are asked
_HINT_S = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_common_arguments(parser)
    parser.add_argument("servos", nargs="*", metavar="SERVO", help="names or ids; default: all of the robot file")
    parser.add_argument(
        "--to-baud", type=int, choices=BAUDS, default=BAUDS[0], metavar="RATE", help="rate they get; default: 1000000"
    )
    parser.add_argument(
        "--wait",
        type=number_above_zero("number of seconds"),
        metavar="S",
        help="give up when nobody new is connected for so long",
    )
    add_yes_argument(parser)


def run(args: argparse.Namespace, dialogue: Dialogue | None = None) -> int:
    """Set up until every servo has its id. Returns 0, or 1 when it was ended before."""
    interrupt_on_signals()
    dialogue = dialogue or Dialogue(args.yes)
    robot = load(args)
    return Setup(robot, select_servos(robot, args.servos), args, dialogue).run()


@dataclass(frozen=True)
class _View:
    """One look: what the core is told, and what the servos said of themselves."""

    seen: BusSnapshot
    found: dict[int, FoundServo]


class Setup:
    """The terminal around the core: looks, asks, writes."""

    def __init__(self, robot: Robot, wanted: tuple[Servo, ...], args: argparse.Namespace, dialogue: Dialogue) -> None:
        self._robot, self._wanted, self._args, self._dialogue = robot, wanted, args, dialogue
        self._written: list[str] = []
        self._line = open_line(args)

    def run(self) -> int:
        """The whole session; whatever ends it, what was done and how to go on is said."""
        dialogue, state, finished = self._dialogue, None, False
        try:
            dialogue.say("Looking at all ids ...")
            view = self._look()
            state = self._state = begin(self._robot, self._wanted, view.seen)
            present = [servo for servo in self._wanted if servo.id in state.settled]
            dialogue.say(f"{len(present)} of {len(self._wanted)} servos answer under their ids already.")
            relock_eeprom(self._line, present, dialogue)
            code = self._until_finished(view) if self._to_rate(present) else 1
            finished = not self._state.missing
            return code
        finally:
            if state is not None and not finished:
                self._account()
            self._line.close()

    def _until_finished(self, view: _View) -> int:
        while True:
            step = next_step(self._state, view.seen)
            if isinstance(step, Finished):
                return self._finish(step)
            if isinstance(step, Assign):
                if not self._assign(step, view.found[step.id]):
                    return 1
                view = self._look_again(view, {step.id, step.servo.id})
                self._state = updated(self._state, view.seen)
                continue
            self._dialogue.say(_instruction(step))
            changed = self._wait_for_another(view, step)
            if changed is None:
                self._dialogue.say(f"Nobody new for {self._args.wait:g} s.")
                return 1
            view = changed

    def _wait_for_another(self, view: _View, step: Step) -> _View | None:
        """The next look that calls for another step; None when --wait is over."""
        port, count, hinted = self._line.port, 0, False
        start_s = port.now()
        while True:
            port.sleep_until(port.now() + _POLL_S)
            count += 1
            own = set(self._robot.ids.tolist())
            doubtful = {FACTORY_ID, *(view.seen.ids - own), *view.seen.shared}
            view = self._look() if count % _ALL_IDS_EVERY == 0 else self._look_again(view, doubtful)
            self._state = updated(self._state, view.seen)
            if next_step(self._state, view.seen) != step:
                view = self._look()  # plugs bounce: a second look, at everybody, counts
                self._state = updated(self._state, view.seen)
                if next_step(self._state, view.seen) != step:
                    return view
            waited_s = port.now() - start_s
            if self._args.wait is not None and waited_s > self._args.wait:
                return None
            if isinstance(step, Connect) and waited_s > _HINT_S and not hinted:
                hinted = True
                self._dialogue.say(
                    "  Nobody new yet. Does it have power? Was it set to another rate? Unplug the others and try\n"
                    f"  `rena servo scan --all-bauds`, then `{self._args.prog} --baud RATE`. Ctrl-C ends this."
                )

    def _assign(self, step: Assign, found: FoundServo) -> bool:
        """Make the servo what it is to be, once the answer is yes; False ends the session."""
        servo = self._agreed(step, found)
        if servo is None:
            return False
        if servo.id == step.id:
            self._dialogue.say(f"{servo.name} has its id {servo.id} already.")
            self._state = settle(self._state, servo.id, step.id)
            return True
        guest = replace(servo, id=step.id)
        relock_eeprom(self._line, [guest], self._dialogue)
        if not confirm_torque_off(self._line, [guest], self._dialogue):
            return False
        changes = [Change(servo.name, step.id, "id", step.id, servo.id)]
        if found.return_delay_us:
            changes.append(Change(servo.name, step.id, "return_delay", found.return_delay_us // 2, 0))
        work = EepromJob(self._line, changes, self._dialogue)
        try:
            work.carry_out()
        finally:
            if changes[0] in work.done:
                self._state = settle(self._state, servo.id, step.id)
                self._written.append(servo.name)
        return work.complete and self._to_rate([servo])

    def _agreed(self, step: Assign, found: FoundServo) -> Servo | None:
        """Which servo it becomes: the one that is next, or the one whose name is typed."""
        dialogue, own = self._dialogue, {servo.id: servo for servo in self._robot.servos}.get(step.id)
        at = read_register(self._line, step.id, "present_position")
        dialogue.say(f"A servo answers as {step.id} (model {found.model}, firmware {found.firmware}, at {at} ticks).")
        if step.doubtful:
            dialogue.say(f"  It was there before you were asked: is it a new one, or {own.name}, which keeps this id?")
            if dialogue.yes:
                raise RenaError(
                    f"with --yes nobody can tell whether id {step.id} is a new servo or {own.name}: leave --yes out, "
                    "or unplug it, start again, and plug it in when asked to"
                )
        question = f"Shall it become {step.servo.name}, id {step.servo.id}?"
        if dialogue.yes:
            return step.servo if dialogue.confirm(question) else None
        while True:
            answer = dialogue.ask(f"{question} [y = yes, NAME = no, it is that one, n = end]")
            if answer in ("y", "yes"):
                return step.servo
            if answer in ("n", "no", "q", ""):
                return None
            try:
                named = find_servo(self._robot, answer)
            except RenaError:
                dialogue.say(f"{answer!r} is neither y, n nor a servo of the robot file.")
                continue
            if named.id == step.id or named in self._state.missing:
                return named
            dialogue.say(f"{named.name} is there already, or was not asked for.")

    def _to_rate(self, servos: Sequence[Servo]) -> bool:
        """Servos that came with another rate get the robot's, last of all; afterwards this line hears them no more."""
        now, wanted = self._line.port.baud, self._args.to_baud
        if now == wanted or not servos:
            return True
        names = ", ".join(servo.name for servo in servos)
        if not self._dialogue.confirm(f"Set {names} from {now} to {wanted} baud?"):
            return False
        if not confirm_torque_off(self._line, servos, self._dialogue):
            return False
        rates = [Change(s.name, s.id, "baud_code", BAUDS.index(now), BAUDS.index(wanted)) for s in servos]
        work = EepromJob(self._line, rates, self._dialogue)
        try:
            work.carry_out()
        finally:
            self._line.close()
            good = verify_baud_rates(lambda baud: open_line(self._args, baud), work.done, {}, self._dialogue)
        self._line = open_line(self._args)
        return good and work.complete

    def _finish(self, step: Finished) -> int:
        self._dialogue.say(f"All {len(self._wanted)} servos have their ids.")
        for servo_id in step.strangers:
            self._dialogue.say(f"Somebody answers as {servo_id}, which the robot file does not know.")
        if self._line.port.baud != self._args.to_baud:
            return 0  # they do not hear this line any more
        return return_delay.set_delays(self._line, self._wanted, 0, self._dialogue, self._again())

    def _look(self) -> _View:
        """Ask all ids, the robot's and the factory's first."""
        first = sorted({FACTORY_ID, *self._robot.ids.tolist()})
        rest = [servo_id for servo_id in range(MAX_ID + 1) if servo_id not in first]
        return _view(search(self._line, first, rest, lambda: None))

    def _look_again(self, before: _View, ids: set[int]) -> _View:
        """Ask these ids; for the others, what was seen before counts."""
        found = [one for servo_id, one in before.found.items() if servo_id not in ids]
        return _view(found + [one for servo_id in sorted(ids) if (one := look(self._line, servo_id)) is not None])

    def _account(self) -> None:
        missing = self._state.missing
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        left = f"Without their ids: {missing[0].name}{more}." if missing else "All have their ids."
        self._dialogue.say(
            f"Got their ids in this session: {', '.join(self._written) or 'nobody'}. {left}\n"
            f"To go on: {self._again()} (it skips what is done)."
        )

    def _again(self) -> str:
        return command_line(self._args, *self._args.servos)


def _view(found: Sequence[FoundServo]) -> _View:
    shared = frozenset(one.id for one in found if one.shared or one.model is None)
    return _View(BusSnapshot(frozenset(one.id for one in found) - shared, shared), {one.id: one for one in found})


def _instruction(step: Connect | Refuse) -> str:
    if isinstance(step, Connect):
        return (
            f"\nConnect the servo that is to become {step.servo.name} (id {step.servo.id}), and no other new one.\n"
            "  Waiting for it ... (Ctrl-C ends; what is set up stays set up)"
        )
    return f"\nNothing is written as it is now: {step.why}.\n  Waiting until that is done ... (Ctrl-C ends)"
