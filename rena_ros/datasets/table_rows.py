"""Rows of a foreign table as samples: commands in goals, positions in rad, and the picture; or why a row is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, user_path
from rena_ros.datasets.column_map import ColumnMap, ImportSource, ServoColumn
from rena_ros.robot.model import RAD_PER_TICK, Robot

_ROUNDING = 1e-3  # goals: what a table with three decimals may be beyond a limit; less than half a tick of most servos
_GROUP_CHARACTERS = 32  # as a dataset stores it
NO_GROUP = "imported"


@dataclass(frozen=True)
class TableRow:
    """One row that can become a sample. ``goals``: float32 (n,) in [0, 1]; ``positions``: float64 (n,) rad.

    ``number``: its place in the table, from 0 on. ``picture``: an existing file.
    """

    number: int
    goals: FloatArray
    positions: FloatArray
    picture: Path
    group: str


@dataclass(frozen=True)
class BadRow:
    """Why a row cannot become a sample; ``problem``: column, what is wrong, and what to do."""

    number: int
    problem: str


def judge_rows(source: ImportSource) -> tuple[list[TableRow], list[BadRow]]:
    """Return the rows that can become samples, sorted as the map says, and one entry per fault of the others.

    Raises RenaError when the table has no row.
    """
    if not source.table.rows:
        raise RenaError(f"{source.table.path} has no row below its header; there is nothing to import")
    good, bad = list[TableRow](), list[BadRow]()
    judge = _Judge(source)
    for number, values in enumerate(source.table.rows):
        row = judge.row(number, values)
        if isinstance(row, TableRow):
            good.append(row)
        else:
            bad += [BadRow(number, problem) for problem in row]
    if source.columns.order:
        good = _in_order(source, good)
    return good, bad


def neutral_rows(source: ImportSource, rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the rows that show the robot's neutral face: those that the map names, else those nearest to neutral.

    None are needed where the map itself holds the reading of the neutral face.
    Raises RenaError, with the remedy, when there is none among ``rows``.
    """
    columns, table, neutral = source.columns, source.table, source.robot.neutral_goals
    if (named := columns.neutral) is not None:
        if named.reading:
            return []
        if named.rows:
            found = [row for row in rows if row.number + 1 in named.rows]
        else:
            at, wanted = table.columns.index(named.column), str(named.value).casefold()
            found = [row for row in rows if str(table.rows[row.number][at]).strip().casefold() == wanted]
        if not found:
            raise RenaError(
                f"no usable row of {table.path} is one that the column map names as neutral; mend those rows, or name "
                "others under `neutral`"
            )
        return found
    if not rows:
        raise RenaError(f"no row of {table.path} can be used; mend the rows")
    away = np.array([np.abs(row.goals - neutral).max() for row in rows])
    found = [row for row, distance in zip(rows, away, strict=True) if distance <= columns.neutral_within]
    if not found:
        nearest = rows[int(away.argmin())]
        servo = int(np.abs(nearest.goals - neutral).argmax())
        raise RenaError(
            f"no row of {table.path} shows the robot at neutral within {columns.neutral_within:g} (goals): the nearest "
            f"is row {nearest.number + 1}, where {source.robot.names[servo]} is {away.min():.3f} away; add a row and a "
            "picture of the neutral face, or name rows that show it: `neutral: {rows: [1]}` in the column map"
        )
    return found


class _Judge:
    """Judges rows one after another; a picture may belong to one row only."""

    def __init__(self, source: ImportSource) -> None:
        self._source, self._robot = source, source.robot
        self._pictures = source.folder / user_path(source.columns.pictures)
        self._at = {name: i for i, name in enumerate(source.table.columns)}
        self._taken: dict[Path, int] = {}
        self._commanded = _Reading(source.columns.servos, source.columns, source.robot, self._at)
        measured = source.columns.measured
        self._measured = _Reading(measured, source.columns, source.robot, self._at) if measured else None

    def row(self, number: int, values: Sequence[object]) -> TableRow | list[str]:
        """Return the row ``number``, or its faults."""
        robot, columns = self._robot, self._source.columns
        if len(values) != len(self._at):
            return [f"it has {len(values)} values, the header names {len(self._at)}; mend the row"]
        positions, faults = self._commanded.positions(values)
        goals = (positions - robot.lower) / (robot.upper - robot.lower)
        for i in np.flatnonzero((goals < -_ROUNDING) | (goals > 1 + _ROUNDING)):
            faults.append(self._commanded.beyond(int(i), values))
        reported = np.clip(positions, robot.lower, robot.upper)
        if self._measured is not None:
            reported, more = self._measured.positions(values)
            faults += more
        group = str(values[self._at[columns.group]]).strip() if columns.group else NO_GROUP
        if len(group) > _GROUP_CHARACTERS:
            faults.append(f"column {columns.group}: {group[:40]!r} is longer than {_GROUP_CHARACTERS}; shorten it")
        picture, problem = self._picture(number, values[self._at[columns.picture]])
        if faults or problem:
            return faults + problem
        return TableRow(number, np.clip(goals, 0, 1).astype(np.float32), reported, picture, group)

    def _picture(self, number: int, value: object) -> tuple[Path, list[str]]:
        column = f"column {self._source.columns.picture}"
        name = str(value).strip() if value is not None else ""
        if not name:
            return self._pictures, [f"{column}: the picture's file name is missing; fill it in"]
        try:
            path = self._pictures / user_path(name)
        except RenaError as error:
            return self._pictures, [f"{column}: {error}"]
        if not path.is_file():
            return path, [f"{column}: there is no file {printable(path)}; put it there, or mend the name"]
        if (other := self._taken.setdefault(path, number)) != number:
            return path, [f"{column}: {printable(name)} is the picture of row {other + 1} already; keep one of the two"]
        return path, []


class _Reading:
    """How values of a row become positions of all servos: those without a column are at neutral."""

    def __init__(
        self, servos: Mapping[str, ServoColumn], columns: ColumnMap, robot: Robot, at: Mapping[str, int]
    ) -> None:
        self._columns, self._robot, self._servos = columns, robot, servos
        self._places = [(robot.index[name], at[entry.column]) for name, entry in servos.items()]
        # position = factor * value + offset, by servo
        self._factor, self._offset = np.zeros(len(robot.names)), np.zeros(len(robot.names))
        direction = np.sign(robot.from_ticks(robot.neutral_ticks + 1))
        ticks = direction * RAD_PER_TICK, -direction * RAD_PER_TICK * robot.neutral_ticks
        ones, zeros = np.ones(len(robot.names)), np.zeros(len(robot.names))
        scales = {"goal": (robot.upper - robot.lower, robot.lower), "rad": (ones, zeros)}
        scales |= {"degrees": (np.radians(ones), zeros), "ticks": ticks}
        for name, entry in servos.items():
            i = robot.index[name]
            factor, offset = scales[columns.unit_of(entry)]
            self._factor[i], self._offset[i] = factor[i], offset[i]

    def positions(self, values: Sequence[object]) -> tuple[FloatArray, list[str]]:
        """Return positions, float64 (n,) rad, and the faults; a faulty value counts as neutral."""
        positions, faults = np.zeros(len(self._robot.names)), []
        for i, at in self._places:
            number, problem = _number(values[at])
            if problem:
                faults.append(f"{self._named(i)}: {problem}")
            else:
                positions[i] = self._factor[i] * number + self._offset[i]
        return positions, faults

    def beyond(self, i: int, values: Sequence[object]) -> str:
        """Say that servo i's value lies beyond a limit, in the value's own unit."""
        entry, robot = self._servos[self._robot.names[i]], self._robot
        unit = self._columns.unit_of(entry)
        low, high = sorted((end - self._offset[i]) / self._factor[i] for end in (robot.lower[i], robot.upper[i]))
        value = _number(values[dict(self._places)[i]])[0]
        remedy = "mend the value, its unit in the column map, or the limits in the robot file"
        return f"{self._named(i)}: {value:g} is outside {low:.4g} … {high:.4g} ({unit}); {remedy}"

    def _named(self, i: int) -> str:
        name = self._robot.names[i]
        column = self._servos[name].column
        return f"column {column}" if column == name else f"column {column} ({name})"


def _number(value: object) -> tuple[float, str]:
    """Return a value as a finite number, or 0 and what is wrong with it."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 0.0, "the value is missing; fill it in"
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        text = str(value).strip()
        remedy = f"write {text.replace(',', '.')}" if _is_number(text.replace(",", ".")) else "write a number"
        return 0.0, f"{printable(text[:40])!r} is not a number; {remedy}"
    return (number, "") if np.isfinite(number) else (0.0, f"{number} is not finite; write a number")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _in_order(source: ImportSource, rows: Sequence[TableRow]) -> list[TableRow]:
    """Sort rows by the map's column: as numbers where all its values are numbers, else as texts."""
    at = source.table.columns.index(source.columns.order)
    values = {row.number: source.table.rows[row.number][at] for row in rows}
    read = {number: _number(value) for number, value in values.items()}
    if any(problem for _, problem in read.values()):
        return sorted(rows, key=lambda row: str(values[row.number]))
    return sorted(rows, key=lambda row: read[row.number][0])
