"""The results of an endurance run: a row for each minute, what grew, a plot. Pure but for the plot's file."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.table import Table

from rena_ros.base.arrays import FloatArray
from rena_ros.bench.growth import Growth, measure_growth
from rena_ros.bench.report import pyplot, save_plot

MINUTE_S = 60.0
SETTLE_S = 20.0  # growth during the start does not count
# Figure of a process -> allowed growth: absolute, relative.
_ALLOWED = {"rss_mib": (1.0, 0.02), "files": (0.0, 0.0), "threads": (0.0, 0.0)}
_READ_MS = (0.5, 0.2)
_UNITS = {"rss_mib": "memory, MiB", "files": "open files", "threads": "threads"}


@dataclass
class Soak:
    """The observations so far; times are those of time.monotonic()."""

    began_s: float = field(default_factory=time.monotonic)
    bus: list[dict] = field(default_factory=list)  # statuses of the bus: texts, and ``time_s`` and ``level``
    processes: list[dict] = field(default_factory=list)  # ``time_s``, and by name the ProcessState of each process

    def after(self, begin_s: float) -> "Soak":
        """Return the run without its first seconds."""
        rest = [[row for row in rows if row["time_s"] - self.began_s >= begin_s] for rows in (self.bus, self.processes)]
        return Soak(self.began_s, *rest)


def judge_growth(soak: Soak) -> list[Growth]:
    """Return how each figure grew; nothing when the run was too short to tell."""
    soak = soak.after(SETTLE_S)
    names = _processes(soak)
    verdicts: list[Growth] = []
    try:
        for figure, allowed in _ALLOWED.items():
            for name in names:
                values = _column(soak, name, figure)
                verdicts.append(measure_growth(f"{name}: {_UNITS[figure]}", values, *allowed))
        verdicts.append(measure_growth("reading all states, ms", _read_ms(soak), *_READ_MS))
    except ValueError:
        return []
    return verdicts


def per_minute(soak: Soak) -> list[dict]:
    """Return a dict for each minute begun: medians of the processes' figures, and the state of the bus."""
    rows = []
    last_s = soak.processes[-1]["time_s"] if soak.processes else soak.began_s
    for minute in range(int((last_s - soak.began_s) // MINUTE_S) + 1):
        begin_s = soak.began_s + minute * MINUTE_S
        states = [state for state in soak.processes if 0 <= state["time_s"] - begin_s < MINUTE_S]
        statuses = [status for status in soak.bus if 0 <= status["time_s"] - begin_s < MINUTE_S]
        row: dict = {"minute": minute + 1}
        for name in _processes(soak) if states else ():
            for figure in _ALLOWED:
                row[f"{name}_{figure}"] = round(float(np.median([getattr(s[name], figure) for s in states])), 2)
        row["read_ms"] = _median(status.get("read_ms") for status in statuses)
        row["read_max_ms"] = max((float(s["read_max_ms"]) for s in statuses if s.get("read_max_ms")), default=None)
        row["bus_rate_hz"] = _median(status.get("bus_rate_hz") for status in statuses)
        row["seconds_disconnected"] = sum(status.get("connected") == "false" for status in statuses)
        row["seconds_limp"] = sum(status.get("torque") == "false" for status in statuses)
        row["seconds_faulty"] = sum(status["level"] > 0 for status in statuses)
        rows.append(row)
    return rows


def table(soak: Soak) -> Table:
    """Return the rows of ``per_minute``; of a long run the last twenty."""
    titles = ["minute", "servos MiB", "files", "threads", "emulator MiB", "files", "threads"]
    titles += ["read ms", "max ms", "reads / s", "unplugged s", "limp s", "faulty s"]
    keys = [f"{name}_{figure}" for name in ("servos", "emulator") for figure in _ALLOWED]
    keys += ["read_ms", "read_max_ms", "bus_rate_hz", "seconds_disconnected", "seconds_limp", "seconds_faulty"]
    shown = Table(box=None, padding=(0, 1))
    for title in titles:
        shown.add_column(title, justify="right")
    for row in per_minute(soak)[-20:]:
        shown.add_row(*("–" if row.get(key) is None else f"{row[key]:g}" for key in ("minute", *keys)))
    return shown


def plot(soak: Soak, folder: Path) -> Path | None:
    """Plot memory, files, threads and the time of a read over the run; return None without Matplotlib."""
    plt = pyplot()
    if plt is None or len(soak.processes) < 2:
        return None
    figure, panels = plt.subplots(2, 2, figsize=(11, 7), layout="constrained", sharex=True)
    times = [(state["time_s"] - soak.began_s) / 60 for state in soak.processes]
    for axes, (column, title) in zip(panels.flat, _UNITS.items(), strict=False):
        for name in _processes(soak):
            axes.plot(times, _column(soak, name, column), label=name)
        axes.set(ylabel=title, ylim=(0, None))
        axes.legend()
    axes = panels[1][1]
    times = [(status["time_s"] - soak.began_s) / 60 for status in soak.bus]
    axes.plot(times, _read_ms(soak), ".", markersize=2)
    axes.set(ylabel="reading all states, ms", ylim=(0, None))
    for axes in panels[1]:
        axes.set(xlabel="minutes")
    return save_plot(plt, figure, folder, "soak")


def _processes(soak: Soak) -> list[str]:
    return [name for name in soak.processes[0] if name != "time_s"] if soak.processes else []


def _column(soak: Soak, name: str, figure: str) -> FloatArray:
    return np.array([getattr(state[name], figure) for state in soak.processes], float)


def _read_ms(soak: Soak) -> FloatArray:
    """Return the mean read time of each second, ms; NaN for a second without a read."""
    return np.array([float(status.get("read_ms") or "nan") for status in soak.bus])


def _median(texts: Iterable[str | None]) -> float | None:
    values = [float(text) for text in texts if text]
    return round(float(np.median(values)), 2) if values else None
