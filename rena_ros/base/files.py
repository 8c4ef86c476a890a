"""Whole files: a file is written completely or stays as it was; also JSON, hashes and backups."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rena_ros.base.errors import RenaError


def read_text(path: Path, what: str, newline: str | None = None) -> str:
    """Read a UTF-8 file; ``what`` names it in errors ("robot file"), ``newline`` as open() takes it.

    Raises RenaError when the file cannot be read or is not a text file.
    """
    try:
        with path.open(encoding="utf-8", newline=newline) as file:
            return file.read()
    except OSError as error:
        raise RenaError(f"cannot read the {what} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RenaError(f"the {what} {path} is not a text file in UTF-8") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file as a whole; see ``replacing``.

    What is not a regular file (/dev/stdout, a pipe) is written in place. Raises RenaError.
    """
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise RenaError(f"cannot write {path}: {error.strerror}") from error
        return
    with replacing(path) as fresh:
        fresh.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file as ``write_bytes`` does, line ends as they are in ``text``."""
    write_bytes(path, text.encode())


def write_json(path: Path, data: object) -> None:
    """Write JSON as a whole, or to standard output where the path is "-". Raises RenaError; ValueError for NaN."""
    text = json.dumps(data, indent=1, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        write_text(path, text)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a fresh file in the same folder, which takes the place of ``path`` when the block ends well.

    The fresh file is flushed to the disk before, the folder after the exchange; the permissions of the old file are
    kept, links are followed. When anything fails, ``path`` stays as it was and nothing else is left; an OSError
    becomes a RenaError.
    """
    path = path.resolve()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, fresh)
        os.replace(fresh, path)
        _sync_folder(path.parent)
    except OSError as error:
        kept = "; it is unchanged" if path.exists() else ""
        raise RenaError(f"cannot write {path}: {error.strerror}{kept}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk, where its file system can (some network ones cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def back_up(path: Path) -> Path:
    """Copy a file beside itself, named after the present time; an earlier backup is never overwritten.

    Returns the path of the copy. Raises RenaError when it cannot be written.
    """
    stem = f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}"
    names = (path.with_name(f"{stem}{suffix}.bak") for suffix in ("", *(f"-{count}" for count in range(2, 1000))))
    backup = next(name for name in names if not name.exists())
    with replacing(backup) as fresh:
        shutil.copy2(path, fresh)
    return backup


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
