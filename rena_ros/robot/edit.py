"""Changing values in a robot file in place: comments, order and layout stay, a backup lies beside it.

The new file is written whole beside the old one, read back as a robot, compared with what was wanted, and only
then takes the old one's place. Whenever it ends, the old file or the new one is there, never a half of either.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from rena_ros.base.errors import RenaError
from rena_ros.robot.file import load_robot, parse_robot, read_text
from rena_ros.robot.model import Robot

# By servo name: field of the robot file -> new value.
Changes = Mapping[str, Mapping[str, int | float | bool]]


class RobotFileEdit:
    """One session of changes to a robot file. The first change makes the backup of what was there before."""

    def __init__(self, path: str | Path) -> None:
        """Raises RenaError when the file is no sound robot file, or could not be changed later on."""
        self.path = Path(path).resolve()  # behind a link the file itself is changed
        self.robot = load_robot(self.path)
        self.backup: Path | None = None
        if not self.path.is_file():
            raise RenaError(f"{self.path} is not an ordinary file, so it cannot be changed in place; copy it first")
        if not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)):
            raise RenaError(
                f"no permission to change {self.path} (or to put its backup beside it); "
                "copy it to a folder of your own and name the copy with --robot-file"
            )

    def change(self, changes: Changes) -> Robot:
        """Write these values and return the robot as it now stands in the file.

        What somebody else changed in the file meanwhile stays. Raises RenaError, with the file unchanged, when it is
        no sound robot file any more, the disk refuses, or the result would have faults.
        """
        text, now = self._now()
        if gone := [name for name in changes if name not in now.index]:
            raise RenaError(
                f"{self.path} was not changed: somebody else changed it meanwhile, and no servo in it is called "
                f"{', '.join(gone)} any more; give the name back, or write the values in under the new one"
            )
        wanted = replace(now, servos=tuple(replace(servo, **changes.get(servo.name, {})) for servo in now.servos))
        new_text = self._edited(text, changes)
        with _fresh_file(self.path) as fresh:
            write_text(fresh, new_text)
            shutil.copymode(self.path, fresh)
            self._check(fresh, wanted)
            self.backup = self.backup or back_up(self.path)
            os.replace(fresh, self.path)
        self.robot = wanted
        return wanted

    def _now(self) -> tuple[str, Robot]:
        """The file as it is at this moment, which may not be what it was at the beginning."""
        try:
            text = read_text(self.path, newline="")  # line ends stay as they are
            return text, parse_robot(text, self.path)
        except RenaError as error:
            raise RenaError(
                f"{self.path} was not changed: somebody else changed it meanwhile, and now {error}\n"
                "  mend or restore the file, then write the values in by hand or begin again"
            ) from error

    def _edited(self, text: str, changes: Changes) -> str:
        try:
            return edited(text, changes)
        except KeyError as error:
            raise self._beyond_us("is its name merged into it by `<<`?") from error

    def _check(self, fresh: Path, wanted: Robot) -> None:
        try:
            got = load_robot(fresh)
        except RenaError as error:
            raise RenaError(f"{self.path} was not changed; with the new values {error}") from error
        if replace(got, source=wanted.source) != wanted:
            raise self._beyond_us("do two servos share values by an alias?")

    def _beyond_us(self, why: str) -> RenaError:
        return RenaError(
            f"{self.path} was not changed: it is written in a way that cannot be edited in place ({why}); "
            "write the values in by hand"
        )


def edited(text: str, changes: Changes) -> str:
    """The text of a robot file with other values; everything else stays as it is, byte for byte.

    A field that a servo does not have yet is added before its last one. The text must be a sound robot file. Raises
    KeyError for a servo that it does not name in the servo's own entry.
    """
    servos = {name.value: node for node in _servo_nodes(text) if (name := _value(node, "name"))}
    edits: list[tuple[int, int, str]] = []  # from, to, new text
    for name, fields in changes.items():
        for field, value in fields.items():
            node, written = _value(servos[name], field), yaml.safe_dump(value).split("\n")[0]
            if node is not None:
                edits.append((node.start_mark.index, node.end_mark.index, written))
            else:
                edits.append(_added(servos[name], f"{field}: {written}"))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def write_text(path: Path, text: str) -> None:
    """Write a text so that it is on the disk when this returns. Raises RenaError."""
    try:
        with path.open("w", newline="") as file:
            file.write(text)
            file.flush()
            if path.is_file():  # a pipe or terminal has no disk behind it
                os.fsync(file.fileno())
    except OSError as error:
        raise RenaError(f"cannot write {path}: {error.strerror}") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or, when something goes wrong, as it was. Raises RenaError."""
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe: never to be replaced by a file
        write_text(path, text)
        return
    path = path.resolve()
    with _fresh_file(path) as fresh:
        write_text(fresh, text)
        if path.exists():
            shutil.copymode(path, fresh)
        os.replace(fresh, path)


@contextlib.contextmanager
def _fresh_file(path: Path) -> Iterator[Path]:
    """A name beside ``path`` for its successor; whatever is left under it at the end is removed."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
    except OSError as error:
        raise RenaError(f"cannot write {path}: {error.strerror}; it is unchanged") from error
    except RenaError as error:
        raise RenaError(str(error).replace(str(fresh), str(path))) from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def back_up(path: Path) -> Path:
    """A copy beside the file, named after the present time; an earlier backup is never overwritten."""
    stem = f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}"
    names = (path.with_name(f"{stem}{suffix}.bak") for suffix in ("", *(f"-{count}" for count in range(2, 1000))))
    backup = next(name for name in names if not name.exists())
    with _fresh_file(backup) as fresh:
        shutil.copy2(path, fresh)
        os.replace(fresh, backup)
    return backup


def _servo_nodes(text: str) -> list[yaml.MappingNode]:
    return _value(yaml.compose(text, Loader=yaml.SafeLoader), "servos").value


def _value(mapping: yaml.MappingNode, field: str) -> yaml.Node | None:
    return next((value for key, value in mapping.value if key.value == field), None)


def _added(servo: yaml.MappingNode, entry: str) -> tuple[int, int, str]:
    """An edit that adds an entry before the last one (so that a comment behind that stays there), in its style."""
    last = servo.value[-1][0].start_mark
    return last.index, last.index, f"{entry}, " if servo.flow_style else f"{entry}\n{' ' * last.column}"
