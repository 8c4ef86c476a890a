"""Who has a serial port open? Read from /proc (Linux); processes that we may not look into stay unknown."""

import contextlib
import os
from pathlib import Path

_PROC = Path("/proc")


def holders(path: str) -> list[str]:
    """Programs other than this one that have the port open, each as `name (pid)`.

    Who serves a pseudo-terminal (an emulator) holds both its ends and does not count.
    """
    device = os.path.realpath(path)
    if not os.path.exists(device):
        return []
    found = []
    for process in _PROC.iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            targets = {descriptor: os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}
            if device in targets.values() and not _serves(process, targets, device):
                found.append(f"{(process / 'comm').read_text().strip()} (pid {process.name})")
    return found


def _serves(process: Path, targets: dict[Path, str], device: str) -> bool:
    """Whether the process holds the master of this pseudo-terminal."""
    number = f"tty-index:\t{device.removeprefix('/dev/pts/')}\n"
    masters = [descriptor for descriptor, target in targets.items() if target in ("/dev/ptmx", "/dev/pts/ptmx")]
    return any(number in (process / "fdinfo" / master.name).read_text() for master in masters)
