"""Mending a bag that was cut off by a kill, a power cut or a full disk: index, summary and metadata.yaml.

Each file is written anew beside the old one and then takes its place, so that a second cut loses nothing either.
"""

import contextlib
import errno
import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import Reader

from rena_ros.bags.contents import UNREADABLE, embedded_information, file_contents, has_end
from rena_ros.bags.finished import is_bag, is_finished
from rena_ros.bags.lock import lock
from rena_ros.bags.metadata_file import (
    FileContents,
    custom_data,
    listed_files,
    metadata_text,
    read_metadata,
    storage_files,
    write_metadata,
)
from rena_ros.bags.torn import TornFile, rewrite
from rena_ros.base.errors import RenaError
from rena_ros.base.files import replacing

__all__ = ["Recovery", "is_finished", "recover"]
_LEFT_OVER = re.compile(r"\.(.+\.mcap|metadata\.yaml)\.\d+")  # a fresh file whose mending was killed
_MUCH = 4 << 20  # bytes; a torn chunk is smaller, so of a file that lost more the damaged original is kept
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Recovery:
    """What was done to a bag: ``mended`` is False where it was finished already.

    ``messages``: in the bag now; ``files``: how many; ``cut_bytes``: torn or damaged, and no longer there;
    ``missing``: files that metadata.yaml named and that are not in the folder.
    """

    mended: bool
    messages: int
    files: int
    cut_bytes: int = 0
    missing: tuple[str, ...] = ()


def recover(directory: Path) -> Recovery:
    """Mend a bag, MCAP or sqlite3, from Rena or from `ros2 bag record`; one that is finished stays as it is.

    Every message that is whole is kept: a torn chunk at the end, and one that fails its checksum, are cut out. Of a
    file that loses more than that, the original stays as NAME.mcap.damaged. Files without any message are removed.
    Raises RenaError when there is no bag, while it is being recorded, and when the disk has no room for a second copy
    of the largest of its files.
    """
    if not is_bag(directory):
        raise RenaError(f"{directory} holds no bag; name a folder with .mcap or .db3 files")
    if is_finished(directory):
        said = read_metadata(directory) or {}
        return Recovery(mended=False, messages=said["message_count"], files=len(said["relative_file_paths"]))
    with _alone(directory):
        return _mended(directory)


def _mended(directory: Path) -> Recovery:
    files = _files(directory)
    for path in directory.iterdir():
        if _LEFT_OVER.fullmatch(path.name):
            path.unlink(missing_ok=True)
    cut_bytes = sum(_mend_mcap(path) if path.suffix == ".mcap" else _mend_database(path) for path in files)
    said = read_metadata(directory)
    about = said or embedded_information(files[0])
    contents = _without_empty_ones(directory, [file_contents(path) for path in files])
    text = metadata_text(
        contents,
        custom_data(about),
        storage="mcap" if files[0].suffix == ".mcap" else "sqlite3",
        distro=str(about.get("ros_distro") or "jazzy"),
        packed=any(map(_is_packed, files)),
    )
    write_metadata(directory, text)
    missing = tuple(path.name for path in listed_files(directory, said or {}) if path not in files)
    return Recovery(True, sum(file.messages for file in contents), len(contents), cut_bytes, missing)


def _files(directory: Path) -> list[Path]:
    files = storage_files(directory)
    for packed in sorted(directory.glob("*.zstd")):
        plain = packed.with_suffix("")
        if plain not in files:
            raise RenaError(f"{packed} is compressed as a whole; unpack it first: zstd -d -o {plain} {packed}")
    if not files:
        raise RenaError(f"{directory} has a metadata.yaml and no .mcap or .db3 file: there is nothing to mend")
    if len({path.suffix for path in files}) > 1:
        raise RenaError(f"{directory} holds .mcap and .db3 files: two bags; put each into a folder of its own")
    return files


def _without_empty_ones(directory: Path, contents: list[FileContents]) -> list[FileContents]:
    """Remove files without messages, such as a split that had just begun, unless that leaves none."""
    filled = [file for file in contents if file.messages] or contents[:1]
    for file in contents:
        if file not in filled:
            (directory / file.name).unlink()
    return filled


def _mend_mcap(path: Path) -> int:
    """Write one file anew unless it is whole; returns the bytes that were cut."""
    torn = TornFile(path)
    if has_end(path):
        for _ in torn.pieces():
            pass
        if not torn.cut_bytes:
            return 0
        torn = TornFile(path)
    try:
        with replacing(path) as fresh, fresh.open("wb") as file:
            rewrite(torn, file)
            if torn.cut_bytes > _MUCH:
                with contextlib.suppress(FileExistsError):  # of an earlier try
                    os.link(path, path.with_name(f"{path.name}.damaged"))
    except RenaError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT):
            size = path.stat().st_size
            raise RenaError(f"{error}; mending needs {size / 1e6:.1f} MB of free space there: make room") from error
        raise
    return torn.cut_bytes


def _mend_database(path: Path) -> int:
    """Let SQLite undo or complete what was under way; nothing is cut."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (sound,) = database.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        sound = str(error)
    if sound != "ok":
        raise RenaError(f"{path} cannot be mended: {sound}; sqlite3 {path} .recover may give its messages back")
    return 0


def _is_packed(path: Path) -> bool:
    """Return whether the messages of a file were compressed one by one: CDR never begins like this."""
    with contextlib.suppress(*UNREADABLE), Reader(path) as reader:
        return any(bytes(data[:4]) == _ZSTD for _, _, data in _first(reader.messages()))
    return False


def _first(messages: Iterator[Any]) -> list[Any]:
    return [message for _, message in zip(range(1), messages, strict=False)]


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the folder's lock; refuse when a program has one of its files open for writing, as `ros2 bag record` has."""
    recorded = f"{directory} is being recorded at this moment; end the recording first"
    handle: int | None = None
    try:
        handle = lock(directory)
    except BlockingIOError as error:
        raise RenaError(recorded) from error
    except OSError:
        handle = None  # a file system without locks: no writer of ours began there
    try:
        if any(map(_is_written, storage_files(directory))):
            raise RenaError(recorded)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _is_written(path: Path) -> bool:
    """Return whether a program has the file open for writing, as far as the file system tells (F_SETLEASE)."""
    try:
        with path.open("rb") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
