"""How much of the processor and the memory processes use."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_of(pid: int) -> float:
    """Return the processor time of one process so far, seconds (in steps of 10 ms).

    Raises FileNotFoundError or ProcessLookupError when there is no such process.
    """
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) * _TICK_S


def memory_of(pid: int) -> float:
    """Return the resident memory of one process, MiB; raises as ``cpu_of``."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * _PAGE / 2**20


class ProcessUse:
    """What processes use of the machine between the first ``note`` and the last."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, float, float]]] = {}  # time, processor time, memory: first and last

    def note(self, pids: Mapping[str, int], now_s: float) -> None:
        """Look at processes, given by name; those that have ended keep what was seen of them."""
        for name, pid in pids.items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self._seen[name] = [*self._seen.get(name, [])[:1], (now_s, cpu_of(pid), memory_of(pid))]

    def cpu_percent(self) -> dict[str, float]:
        """Return the shares of one core, %, by name."""
        return {
            name: round(100 * (looks[-1][1] - looks[0][1]) / (looks[-1][0] - looks[0][0]), 1)
            for name, looks in self._seen.items()
            if len(looks) == 2
        }

    def memory_mib(self) -> dict[str, list[float]]:
        """Return the resident memory at the first look and at the last, MiB, by name."""
        return {name: [round(looks[0][2], 1), round(looks[-1][2], 1)] for name, looks in self._seen.items()}
