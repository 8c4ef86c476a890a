"""Reading a strategy file (config/strategy.yaml): validated whole against the robot, all faults in one error."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.base.yaml_lines import UNBUILT, Faults, Row, built, composed, number_hint, refuse
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot


@dataclass(frozen=True)
class Move:
    """Servos that are drawn together; ``range`` holds two goals in [0, 1], or "neutral" in place of one.

    ``centred``: drawn mostly near the middle of the range (triangular), else uniformly. ``not_with``: actions,
    and ``not_beside``: servos moved before it in the same draw, that rule a companion out.
    """

    servos: tuple[str, ...]
    range: tuple[float | str, float | str]
    chance: float = 1.0
    synchronised: bool = True
    one_sided: float = 0.0
    centred: bool = False
    not_with: tuple[str, ...] = ()
    not_beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Action:
    """One of a group's exclusive actions."""

    name: str
    weight: float
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Group:
    """One constraint group; ``constraint`` is its number in Algorithm 1."""

    name: str
    constraint: int
    weight: float
    rest: float
    actions: tuple[Action, ...]
    companions: tuple[Move, ...] = ()

    @property
    def servos(self) -> tuple[str, ...]:
        """Every servo that this group may move, each once, in order of appearance."""
        moves = [move for action in self.actions for move in action.moves] + list(self.companions)
        return tuple(dict.fromkeys(servo for move in moves for servo in move.servos))


@dataclass(frozen=True)
class Hidden:
    """Servos that cannot be seen while the lowest goal of those ``behind`` is ``hidden_from`` or more."""

    servos: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    visible_until: float = 0.0
    hidden_from: float = 1.0


@dataclass(frozen=True)
class Strategy:
    """A validated strategy. Build one with ``load_strategy``."""

    groups: tuple[Group, ...]
    changes_per_expression: int
    hidden: Hidden
    source: Path | None = None


def load_strategy(path: str | Path | None = None, robot: Robot | None = None) -> Strategy:
    """Load a strategy file for a robot; without arguments, those that ship with the package.

    Raises RenaError that lists every fault, each with the line to change.
    """
    path = Path(path) if path else share_path("config/strategy.yaml")
    robot = robot or load_robot()
    what = f"the strategy file {path}"
    try:
        root, faults = composed(path.read_text(), what)
    except OSError as error:
        raise RenaError(f"cannot read {what}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RenaError(f"{what} is not a text file; copy config/strategy.yaml and change it") from error
    value = _value(root, faults)
    if value is UNBUILT:
        refuse(faults, what)
    reader = _Reader(robot, faults)
    strategy = reader.strategy(value)
    if not faults:
        reader.check_whole(strategy)
    refuse(faults, what)
    return Strategy(strategy.groups, strategy.changes_per_expression, strategy.hidden, source=path)


def _value(root: yaml.Node | None, faults: Faults) -> object:
    """What the file says. A group that has no value is left out, so that the faults of the others are told, too."""
    for key, groups in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "groups" and isinstance(groups, yaml.SequenceNode):
            groups.value = [node for node in groups.value if built(node, faults) is not UNBUILT] or groups.value
    return None if root is None else built(root, faults)


class _Reader:
    """Turns what the file says into dataclasses and collects every fault as (line, text) on the way."""

    def __init__(self, robot: Robot, faults: Faults) -> None:
        self.robot = robot
        self.faults = faults
        self._group_lines: dict[str, int] = {}

    def strategy(self, root: object) -> Strategy:
        row = self._row(root, 1, "the file", {"groups", "changes_per_expression"}, {"hidden"})
        groups = tuple(self._group(group, row.line) for group in self._list(row, "groups"))
        changes = self._number(row, "changes_per_expression", 1, 1000, whole=True)
        return Strategy(groups, changes, self._hidden(row.get("hidden"), row.line))

    def check_whole(self, strategy: Strategy) -> None:
        """Faults between groups: names twice, servos that never move, antagonists that could pull together."""
        owners: dict[str, list[Group]] = {}
        for group in strategy.groups:
            for servo in group.servos:
                owners.setdefault(servo, []).append(group)
        for name in self.robot.names:
            if name not in owners:
                self.faults.append((1, f"{name}: no group moves this servo of the robot"))
        for a, b in ((self.robot.names[i], self.robot.names[j]) for i, j in self.robot.antagonist_pairs):
            if any(
                _may_pull_together(first, second, a, b) for first in owners.get(a, ()) for second in owners.get(b, ())
            ):
                line = self._group_lines[owners[a][0].name]
                self.faults.append((line, f"{a} and {b} are antagonists, yet nothing keeps them from pulling together"))

    def _group(self, raw: object, line: int) -> Group:
        row = self._row(raw, line, "a group", {"name", "constraint", "weight", "rest", "actions"}, {"companions"})
        name = self._text(row, "name")
        if name in self._group_lines:
            self.faults.append((row.line, f"{name}: the name is taken by line {self._group_lines[name]}"))
        self._group_lines.setdefault(name, row.line)
        actions = tuple(self._action(action, row.line) for action in self._list(row, "actions"))
        names = [action.name for action in actions]
        for twice in {name for name in names if names.count(name) > 1}:
            self.faults.append((row.line, f"{name}: has two actions named {twice}"))
        companions = tuple(
            self._move(move, row.line, tuple(names)) for move in self._list(row, "companions", empty=True)
        )
        return Group(
            name=name,
            constraint=self._number(row, "constraint", 1, 7, whole=True),
            weight=self._number(row, "weight", 1e-6, 1e6),
            rest=self._number(row, "rest", 0, 1),
            actions=actions,
            companions=companions,
        )

    def _action(self, raw: object, line: int) -> Action:
        row = self._row(raw, line, "an action", {"name", "weight", "moves"}, set())
        moves = tuple(self._move(move, row.line, ()) for move in self._list(row, "moves"))
        return Action(self._text(row, "name"), self._number(row, "weight", 1e-6, 1e6), moves)

    def _move(self, raw: object, line: int, actions: tuple[str, ...]) -> Move:
        optional = {"chance", "synchronised", "one_sided", "centred"} | (
            {"not_with", "not_beside"} if actions else set()
        )
        row = self._row(raw, line, "a move", {"servos", "range"}, optional)
        not_with = tuple(self._list(row, "not_with", empty=True))
        for other in not_with:
            if other not in actions:
                self.faults.append((row.line, f"not_with names {other!r}, which is no action of this group"))
        return Move(
            servos=self._servos(row, "servos"),
            range=self._range(row),
            chance=self._number(row, "chance", 0, 1, default=1.0),
            synchronised=self._flag(row, "synchronised", default=True),
            one_sided=self._number(row, "one_sided", 0, 1, default=0.0),
            centred=self._flag(row, "centred", default=False),
            not_with=not_with,
            not_beside=self._servos(row, "not_beside") if "not_beside" in row else (),
        )

    def _hidden(self, raw: object, line: int) -> Hidden:
        if raw is None:
            return Hidden()
        row = self._row(raw, line, "hidden", {"servos", "behind", "visible_until", "hidden_from"}, set())
        low, high = self._number(row, "visible_until", 0, 1), self._number(row, "hidden_from", 0, 1)
        if not low < high:
            self.faults.append((row.line, f"visible_until {low} must be below hidden_from {high}"))
        return Hidden(self._servos(row, "servos"), self._servos(row, "behind"), low, high)

    def _row(self, raw: object, line: int, what: str, required: set[str], optional: set[str]) -> Row:
        """Return ``raw`` if it is a mapping, with its line in any case; note missing and unknown fields."""
        if not isinstance(raw, Row):
            self.faults.append((line, f"expected {what} as a mapping of fields, found {raw!r}"))
            return Row({}, line)
        name = raw.get("name", what)
        line = raw.line
        self.faults += [(line, f"{name}: {field} is missing") for field in required - raw.keys()]
        self.faults += [
            (line, f"{name}: {field} is not a field of {what}") for field in raw.keys() - required - optional
        ]
        return raw

    def _list(self, row: Row, field: str, empty: bool = False) -> list:
        value = row.get(field, [])
        if not isinstance(value, list) or (field in row and not value and not empty):
            self.faults.append((row.line, f"{field} must be a list that is not empty, found {value!r}"))
            return []
        return value

    def _servos(self, row: Row, field: str) -> tuple[str, ...]:
        names = self._list(row, field)
        for name in names:
            if name not in self.robot.names:
                self.faults.append((row.line, f"{name!r} is not a servo of {self.robot.source or 'this robot'}"))
        if len(set(map(str, names))) != len(names):
            self.faults.append((row.line, f"{field} names a servo twice"))
        return tuple(names)

    def _range(self, row: Row) -> tuple[float | str, float | str]:
        value = row.get("range", [0.0, 1.0])
        good = isinstance(value, list) and len(value) == 2
        if not good or not all(end == "neutral" or _is_number(end, 0, 1) for end in value):
            self.faults.append((row.line, f"range must be two goals in 0..1 or `neutral`, found {value!r}"))
            return 0.0, 1.0
        return value[0], value[1]

    def _number(
        self, row: Row, field: str, low: float, high: float, default: float | None = None, whole: bool = False
    ) -> float:
        if field not in row:
            return low if default is None else default  # a missing field has been noted by _row
        value = row[field]
        if not _is_number(value, low, high) or (whole and not isinstance(value, int)):
            kind = "a whole number" if whole else "a number"
            hint = number_hint(value, int if whole else float)
            self.faults.append((row.line, f"{field} must be {kind} in {low:g}..{high:g}, found {value!r}{hint}"))
            return low
        return value

    def _flag(self, row: Row, field: str, default: bool) -> bool:
        value = row.get(field, default)
        if not isinstance(value, bool):
            self.faults.append((row.line, f"{field} must be true or false, not {value!r}"))
        return value

    def _text(self, row: Row, field: str) -> str:
        value = row.get(field, "")
        if not isinstance(value, str) or (field in row and not value):
            self.faults.append((row.line, f"{field} must be a name, found {value!r}"))
        return str(value)


def _is_number(value: object, low: float, high: float) -> bool:
    """Whether value is a number in low..high; a NaN is in no range."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _may_pull_together(first: Group, second: Group, a: str, b: str) -> bool:
    """Whether a draw could move a (of ``first``) and b (of ``second``) at the same time."""
    if first is not second:
        return True
    for action in first.actions:
        moves = [*action.moves, *(move for move in first.companions if action.name not in move.not_with)]
        moved = {servo for move in moves for servo in move.servos}
        if a in moved and b in moved:
            return True
    return False
