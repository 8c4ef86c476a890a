"""Whether a bag is finished: only then has it index, summary and true metadata."""

import re
from pathlib import Path

from rena_ros.bags.contents import file_contents, has_end
from rena_ros.bags.metadata_file import SUFFIXES, listed_files, read_metadata, storage_files
from rena_ros.base.errors import RenaError


def is_finished(directory: Path) -> bool:
    """Return whether a bag's folder has true metadata and whole files; False also where there is no bag.

    A writer writes metadata.yaml twice: at the beginning, when it lists one file without messages, and at the end.
    """
    information = read_metadata(directory)
    if information is None:
        return False
    listed = listed_files(directory, information)
    if not all(path.is_file() and _has_whole_end(path) for path in listed) or _later_files(directory, listed):
        return False
    if information["message_count"] or not listed:
        return True
    try:
        return not any(file_contents(path).messages for path in listed if path.suffix in SUFFIXES.values())
    except RenaError:
        return False


def bags_in(path: Path) -> list[Path]:
    """Return the folders of the bags at a path, finished or not: itself, or those of a session, in order.

    A session holds them in ``bags/``; a folder in which nothing has been written yet is left out. Raises RenaError
    when there is none.
    """
    if is_bag(path):
        return [path]
    inner = path / "bags" if (path / "bags").is_dir() else path
    found = sorted(folder for folder in inner.iterdir() if is_bag(folder)) if inner.is_dir() else []
    if not found:
        raise RenaError(f"there is no bag in {path}; give the folder of a bag, or that of a session")
    return found


def is_bag(path: Path) -> bool:
    """Return whether a folder holds files of a bag, or what a bag's metadata.yaml says."""
    return path.is_dir() and (bool(storage_files(path)) or read_metadata(path) is not None)


def _later_files(directory: Path, listed: list[Path]) -> list[Path]:
    """Return files of the same bag that metadata.yaml does not list: it was split after the list was written."""
    stems = {re.sub(r"_\d+$", "", path.name.split(".")[0]) for path in listed}
    others = [path for path in storage_files(directory) if path not in listed]
    return [path for path in others if re.sub(r"_\d+$", "", path.stem) in stems]


def _has_whole_end(path: Path) -> bool:
    under_way = [path.with_name(path.name + ending) for ending in ("-journal", "-wal")]  # of SQLite
    return has_end(path) and not any(one.is_file() and one.stat().st_size for one in under_way)
