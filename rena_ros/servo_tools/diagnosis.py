"""From the servos found to a diagnosis: the rows of `rena servo scan`, with a remark each, and advice. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from rena_ros.bus.registers import BAUDS, condition_names
from rena_ros.robot.model import Robot, Servo
from rena_ros.servo_tools.dialogue import label
from rena_ros.servo_tools.search import FACTORY_ID, FoundServo

_MODELS = {777: "STS3215", 521: "STS3032"}
_NO_REPLIES = (
    "No servo replies, at any rate. Most likely the servos have no power: a USB adapter does not supply them. "
    "Otherwise the data plug is out, or this is the wrong port."
)
_SLOW_US = 50  # 25 servos that wait longer than this cost more than a millisecond a cycle


@dataclass(frozen=True)
class ScanRow:
    """One line of the table: a servo of the robot file, found or not, or an id that is not in it (``name`` None)."""

    id: int
    name: str | None
    found: FoundServo | None
    remark: str
    good: bool


@dataclass(frozen=True)
class Diagnosis:
    """All rows, ordered by id, and the advice, one text for each thing to do."""

    rows: tuple[ScanRow, ...]
    advice: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether exactly the servos of the robot file reply, at the right rate, and every row is good.

        A row is good when one servo alone has the id, reports no condition, and its EEPROM is locked.
        """
        return all(row.good for row in self.rows)


def diagnose(robot: Robot, found: Sequence[FoundServo], baud: int) -> Diagnosis:
    """Compare the servos found, at any rate, with the robot file. ``baud``: the rate that all servos should have."""
    here = {servo.id: servo for servo in found if servo.baud == baud}  # at the right rate
    elsewhere = {servo.id: servo for servo in found if servo.baud != baud and servo.id not in here}
    missing = [servo for servo in robot.servos if servo.id not in here and servo.id not in elsewhere]
    rows = [_expected_row(servo, here.get(servo.id), elsewhere.get(servo.id)) for servo in robot.servos]
    expected_ids = set(robot.ids.tolist())
    rows += [_unexpected_row(servo, baud) for servo in found if servo.id not in expected_ids]
    at_baud = list(here.values())
    advice = [
        *(
            ([] if found else [_NO_REPLIES])
            or _advice_on_new_servos(robot, at_baud)
            or _advice_on_missing(robot, missing, at_baud) + _advice_on_ids(robot, at_baud)
        ),
        *_advice_on_rates(robot, list(elsewhere.values()), baud),
        *_advice_on_conditions(rows),
        *_advice_on_locks(rows),
        *_advice_on_delays(at_baud),
    ]
    return Diagnosis(tuple(sorted(rows, key=lambda row: row.id)), tuple(advice))


def model_name(model: int | None) -> str:
    """Return a model number, with the model's name where it is known."""
    return "?" if model is None else f"{_MODELS[model]} ({model})" if model in _MODELS else str(model)


def _expected_row(servo: Servo, here: FoundServo | None, elsewhere: FoundServo | None) -> ScanRow:
    found = here or elsewhere
    if found is None:
        remarks = ["silent"]
    elif found is elsewhere:
        remarks = [f"listens at {found.baud} baud", *_lock(found)]
    elif found.shared or found.model is None:
        remarks = ["garbled: several servos?" if found.shared else "garbled"]
    else:
        remarks = [*_conditions(found), *_lock(found)]
    return ScanRow(servo.id, servo.name, found, "; ".join(remarks) or "ok", not remarks)


def _conditions(found: FoundServo) -> list[str]:
    names = condition_names(found.status)
    return [f"reports {', '.join(names)}"] if names else []


def _lock(found: FoundServo) -> list[str]:
    return ["EEPROM unlocked"] if found.unlocked else []


def _unexpected_row(found: FoundServo, baud: int) -> ScanRow:
    garbled = ", garbled" if found.shared else ""
    rate = f", {found.baud} baud" if found.baud != baud else ""
    return ScanRow(found.id, None, found, f"not in the robot file{garbled}{rate}", False)


def _advice_on_new_servos(robot: Robot, here: list[FoundServo]) -> list[str]:
    """Advise `setup` when the factory's id is shared, is the only id, or is not in the robot file."""
    shared = any(found.id == FACTORY_ID and found.shared for found in here)
    alone = [found.id for found in here] == [FACTORY_ID] and len(robot.servos) > 1
    unexpected = FACTORY_ID not in robot.ids and any(found.id == FACTORY_ID for found in here)
    if not (shared or alone or unexpected):
        return []
    what = f"Several servos reply as id {FACTORY_ID}" if shared else f"A servo replies as id {FACTORY_ID}"
    return [f"{what}, the id of every new servo: `rena servo setup` gives each servo its own id, one at a time."]


def _advice_on_missing(robot: Robot, missing: list[Servo], here: list[FoundServo]) -> list[str]:
    """Group the silent servos by what they have in common: a region, or their place in the chain."""
    suspects = [found.id for found in here if found.shared or found.id not in robot.ids]
    advice, left = [], list(missing)
    for region in dict.fromkeys(servo.region for servo in missing):
        whole = [servo for servo in robot.servos if servo.region == region]
        if len(whole) > 1 and set(whole) <= set(left):
            left = [servo for servo in left if servo not in whole]
            advice.append(f"All {len(whole)} servos of region {region} are silent: check their common plug and power.")
    for run in _runs(robot, left):
        first, last = run[0], run[-1]
        if len(run) > 1:
            place = robot.index[first.name]
            before = f"between {robot.names[place - 1]} and {first.name}" if place else f"before {first.name}"
            advice.append(
                f"All servos from {label(first)} to {label(last)} are silent: if they are chained in the order of the "
                f"robot file, the cable is broken {before}."
            )
        elif suspects:
            advice.append(f"{label(first)} is silent: it may reply as {_listed(suspects)} now, or its plug is out.")
        else:
            advice.append(
                f"{label(first)} alone is silent: its plug is out, it has another id, or it is broken. "
                "Its neighbours reply, so the power is on."
            )
    return advice


def _runs(robot: Robot, servos: list[Servo]) -> list[list[Servo]]:
    """Group servos that follow one another in the robot file."""
    runs: list[list[Servo]] = []
    for servo in servos:
        if runs and robot.index[servo.name] == robot.index[runs[-1][-1].name] + 1:
            runs[-1].append(servo)
        else:
            runs.append([servo])
    return runs


def _advice_on_ids(robot: Robot, here: list[FoundServo]) -> list[str]:
    advice = [
        f"The reply of id {found.id} is garbled, as when several servos have that id: leave only one of them plugged "
        "in and run `rena servo setup`. If it is the only one with that id, check its ground and data wires."
        for found in here
        if found.shared or found.model is None
    ]
    unexpected = [found.id for found in here if found.id not in robot.ids and not found.shared]
    if unexpected:
        advice.append(
            f"The robot file has no servo with id {_listed(unexpected)}: plug that servo in alone and run `rena servo "
            "setup`, which gives it its own id, or name another --robot-file."
        )
    return advice


def _advice_on_rates(robot: Robot, elsewhere: list[FoundServo], baud: int) -> list[str]:
    names = {servo.id: servo.name for servo in robot.servos}
    advice = []
    for rate in sorted({found.baud for found in elsewhere}):
        found_names = [names.get(found.id, f"id {found.id}") for found in elsewhere if found.baud == rate]
        if baud not in BAUDS:
            advice.append(
                f"No servo can be set to {baud} baud; {len(found_names)} servo(s) reply at {rate}: use --baud {rate}."
            )
            continue
        change = f"run `rena servo setup --baud {rate} --to-baud {baud}` to change that"
        if len(found_names) >= len(robot.servos):
            advice.append(f"All servos listen at {rate} baud: use --baud {rate} from now on, or {change}.")
        else:
            verb = "listens" if len(found_names) == 1 else "listen"
            advice.append(f"{', '.join(found_names)} {verb} at {rate} baud: {change}.")
    return advice


def _advice_on_conditions(rows: list[ScanRow]) -> list[str]:
    return [
        f"{row.name} {_conditions(row.found)[0]}: `rena servo monitor {row.name}` shows more."
        for row in rows
        if row.found is not None and row.remark.startswith("reports ")
    ]


def _advice_on_locks(rows: list[ScanRow]) -> list[str]:
    """Name the command that locks each unlocked EEPROM. Servos that share an id are left out: none can be addressed."""
    expected = [(row.name, row.found) for row in rows if row.name is not None]
    rates: dict[int, list[str]] = {}
    for name, found in expected:
        if found is not None and found.unlocked and not found.shared:
            rates.setdefault(found.baud, []).append(name)
    advice = []
    for rate, names in sorted(rates.items()):
        every = len(names) == len(expected)
        servos = f"all {len(names)} servos" if every else ", ".join(names)
        options = [f"--baud {rate}"] if rate != BAUDS[0] else []
        command = " ".join(["rena servo set-return-delay", *options, *([] if every else names)])
        advice.append(
            f"The EEPROM of {servos} is unlocked, probably by an interrupted program, so an accidental write would "
            f"be permanent: `{command}` locks it before it asks anything."
        )
    return advice


def _advice_on_delays(here: list[FoundServo]) -> list[str]:
    delays_us = [found.return_delay_us for found in here if (found.return_delay_us or 0) > _SLOW_US]
    if not delays_us:
        return []
    total_ms = sum(delay_us or 0 for delay_us in delays_us) / 1000
    count = len(delays_us)
    what = "One servo waits before it replies" if count == 1 else f"{count} servos wait before they reply"
    return [f"{what}, {total_ms:.1f} ms in every cycle: `rena servo set-return-delay` sets that to 0."]


def _listed(ids: list[int]) -> str:
    return " or ".join(map(str, ids))
