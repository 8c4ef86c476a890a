"""How much of the processor processes have used."""

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Return the processor time of one process so far, seconds (in steps of 10 ms).

    Raises FileNotFoundError or ProcessLookupError when there is no such process.
    """
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) * _TICK_S
