"""The machine that figures were measured on, and the load of its processes, from /proc."""

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Columns of the first line of /proc/stat that count as busy: user, nice, system, irq, softirq, steal.
_BUSY = (0, 1, 2, 5, 6, 7)


@dataclass(frozen=True)
class Machine:
    """The machine at one moment; ``load``: runnable tasks on average over the last minute."""

    processor: str
    cores: int
    load: float
    system: str
    python: str
    pyserial: str

    @classmethod
    def now(cls) -> "Machine":
        """Return this machine at this moment."""
        return cls(
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            load=os.getloadavg()[0],
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            pyserial=metadata.version("pyserial"),
        )

    def __str__(self) -> str:
        return f"{self.cores} cores of {self.processor}, load {self.load:.2f}, {self.system}, Python {self.python}"


@dataclass(frozen=True)
class ProcessState:
    """The resources of one process: memory in MiB, open files, threads."""

    rss_mib: float
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "ProcessState":
        """Return the present state of a process. Raises FileNotFoundError or ProcessLookupError without it."""
        folder = Path(f"/proc/{pid}")
        pages = int((folder / "statm").read_text(encoding="utf-8").split()[1])
        return cls(pages * _PAGE / 2**20, len(os.listdir(folder / "fd")), len(os.listdir(folder / "task")))


def machine_busy_s() -> float:
    """Return the processor time of all processes since the machine started, seconds."""
    columns = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    return sum(int(columns[i]) for i in _BUSY) * _TICK_S


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown processor"
