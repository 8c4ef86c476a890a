"""Reading faults from YAML: validated whole, everything wrong in one error, each with its line.

    faults:
      - {kind: dead, servo: jaw, at_s: 5, for_s: 2}
      - {kind: late, servo: [jaw, neck_yaw], delay_ms: 120, hold: true, every: 50}
    random: {seed: 1, rate_per_minute: 10, kinds: [corrupt, unplugged], for_s: [0.5, 3]}

Kinds and their values: ``faults.KINDS``. Times count from when the file is read.
"""

import difflib
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from rena_ros.base.errors import RenaError
from rena_ros.base.yaml_lines import UNBUILT, Faults, built, composed, line_of, number_hint
from rena_ros.emulator.fault_schedule import NOT_BY_CHANCE, RandomFaults
from rena_ros.emulator.faults import KINDS, Fault
from rena_ros.robot.model import Robot

_OWN = ("kind", "servo", "at_s", "for_s", "every", "probability")
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class FaultScript:
    """What a file or a parameter asks for."""

    faults: tuple[Fault, ...] = ()
    random: RandomFaults | None = None


def load_faults(path: str | Path, robot: Robot) -> FaultScript:
    """Read a fault file. Raises RenaError that lists everything that is wrong with it."""
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise RenaError(f"cannot read the fault file {path}: {getattr(error, 'strerror', error)}") from error
    return read_faults(text, robot, f"the fault file {path}")


def read_faults(text: str, robot: Robot, source: str = "the faults") -> FaultScript:
    """Read faults from a text: a mapping with `faults` and `random`, or the list of faults alone; empty: none.

    Raises RenaError that lists everything that is wrong, ``source`` says where the text came from.
    """
    root, wrong = composed(text, source)
    rows, random_node = ([], None) if root is None else _parts(root, wrong)
    faults = [fault for node in rows if (fault := _fault(node, robot, wrong)) is not None]
    random = None if random_node is None else _random(random_node, robot, wrong)
    if wrong:
        listed = "\n".join(f"  line {line}: {what}" for line, what in sorted(set(wrong)))
        raise RenaError(f"{source}: {len(set(wrong))} thing(s) to mend:\n{listed}")
    return FaultScript(tuple(faults), random)


def _parts(root: yaml.Node, wrong: Faults) -> tuple[list[yaml.Node], yaml.Node | None]:
    if isinstance(root, yaml.SequenceNode):
        return root.value, None
    rows, random = [], None
    for key, value in root.value if isinstance(root, yaml.MappingNode) else [(root, root)]:
        if key.value == "faults" and isinstance(value, yaml.SequenceNode):
            rows = value.value
        elif key.value == "faults" and value.tag == _NULL:
            rows = []
        elif key.value == "random":
            random = value
        else:
            wrong.append((line_of(key), "expected a list `faults:` and perhaps a mapping `random:`"))
    return rows, random


def _fault(node: yaml.Node, robot: Robot, wrong: Faults) -> Fault | None:
    row = built(node, wrong)
    if row is UNBUILT:
        return None
    if not isinstance(row, dict) or "kind" not in row or not all(isinstance(key, str) for key in row):
        wrong.append((line_of(node), f"expected a fault such as {{kind: dead, servo: jaw}}, found {row!r}"))
        return None
    servos = row.get("servo", [])
    servos = [servos] if isinstance(servos, str) else servos
    found = _name_problems(servos, robot)
    if isinstance(row.get("with"), str):
        found += _name_problems([row["with"]], robot)
    own = {name: row[name] for name in _OWN[2:] if name in row}
    values = {name: value for name, value in row.items() if name not in _OWN}
    try:
        fault = Fault(row["kind"], tuple(servos) if isinstance(servos, list) else (), values=values, **own)
    except ValueError as error:
        found += [_with_hint(problem, row) for problem in str(error).split("; ")]
    wrong.extend((line_of(node), what) for what in found)
    return None if found else fault


def _random(node: yaml.Node, robot: Robot, wrong: Faults) -> RandomFaults | None:
    row = built(node, wrong)
    if row is UNBUILT:
        return None
    known = [field.name for field in fields(RandomFaults)]
    if not isinstance(row, dict):
        wrong.append((line_of(node), f"expected `random:` as a mapping of {', '.join(known)}, found {row!r}"))
        return None
    found = [f"{name} is not a value of random; known: {', '.join(known)}" for name in row if name not in known]
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in known}
    random = RandomFaults(**given)
    if type(random.seed) is not int or random.seed < 0:
        found.append(f"seed must be a whole number from 0 on, not {random.seed!r}{number_hint(random.seed, int)}")
    if not _number(random.rate_per_minute) or not 0 < random.rate_per_minute <= 6000:
        rate = random.rate_per_minute
        found.append(f"rate_per_minute must be a number above 0, at most 6000, not {rate!r}{number_hint(rate)}")
    possible = [kind for kind in KINDS if kind not in NOT_BY_CHANCE]
    if not isinstance(random.kinds, tuple) or not random.kinds:
        found.append(f"kinds must be a list, not {random.kinds!r}")
    else:
        odd = [repr(kind) for kind in random.kinds if kind not in possible]
        found += [f"{', '.join(odd)}: not a kind for random; possible: {', '.join(possible)}"] if odd else []
    found += _name_problems(list(random.servos) if isinstance(random.servos, tuple) else random.servos, robot)
    for_s = random.for_s
    two = isinstance(for_s, tuple) and len(for_s) == 2 and all(map(_number, for_s))
    if not two or not 0 < for_s[0] <= for_s[1] < float("inf"):
        hints = [hint for value in for_s if (hint := number_hint(value))] if isinstance(for_s, tuple) else []
        wanted = "two numbers of seconds [shortest, longest]"
        found.append(f"for_s must be {wanted}, not {row.get('for_s')!r}{hints[0] if hints else ''}")
    wrong.extend((line_of(node), what) for what in found)
    return None if found else random


def _name_problems(names: object, robot: Robot) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return [f"expected names of servos, found {names!r}"]
    found = []
    for name in names:
        if name not in robot.index:
            near = difflib.get_close_matches(name, robot.names, n=1)
            found.append(f"no servo is called {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _with_hint(problem: str, row: dict) -> str:
    name, _, wanted = problem.partition(" must be ")
    if not wanted.startswith(("a number", "a whole number")):
        return problem
    return problem + number_hint(row.get(name), int if wanted.startswith("a whole") else float)
