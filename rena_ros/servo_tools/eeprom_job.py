"""EEPROM changes: written one by one, read back, locked again, and reported, also after an interruption."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.eeprom import lock_eeprom, write_eeprom
from rena_ros.bus.line import Line
from rena_ros.bus.registers import BAUDS
from rena_ros.robot.model import Servo
from rena_ros.servo_tools.dialogue import Dialogue, label
from rena_ros.servo_tools.interrupts import deferred_interrupts
from rena_ros.servo_tools.torque_hold import confirm_torque_off


@dataclass(frozen=True)
class Change:
    """One EEPROM register of one servo, its old and its new value. ``id``: the servo's id before the changes."""

    name: str
    id: int
    register: str
    old: int
    new: int

    def __str__(self) -> str:
        return f"{self.name} (id {self.id}): {self.register} {self.old} -> {self.new}"


class EepromJob:
    """A list of changes to write; knows at every moment which are done, failed, interrupted or not yet begun."""

    def __init__(self, line: Line, changes: Sequence[Change], dialogue: Dialogue) -> None:
        self.done: list[Change] = []
        self.failed: list[tuple[Change, str]] = []
        self._left = list(changes)
        self._begun: Change | None = None
        self._line, self._dialogue = line, dialogue

    @property
    def complete(self) -> bool:
        """Whether every change is written."""
        return not self._left and not self.failed

    def run(self, resume: str | None = None) -> bool:
        """Write every change, read it back and lock the EEPROM again; return whether all succeeded.

        After a failure the other changes of that servo are skipped; those of other servos are still written. When
        some changes are not written, also when this raises (Ctrl-C, a lost port), a report is printed with
        ``resume``, the command that continues.
        """
        try:
            self._write_all()
        finally:
            if not self.complete:
                self._dialogue.say(self.report(resume))
        return self.complete

    def report(self, resume: str | None) -> str:
        """Return what is written, what is not, and how to continue."""
        total = len(self.done) + len(self.failed) + len(self._left)
        lines = [f"Written and locked again: {len(self.done)} of {total} changes."]
        if self._begun is not None:
            lines.append(
                f"Interrupted while writing {self._begun}. This value may or may not be written, and the EEPROM of "
                "this servo may be unlocked; its other registers are unchanged."
            )
        lines += [f"Failed: {change}: {why}." for change, why in self.failed]
        if self.failed:
            lines.append("Before you retry, switch the power of each servo that failed off and on.")
        lines += [f"Not written: {change}." for change in self._left if change is not self._begun]
        if resume is not None:
            lines.append(f"To continue: {resume} (it reads first and writes only what is still missing).")
        return "\n".join(lines)

    def _write_all(self) -> None:
        new_ids: dict[int, int] = {}  # id in the changes -> id after a change of that id
        while self._left:
            change = self._begun = self._left[0]
            present_id = new_ids.get(change.id, change.id)
            with deferred_interrupts():
                why = write_eeprom(self._line, present_id, change.register, change.new)
                self._begun = None
                self._left.pop(0)
                if why is None:
                    self.done.append(change)
            if why is not None:
                self.failed.append((change, why))
                self._skip_others_of(change)
                self._dialogue.say(f"  FAILED {change}: {why}")
                continue
            if change.register == "id":
                new_ids[change.id] = change.new
            checked = "" if change.register == "baud_code" else ", read back, locked again"
            self._dialogue.say(f"  {replace(change, id=present_id)}: written{checked}")

    def _skip_others_of(self, failed: Change) -> None:
        skipped = [change for change in self._left if change.id == failed.id]
        self._left = [change for change in self._left if change.id != failed.id]
        self.failed += [(change, f"skipped, because {failed.register} failed") for change in skipped]


def confirm_changes(
    line: Line, servos: Sequence[Servo], changes: Sequence[Change], what: str, dialogue: Dialogue
) -> bool:
    """Ask whether to write the changes, and whether to switch off the torque of their servos where it is on.

    ``what`` is to be written, such as "2 value(s)". Returns False when a reply is no; nothing is written then.
    """
    names = {change.name for change in changes}
    affected = [servo for servo in servos if servo.name in names]
    question = f"Write {what} to the EEPROM of {len(affected)} servo(s)?"
    if dialogue.confirm(question) and confirm_torque_off(line, affected, dialogue):
        return True
    dialogue.say("Nothing was written.")
    return False


def verify_baud_rates(
    open_line: Callable[[int], Line], done: Sequence[Change], new_ids: Mapping[int, int], dialogue: Dialogue
) -> bool:
    """Read back every baud code in ``done``, each at its new rate, and lock the EEPROM of those servos again.

    Call this after a job that writes baud codes, also when it raised. ``open_line`` opens a line at a rate (the port
    must be free); changes of other registers in ``done`` are ignored; ``new_ids``: ids that the job has changed, old to
    new. Returns whether every servo replies at its new rate and is locked.
    """
    good = True
    for code in sorted({change.new for change in done if change.register == "baud_code"}):
        changes = [
            replace(change, id=new_ids.get(change.id, change.id))
            for change in done
            if change.register == "baud_code" and change.new == code
        ]
        with deferred_interrupts():
            try:
                with contextlib.closing(open_line(BAUDS[code])) as line:
                    failures = [_lock_at_new_rate(line, change) for change in changes]
            except RenaError:
                dialogue.say(
                    f"{', '.join(change.name for change in changes)}: the new rate is not read back and the EEPROM is "
                    f"not locked. When the port is back, run `rena servo set-return-delay --baud {BAUDS[code]}`: it "
                    "does both."
                )
                raise
        for change, why in zip(changes, failures, strict=True):
            dialogue.say(f"  {change.name} (id {change.id}) at {BAUDS[code]} baud: {why or 'read back, locked again'}")
        good &= not any(failures)
    return good


def _lock_at_new_rate(line: Line, change: Change) -> str | None:
    if read_register(line, change.id, "baud_code") != change.new:
        return "FAILED: it does not reply at this rate; `rena servo scan --all-bauds` finds it"
    why = lock_eeprom(line, change.id)
    return why and f"FAILED: its EEPROM could not be locked: {why}"


def relock_eeprom(line: Line, servos: Sequence[Servo], dialogue: Dialogue) -> None:
    """Lock the EEPROM of servos that an interrupted program left unlocked. Raises RenaError when a servo refuses."""
    for servo in servos:
        if read_register(line, servo.id, "lock") != 0:
            continue
        with deferred_interrupts():
            why = lock_eeprom(line, servo.id)
        if why:
            raise RenaError(f"the EEPROM of {label(servo)} is unlocked and cannot be locked: it {why}")
        dialogue.say(f"{label(servo)}: its EEPROM was unlocked, probably by an interrupted program; locked again.")
