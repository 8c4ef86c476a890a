"""The plot of `rena bench lag`: what the person's face does, what is on the wire, where the horns are."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from rena_ros.bench.lag_run import Trace
from rena_ros.bench.report import pyplot
from rena_ros.robot.model import Robot

# A panel each: signal, joint, from and to in s.
PANELS = (
    ("sine 1 Hz", "jaw", 2.0, 4.0),
    ("sine 3 Hz", "lid_left", 2.0, 3.0),
    ("step full", "jaw", 0.9, 1.5),
    ("step full", "lid_left", 0.9, 1.5),
    ("performer", "corner_left_up", 27.6, 28.4),
    ("performer", "jaw", 7.0, 8.0),
    ("blinks", "lid_left", 0.4, 2.4),
    ("still", "jaw", 2.0, 4.0),
)
_LINES = {"wanted": "k", "seen": "0.7", "goals": "C0", "horns": "C3"}
_NAMES = {"wanted": "the person", "seen": "commands", "goals": "goals on the wire", "horns": "horns"}


def plot(robot: Robot, traces: Mapping[str, Trace], path: Path, console: Console) -> None:
    """Draw the panels whose signals were run into a file of the kind that its name says."""
    plt = pyplot()
    if plt is None:
        console.print("no plot: matplotlib is not installed", style="yellow")
        return
    panels = [panel for panel in PANELS if panel[0] in traces]
    rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(12, 2.2 * rows + 0.8), layout="constrained")
    for (name, joint, begin_s, end_s), one in zip(panels, axes.flat, strict=False):
        trace = traces[name]
        shown = (trace.times_s >= begin_s) & (trace.times_s <= end_s)
        for track, colour in _LINES.items():
            values = getattr(trace, track)[shown, robot.index[joint]]
            one.plot(trace.times_s[shown], values, color=colour, linewidth=1.2, label=_NAMES[track])
        one.set_title(f"{name}: {joint}", fontsize="medium")
        one.set(xlabel="s", ylabel="goal")
    axes.flat[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)
    console.print(f"plot: {path}", highlight=False, soft_wrap=True)
