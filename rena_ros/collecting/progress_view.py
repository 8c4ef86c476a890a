"""The display of a collection session: a panel on a terminal, a plain line every few seconds elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

DRAW_EVERY_S, PLAIN_EVERY_S = 0.5, 5.0
BABBLE = "babble: babble"
PHASES = ("settle_s", "picture_s", "reading_s", "check_s")
SHOWN_SERVOS = 3  # of those that are not well: all 25 would not fit on a terminal
_LEVELS = {0: ("good", "green"), 1: ("warning", "yellow"), 2: ("ERROR", "bold red"), 3: ("stale", "magenta")}


class ShownStatus(Protocol):
    """One status of /diagnostics."""

    @property
    def level(self) -> int:
        """0 good, 1 warning, 2 error, 3 stale."""

    @property
    def message(self) -> str:
        """What it says in one line."""

    @property
    def values(self) -> Mapping[str, str]:
        """Its values by key."""


@dataclass(frozen=True)
class CollectProgress:
    """What the babble node's newest status says.

    ``done`` of this run's samples; ``rate_per_min`` and ``left_s`` as texts, "" while not known; ``rejected``: tries by
    reason; ``phases``: mean times in s by name; ``state``: what it does, or why it pauses.
    """

    done: int = 0
    rate_per_min: str = ""
    left_s: str = ""
    rejected: Mapping[str, int] | None = None
    phases: Mapping[str, str] | None = None
    state: str = "the nodes start"
    paused: bool = False


def progress_of(status: ShownStatus | None) -> CollectProgress:
    """Return the progress that a status of the babble node tells; before the first one, that nodes start."""
    if status is None:
        return CollectProgress(rejected={}, phases={})
    values = status.values
    rejected = {
        key.removeprefix("rejected_").replace("_", " "): int(values[key]) for key in values if "rejected" in key
    }
    phases = {key.removesuffix("_s"): values[key] for key in PHASES if key in values}
    paused = bool(values.get("paused_because"))
    return CollectProgress(
        int(values.get("done", 0)), values.get("rate_per_min", ""), values.get("left_s", ""), rejected, phases,
        status.message, paused,
    )  # fmt: skip


NamedStatus = tuple[str, ShownStatus]


class CollectView:
    """Context manager. ``show`` may be called at any rate; it draws as often as is of use."""

    def __init__(self, title: str, earlier: int, samples: int, console: Console) -> None:
        """``earlier``: samples of earlier runs, among ``samples``."""
        self._title, self._earlier, self._samples, self._console = title, earlier, samples, console
        self._next_s, self._began_s = 0.0, time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> "CollectView":
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, statuses: Mapping[str, ShownStatus]) -> None:
        """Draw what the statuses, by name, say, unless the last drawing is too recent."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        progress = progress_of(statuses.get(BABBLE))
        if self._live is not None:
            self._next_s = now_s + DRAW_EVERY_S
            self._live.update(self._panel(progress, statuses), refresh=True)
        else:
            self._next_s = now_s + PLAIN_EVERY_S
            line = f"{now_s - self._began_s:6.1f} s | {plain_text(progress, self._earlier, self._samples)}"
            self._console.print(line, markup=False, soft_wrap=True)

    def _panel(self, progress: CollectProgress, statuses: Mapping[str, ShownStatus]) -> Panel:
        done = self._earlier + progress.done
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        table.add_row("samples", Text.assemble((f"{done}", "bold"), f" of {self._samples}{_rate(progress)}"))
        table.add_row("rejected", Text(_listed(progress.rejected) or "none"))
        if progress.phases:
            table.add_row("phases", Text(" · ".join(f"{name} {mean} s" for name, mean in progress.phases.items())))
        table.add_row("now", Text(progress.state, style="yellow" if progress.paused else ""))
        nodes, servos = _shown(statuses)
        for name, status in [*nodes, *servos[:SHOWN_SERVOS]]:
            word, colour = _LEVELS.get(status.level, ("?", "red"))
            table.add_row(Text(name), Text.assemble((word, colour), f"  {status.message}"))
        if more := servos[SHOWN_SERVOS:]:
            table.add_row(Text("servos"), Text(f"{len(more)} more are not well; see log/servos.log"))
        bar = ProgressBar(total=max(self._samples, 1), completed=done, width=60)
        return Panel(Group(table, bar), title=Text(self._title), subtitle="Ctrl-C ends the run; --resume goes on")


def _shown(statuses: Mapping[str, ShownStatus]) -> tuple[list[NamedStatus], list[NamedStatus]]:
    """Return the statuses of the other nodes, by name, and those of the servos that are not well, the worst first."""
    named = [(name, status) for name, status in sorted(statuses.items()) if name != BABBLE]
    servos = [one for one in named if one[0].startswith("servos: ") and one[0] != "servos: bus"]
    nodes = [one for one in named if one not in servos]
    return nodes, sorted((one for one in servos if one[1].level), key=lambda one: -one[1].level)


def plain_text(progress: CollectProgress, earlier: int, samples: int) -> str:
    """Return the progress in one line, for logs and pipes."""
    rejected = _listed(progress.rejected)
    parts = [f"{earlier + progress.done} of {samples} samples{_rate(progress)}"]
    parts += [f"rejected: {rejected}"] if rejected else []
    return " | ".join([*parts, progress.state])


def _rate(progress: CollectProgress) -> str:
    if not float(progress.rate_per_min or 0):
        return ""
    return f", {progress.rate_per_min}/min{_left(float(progress.left_s)) if progress.left_s else ''}"


def _left(left_s: float) -> str:
    if left_s < 100:
        return f", {left_s:.0f} s left"
    return f", {left_s / 60:.0f} min left" if left_s < 6000 else f", {left_s / 3600:.1f} h left"


def _listed(counts: Mapping[str, int] | None) -> str:
    return ", ".join(f"{why} {count}" for why, count in (counts or {}).items())
