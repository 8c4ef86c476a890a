"""What an endurance run has shown: a row a minute, what grew, a plot. Pure but for the picture's file."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.table import Table

from rena_ros.bench.growth import Growth, measure_growth
from rena_ros.bench.report import pyplot, save_plot

MINUTE_S = 60.0
SETTLE_S = 20.0  # starting is not growing
# figure of a process -> what more is allowed: absolute, relative
_ALLOWED = {"rss_mib": (1.0, 0.02), "files": (0.0, 0.0), "threads": (0.0, 0.0)}
_READ_MS = (0.5, 0.2)
_UNITS = {"rss_mib": "memory, MiB", "files": "open files", "threads": "threads"}


@dataclass
class Soak:
    """What was seen so far, on time.monotonic().

    ``says``: the bus status as it was told, a dict of texts with ``time_s`` and ``level``; ``states``: dicts of
    ``time_s`` and, by name of the process, its ProcessState.
    """

    began_s: float = field(default_factory=time.monotonic)
    says: list[dict] = field(default_factory=list)
    states: list[dict] = field(default_factory=list)

    def after(self, begin_s: float) -> "Soak":
        """The run without its first seconds."""
        rest = [
            [seen for seen in kind if seen["time_s"] - self.began_s >= begin_s] for kind in (self.says, self.states)
        ]
        return Soak(self.began_s, *rest)


def judge_growth(soak: Soak) -> list[Growth]:
    """What grew and what did not; nothing when the run was too short to tell."""
    soak = soak.after(SETTLE_S)
    names = _processes(soak)
    verdicts = []
    try:
        for figure, allowed in _ALLOWED.items():
            for name in names:
                verdicts.append(measure_growth(f"{name}: {_UNITS[figure]}", _column(soak, name, figure), *allowed))
        verdicts.append(measure_growth("reading all states, ms", _read_ms(soak), *_READ_MS))
    except ValueError:
        return []
    return verdicts


def per_minute(soak: Soak) -> list[dict]:
    """One dict per minute begun: medians of what the processes hold and how the bus did."""
    rows = []
    last_s = soak.states[-1]["time_s"] if soak.states else soak.began_s
    for minute in range(int((last_s - soak.began_s) // MINUTE_S) + 1):
        begin_s = soak.began_s + minute * MINUTE_S
        states = [state for state in soak.states if 0 <= state["time_s"] - begin_s < MINUTE_S]
        says = [say for say in soak.says if 0 <= say["time_s"] - begin_s < MINUTE_S]
        row: dict = {"minute": minute + 1}
        for name in _processes(soak) if states else ():
            for figure in _ALLOWED:
                row[f"{name}_{figure}"] = round(float(np.median([getattr(s[name], figure) for s in states])), 2)
        row["read_ms"] = _median(say.get("read_ms") for say in says)
        row["read_max_ms"] = max((float(say["read_max_ms"]) for say in says if say.get("read_max_ms")), default=None)
        row["bus_rate_hz"] = _median(say.get("bus_rate_hz") for say in says)
        row["seconds_disconnected"] = sum(say.get("connected") == "false" for say in says)
        row["seconds_limp"] = sum(say.get("torque") == "false" for say in says)
        row["seconds_faulty"] = sum(say["level"] > 0 for say in says)
        rows.append(row)
    return rows


def table(soak: Soak) -> Table:
    """The rows of ``per_minute``; of a long run the last twenty."""
    titles = ("minute", "servos MiB", "files", "threads", "emulator MiB", "files", "threads", "read ms", "max ms")
    titles += ("reads / s", "unplugged s", "limp s", "faulty s")
    keys = [f"{name}_{figure}" for name in ("servos", "emulator") for figure in _ALLOWED]
    keys += ["read_ms", "read_max_ms", "bus_rate_hz", "seconds_disconnected", "seconds_limp", "seconds_faulty"]
    shown = Table(box=None, padding=(0, 1))
    for title in titles:
        shown.add_column(title, justify="right")
    for row in per_minute(soak)[-20:]:
        shown.add_row(*("–" if row.get(key) is None else f"{row[key]:g}" for key in ("minute", *keys)))
    return shown


def plot(soak: Soak, folder: Path) -> Path | None:
    """Memory, files and threads and the time to read, over the run; None without matplotlib."""
    plt = pyplot()
    if plt is None or len(soak.states) < 2:
        return None
    figure, panels = plt.subplots(2, 2, figsize=(11, 7), layout="constrained", sharex=True)
    times = [(state["time_s"] - soak.began_s) / 60 for state in soak.states]
    for axes, (column, title) in zip(panels.flat, _UNITS.items(), strict=False):
        for name in _processes(soak):
            axes.plot(times, _column(soak, name, column), label=name)
        axes.set(ylabel=title, ylim=(0, None))
        axes.legend()
    axes = panels[1][1]
    said = [(say["time_s"] - soak.began_s) / 60 for say in soak.says]
    axes.plot(said, _read_ms(soak), ".", markersize=2)
    axes.set(ylabel="reading all states, ms", ylim=(0, None))
    for axes in panels[1]:
        axes.set(xlabel="minutes")
    return save_plot(plt, figure, folder, "soak")


def _processes(soak: Soak) -> list[str]:
    return [name for name in soak.states[0] if name != "time_s"] if soak.states else []


def _column(soak: Soak, name: str, figure: str) -> np.ndarray:
    return np.array([getattr(state[name], figure) for state in soak.states], float)


def _read_ms(soak: Soak) -> np.ndarray:
    """NaN for a second without a read."""
    return np.array([float(say.get("read_ms") or "nan") for say in soak.says])


def _median(texts) -> float | None:
    values = [float(text) for text in texts if text]
    return round(float(np.median(values)), 2) if values else None
