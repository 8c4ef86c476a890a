"""Files: paths as users give them; a file is written completely or stays as it was; also JSON, hashes and backups."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from rena_ros.base.errors import RenaError

# RFC 8089: an absolute path, percent-encoded, behind an empty authority, "localhost" or none.
_FILE_URI = re.compile(r"file:(?://(?:localhost)?)?(/(?!/).*)", re.IGNORECASE | re.DOTALL)


def user_path(text: str | Path) -> Path:
    """Return the path that a user means with ``text``; a Path is returned as it is.

    ``~`` and ``~user`` are expanded where that home is known, and a ``file:`` URI (RFC 8089) is decoded: its percent
    codes give any bytes, also those that are no UTF-8. Raises RenaError for a name that no file can have.
    """
    if isinstance(text, Path):
        return text
    uri = _FILE_URI.fullmatch(text)
    try:
        raw = text.encode("utf-8", "surrogateescape")  # whatever the locale's own encoding
        if uri:
            raw = unquote_to_bytes(uri[1].encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raw = b"\0"
    if b"\0" in raw:
        raise RenaError(
            f"no file can be called {text!r}: it holds a character that no name may hold; give its own name"
        )
    name = os.fsdecode(raw)
    return Path(name if uri else os.path.expanduser(name))


def ros_path(path: str | Path) -> str:
    """Return a text, valid UTF-8, from which ``user_path`` makes ``path`` again: for ROS parameters and JSON.

    It is the path itself, or an absolute ``file:`` URI where the path is no UTF-8 or would be taken for something else.
    """
    try:
        text = os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        return Path(os.path.abspath(path)).as_uri()
    return Path(os.path.abspath(path)).as_uri() if text.startswith("~") or text.lower().startswith("file:") else text


def printable(text: object) -> str:
    """Return a text as one line of valid UTF-8, with backslash escapes: for logs and comments with odd file names."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


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


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
