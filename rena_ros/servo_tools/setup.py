"""`rena servo setup`: give new servos their ids, one at a time. It can be ended and started again at any moment.

Each new servo gets its id from the robot file and a return delay of 0. Servos that have their ids stay connected.
Nothing is written before the operator says yes; each value is read back and locked again. ``setup_steps`` decides what
comes next; this module reads the bus, asks the operator and writes.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.protocol import MAX_ID
from rena_ros.bus.registers import BAUDS
from rena_ros.robot.model import Robot, Servo
from rena_ros.servo_tools import options
from rena_ros.servo_tools import setup_steps as steps
from rena_ros.servo_tools.connection import open_line
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.eeprom_job import Change, EepromJob, relock_eeprom, verify_baud_rates
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.return_delay import set_delays
from rena_ros.servo_tools.search import FACTORY_ID, RETURN_DELAY_COUNT_US, FoundServo, probe_id, search_ids
from rena_ros.servo_tools.torque_hold import confirm_torque_off

_POLL_S = 0.3
_ALL_IDS_EVERY = 10  # one in this many looks asks all ids, the others only the factory's and unexpected or shared ones
_HINT_S = 20.0  # without a new servo, until a hint is shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_common_arguments(parser)
    options.add_servos_argument(parser)
    rate_help = "rate to set; default: 1000000"
    parser.add_argument("--to-baud", type=int, choices=BAUDS, default=BAUDS[0], metavar="RATE", help=rate_help)
    seconds, wait_help = (
        options.number_above_zero("number of seconds"),
        "end when no new servo is connected for S seconds",
    )
    parser.add_argument("--wait", type=seconds, metavar="S", help=wait_help)
    options.add_yes_argument(parser)


def run(args: argparse.Namespace, dialogue: Dialogue | None = None) -> int:
    """Set up servos until all have their ids. Returns 0, or 1 when it ended before that."""
    interrupt_on_signals()
    dialogue = dialogue or Dialogue(args.yes)
    robot = options.load_robot(args)
    return Setup(robot, options.select_servos(robot, args.servos), args, dialogue).run()


@dataclass(frozen=True)
class _Look:
    """One look at the bus: what ``setup_steps`` decides by, and the servos found, by id."""

    snapshot: steps.BusSnapshot
    found: dict[int, FoundServo]

    @classmethod
    def of(cls, found: Sequence[FoundServo]) -> "_Look":
        """Sort the servos found into ids with one servo and shared ids."""
        shared = frozenset(servo.id for servo in found if servo.shared or servo.model is None)
        ids = frozenset(servo.id for servo in found) - shared
        return cls(steps.BusSnapshot(ids, shared), {servo.id: servo for servo in found})


class Setup:
    """The terminal around ``setup_steps``: looks at the bus, asks the operator, writes."""

    def __init__(self, robot: Robot, wanted: tuple[Servo, ...], args: argparse.Namespace, dialogue: Dialogue) -> None:
        self._robot, self._wanted, self._args, self._dialogue = robot, wanted, args, dialogue
        self._written: list[str] = []
        self._line = open_line(args)

    def run(self) -> int:
        """Run the whole session; when it ends early, also by an error, say what was done and how to continue."""
        dialogue, begun, finished = self._dialogue, False, False
        try:
            dialogue.say("Asking all ids ...")
            look = self._look()
            self._state, begun = steps.begin(self._robot, self._wanted, look.snapshot), True
            present = [servo for servo in self._wanted if servo.id in self._state.settled]
            dialogue.say(f"{len(present)} of {len(self._wanted)} servos have their ids already.")
            relock_eeprom(self._line, present, dialogue)
            code = self._until_finished(look) if self._set_rate(present) else 1
            finished = not self._state.missing
            return code
        finally:
            if begun and not finished:
                self._report()
            self._line.close()

    def _until_finished(self, look: _Look) -> int:
        while True:
            step = steps.next_step(self._state, look.snapshot)
            if isinstance(step, steps.Finished):
                return self._finish(step)
            if isinstance(step, steps.Assign):
                if not self._assign(step, look.found[step.id]):
                    return 1
                look = self._look_again(look, {step.id, step.servo.id})
                self._state = steps.updated(self._state, look.snapshot)
                continue
            self._dialogue.say(_instruction(step))
            changed = self._wait_for_change(look, step)
            if changed is None:
                self._dialogue.say(f"No new servo for {self._args.wait:g} s.")
                return 1
            look = changed

    def _wait_for_change(self, look: _Look, step: steps.Connect | steps.Refuse) -> _Look | None:
        """Return the next look that calls for another step; None when --wait is over."""
        port, count, hinted = self._line.port, 0, False
        start_s = port.now()
        while True:
            port.sleep_until(port.now() + _POLL_S)
            count += 1
            expected = set(self._robot.ids.tolist())
            doubtful = {FACTORY_ID, *(look.snapshot.ids - expected), *look.snapshot.shared}
            look = self._look() if count % _ALL_IDS_EVERY == 0 else self._look_again(look, doubtful)
            self._state = steps.updated(self._state, look.snapshot)
            if steps.next_step(self._state, look.snapshot) != step:
                look = self._look()  # contacts bounce while a plug goes in: a second look, at all ids, counts
                self._state = steps.updated(self._state, look.snapshot)
                if steps.next_step(self._state, look.snapshot) != step:
                    return look
            waited_s = port.now() - start_s
            if self._args.wait is not None and waited_s > self._args.wait:
                return None
            if isinstance(step, steps.Connect) and waited_s > _HINT_S and not hinted:
                hinted = True
                self._dialogue.say(
                    "  No new servo replies yet. Check its power and its plug. It may have another rate: unplug the\n"
                    "  others, run `rena servo scan --all-bauds`, and then\n"
                    f"  `{self._args.prog} --baud RATE`. Ctrl-C ends this."
                )

    def _assign(self, step: steps.Assign, found: FoundServo) -> bool:
        """Write id and return delay to the new servo once the operator says yes; False ends the session."""
        servo = self._choose_servo(step, found)
        if servo is None:
            return False
        if servo.id == step.id:
            self._dialogue.say(f"{servo.name} has its id {servo.id} already.")
            self._state = steps.settle(self._state, servo.id, step.id)
            return True
        present = replace(servo, id=step.id)
        relock_eeprom(self._line, [present], self._dialogue)
        if not confirm_torque_off(self._line, [present], self._dialogue):
            return False
        changes = [Change(servo.name, step.id, "id", step.id, servo.id)]
        if found.return_delay_us:
            changes.append(
                Change(servo.name, step.id, "return_delay", found.return_delay_us // RETURN_DELAY_COUNT_US, 0)
            )
        job = EepromJob(self._line, changes, self._dialogue)
        try:
            job.run()
        finally:
            if changes[0] in job.done:
                self._state = steps.settle(self._state, servo.id, step.id)
                self._written.append(servo.name)
        return job.complete and self._set_rate([servo])

    def _choose_servo(self, step: steps.Assign, found: FoundServo) -> Servo | None:
        """Ask which servo this one becomes: the proposed one, or another whose name is typed; None ends the session."""
        dialogue = self._dialogue
        ticks = read_register(self._line, step.id, "present_position")
        dialogue.say(
            f"A servo replies as {step.id} (model {found.model}, firmware {found.firmware}, at {ticks} ticks)."
        )
        if step.doubtful:
            owner = next(servo.name for servo in self._robot.servos if servo.id == step.id)
            dialogue.say(f"  It was there at the start: it is either a new servo, or {owner}, which keeps this id.")
            if dialogue.yes:
                raise RenaError(
                    f"--yes cannot decide whether id {step.id} is a new servo or {owner}: run this without --yes, or "
                    "unplug that servo, start again, and plug it in when asked to"
                )
        question = f"Shall it become {step.servo.name}, id {step.servo.id}?"
        if dialogue.yes:
            return step.servo if dialogue.confirm(question) else None
        while True:
            reply = dialogue.ask(f"{question} [y = yes, NAME = no, it is that servo, n = end]")
            if reply in ("y", "yes"):
                return step.servo
            if reply in ("n", "no", "q", ""):
                return None
            try:
                named = options.find_servo(self._robot, reply)
            except RenaError:
                dialogue.say(f"{reply!r} is neither y, n nor a servo of the robot file.")
                continue
            if named.id == step.id or named in self._state.missing:
                return named
            dialogue.say(f"{named.name} has its id already, or is not among the servos to set up.")

    def _set_rate(self, servos: Sequence[Servo]) -> bool:
        """Set these servos to --to-baud, after all other changes: this line does not reach them afterwards."""
        present, wanted = self._line.port.baud, self._args.to_baud
        if present == wanted or not servos:
            return True
        names = ", ".join(servo.name for servo in servos)
        if not self._dialogue.confirm(f"Set {names} from {present} to {wanted} baud?"):
            return False
        if not confirm_torque_off(self._line, servos, self._dialogue):
            return False
        rates = [Change(s.name, s.id, "baud_code", BAUDS.index(present), BAUDS.index(wanted)) for s in servos]
        job = EepromJob(self._line, rates, self._dialogue)
        try:
            job.run()
        finally:
            self._line.close()
            good = verify_baud_rates(lambda baud: open_line(self._args, baud), job.done, {}, self._dialogue)
        self._line = open_line(self._args)
        return good and job.complete

    def _finish(self, step: steps.Finished) -> int:
        self._dialogue.say(f"All {len(self._wanted)} servos have their ids.")
        for servo_id in step.unexpected:
            self._dialogue.say(f"A servo replies as {servo_id}, an id that is not in the robot file.")
        if self._line.port.baud != self._args.to_baud:
            return 0  # this line does not reach the servos any more
        return set_delays(self._line, self._wanted, 0, self._dialogue, self._resume())

    def _look(self) -> _Look:
        """Ask all ids, those of the robot and the factory's first."""
        first = sorted({FACTORY_ID, *self._robot.ids.tolist()})
        rest = [servo_id for servo_id in range(MAX_ID + 1) if servo_id not in first]
        return _Look.of(search_ids(self._line, first, rest, lambda: None))

    def _look_again(self, before: _Look, ids: set[int]) -> _Look:
        """Ask these ids only; for the others the earlier look counts."""
        kept = [servo for servo_id, servo in before.found.items() if servo_id not in ids]
        asked = [probe_id(self._line, servo_id) for servo_id in sorted(ids)]
        return _Look.of(kept + [servo for servo in asked if servo is not None])

    def _report(self) -> None:
        missing = self._state.missing
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        left = f"Without their ids: {missing[0].name}{more}." if missing else "All servos have their ids."
        self._dialogue.say(
            f"Ids written in this session: {', '.join(self._written) or 'none'}. {left}\n"
            f"To continue: {self._resume()} (it skips what is done)."
        )

    def _resume(self) -> str:
        return options.command_line(self._args, *self._args.servos)


def _instruction(step: steps.Connect | steps.Refuse) -> str:
    if isinstance(step, steps.Connect):
        return (
            f"\nConnect the servo that is to become {step.servo.name} (id {step.servo.id}), and no other new servo.\n"
            "  Waiting for it ... (Ctrl-C ends; servos already set up keep their ids)"
        )
    return f"\nNothing is written at present: {step.why}.\n  Waiting until that is done ... (Ctrl-C ends)"
