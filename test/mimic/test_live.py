"""The display during a run, on a terminal and in a pipe."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from rena_ros.mimic.live import LiveView, plain_line
from rena_ros.mimic.measurements import Measurements, Snapshot

SNAPSHOT = Snapshot(
    frames=90,
    frames_with_face=88,
    rate_hz={"camera": 30.0, "reading": 29.7, "bus": 49.9},
    latency_ms=(14.2, 21.5),
    stage_ms={"camera": 5.0, "blendshapes": 8.1, "policy": 0.4, "servos": 0.9},
    face=True,
    health={"servos: bus": (2, "servo jaw [id 21] is silent"), "policy: mimicry": (0, "following")},
)


def console(terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=100, color_system=None), text


def test_a_pipe_gets_plain_lines_not_one_per_call():
    out, text = console(terminal=False)
    with LiveView("rena mimic", Path("out/mimic.mp4"), 20.0, out) as view:
        for _ in range(50):
            view.show(lambda: SNAPSHOT, 3.0)
    (line,) = text.getvalue().splitlines()
    for part in ("3.0/20 s", "camera 30.0", "bus 49.9 Hz", "14.2 / 21.5 ms", "88 of 90", "servo jaw [id 21] is silent"):
        assert part in line
    assert "\x1b" not in line


def test_a_terminal_gets_rates_latency_faces_health_and_where_the_film_will_be():
    out, text = console(terminal=True)
    with LiveView("rena mimic", Path("out/mimic.mp4"), 20.0, out) as view:
        view.show(lambda: SNAPSHOT, 3.0)
    health, film = "servo jaw [id 21] is silent", "out/mimic.mp4"
    for part in ("29.7", "14.2", "blendshapes 8.1", "face present", health, film, "3.0 / 20 s"):
        assert part in text.getvalue()


@pytest.mark.parametrize("total_s", [None, 5.0])
def test_before_the_first_measurement_no_numbers_are_shown(total_s):
    line = plain_line(Measurements().snapshot(), 0.0, total_s)
    assert "nan" not in line and "–" in line
    assert "no reading yet" in line
    assert math.isnan(Measurements().snapshot().latency_ms[0])
