"""Figures from stamps, against values worked out by hand or by their textbook formula."""

import json
import math

import numpy as np
import pytest

from rena_ros.mimic.measurements import HOPS, STAGES, Measurements, hops_ms, percentile, rate_hz, stage_medians_ms
from rena_ros.mimic.summary import measure

MS = 1_000_000
# After the stamp, in ms: when each stage is done with one image.
DONE_MS = {"camera": 1.0, "blendshapes": 12.0, "policy": 12.5, "servos": 14.0}
START_NS = 1_700_000_000_000_000_000


def run_of(frames: int, unread=(), faceless=(), extra_ms: float = 0.0) -> Measurements:
    """``frames`` images 40 ms apart; servos take ``extra_ms`` times the frame's number longer."""
    measurements = Measurements()
    for i in range(frames):
        image = START_NS + i * 40 * MS
        reached = STAGES[:1] if i in unread else STAGES[:2] if i in faceless else STAGES
        for stage in reached:
            done_ms = DONE_MS[stage] + (i * extra_ms if stage == "servos" else 0)
            measurements.add_timing(stage, image, image + int(done_ms * MS))
        if i not in unread:
            measurements.add_reading(image, i not in faceless)
    return measurements


def textbook_percentile(values: list[float], q: float) -> float:
    """Linear interpolation between order statistics, Hyndman & Fan type 7."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def test_the_summary_counts_what_happened_to_each_frame():
    measurements = run_of(100, unread=(3, 50), faceless=(10, 11, 12), extra_ms=0.1)
    measurements.add_timing("servos", START_NS + 7, START_NS + 9 * MS)  # on the way to neutral: no image's command
    measurements.add_timing("servos", START_NS, START_NS + 500 * MS)  # written again by the interpolation
    for i in range(51):
        measurements.add_joint_states(START_NS + i * 20 * MS)
    summary = measure(measurements, {"limit_violations": 0})
    latencies = [14 + i * 0.1 for i in range(100) if i not in (3, 50, 10, 11, 12)]
    assert (summary["frames"], summary["dropped_frames"]) == (100, 2)
    assert summary["frames_with_face"] == summary["commands_written"] == 95
    for q in (50, 95, 99):
        assert summary["latency_ms"][f"p{q}"] == pytest.approx(textbook_percentile(latencies, q), abs=1e-3)
    servos_ms = pytest.approx(1.5 + 0.1 * np.median([(v - 14) * 10 for v in latencies]))
    assert summary["stage_ms"] == {"camera": 1.0, "blendshapes": 11.0, "policy": 0.5, "servos": servos_ms}
    reading_hz = pytest.approx(97 / (99 * 0.04), abs=1e-3)  # two of 100 are missing
    assert summary["rate_hz"] == {"camera": 25.0, "reading": reading_hz, "bus": 50.0}
    assert summary["limit_violations"] == 0


def test_the_hops_of_an_image_sum_up_to_its_latency():
    measurements = Measurements()
    assert hops_ms({hop: measurements.events(hop) for hop in HOPS}) == {}
    for i in range(4):
        image = START_NS + i * 40 * MS
        for k, hop in enumerate(HOPS[: -1 if i == 3 else None]):  # the last image never reaches the bus
            measurements.add_timing(hop, image, image + (k + 1) * (i + 1) * MS)
    hops = hops_ms({hop: measurements.events(hop) for hop in HOPS})
    assert {hop: sorted(values) for hop, values in hops.items()} == {hop: [1.0, 2.0, 3.0] for hop in HOPS}
    assert measure(measurements, None)["hops_ms"]["camera"]["p50"] == 2.0


def test_each_minute_has_its_own_figures():
    measurements = run_of(3200, extra_ms=0.01)
    minutes = measure(measurements, None)["minutes"]
    assert [minute["frames"] for minute in minutes] == [1500, 1500, 200]  # of 60 s at 25 Hz
    assert [minute["latency_ms"]["p50"] for minute in minutes] == pytest.approx([21.5, 36.5, 45.0], abs=0.01)


def test_stamps_outside_the_run_change_neither_rate_nor_latency():
    measurements = run_of(100)
    plain = measure(measurements, None)
    for stamp_ns in (0, START_NS + 3_600_000 * MS):
        for stage in STAGES:
            measurements.add_timing(stage, stamp_ns, START_NS + 500 * MS)
    span_ns = (START_NS, START_NS + 5000 * MS)
    summary = measure(measurements, None, span_ns)
    assert summary["frames"] == 102
    assert summary["rate_hz"]["camera"] == plain["rate_hz"]["camera"] == 25.0
    assert summary["latency_ms"] == plain["latency_ms"]


def test_an_empty_run_is_valid_json():
    summary = measure(Measurements(), None)
    assert json.loads(json.dumps(summary, allow_nan=False))["latency_ms"] == {"p50": None, "p95": None, "p99": None}
    assert summary["frames"] == 0
    assert summary["limit_violations"] is None


def test_a_stage_without_its_predecessor_has_no_time():
    events = {stage: {} for stage in STAGES} | {"camera": {0: 2 * MS}, "servos": {0: 9 * MS}}
    medians = stage_medians_ms(events)
    assert medians["camera"] == 2.0
    assert all(math.isnan(medians[stage]) for stage in ("blendshapes", "policy", "servos"))


@pytest.mark.parametrize("q", [0, 5, 50, 95, 99, 100])
def test_percentile_is_that_of_the_textbook(q):
    values = np.random.default_rng(5).exponential(size=37).tolist()
    assert percentile(values, q) == pytest.approx(textbook_percentile(values, q))


def test_rate_needs_two_events():
    assert math.isnan(rate_hz([])) and math.isnan(rate_hz([5])) and math.isnan(rate_hz([5, 5]))
    assert rate_hz([0, 100 * MS, 200 * MS]) == pytest.approx(10.0)


def test_the_snapshot_looks_at_the_last_seconds_only():
    measurements = run_of(500)  # 20 s
    slow = START_NS + 500 * 40 * MS
    for i in range(200):  # 8 s more, at half the rate and twice the latency
        image = slow + i * 80 * MS
        for stage, done_ms in DONE_MS.items():
            measurements.add_timing(stage, image, image + int(2 * done_ms * MS))
        measurements.add_reading(image, False)
    measurements.add_health("servos: bus", 1, "warm")
    snapshot = measurements.snapshot()
    assert (snapshot.frames, snapshot.frames_with_face, snapshot.face) == (700, 500, False)
    assert snapshot.latency_ms == (28.0, 28.0)
    assert snapshot.rate_hz["camera"] == pytest.approx(12.5)
    assert snapshot.health == {"servos: bus": (1, "warm")}
