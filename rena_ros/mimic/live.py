"""The display during a run: a panel on a terminal, a plain line every two seconds elsewhere."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rena_ros.mimic.measurements import Snapshot

DRAW_EVERY_S, PLAIN_EVERY_S = 0.25, 2.0
_LEVELS = {0: ("good", "green"), 1: ("warning", "yellow"), 2: ("ERROR", "bold red"), 3: ("stale", "magenta")}


class LiveView:
    """Context manager. ``show`` may be called at any rate; it draws as often as is of use."""

    def __init__(self, title: str, film: Path, total_s: float | None, console: Console):
        self._title, self._film, self._total_s, self._console = title, film, total_s, console
        self._next_s = 0.0
        self._live: Live | None = None

    def __enter__(self) -> "LiveView":
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, take_snapshot: Callable[[], Snapshot], elapsed_s: float) -> None:
        """Take a snapshot and draw it, unless the last drawing is too recent."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        if self._live is not None:
            self._next_s = now_s + DRAW_EVERY_S
            self._live.update(self._panel(take_snapshot(), elapsed_s), refresh=True)
        else:
            self._next_s = now_s + PLAIN_EVERY_S
            line = plain_line(take_snapshot(), elapsed_s, self._total_s)
            self._console.print(line, markup=False, soft_wrap=True)

    def _panel(self, snapshot: Snapshot, elapsed_s: float) -> Panel:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        table.add_row("rates", " · ".join(f"{name} {_number(hz)}" for name, hz in snapshot.rate_hz.items()) + " Hz")
        p50, p95 = snapshot.latency_ms
        table.add_row("latency", f"[bold]{_number(p50)}[/] ms p50 · {_number(p95)} ms p95 (face to servo bus)")
        table.add_row("stages", " · ".join(f"{name} {_number(ms)}" for name, ms in snapshot.stage_ms.items()) + " ms")
        table.add_row("face", _face(snapshot))
        for name, (level, message) in sorted(snapshot.health.items()):
            node, _, part = name.rpartition("/")[2].partition(": ")
            if level == 0 and node == "servos" and part != "bus":
                continue  # a line for one of 25 servos only when it is not well
            word, colour = _LEVELS.get(level, ("?", "red"))
            table.add_row(Text(name), Text.assemble((word, colour), f"  {message}"))
        table.add_row("film", Text(str(self._film)))
        progress = Table.grid(padding=(0, 1))
        if self._total_s is None:
            progress.add_row(f"{elapsed_s:5.1f} s")
        else:
            bar = ProgressBar(total=self._total_s, completed=min(elapsed_s, self._total_s), width=40)
            progress.add_row(f"{elapsed_s:5.1f} / {self._total_s:.0f} s", bar)
        return Panel(Group(table, progress), title=Text(self._title), subtitle="Ctrl-C ends the run")


def plain_line(snapshot: Snapshot, elapsed_s: float, total_s: float | None) -> str:
    """The newest state in one line, for logs and pipes."""
    of = f"/{total_s:.0f}" if total_s is not None else ""
    rates, (p50, p95) = snapshot.rate_hz, snapshot.latency_ms
    worst = max(snapshot.health.items(), key=lambda item: item[1][0], default=None)
    health = "" if worst is None or worst[1][0] == 0 else f" | {worst[0]}: {worst[1][1]}"
    return (
        f"{elapsed_s:5.1f}{of} s | camera {_number(rates['camera'])} reading {_number(rates['reading'])} "
        f"bus {_number(rates['bus'])} Hz | latency {_number(p50)} / {_number(p95)} ms (p50/p95) | "
        f"{_face(snapshot)}{health}"
    )


def _face(snapshot: Snapshot) -> str:
    now = {True: "face present", False: "no face", None: "no reading yet"}[snapshot.face]
    return f"{now}, seen in {snapshot.frames_with_face} of {snapshot.frames} frames"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}"
