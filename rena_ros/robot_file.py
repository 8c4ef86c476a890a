"""Reading a robot file (config/rena.yaml): validated whole, all faults in one error, each with its line."""

from dataclasses import fields
from pathlib import Path

import yaml

from rena_ros.errors import RenaError
from rena_ros.robot import Band, Robot, Servo, Thresholds
from rena_ros.share import share_path

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


def load_robot(path: str | Path | None = None) -> Robot:
    """Load a robot file; without a path, the Rena that ships with the package.

    Raises RenaError that lists every fault, each with the servo's name and the line to change.
    """
    path = Path(path) if path else share_path("config/rena.yaml")
    try:
        root = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    except OSError as error:
        raise RenaError(f"cannot read the robot file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RenaError(f"the robot file {path} is not a text file; copy config/rena.yaml and change it") from error
    except yaml.YAMLError as error:
        raise RenaError(f"the robot file {path} is not YAML: {error}") from error
    rows = _servo_rows(path, root)
    bands = _band_rows(root)
    faults = _threshold_faults(bands)
    for line, row in rows:
        faults += _row_faults(line, row)
    if not faults:
        faults += _whole_faults(rows)
    if faults:
        listed = "\n".join(f"  line {line}: {text}" for line, text in sorted(faults))
        raise RenaError(f"the robot file {path} has {len(faults)} fault(s):\n{listed}")
    thresholds = Thresholds(**{name: Band(**band) for _, name, band in bands})
    return Robot(tuple(_servo(row) for _, row in rows), source=path, thresholds=thresholds)


def _servo_rows(path: Path, root: yaml.Node | None) -> list[tuple[int, dict]]:
    loader = yaml.SafeLoader("")
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "servos" and isinstance(value, yaml.SequenceNode) and value.value:
            return [(node.start_mark.line + 1, loader.construct_object(node, deep=True)) for node in value.value]
    raise RenaError(f"the robot file {path} has no list named `servos`; copy config/rena.yaml and change it")


def _band_rows(root: yaml.MappingNode) -> list[tuple[int, str, object]]:
    """Line, name and value of every entry of `thresholds`."""
    loader = yaml.SafeLoader("")
    for key, value in root.value:
        if key.value == "thresholds" and isinstance(value, yaml.MappingNode):
            return [(k.start_mark.line + 1, k.value, loader.construct_object(v, deep=True)) for k, v in value.value]
        if key.value == "thresholds":
            return [(key.start_mark.line + 1, "thresholds", value.value)]
    return []


def _threshold_faults(bands: list[tuple[int, str, object]]) -> list[tuple[int, str]]:
    known, faults, seen = {field.name for field in fields(Thresholds)}, [], set()
    for line, name, band in bands:
        where = f"thresholds: {name}"
        if name not in known:
            faults.append((line, f"{where} is none of {', '.join(sorted(known))}"))
        elif name in seen:
            faults.append((line, f"{where} is there twice"))
        elif not isinstance(band, dict) or not band or not set(band) <= {"warn", "error"}:
            faults.append((line, f"{where} needs `warn`, `error` or both, has {band!r}"))
        elif wrong := [value for value in band.values() if not _is_threshold(value)]:
            faults.append((line, f"{where}: {wrong[0]!r} is not a number above 0"))
        elif len(band) == 2 and (band["warn"] > band["error"]) != (name == "voltage_low_v"):
            faults.append((line, f"{where}: warn {band['warn']} must come before error {band['error']}"))
        seen.add(name)
    return faults


def _is_threshold(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _row_faults(line: int, row: object) -> list[tuple[int, str]]:
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
            faults.append((line, f"{name}: {field} must be {kind.__name__}, not {value!r}"))
    faults += [(line, f"{name}: {field} is not a field of a servo") for field in row if field not in _TYPES]
    return faults or _range_faults(line, name, row)


def _range_faults(line: int, name: str, row: dict) -> list[tuple[int, str]]:
    low, rest, high = row["min_ticks"], row["neutral_ticks"], row["max_ticks"]
    checks = [
        (0 <= row["id"] <= 253, f"id {row['id']} is outside 0..253"),
        (0 <= low < high <= 4095, f"needs 0 <= min_ticks < max_ticks <= 4095, has {low}..{high}"),
        (low <= rest <= high, f"neutral_ticks {rest} is outside {low}..{high}"),
        (row["region"] in REGIONS, f"region {row['region']} is none of {', '.join(REGIONS)}"),
        (0 < row["max_speed_rad_s"] < float("inf"), f"max_speed_rad_s {row['max_speed_rad_s']} is not positive"),
        (
            0 < row["max_acceleration_rad_s2"] < float("inf"),
            f"max_acceleration_rad_s2 {row['max_acceleration_rad_s2']} is not positive",
        ),
    ]
    return [(line, f"{name}: {text}") for good, text in checks if not good]


def _whole_faults(rows: list[tuple[int, dict]]) -> list[tuple[int, str]]:
    faults, names, ids = [], {}, {}
    for line, row in rows:
        name = row["name"]
        if name in names:
            faults.append((line, f"{name}: the name is taken by line {names[name]}"))
        if row["id"] in ids:
            faults.append((line, f"{name}: id {row['id']} is taken by line {ids[row['id']]}"))
        names.setdefault(name, line)
        ids.setdefault(row["id"], line)
    for line, row in rows:
        for other in row.get("antagonists", []):
            if other not in names or other == row["name"]:
                faults.append((line, f"{row['name']}: antagonist {other!r} is no other servo of this file"))
    return faults


def _servo(row: dict) -> Servo:
    fields = {"reversed": False, **row, "antagonists": tuple(row.get("antagonists", ()))}
    return Servo(**fields)
