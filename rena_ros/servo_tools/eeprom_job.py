"""EEPROM changes: shown before, carried out one by one, and accounted for whatever interrupts them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.eeprom import lock_eeprom, write_eeprom
from rena_ros.bus.line import Line
from rena_ros.bus.registers import BAUDS
from rena_ros.robot.model import Servo
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.interrupts import deferred_interrupts


@dataclass(frozen=True)
class Change:
    """One EEPROM register of one servo: what it holds and what it shall hold. ``id``: where it answers now."""

    name: str
    id: int
    register: str
    old: int
    new: int

    def __str__(self) -> str:
        return f"{self.name} (id {self.id}): {self.register} {self.old} -> {self.new}"


class EepromJob:
    """A list of changes to be carried out, and at every moment which are done, failed, or were cut off."""

    def __init__(self, line: Line, changes: Sequence[Change], dialogue: Dialogue) -> None:
        self.done: list[Change] = []
        self.failed: list[tuple[Change, str]] = []
        self._left = list(changes)
        self._begun: Change | None = None
        self._line = line
        self._dialogue = dialogue

    @property
    def complete(self) -> bool:
        """Whether everything is written."""
        return not self._left and not self.failed

    def carry_out(self, again: str | None = None) -> bool:
        """Write everything, each change read back and locked again; returns whether all went well.

        After a failure the other changes of that servo are left out, those of the other servos are not.
        When something is left over, also when this raises (Ctrl-C, a lost port), that is said, and ``again``, the
        command that goes on where this one ended.
        """
        try:
            self._carry_out()
        finally:
            if self._left or self.failed:
                self._dialogue.say(self.account(again))
        return self.complete

    def account(self, again: str | None) -> str:
        """What was written, what was not, and how to go on."""
        lines = [f"Written and locked again: {len(self.done)} of {self._total()} changes."]
        if self._begun is not None:
            lines.append(
                f"Cut off in the middle of {self._begun}. It may be written or not, and this servo's EEPROM may be "
                "unlocked; nothing else of it has changed."
            )
        lines += [f"Failed: {change}: {why}." for change, why in self.failed]
        if self.failed:
            lines.append("Switch the power of a servo that does not take a value off and on before you try again.")
        lines += [f"Not written: {change}." for change in self._left if change is not self._begun]
        if again is not None:
            lines.append(f"To go on: {again} (it reads first and writes only what is still missing).")
        return "\n".join(lines)

    def _carry_out(self) -> None:
        moved: dict[int, int] = {}  # id in the changes -> id since one of them changed it
        while self._left:
            change = self._begun = self._left[0]
            now_id = moved.get(change.id, change.id)
            with deferred_interrupts():
                why = write_eeprom(self._line, now_id, change.register, change.new)
                self._begun = None
                self._left.pop(0)
                if why is None:
                    self.done.append(change)
            if why is not None:
                self.failed.append((change, why))
                self._leave_out(change)
                self._dialogue.say(f"  FAILED {change}: {why}")
                continue
            if change.register == "id":
                moved[change.id] = change.new
            rate = change.register == "baud_code"
            self._dialogue.say(f"  {replace(change, id=now_id)}: written{'' if rate else ', read back, locked again'}")

    def _leave_out(self, failed: Change) -> None:
        same = [change for change in self._left if change.id == failed.id]
        self._left = [change for change in self._left if change.id != failed.id]
        self.failed += [(change, f"not tried, since {failed.register} failed") for change in same]

    def _total(self) -> int:
        return len(self.done) + len(self.failed) + len(self._left)


def verify_baud_rates(
    open_line: Callable[[int], Line], done: Sequence[Change], moved: Mapping[int, int], dialogue: Dialogue
) -> bool:
    """Of the changes ``done``, read the baud codes back, each at its new rate, and lock those servos again.

    ``open_line``: a line at a rate, the port being free; ``moved``: ids that were changed meanwhile, old to new.
    Returns whether all are as they should be. To be called whatever interrupted the work.
    """
    good = True
    for code in sorted({change.new for change in done if change.register == "baud_code"}):
        changes = [replace(c, id=moved.get(c.id, c.id)) for c in done if c.register == "baud_code" and c.new == code]
        with deferred_interrupts():
            try:
                line = open_line(BAUDS[code])
                try:
                    whys = [_lock_at_new_rate(line, change) for change in changes]
                finally:
                    line.close()
            except RenaError:
                dialogue.say(
                    f"{', '.join(change.name for change in changes)}: neither is the new rate read back, nor the "
                    f"EEPROM locked. With the port back, `rena servo set-return-delay --baud {BAUDS[code]}` does that."
                )
                raise
        for change, why in zip(changes, whys, strict=True):
            dialogue.say(f"  {change.name} (id {change.id}) at {BAUDS[code]} baud: {why or 'read back, locked again'}")
        good &= not any(whys)
    return good


def _lock_at_new_rate(line: Line, change: Change) -> str | None:
    if read_register(line, change.id, "baud_code") != change.new:
        return "FAILED: it does not answer there; `rena servo scan --all-bauds` finds it"
    why = lock_eeprom(line, change.id)
    return why and f"FAILED: its EEPROM could not be locked: {why}"


def relock_eeprom(line: Line, servos: Sequence[Servo], dialogue: Dialogue) -> None:
    """Lock the EEPROM of servos that an interrupted program has left unlocked. Raises RenaError if one refuses."""
    for servo in servos:
        if read_register(line, servo.id, "lock") != 0:
            continue
        with deferred_interrupts():
            why = lock_eeprom(line, servo.id)
        if why:
            raise RenaError(f"the EEPROM of {servo.name} (id {servo.id}) is unlocked and cannot be locked: {why}")
        dialogue.say(f"{servo.name} (id {servo.id}): its EEPROM was left unlocked, by an interrupted program perhaps.")
        dialogue.say("  It is locked again.")
