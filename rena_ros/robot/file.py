"""Reading a robot file (config/rena.yaml): validated whole, all faults in one error, each with its line."""

from dataclasses import fields
from pathlib import Path

import yaml

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.base.yaml_lines import UNBUILT, Faults, built, composed, line_of, number_hint, refuse
from rena_ros.robot.model import Band, Robot, Servo, Thresholds

REGIONS = ("brows", "eyes", "lids", "mouth", "head")
_TYPES = {
    "name": str,
    "id": int,
    "region": str,
    "min_ticks": int,
    "neutral_ticks": int,
    "max_ticks": int,
    "reversed": bool,
    "max_speed_rad_s": float,
    "max_acceleration_rad_s2": float,
    "antagonists": list,
}
# Far beyond any servo on both sides: outside, a degree was taken for a radian, or no motion could be planned.
_RATES = (("max_speed_rad_s", 0.01, 50), ("max_acceleration_rad_s2", 0.1, 10_000))
_MOST = 83  # as many goals fit into one frame of the bus


def load_robot(path: str | Path | None = None) -> Robot:
    """Load a robot file; without a path, the Rena that ships with the package.

    Raises RenaError that lists every fault, each with the servo's name and the line to change.
    """
    path = Path(path) if path else share_path("config/rena.yaml")
    return parse_robot(read_text(path), path)


def read_text(path: Path, newline: str | None = None) -> str:
    """The text of a robot file, ``newline`` as open() takes it. Raises RenaError."""
    try:
        with path.open(newline=newline) as file:
            return file.read()
    except OSError as error:
        raise RenaError(f"cannot read the robot file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RenaError(f"the robot file {path} is not a text file; copy config/rena.yaml and change it") from error


def parse_robot(text: str, path: Path) -> Robot:
    """The robot that a text describes, ``path`` is where it came from. Raises RenaError that lists every fault."""
    what = f"the robot file {path}"
    root, faults = composed(text, what)
    rows = _servo_rows(what, root, faults)
    bands = _band_rows(root, faults)
    faults += _threshold_faults(bands)
    for line, row in rows:
        faults += _row_faults(line, row)
    if not faults:
        faults += _whole_faults(rows)
    refuse(faults, what)
    thresholds = Thresholds(**{name: Band(**band) for _, name, band in bands})
    return Robot(tuple(_servo(row) for _, row in rows), source=path, thresholds=thresholds)


def _servo_rows(what: str, root: yaml.Node | None, faults: Faults) -> list[tuple[int, object]]:
    """Line and value of every servo that has a value."""
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "servos" and isinstance(value, yaml.SequenceNode) and value.value:
            rows = [(line_of(node), built(node, faults)) for node in value.value]
            return [(line, row) for line, row in rows if row is not UNBUILT]
    raise RenaError(f"{what} has no list named `servos`; copy config/rena.yaml and change it")


def _band_rows(root: yaml.MappingNode, faults: Faults) -> list[tuple[int, str, object]]:
    """Line, name and value of every entry of `thresholds` that has a value."""
    for key, value in root.value:
        if key.value == "thresholds" and isinstance(value, yaml.MappingNode):
            rows = [(line_of(k), _name(k), built(v, faults)) for k, v in value.value]
            return [row for row in rows if row[2] is not UNBUILT]
        if key.value == "thresholds":
            return [(line_of(key), "thresholds", None)]
    return []


def _name(key: yaml.Node) -> str:
    return key.value if isinstance(key, yaml.ScalarNode) else f"a {key.id}"


def _threshold_faults(bands: list[tuple[int, str, object]]) -> Faults:
    known, faults = {field.name for field in fields(Thresholds)}, []
    for line, name, band in bands:
        where = f"thresholds: {name}"
        if name not in known:
            faults.append((line, f"{where} is none of {', '.join(sorted(known))}"))
        elif not isinstance(band, dict) or not band or not set(band) <= {"warn", "error"}:
            faults.append((line, f"{where} needs `warn`, `error` or both, has {band!r}"))
        elif wrong := [value for value in band.values() if not _is_threshold(value)]:
            faults.append((line, f"{where}: {wrong[0]!r} is not a number above 0{number_hint(wrong[0])}"))
        elif len(band) == 2 and (band["warn"] > band["error"]) != (name == "voltage_low_v"):
            faults.append((line, f"{where}: warn {band['warn']} must come before error {band['error']}"))
    return faults


def _is_threshold(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _row_faults(line: int, row: object) -> Faults:
    if not isinstance(row, dict):
        return [(line, f"expected a servo as a mapping of fields, found {row!r}")]
    name = row.get("name", "a servo without a name")
    faults = []
    for field, kind in _TYPES.items():
        if field not in row:
            if field not in ("reversed", "antagonists"):
                faults.append((line, f"{name}: {field} is missing"))
            continue
        value = row[field]
        good = isinstance(value, (int, float) if kind is float else kind)
        if not good or (kind is not bool and isinstance(value, bool)):
            hint = number_hint(value, kind) if kind in (int, float) else ""
            faults.append((line, f"{name}: {field} must be {kind.__name__}, not {value!r}{hint}"))
    if isinstance(name, str) and not name.strip():
        faults.append((line, f"a servo has the name {name!r}; give it one that can be read"))
    faults += [(line, f"{name}: {field} is not a field of a servo") for field in row if field not in _TYPES]
    return faults or _range_faults(line, name, row)


def _range_faults(line: int, name: str, row: dict) -> Faults:
    low, rest, high = row["min_ticks"], row["neutral_ticks"], row["max_ticks"]
    checks = [
        (0 <= row["id"] <= 253, f"id {row['id']} is outside 0..253"),
        (0 <= low < high <= 4095, f"needs 0 <= min_ticks < max_ticks <= 4095, has {low}..{high}"),
        (low <= rest <= high, f"neutral_ticks {rest} is outside {low}..{high}"),
        (row["region"] in REGIONS, f"region {row['region']} is none of {', '.join(REGIONS)}"),
        *((low <= row[field] <= high, f"{field} {row[field]} is outside {low}..{high}") for field, low, high in _RATES),
    ]
    return [(line, f"{name}: {text}") for good, text in checks if not good]


def _whole_faults(rows: list[tuple[int, dict]]) -> Faults:
    faults, names, ids = [], {}, {}
    if len(rows) > _MOST:
        faults.append((rows[_MOST][0], f"{len(rows)} servos are more than the {_MOST} that one bus can drive"))
    for line, row in rows:
        name = row["name"]
        if name == "bus":
            faults.append((line, "no servo can have the name bus: in /diagnostics that is the bus"))
        if name in names:
            faults.append((line, f"{name}: the name is taken by line {names[name]}"))
        if row["id"] in ids:
            faults.append((line, f"{name}: id {row['id']} is taken by line {ids[row['id']]}"))
        names.setdefault(name, line)
        ids.setdefault(row["id"], line)
    for line, row in rows:
        for other in row.get("antagonists", []):
            if not isinstance(other, str) or other not in names or other == row["name"]:
                faults.append((line, f"{row['name']}: antagonist {other!r} is no other servo of this file"))
    return faults


def _servo(row: dict) -> Servo:
    fields = {"reversed": False, **row, "antagonists": tuple(row.get("antagonists", ()))}
    return Servo(**fields)
