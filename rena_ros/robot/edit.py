"""Changing values in a robot file in place: comments, order and layout stay, a backup lies beside it.

The new file is written whole beside the old one, read back as a robot, compared with the wanted one, and only then
takes the old one's place. Whenever the process ends, the whole old file or the whole new one is there. Values are
replaced at the marks of PyYAML's nodes: ruamel.yaml's round trip rewrites list indentation, spaces, wrapped rows and
line ends of a file that is laid out in another way than it writes.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from rena_ros.base.errors import RenaError
from rena_ros.base.files import back_up, read_text, replacing, user_path
from rena_ros.robot.file import load_robot, parse_robot
from rena_ros.robot.model import Robot

# By servo name: field of the robot file -> new value.
Changes = Mapping[str, Mapping[str, Any]]


class RobotFileEdit:
    """One session of changes to a robot file. The first change makes a backup of the file as it was before."""

    def __init__(self, path: str | Path) -> None:
        """Load the file. Raises RenaError when it is not a valid robot file, or cannot be changed later on."""
        self.path = user_path(path).resolve()  # behind a link the file itself is changed
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
        """Write these values and return the robot that the file now describes.

        What another program changed in the file since it was loaded stays. Raises RenaError, with the file unchanged,
        when it is no valid robot file any more, cannot be written, or would have faults with the new values.
        """
        text, now = self._now()
        if gone := [name for name in changes if name not in now.index]:
            raise RenaError(
                f"{self.path} was not changed: another program changed it meanwhile, and no servo in it is called "
                f"{', '.join(gone)} any more; restore the name, or write the values in under the new one"
            )
        wanted = replace(now, servos=tuple(replace(servo, **changes.get(servo.name, {})) for servo in now.servos))
        try:
            new_text = edited(text, changes)
        except KeyError as error:
            raise self._not_in_place("is its name merged into it by `<<`?") from error
        with replacing(self.path) as fresh:
            fresh.write_text(new_text, encoding="utf-8", newline="")
            self._check(read_text(fresh, "robot file"), wanted)
            self.backup = self.backup or back_up(self.path)
        self.robot = wanted
        return wanted

    def _now(self) -> tuple[str, Robot]:
        """Return text and robot of the file as it is now, which may differ from what was loaded first."""
        try:
            text = read_text(self.path, "robot file", newline="")  # line ends stay as they are
            return text, parse_robot(text, self.path)
        except RenaError as error:
            raise RenaError(
                f"{self.path} was not changed: another program changed it meanwhile, and now {error}\n"
                "  mend or restore the file, then write the values in by hand or begin again"
            ) from error

    def _check(self, text: str, wanted: Robot) -> None:
        try:
            got = parse_robot(text, self.path)
        except RenaError as error:
            raise RenaError(f"{self.path} was not changed; with the new values {error}") from error
        if got != wanted:
            raise self._not_in_place("do two servos share values by an alias?")

    def _not_in_place(self, why: str) -> RenaError:
        return RenaError(
            f"{self.path} was not changed: it is written in a way that cannot be edited in place ({why}); "
            "write the values in by hand"
        )


def edited(text: str, changes: Changes) -> str:
    """Return the text of a robot file with other values; everything else stays as it is, byte for byte.

    A field that a servo does not have yet is added before its last one. The text must be a valid robot file. Raises
    KeyError for a servo whose own entry does not hold its name.
    """
    rows = _value(yaml.compose(text, Loader=yaml.SafeLoader), "servos").value
    servos = {name.value: row for row in rows if (name := _value(row, "name"))}
    edits: list[tuple[int, int, str]] = []  # from, to, new text
    for name, fields in changes.items():
        for field, value in fields.items():
            node, written = _value(servos[name], field), yaml.safe_dump(value).split("\n")[0]
            if node is not None:
                edits.append((node.start_mark.index, node.end_mark.index, written))
            else:
                edits.append(_added(servos[name], f"{field}: {written}"))
    for start, end, new_text in sorted(edits, reverse=True):
        text = text[:start] + new_text + text[end:]
    return text


def _value(mapping: Any, field: str) -> Any:
    """Return the node of a field's value, None when the mapping (a yaml.MappingNode) does not have it."""
    return next((value for key, value in mapping.value if key.value == field), None)


def _added(servo: Any, entry: str) -> tuple[int, int, str]:
    """Return an edit that adds an entry before the last one (a comment behind that stays there), in its style."""
    last = servo.value[-1][0].start_mark
    return last.index, last.index, f"{entry}, " if servo.flow_style else f"{entry}\n{' ' * last.column}"
