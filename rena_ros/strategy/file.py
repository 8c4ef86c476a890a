"""Reading a strategy file (config/strategy.yaml): validated whole against the robot, all faults in one error.

The models below are the file's format and at the same time the data that ``expert`` draws from: immutable, and read
once per walk.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from rena_ros.base.file_model import FileModel, Finding, read_model, shown
from rena_ros.base.files import read_text, user_path
from rena_ros.base.resources import share_path
from rena_ros.base.yaml_lines import number_hint
from rena_ros.robot.file import ServoName, load_robot
from rena_ros.robot.model import Robot

# Names of the strategies that ship with the package, and their files; "": the one that is used by default.
SHIPPED = {"": "strategy.yaml", "paper": "strategy_paper.yaml", "random": "strategy_random.yaml"}


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := _repeated(names):
        raise ValueError(f"{names[twice[0]]} is named twice in one list")
    return names


def _repeated(names: Sequence[str]) -> list[int]:
    return [i for i, name in enumerate(names) if name in names[:i]]


def _end_of_range(end: Any) -> Any:
    if end != "neutral" and not (type(end) in (int, float) and 0 <= end <= 1):
        raise ValueError(f"range must be two goals in 0..1 or `neutral`, found {shown(end)}{number_hint(end)}")
    return end


_Text = Annotated[str, Field(min_length=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
_End = Annotated[float | str, BeforeValidator(_end_of_range)]
_Weight = Annotated[float, Field(ge=1e-6, le=1e6)]
_Servos = Annotated[tuple[ServoName, ...], Field(min_length=1), AfterValidator(_each_once)]


class Move(FileModel):
    """Servos that are drawn together; ``range`` holds two goals in [0, 1], or "neutral" in place of one.

    ``chance``: of being made at all. ``synchronised``: one draw for all servos, else one for each. ``one_sided``:
    share of the draws that move a single servo. ``centred``: drawn mostly near the middle of the range (triangular),
    else uniformly. ``not_with``: actions, and ``not_beside``: servos moved before it in the same draw, that rule a
    companion out.
    """

    servos: _Servos
    range: tuple[_End, _End]
    chance: _Share = 1.0
    synchronised: bool = True
    one_sided: _Share = 0.0
    centred: bool = False
    not_with: tuple[str, ...] = ()
    not_beside: Annotated[tuple[ServoName, ...], AfterValidator(_each_once)] = ()


class Action(FileModel):
    """One of a group's exclusive actions; it is picked by ``weight``."""

    name: _Text
    weight: _Weight
    moves: tuple[Move, ...] = Field(min_length=1)

    @field_validator("moves")
    @classmethod
    def _are_no_companions(cls, moves: tuple[Move, ...]) -> tuple[Move, ...]:
        if any(move.not_with or move.not_beside for move in moves):
            raise ValueError("not_with and not_beside rule out companions only; take them out of the action's moves")
        return moves


class Group(FileModel):
    """One constraint group. ``constraint``: its number in Algorithm 1; ``rest``: chance of relaxing to neutral."""

    name: _Text
    constraint: int = Field(ge=1, le=7)
    weight: _Weight
    rest: _Share
    actions: tuple[Action, ...] = Field(min_length=1)
    companions: tuple[Move, ...] = ()

    @field_validator("actions")
    @classmethod
    def _have_names_of_their_own(cls, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        names = [action.name for action in actions]
        if twice := _repeated(names):
            raise ValueError(f"has two actions named {names[twice[0]]}")
        return actions

    @field_validator("companions")
    @classmethod
    def _know_the_actions(cls, companions: tuple[Move, ...], info: ValidationInfo) -> tuple[Move, ...]:
        names = [action.name for action in info.data.get("actions", ())]
        if names and (unknown := [name for move in companions for name in move.not_with if name not in names]):
            raise ValueError(f"not_with names {unknown[0]!r}, which is no action of this group")
        return companions

    @property
    def servos(self) -> tuple[str, ...]:
        """Every servo that this group may move, each once, in order of appearance."""
        moves = [move for action in self.actions for move in action.moves] + list(self.companions)
        return tuple(dict.fromkeys(servo for move in moves for servo in move.servos))


class Hidden(FileModel):
    """Servos that cannot be seen while the lowest goal of those ``behind`` is ``hidden_from`` or more."""

    servos: _Servos
    behind: _Servos
    visible_until: _Share
    hidden_from: _Share

    @field_validator("hidden_from")
    @classmethod
    def _follows_visible_until(cls, end: float, info: ValidationInfo) -> float:
        if (start := info.data.get("visible_until", -1.0)) >= end:
            raise ValueError(f"visible_until {start:g} must be below hidden_from {end:g}")
        return end


class Strategy(FileModel):
    """A validated strategy. Build one with ``load_strategy``."""

    groups: tuple[Group, ...] = Field(min_length=1)
    changes_per_expression: int = Field(ge=1, le=1000)
    hidden: Hidden | None = None


class RandomStrategy(FileModel):
    """Every servo is drawn on its own (see ``random_walk``): the file holds nothing but ``random: true``."""

    random: Literal[True]


def strategy_path(strategy: str | Path | None = None) -> Path:
    """Return the file of a strategy: a path, or a name in ``SHIPPED``; by default that of ``config/strategy.yaml``."""
    if str(strategy or "") in SHIPPED:
        return share_path(f"config/{SHIPPED[str(strategy or '')]}")
    return user_path(strategy or "")


def load_strategy(path: str | Path | None = None, robot: Robot | None = None) -> Strategy | RandomStrategy:
    """Load a strategy, as ``strategy_path`` finds it, for a robot; without arguments, those that ship with the package.

    Raises RenaError that lists every fault, each with the line to change.
    """
    path = strategy_path(path)
    return parse_strategy(read_text(path, "strategy file"), path, robot or load_robot())


def parse_strategy(text: str, path: Path, robot: Robot) -> Strategy | RandomStrategy:
    """Return the strategy that a text describes. Raises RenaError as ``load_strategy`` does."""
    what = f"the strategy file {path}"
    if re.search(r"^random\s*:", text, re.MULTILINE):
        return read_model(text, what, RandomStrategy)
    return read_model(text, what, Strategy, context=robot.names, rules=lambda read: _rules_between_groups(read, robot))


def _rules_between_groups(strategy: Strategy, robot: Robot) -> Iterator[Finding]:
    """Names that are taken, servos that never move, antagonists that could pull together."""
    for i in _repeated([group.name for group in strategy.groups]):
        yield ("groups", i, "name"), "another group has this name already; give each its own"
    owners = {servo: [i for i, group in enumerate(strategy.groups) if servo in group.servos] for servo in robot.names}
    yield from (((), f"{servo}: no group moves this servo of the robot") for servo, own in owners.items() if not own)
    for a, b in ((robot.names[i], robot.names[j]) for i, j in robot.antagonist_pairs):
        pairs = [(strategy.groups[i], strategy.groups[j]) for i in owners[a] for j in owners[b]]
        if any(_may_pull_together(first, second, a, b) for first, second in pairs):
            yield ("groups", owners[a][0]), f"{a} and {b} are antagonists, yet nothing keeps them from pulling together"


def _may_pull_together(first: Group, second: Group, a: str, b: str) -> bool:
    """Whether a draw could move a (of ``first``) and b (of ``second``) at the same time."""
    if first is not second:
        return True
    for action in first.actions:
        moves = [*action.moves, *(move for move in first.companions if action.name not in move.not_with)]
        if {a, b} <= {servo for move in moves for servo in move.servos}:
            return True
    return False
