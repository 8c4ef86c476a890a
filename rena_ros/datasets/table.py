"""Tables of other people's data: CSV, TSV or Parquet, as rows that know where they stand in their file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, read_text

SUFFIXES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Table:
    """``rows``: the values of each row in the order of ``columns``; texts in CSV, typed values in Parquet.

    ``lines``: the line on which each row of a CSV file ends; empty for Parquet, which has no lines.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Sequence[object], ...]
    lines: tuple[int, ...] = ()

    def place(self, row: int) -> str:
        """Return where row ``row`` (from 0 on) stands, for people: the first row of data is row 1."""
        line = f" (line {self.lines[row]})" if self.lines else ""
        return f"{printable(self.path.name)}, row {row + 1}{line}"


def find_table(folder: Path) -> Path:
    """Return the only table in a folder. Raises RenaError when there is none, or more than one."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise RenaError(f"cannot read the folder {folder}: {error.strerror}") from error
    if len(found) != 1:
        listed = ", ".join(printable(path.name) for path in found) or f"none of {', '.join(SUFFIXES)}"
        raise RenaError(
            f"{folder} must hold one table, found {listed}; name it in the column map: `table: commands.csv`"
        )
    return found[0]


def read_table(path: Path) -> Table:
    """Read a whole table. Raises RenaError when it cannot be read, or two of its columns have one name."""
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    if twice := [name for i, name in enumerate(table.columns) if name in table.columns[:i]]:
        raise RenaError(f"{path} has two columns called {twice[0]}; rename one")
    return table


def _read_csv(path: Path) -> Table:
    text = read_text(path, "table", newline="").removeprefix("\ufeff")  # spreadsheets write a byte order mark
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows, lines = [], []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:  # an empty line is no row
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise RenaError(f"{path}, line {reader.line_num}: {error}; write the table anew as CSV in UTF-8") from error
    if not rows:
        raise RenaError(f"{path} is empty; its first line must name the columns")
    return Table(path, tuple(name.strip() for name in rows[0]), tuple(rows[1:]), tuple(lines[1:]))


def _read_parquet(path: Path) -> Table:
    from pyarrow import ArrowException, parquet  # needed only to share data: requirements/share.txt

    try:
        read = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise RenaError(f"cannot read the table {path}: {str(error).splitlines()[0]}") from error
    return Table(
        path, tuple(read.column_names), tuple(zip(*(column.to_pylist() for column in read.columns), strict=True))
    )
