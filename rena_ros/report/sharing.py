"""Work shared by processes through a folder: each unit is done once, by the process that claims it first.

A claim is an flock on a file, so it ends with the process that holds it, however that ends. A result is one JSON file,
written as a whole; what has a result is never done again. Machines share a folder where its file system passes locks
on (local disks, NFS from version 4 on).
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, write_json

POLL_S = 0.3  # while others do the rest


class SharedWork:
    """The folder of a report: ``runs/NAME.json`` are the results, ``work/`` holds what may be deleted afterwards."""

    def __init__(self, folder: Path):
        """Make the folders. Raises RenaError where that fails."""
        self.folder, self.runs, self.work = folder, folder / "runs", folder / "work"
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            self.work.mkdir(exist_ok=True)
            (self.work / ".gitignore").write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise RenaError(f"cannot write into {folder}: {error.strerror}") from error

    def result(self, name: str) -> dict[str, Any] | None:
        """Return a result, or None as long as there is none. Raises RenaError for a file that is no result."""
        path = self.runs / f"{name}.json"
        if not path.exists():
            return None
        try:
            return dict(json.loads(read_text(path, "result")))
        except (TypeError, ValueError) as error:
            raise RenaError(f"{path} is damaged ({error}); remove it, and the same command does it again") from error

    def done(self, name: str) -> bool:
        """Return whether a result is there."""
        return (self.runs / f"{name}.json").exists()

    def share(
        self,
        names: Sequence[str],
        needs: Callable[[str], Sequence[str]],
        do: Callable[[str], dict[str, Any]],
        tell: Callable[[int], None],
    ) -> None:
        """Return when all ``names`` have results: those that no process holds are done here, one after the other.

        ``needs(name)``: whose results come before; ``do(name)``: returns the result, JSON data; ``tell(done)`` is
        called with the number of results whenever one may have come.
        """
        while left := [name for name in names if not self.done(name)]:
            tell(len(names) - len(left))
            if not any(self._tried(name, do) for name in left if all(map(self.done, needs(name)))):
                time.sleep(POLL_S)
        tell(len(names))

    def _tried(self, name: str, do: Callable[[str], dict[str, Any]]) -> bool:
        """Do one unit, unless another process holds it or has just done it; return whether it was done here."""
        with self._claimed(name) as mine:
            if not mine or self.done(name):
                return False
            write_json(self.runs / f"{name}.json", do(name))
        return True

    @contextlib.contextmanager
    def _claimed(self, name: str) -> Iterator[bool]:
        try:
            lock = os.open(self.work / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise RenaError(f"cannot write into {self.work}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)
