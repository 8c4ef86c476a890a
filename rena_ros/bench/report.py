"""The output of a benchmark: tables on the terminal, JSON and a plot in a folder."""

import errno
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from rena_ros.base.errors import RenaError
from rena_ros.base.files import write_json
from rena_ros.bench.machine import Machine


def begin(out: Path | None) -> tuple[Console, Machine]:
    """Make the folder of --out, if given, and print the machine; return the console for all output, and the machine.

    Raises RenaError, before anything is measured, when nothing can be written into the folder.
    """
    if out:
        _make_folder(out)
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a pipe or a file: wide enough for every table
    machine = Machine.now()
    console.print(f"{machine}", highlight=False)
    return console, machine


def progress_bar(console: Console, time: type[ProgressColumn] = TimeElapsedColumn) -> Progress:
    """Return a bar with a description, a count and a time, which vanishes at its end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), time())
    return Progress(*columns, console=console, transient=True)


def save_figures(console: Console, folder: Path, name: str, figures: Mapping[str, object]) -> None:
    """Write ``folder``/``name``.json and print its path. Raises RenaError when that is impossible."""
    path = folder / f"{name}.json"
    write_json(path, dict(figures))
    console.print(f"figures: {path}", highlight=False, soft_wrap=True)


def rounded(figures: Mapping[str, object], digits: int) -> dict[str, Any]:
    """Return the figures with every float rounded."""
    return {name: round(value, digits) if isinstance(value, float) else value for name, value in figures.items()}


def pyplot() -> ModuleType | None:
    """Return Matplotlib's pyplot for pictures in files; None when it is missing, since Rena runs without it."""
    try:
        importlib.import_module("matplotlib").use("Agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError:
        return None


def save_plot(plt: ModuleType, figure: Any, folder: Path, name: str) -> Path:
    """Write ``folder``/``name``.png and return its path."""
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise RenaError(f"cannot write into {folder}: {error.strerror}; choose another --out") from error
