"""Reading a robot file (config/rena.yaml): validated whole, all faults in one error, each with its line."""

from pathlib import Path

import yaml

from rena_ros.errors import RenaError
from rena_ros.robot import Robot, Servo
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
    except yaml.YAMLError as error:
        raise RenaError(f"the robot file {path} is not YAML: {error}") from error
    rows = _servo_rows(path, root)
    faults: list[tuple[int, str]] = []
    for line, row in rows:
        faults += _row_faults(line, row)
    if not faults:
        faults += _whole_faults(rows)
    if faults:
        listed = "\n".join(f"  line {line}: {text}" for line, text in sorted(faults))
        raise RenaError(f"the robot file {path} has {len(faults)} fault(s):\n{listed}")
    return Robot(tuple(_servo(row) for _, row in rows), source=path)


def _servo_rows(path: Path, root: yaml.Node | None) -> list[tuple[int, dict]]:
    loader = yaml.SafeLoader("")
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "servos" and isinstance(value, yaml.SequenceNode) and value.value:
            return [(node.start_mark.line + 1, loader.construct_object(node, deep=True)) for node in value.value]
    raise RenaError(f"the robot file {path} has no list named `servos`; copy config/rena.yaml and change it")


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
