"""Which programs have a serial port open, from /proc (Linux); processes of other users stay unknown."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path


def holders(path: str) -> list[str]:
    """Return the other programs that have the port open, each as `name (pid 7)`.

    A program that serves a pseudo-terminal (an emulator) has both ends of it open and is left out.
    """
    return [name for name, serves in _programs_with(path) if not serves]


def pty_servers(path: str) -> list[str]:
    """Return the other programs that serve this pseudo-terminal, each as `name (pid 7)`."""
    return [name for name, serves in _programs_with(path) if serves]


def _programs_with(path: str) -> Iterator[tuple[str, bool]]:
    """Yield the other programs that have the port open, and whether each serves it as a pseudo-terminal."""
    device = os.path.realpath(path)
    if not os.path.exists(device):
        return
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # the process has ended meanwhile, or belongs to another user
            targets = {descriptor: os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}
            if device in targets.values():
                yield f"{_program_name(process)} (pid {process.name})", _has_pty_master(process, targets, device)


def _program_name(process: Path) -> str:
    """Return a program's name; for Python, what it runs: `rena servo jog`, `python -m rena_ros.nodes.servos`."""
    name = (process / "comm").read_bytes().decode(errors="replace").strip()  # cut at 15 bytes, even within a letter
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")[1:4]
    if not name.startswith("python") or not words:
        return name
    if words[0] == "-m":
        return f"{name} -m {words[1]}"
    script = [Path(words[0]).name, *itertools.takewhile(lambda word: word and not word.startswith("-"), words[1:])]
    return name if words[0].startswith("-") else " ".join(script)


def _has_pty_master(process: Path, targets: dict[Path, str], device: str) -> bool:
    number = f"tty-index:\t{device.removeprefix('/dev/pts/')}\n"
    masters = [descriptor for descriptor, target in targets.items() if target in ("/dev/ptmx", "/dev/pts/ptmx")]
    return any(number in (process / "fdinfo" / master.name).read_text(encoding="utf-8") for master in masters)
