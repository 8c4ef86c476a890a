"""The column map of `rena dataset import`: which column of a table is what, and in which unit.

A YAML file, by its own name or FOLDER/columns.yaml::

    table: commands.csv         # in FOLDER; may be left out where FOLDER holds one table
    pictures: faces             # folder of the pictures, in FOLDER; default: FOLDER itself
    picture: file               # column with the picture's file name
    unit: goal                  # of all servos: goal (0..1), rad, degrees or ticks; see the robot file
    servos:                     # every servo of the robot: its column, or its column and a unit of its own
      jaw: m21
      neck_yaw: {column: m23, unit: degrees}
    at_neutral: [neck_roll]     # servos without a column: they stood at neutral in every picture
    measured: {jaw: p21, ...}   # columns of the positions that the servos reported; without it, as commanded
    group: expression           # optional: column with the name of the expression
    order: frame                # optional: column to sort the rows by; default: as in the table
    neutral: {rows: [1, 2]}     # or {column: expression, value: rest}, or {reading: [55 values]} of a neutral face
                                # that was read elsewhere; default: the rows nearest to neutral
    neutral_within: 0.02        # how far such a row may be from neutral, in goals
    robot_file: face.yaml       # beside the map; default: the Rena that ships

rad and degrees count from neutral, positive towards goal 1; ticks are raw counts. Without a map the columns have the
servos' own names and hold goals, ``file_name`` names the picture, and ``group``, where there is one, the expression.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rena_ros.base.errors import RenaError
from rena_ros.base.file_model import FileModel, Finding, did_you_mean, read_model, shown
from rena_ros.base.files import read_text, user_path
from rena_ros.base.resources import share_path
from rena_ros.datasets.table import Table, find_table, read_table
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import parse_robot
from rena_ros.robot.model import Robot

DEFAULT_NAME = "columns.yaml"
Unit = Literal["goal", "rad", "degrees", "ticks"]
_Name = Annotated[str, Field(min_length=1)]


class ServoColumn(FileModel):
    """A servo's column; ``unit`` None: that of the map."""

    column: _Name
    unit: Unit | None = None


def _as_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f"value must be a text or a number, found {shown(value)}")
    return value


_Servos = dict[str, Annotated[ServoColumn, BeforeValidator(_as_column)]]


class NeutralFace(FileModel):
    """The rows that show the neutral face, by number from 1 on or by the value of a column; or its reading (55)."""

    rows: tuple[Annotated[int, Field(ge=1)], ...] = ()
    column: str = ""
    value: Annotated[Any, BeforeValidator(_plain)] = ""
    reading: tuple[float, ...] = ()


class ColumnMap(FileModel):
    """A column map as written; see the module's docstring. Build one with ``load_source``."""

    picture: _Name
    servos: _Servos = Field(min_length=1)
    table: str = ""
    pictures: str = "."
    unit: Unit = "goal"
    at_neutral: tuple[str, ...] = ()
    measured: _Servos = Field({}, validate_default=False)
    group: str = ""
    order: str = ""
    neutral: NeutralFace | None = None
    neutral_within: float = Field(0.02, gt=0, le=0.5)
    robot_file: str = ""

    def unit_of(self, column: ServoColumn) -> Unit:
        """Return the unit of a servo's column."""
        return column.unit or self.unit


@dataclass(frozen=True)
class ImportSource:
    """Other people's data, not yet judged: the table, what its columns mean, and of which robot it is.

    ``robot_text``: the robot's file as written. ``text``: the map as written, "" without one.
    """

    folder: Path
    table: Table
    columns: ColumnMap
    robot: Robot
    robot_text: str
    text: str


def load_source(folder: Path, map_file: Path | None = None, robot_file: Path | None = None) -> ImportSource:
    """Read the table in ``folder`` and its column map: ``map_file``, else FOLDER/columns.yaml, else by default names.

    ``robot_file`` overrides that of the map. Raises RenaError that lists every fault of the map.
    """
    if not folder.is_dir():
        raise RenaError(f"{folder} is no folder; name the one that holds the table and its pictures")
    if map_file is None and (folder / DEFAULT_NAME).is_file():
        map_file = folder / DEFAULT_NAME
    if map_file is None:
        robot, robot_text = _robot(robot_file)
        table = read_table(find_table(folder))
        return ImportSource(folder, table, _by_names(robot, table), robot, robot_text, "")
    text, loaded = read_text(map_file, "column map"), list[tuple[Robot, str, Table]]()

    def rules(columns: ColumnMap) -> Iterator[Finding]:
        beside = map_file.parent / user_path(columns.robot_file) if columns.robot_file else None
        robot, robot_text = _robot(robot_file or beside)
        table = read_table(folder / user_path(columns.table) if columns.table else find_table(folder))
        loaded.append((robot, robot_text, table))
        yield from _servo_faults(columns, robot)
        yield from _column_faults(columns, table)

    columns = read_model(text, f"the column map {map_file}", ColumnMap, rules=rules)
    robot, robot_text, table = loaded[0]
    return ImportSource(folder, table, columns, robot, robot_text, text)


def _robot(path: Path | None) -> tuple[Robot, str]:
    """Return a robot and the text of its file; without a path, the Rena that ships."""
    path = path or share_path("config/rena.yaml")
    text = read_text(path, "robot file")
    return parse_robot(text, path), text


def _by_names(robot: Robot, table: Table) -> ColumnMap:
    """Return the map of a table whose columns have the servos' names."""
    if missing := [name for name in ("file_name", *robot.names) if name not in table.columns]:
        raise RenaError(
            f"{table.path} has no column {', '.join(missing[:4])}{' …' if len(missing) > 4 else ''}; "
            f"write a column map that says which column is what: --map {DEFAULT_NAME}"
        )
    group = "group" if "group" in table.columns else ""
    return ColumnMap(picture="file_name", servos={name: ServoColumn(column=name) for name in robot.names}, group=group)


def _servo_faults(columns: ColumnMap, robot: Robot) -> Iterator[Finding]:
    for part in ("servos", "measured", "at_neutral"):
        for i, name in enumerate(getattr(columns, part)):
            if name not in robot.index:
                where = i if part == "at_neutral" else name
                yield (part, where), f"no servo is called {name}{did_you_mean(name, robot.names)}"
    for i, name in enumerate(columns.at_neutral):
        if name in columns.servos:
            yield ("at_neutral", i), f"{name} has a column in servos; take it out here or there"
    for name in robot.names:
        if name not in columns.servos and name not in columns.at_neutral:
            yield ("servos",), f"{name} has no column; add it, or list it in at_neutral if it never moved"
        elif columns.measured and name in columns.servos and name not in columns.measured:
            yield ("measured",), f"{name} has no measured column; add it, or leave measured out altogether"


def _column_faults(columns: ColumnMap, table: Table) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    named: list[tuple[tuple[str, ...], str]] = []
    for part in ("servos", "measured"):
        for servo, entry in getattr(columns, part).items():
            named.append(((part, servo, "column"), entry.column))
            if part == "servos" and owners.setdefault(entry.column, servo) != servo:
                yield (part, servo), f"{servo}: column {entry.column} is that of {owners[entry.column]} already"
    named += [((part,), getattr(columns, part)) for part in ("picture", "group", "order")]
    if columns.neutral is not None:
        named_by = [part for part in ("rows", "column", "reading") if getattr(columns.neutral, part)]
        if len(named_by) != 1:
            yield ("neutral",), "neutral needs one of `rows`, `column` with `value`, and `reading`"
        if columns.neutral.reading and len(columns.neutral.reading) != len(READING_NAMES):
            yield ("neutral", "reading"), f"reading needs {len(READING_NAMES)} values"
        if beyond := [row for row in columns.neutral.rows if row > len(table.rows)]:
            yield ("neutral", "rows"), f"row {beyond[0]} is beyond the table's last, {len(table.rows)}"
        named.append((("neutral", "column"), columns.neutral.column))
    for path, column in named:
        if column and column not in table.columns:
            near = did_you_mean(column, table.columns)
            yield path, f"{table.path.name} has no column {column}{near}"
