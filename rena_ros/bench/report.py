"""What a benchmark shows and leaves behind: tables, JSON and a plot in a folder."""

import errno
import importlib
import json
import os
from pathlib import Path

from rich.console import Console

from rena_ros.base.errors import RenaError


def console_for_tables() -> Console:
    """The terminal; where there is none (a pipe, a file), wide enough for every table."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def make_folder(folder: Path) -> None:
    """Make the folder of --out, before anything is measured for it. Raises RenaError when that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise RenaError(f"cannot write into {folder}: {error.strerror}; choose another --out") from error


def write_json(folder: Path, name: str, figures: dict) -> Path:
    """Write ``folder``/``name``.json. Raises RenaError when that is impossible."""
    path = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise RenaError(f"cannot write {path}: {error.strerror}; choose another --out") from error
    return path


def pyplot():
    """Matplotlib's pyplot for pictures in files, or None: running Rena does not need it, so it may be missing."""
    try:
        importlib.import_module("matplotlib").use("Agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError:
        return None


def save_plot(plt, figure, folder: Path, name: str) -> Path:
    """Write ``folder``/``name``.png."""
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
