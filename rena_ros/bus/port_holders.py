"""Who has a serial port open? Read from /proc (Linux); processes that we may not look into stay unknown."""

import contextlib
import itertools
import os
from pathlib import Path

_PROC = Path("/proc")


def holders(path: str) -> list[str]:
    """Programs other than this one that have the port open, each as `name (pid 7)`.

    Who serves a pseudo-terminal (an emulator) holds both its ends and does not count.
    """
    return [name for name, serves in _having_open(path) if not serves]


def pty_servers(path: str) -> list[str]:
    """Programs other than this one that hold both ends of this pseudo-terminal, each as `name (pid 7)`."""
    return [name for name, serves in _having_open(path) if serves]


def _having_open(path: str) -> list[tuple[str, bool]]:
    device = os.path.realpath(path)
    if not os.path.exists(device):
        return []
    found = []
    for process in _PROC.iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            targets = {descriptor: os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}
            if device in targets.values():
                found.append((f"{_called(process)} (pid {process.name})", _serves(process, targets, device)))
    return found


def _called(process: Path) -> str:
    """The program's name; of Python what it runs: `rena servo jog`, `python -m rena_ros.nodes.servos`."""
    name = (process / "comm").read_bytes().decode(errors="replace").strip()  # cut at 15 bytes, even within a letter
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")[1:4]
    if not name.startswith("python") or not words:
        return name
    if words[0] == "-m":
        return f"{name} -m {words[1]}"
    script = [Path(words[0]).name, *itertools.takewhile(lambda word: word and not word.startswith("-"), words[1:])]
    return name if words[0].startswith("-") else " ".join(script)


def _serves(process: Path, targets: dict[Path, str], device: str) -> bool:
    """Whether the process holds the master of this pseudo-terminal."""
    number = f"tty-index:\t{device.removeprefix('/dev/pts/')}\n"
    masters = [descriptor for descriptor, target in targets.items() if target in ("/dev/ptmx", "/dev/pts/ptmx")]
    return any(number in (process / "fdinfo" / master.name).read_text() for master in masters)
