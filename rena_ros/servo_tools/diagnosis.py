"""Found against expected: who is missing, and what the likely cause is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rena_ros.bus.registers import BAUDS, condition_names
from rena_ros.robot.model import Robot, Servo
from rena_ros.servo_tools.search import FoundServo

FACTORY_ID = 1
_MODELS = {777: "STS3215", 521: "STS3032"}
_SLOW_US = 50  # 25 servos that wait longer than this cost more than a millisecond a cycle


@dataclass(frozen=True)
class ScanRow:
    """One line of the table: an expected servo, found or not, or somebody nobody expected (no ``name``)."""

    id: int
    name: str | None
    found: FoundServo | None
    remark: str
    good: bool


@dataclass(frozen=True)
class Diagnosis:
    """All rows by id, and what to do, one sentence each."""

    rows: tuple[ScanRow, ...]
    advice: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether everybody expected answers, alone on the right id and rate, without complaint and with its EEPROM
        locked, and nobody else does.
        """
        return all(row.good for row in self.rows)


def diagnose(robot: Robot, found: Sequence[FoundServo], baud: int) -> Diagnosis:
    """Compare who answered, at any rate, with the robot file. ``baud``: the rate that everybody should use."""
    here = {somebody.id: somebody for somebody in found if somebody.baud == baud}
    elsewhere = {somebody.id: somebody for somebody in found if somebody.baud != baud and somebody.id not in here}
    missing = [servo for servo in robot.servos if servo.id not in here and servo.id not in elsewhere]
    rows = [_expected_row(servo, here.get(servo.id), elsewhere.get(servo.id)) for servo in robot.servos]
    own = set(robot.ids.tolist())
    rows += [_foreign_row(somebody, baud) for somebody in found if somebody.id not in own]
    advice = [
        *(
            _about_nobody(found)
            or _about_new_servos(robot, list(here.values()))
            or _about_absence(robot, missing, list(here.values())) + _about_ids(robot, list(here.values()))
        ),
        *_about_rates(robot, list(elsewhere.values()), baud),
        *_about_conditions(rows),
        *_about_locks(rows),
        *_about_delays(list(here.values())),
    ]
    return Diagnosis(tuple(sorted(rows, key=lambda row: row.id)), tuple(advice))


def model_name(model: int | None) -> str:
    """A model number, with its name where that is known."""
    return "?" if model is None else f"{_MODELS[model]} ({model})" if model in _MODELS else str(model)


def _expected_row(servo: Servo, here: FoundServo | None, elsewhere: FoundServo | None) -> ScanRow:
    if here is None and elsewhere is None:
        return ScanRow(servo.id, servo.name, None, "silent", False)
    if here is None:
        remark = "; ".join([f"listens at {elsewhere.baud} baud", *_lock(elsewhere)])
        return ScanRow(servo.id, servo.name, elsewhere, remark, False)
    if here.shared:
        return ScanRow(servo.id, servo.name, here, "garbled: several servos?", False)
    if here.model is None:
        return ScanRow(servo.id, servo.name, here, "garbled", False)
    remarks = [*_conditions(here), *_lock(here)]
    return ScanRow(servo.id, servo.name, here, "; ".join(remarks) or "ok", not remarks)


def _conditions(found: FoundServo) -> list[str]:
    reported = condition_names(found.status)
    return [f"reports {', '.join(reported)}"] if reported else []


def _lock(found: FoundServo) -> list[str]:
    return ["EEPROM unlocked"] if found.unlocked else []


def _foreign_row(somebody: FoundServo, baud: int) -> ScanRow:
    remark = "not in the robot file" + (", garbled" if somebody.shared else "")
    return ScanRow(
        somebody.id, None, somebody, remark + (f", {somebody.baud} baud" if somebody.baud != baud else ""), False
    )


def _about_nobody(found: Sequence[FoundServo]) -> list[str]:
    if found:
        return []
    return [
        "Nobody answers, at any rate. Most likely the servos have no power: a USB adapter does not feed them. "
        "Otherwise the data plug is out, or this is the wrong port."
    ]


def _about_new_servos(robot: Robot, here: list[FoundServo]) -> list[str]:
    """The factory's id where somebody else's ought to be."""
    crowd = any(somebody.id == FACTORY_ID and somebody.shared for somebody in here)
    alone = [somebody.id for somebody in here] == [FACTORY_ID] and len(robot.servos) > 1
    stranger = FACTORY_ID not in robot.ids and any(somebody.id == FACTORY_ID for somebody in here)
    if not (crowd or alone or stranger):
        return []
    who = f"Several servos answer as id {FACTORY_ID} at once" if crowd else f"A servo answers as id {FACTORY_ID}"
    return [f"{who}, which every servo has when it is new: `rena servo setup` gives each its own, one at a time."]


def _about_absence(robot: Robot, missing: list[Servo], here: list[FoundServo]) -> list[str]:
    """Where the silent ones have something in common: a region, neighbours, an id that somebody else has."""
    suspects = [somebody.id for somebody in here if somebody.shared or somebody.id not in robot.ids]
    advice, left = [], list(missing)
    for region in dict.fromkeys(servo.region for servo in missing):
        whole = [servo for servo in robot.servos if servo.region == region]
        if len(whole) > 1 and set(whole) <= set(left):
            left = [servo for servo in left if servo not in whole]
            advice.append(
                f"All {len(whole)} servos of region {region} are silent: look at their common plug and power."
            )
    for run in _runs(robot, left):
        first, last = run[0], run[-1]
        if len(run) > 1:
            place = robot.index[first.name]
            before = f"between {robot.names[place - 1]} and {first.name}" if place else f"before {first.name}"
            advice.append(
                f"{_called(first)} to {_called(last)} are silent, one after the other: if they are chained in "
                f"this order, the break is {before}."
            )
        elif suspects:
            advice.append(f"{_called(first)} is silent: perhaps it answers as {_listed(suspects)}, or its plug is out.")
        else:
            advice.append(
                f"{_called(first)} alone is silent: its plug is out, it has another id, or it is broken. "
                "Its neighbours work, so the power is there."
            )
    return advice


def _runs(robot: Robot, servos: list[Servo]) -> list[list[Servo]]:
    """Servos that follow one another in the robot file, together."""
    runs: list[list[Servo]] = []
    for servo in servos:
        if runs and robot.index[servo.name] == robot.index[runs[-1][-1].name] + 1:
            runs[-1].append(servo)
        else:
            runs.append([servo])
    return runs


def _about_ids(robot: Robot, here: list[FoundServo]) -> list[str]:
    advice = [
        f"What id {somebody.id} answers is garbled, as when several servos have that id: leave only one of them "
        "plugged in and run `rena servo setup`. If it is alone on its id, look at its ground and data wires."
        for somebody in here
        if somebody.shared or somebody.model is None
    ]
    strangers = [somebody.id for somebody in here if somebody.id not in robot.ids and not somebody.shared]
    if strangers:
        advice.append(
            f"The robot file knows nobody with id {_listed(strangers)}: `rena servo setup` gives a servo that is "
            "plugged in alone its own id. Or is it another --robot-file?"
        )
    return advice


def _about_rates(robot: Robot, elsewhere: list[FoundServo], baud: int) -> list[str]:
    names = {servo.id: servo.name for servo in robot.servos}
    advice = []
    for rate in sorted({somebody.baud for somebody in elsewhere}):
        who = [names.get(somebody.id, f"id {somebody.id}") for somebody in elsewhere if somebody.baud == rate]
        all_of_them = len(who) >= len(robot.servos)
        if baud not in BAUDS:
            advice.append(
                f"No servo can be set to {baud} baud, and {len(who)} of them answer at {rate}: --baud {rate}."
            )
            continue
        subject = (
            "All servos listen" if all_of_them else f"{who[0]} listens" if len(who) == 1 else f"{', '.join(who)} listen"
        )
        either = f"either go on with --baud {rate}, or let" if all_of_them else "let"
        advice.append(
            f"{subject} at {rate} baud: {either} `rena servo setup --baud {rate} --to-baud {baud}` change that."
        )
    return advice


def _about_conditions(rows: list[ScanRow]) -> list[str]:
    reporting = [row for row in rows if row.remark.startswith("reports ")]
    return [f"{row.name} {_conditions(row.found)[0]}: `rena servo monitor {row.name}` shows more." for row in reporting]


def _about_locks(rows: list[ScanRow]) -> list[str]:
    """Not of those whose answers are garbled: nobody can tell which of them it is, nor write to it alone."""
    expected = [row for row in rows if row.name is not None]
    unlocked = [row for row in expected if row.found is not None and row.found.unlocked and not row.found.shared]
    advice = []
    for rate in sorted({row.found.baud for row in unlocked}):
        names = [row.name for row in unlocked if row.found.baud == rate]
        everybody = len(names) == len(expected)
        who = f"all {len(names)} servos" if everybody else ", ".join(names)
        options = [f"--baud {rate}"] if rate != BAUDS[0] else []
        command = " ".join(["rena servo set-return-delay", *options, *([] if everybody else names)])
        advice.append(
            f"The EEPROM of {who} is unlocked, as an interrupted program leaves it, so that a stray write would stay: "
            f"`{command}` locks it, before it asks anything."
        )
    return advice


def _about_delays(here: list[FoundServo]) -> list[str]:
    slow = [somebody for somebody in here if (somebody.return_delay_us or 0) > _SLOW_US]
    if not slow:
        return []
    total_ms = sum(somebody.return_delay_us for somebody in slow) / 1000
    who = "One servo waits before it answers" if len(slow) == 1 else f"{len(slow)} servos wait before they answer"
    return [f"{who}, {total_ms:.1f} ms in every cycle: `rena servo set-return-delay` sets that to 0."]


def _listed(ids: list[int]) -> str:
    return " or ".join(map(str, ids))


def _called(servo: Servo) -> str:
    return f"{servo.name} ({servo.id})"
