"""`rena bench mimic`: figures from the JSON of a run, and what is said of them."""

import numpy as np
import pytest
from rich.console import Console

from rena_ros.bench.mimic_latency import BUSY, FILM, LARGE_FILM, NO_FILM, LatencyFigures, _plot, _show, _verdicts
from rena_ros.mimic.measurements import HOPS


def figures(scene: str, p50: float, commands: int = 100, violations: int | None = 0) -> LatencyFigures:
    run = {
        "latency_ms": {"p50": p50, "p95": p50 + 5, "p99": p50 + 8},
        "commands_written": commands,
        "frames_with_face": 100,
        "limit_violations": violations,
        "hops_ms": {hop: dict.fromkeys(("p50", "p95", "p99"), p50 / len(HOPS)) for hop in HOPS},
        "cpu_percent": {"chain": 60.0, "servos": 20.0},
    }
    return LatencyFigures.of(scene, run, alone_ms=16.0)


def test_the_ratios_are_those_to_the_landmarker_alone():
    one = figures(FILM, 20.0).as_dict()
    assert (one["ratio"], one["p99_ratio"], one["cores"], one["commands"]) == (1.25, 1.75, 0.8, 1.0)


def test_each_aim_is_named_with_its_figure():
    results = [figures(FILM, 17.0), figures(NO_FILM, 10.0), figures(BUSY, 30.0, 96), figures(LARGE_FILM, 12.0, 100, 2)]
    said = list(_verdicts(results))
    assert [met for text, met in said if text.startswith(f"{FILM}:")] == [True, True, True]
    assert (f"{BUSY}: at least 97% of the frames lead to a command: 96.0%", False) in said
    assert (f"{LARGE_FILM}: 2 goals outside their limits", False) in said
    assert ("1080p: p50 at most 1.15 x that of the source's own size: 1.20", False) in said


def test_the_table_and_the_waterfall_show_every_run(tmp_path):
    console = Console(width=160, record=True)
    results = [figures(FILM, 17.0), figures(BUSY, 30.0)]
    _show(console, results)
    text = console.export_text()
    assert all(hop in text for hop in HOPS) and FILM in text and BUSY in text
    pytest.importorskip("matplotlib")
    _plot(results, tmp_path, console)
    picture = (tmp_path / "mimic.png").read_bytes()
    assert np.frombuffer(picture[16:24], ">u4").min() > 200
