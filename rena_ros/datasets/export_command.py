"""`rena dataset export`: a dataset in a form that others read."""

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.datasets.dataset import load_dataset

FORMS = ("lerobot", "parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rena dataset export`."""
    parser.add_argument("directory", type=user_path, metavar="DIR", help="the dataset")
    parser.add_argument(
        "--to",
        choices=FORMS,
        required=True,
        help="lerobot: LeRobotDataset v3.0; parquet: a table and a folder of pictures, as the package `datasets` loads",
    )
    parser.add_argument("--out", type=user_path, required=True, help="a new folder")


def run(args: argparse.Namespace) -> int:
    """Export a dataset. Returns 0. Raises RenaError when it cannot be read, or the folder exists."""
    # Only here: both import pyarrow.
    from rena_ros.datasets.lerobot_export import export_lerobot
    from rena_ros.datasets.parquet_export import export_parquet

    export = export_lerobot if args.to == "lerobot" else export_parquet
    dataset, console = load_dataset(args.directory), Console(soft_wrap=True)
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with new_folder(args.out) as root, Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(dataset))
        export(dataset, root, lambda: progress.advance(bar))
    console.print(f"{len(dataset)} samples in {args.out}")
    return 0


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a fresh folder beside ``path`` that becomes ``path`` when the block ends well; else nothing is left.

    Raises RenaError when ``path`` exists and is not an empty folder, or cannot be written.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise RenaError(f"{path} exists already: choose another --out")
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        os.replace(fresh, path)
    except OSError as error:
        raise RenaError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
