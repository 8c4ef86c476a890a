"""The figures of a run: computed for summary.json and printed as a table."""

import math
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from rena_ros import __version__
from rena_ros.mimic.measurements import (
    HOPS,
    Measurements,
    hops_ms,
    latencies_ms,
    percentile,
    rate_hz,
    stage_medians_ms,
)
from rena_ros.mimic.round_trip import HEADLINES

_LIBRARIES = ("ai-edge-litert", "mediapipe", "onnxruntime", "numpy", "opencv-python-headless", "rclpy", "ruckig", "av")

_MINUTE_NS = 60_000_000_000


def measure(
    measurements: Measurements, emulator: Mapping[str, Any] | None, span_ns: tuple[int, int] | None = None
) -> dict[str, Any]:
    """The measured part of summary.json.

    A frame is an image that the camera node published; it counts as dropped when no reading of it arrived. Latency
    is the time from the image's stamp to the last byte of the SYNC_WRITE that it caused. ``emulator``: what the
    emulator counted from the bytes, or None for a real robot. ``span_ns``: the run; the camera's rate and
    the latency are those of the images stamped within it.
    """
    events = {hop: measurements.events(hop) for hop in HOPS}
    frames, readings = measurements.frames(), measurements.readings()
    within = measurements.frames(span_ns)
    latency = latencies_ms(events["servos"], set(within))
    return {
        "frames": len(frames),
        "frames_with_face": sum(readings.values()),
        "commands_written": len(latency),
        "dropped_frames": sum(image not in readings for image in frames),
        "latency_ms": _percentiles(latency),
        "stage_ms": {stage: _rounded(median) for stage, median in stage_medians_ms(events).items()},
        "rate_hz": {
            "camera": _rounded(rate_hz(within)),
            "reading": _rounded(rate_hz(list(events["blendshapes"].values()))),
            "bus": _rounded(rate_hz(measurements.bus_stamps())),
        },
        "hops_ms": {hop: _percentiles(values) for hop, values in hops_ms(events).items()},
        "cpu_percent": {},
        "memory_mib": {},
        "minutes": _minutes(events["servos"], within),
        "limit_violations": None if emulator is None else emulator.get("limit_violations"),
        "round_trip": None,
    }


def versions() -> dict[str, str]:
    """Versions of Rena, Python and the libraries, for the provenance."""
    found = {"rena": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def show(summary: Mapping[str, Any], console: Console) -> None:
    """Print the figures, and every channel of the round trip."""
    table = Table(title="This run", title_justify="left", show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    frames = summary["frames"]
    table.add_row("frames", f"{frames}, with a face {_share(summary['frames_with_face'], frames)}")
    table.add_row("commands written", _share(summary["commands_written"], frames))
    table.add_row("dropped frames", str(summary["dropped_frames"]))
    for name, unit in (("latency_ms", "ms"), ("stage_ms", "ms, each stage's median"), ("rate_hz", "Hz")):
        values = " · ".join(f"{key} {_text(value)}" for key, value in summary[name].items())
        table.add_row(name.split("_")[0], f"{values} {unit}")
    if cpu := summary["cpu_percent"]:
        shares = " · ".join(f"{name} {value:.0f}" for name, value in cpu.items())
        table.add_row("processor", f"{sum(cpu.values()):.0f} % of a core: {shares}")
    violations = summary["limit_violations"]
    table.add_row("limit violations", "not counted: no emulator" if violations is None else str(violations))
    console.print(table)
    if summary["hops_ms"]:
        _show_hops(summary["hops_ms"], console)
    if summary["round_trip"]:
        show_round_trip(summary["round_trip"], console)


def _show_hops(hops: Mapping[str, Any], console: Console) -> None:
    table = Table(title="Hops, ms", title_justify="left", box=None, padding=(0, 2))
    for title in ("until", "p50", "p95", "p99"):
        table.add_column(title, justify="left" if title == "until" else "right")
    for hop, values in hops.items():
        table.add_row(hop, *(_text(values[key], 2) for key in ("p50", "p95", "p99")))
    console.print(table)


def show_round_trip(trip: Mapping[str, Any], console: Console) -> None:
    """Print the correlations: the headlines, every channel, and the standard deviation of those that hardly moved."""
    console.print(
        f"\nRound trip: correlation over time of the robot's face with the person's, "
        f"{trip['samples']} moments, robot {trip['lag_ms']:.0f} ms behind"
    )
    headlines = Table(box=None, padding=(0, 2))
    for title in ("", "r", "r without shift"):
        headlines.add_column(title, justify="left" if not title else "right")
    for name in HEADLINES:
        headlines.add_row(name, _text(trip[name], 3), _text(trip["zero_lag"][name], 3))
    console.print(headlines)
    channels = trip["channels"].items()
    moved = [f"{name} {_text(channel['r'], 2)}" for name, channel in channels if channel["r"] is not None]
    still = [f"{name} {_text(channel['std'], 3)}" for name, channel in channels if channel["r"] is None]
    console.print(f"\nall channels: {', '.join(moved)}")
    console.print(f"hardly moved (standard deviation): {', '.join(still)}", style="dim")


def _minutes(finished: Mapping[int, int], images: list[int]) -> list[dict[str, Any]]:
    """Frames, commands and latency of each minute, so that a long run shows whether they stay as they are."""
    minutes = []
    for start in range(images[0], images[-1] + 1, _MINUTE_NS) if images else ():
        within = [image for image in images if start <= image < start + _MINUTE_NS]
        latency = latencies_ms({image: finished[image] for image in within if image in finished}, set(within))
        minutes.append({"frames": len(within), "commands": len(latency), "latency_ms": _percentiles(latency)})
    return minutes


def _percentiles(values: np.ndarray) -> dict[str, float | None]:
    return {f"p{q}": _rounded(percentile(values, q)) for q in (50, 95, 99)}


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else str(part)


def _text(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
