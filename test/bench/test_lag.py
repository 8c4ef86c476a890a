"""The measures of `rena bench lag` against signals in closed form, and a run through the gate against its limits."""

import argparse
from functools import partial

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.bench import lag
from rena_ros.bench.lag_figures import blink_counts, signal_figures
from rena_ros.bench.lag_measures import (
    LAGS_S,
    Edge,
    TimedBlink,
    beyond,
    blink_figures,
    edge_figures,
    fastest_s,
    ideal_blink,
    jerk_rms,
    lag_s,
    sine_fit,
)
from rena_ros.bench.lag_run import STEP_S, Conditions, Trace, frames, run_signal
from rena_ros.bench.lag_signals import amplitude, blinks, sine, steps, still
from rena_ros.bench.rehearsal import Rehearsal
from rena_ros.control.motion import JERK_TIME_S
from rena_ros.control.stream import LEAD_S
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
TIMES_S = np.arange(0, 4, STEP_S)
W = 2 * np.pi


@pytest.mark.parametrize("late_s", [-0.0123, 0.0, 0.0342, 0.15037])
def test_a_lag_is_found_to_a_hundredth_of_a_step_whatever_the_amplitude(late_s):
    leader, follower = np.sin(W * TIMES_S), 5 + 0.3 * np.sin(W * (TIMES_S - late_s))
    assert lag_s(leader, follower, STEP_S) == pytest.approx(late_s, abs=1e-5)


def test_one_lag_of_many_columns_is_that_of_the_largest_mean_correlation():
    times_s = np.arange(0, 3 + LAGS_S[1] - LAGS_S[0], STEP_S)  # three whole periods are compared
    leader = np.stack([np.sin(W * times_s)] * 2, axis=1)
    follower = np.stack([np.sin(W * (times_s - late_s)) for late_s in (0.02, 0.06)], axis=1)
    assert lag_s(leader, follower, STEP_S) == pytest.approx(0.04, abs=1e-5)  # cos(a) + cos(b) is largest in the middle


def test_a_signal_that_never_moves_has_no_lag():
    assert np.isnan(lag_s(np.sin(W * TIMES_S), np.ones_like(TIMES_S), STEP_S))
    with pytest.raises(ValueError, match="too few"):
        lag_s(TIMES_S[:200], TIMES_S[:200], STEP_S)


def test_amplitude_and_phase_of_a_sine_on_a_slope_free_offset():
    size, phase = sine_fit(2 + 0.7 * np.sin(3 * W * TIMES_S - 0.5), TIMES_S, 3.0)
    assert (size, phase) == pytest.approx((0.7, -0.5))


def test_beyond_is_a_fraction_of_the_travel():
    wave = np.sin(W * TIMES_S)
    assert beyond(wave, 1.1 * wave) == pytest.approx(0.05)
    assert beyond(wave, 0.9 * wave) == 0


def test_an_edge_that_is_answered_by_a_damped_oscillation():
    """Second order, damping 0.5: the overshoot is exp(-pi z / sqrt(1 - z^2))."""
    z, w, start_s = 0.5, 40.0, 1.0
    since_s = np.maximum(TIMES_S - start_s, 0)
    root = np.sqrt(1 - z * z)
    share = 1 - np.exp(-z * w * since_s) * (np.cos(w * root * since_s) + z / root * np.sin(w * root * since_s))
    found = edge_figures(Edge(start_s, 3.0, 0.8, 0.2), 0.8 - 0.6 * share, TIMES_S)
    assert found.overshoot == pytest.approx(np.exp(-np.pi * z / root), abs=1e-4)
    fine_s = np.linspace(0, 0.1, 100_001)
    answer = 1 - np.exp(-z * w * fine_s) * (np.cos(w * root * fine_s) + z / root * np.sin(w * root * fine_s))
    assert found.reached_s == pytest.approx(fine_s[np.argmax(answer >= 0.9)], abs=1e-4)


def test_an_edge_that_is_never_followed():
    found = edge_figures(Edge(1.0, 2.0, 0.0, 1.0), np.zeros_like(TIMES_S), TIMES_S)
    assert np.isnan(found.reached_s) and found.overshoot == 0


def test_the_fastest_motion_is_that_of_the_closed_form():
    """Long ways: d / v + v / a + a / j; half of the way takes half of that. Without a limit of speed: bang-bang."""
    assert fastest_s(10.0, 4.0, 80.0, 4000.0, share=1.0) == pytest.approx(10 / 4 + 4 / 80 + 80 / 4000, abs=2e-4)
    assert fastest_s(10.0, 4.0, 80.0, 4000.0, share=0.5) == pytest.approx((10 / 4 + 4 / 80 + 80 / 4000) / 2, abs=2e-4)
    assert fastest_s(1.0, 1e3, 80.0, 1e7, share=1.0) == pytest.approx(2 * np.sqrt(1 / 80), abs=2e-4)


def test_jerk_of_a_cubic_and_of_a_slow_sine():
    assert jerk_rms(5 * TIMES_S**3, STEP_S) == pytest.approx(30, rel=1e-6)
    assert jerk_rms(np.sin(W * TIMES_S), STEP_S) == pytest.approx(W**3 / np.sqrt(2), rel=0.02)


def lid(depth, late_s=0.0, opens=True):
    """A lid that is triangular in time: closes from 1.0 to 1.2 s, then opens as fast."""
    shape = np.interp(TIMES_S - late_s, [1.0, 1.2, 1.4], [0, 1, 0 if opens else 1])
    return 0.3 + 0.7 * depth * shape


@pytest.mark.parametrize(
    ("horn", "shown"),
    [(lid(1), True), (lid(0.81), True), (lid(0.79), False), (lid(1, opens=False), False), (lid(0), False)],
)
def test_a_blink_is_shown_that_is_deep_and_opens_again(horn, shown):
    if not horn.std():
        horn[0] = 0.3001  # never closes; outside the blink
    assert blink_figures(TimedBlink(1.0, 1.8, 0.3, 1.0), lid(1), horn, TIMES_S).shown is shown


@pytest.mark.parametrize("late_s", [-0.02, 0.0, 0.07])
def test_the_peak_of_a_blink_is_its_middle_whatever_its_depth(late_s):
    found = blink_figures(TimedBlink(0.9, 1.8, 0.3, 1.0), lid(1), lid(0.85, late_s), TIMES_S)
    assert found.peak_s == pytest.approx(late_s, abs=1.1 * STEP_S)


def test_the_least_late_blink_is_that_of_the_closed_form():
    """Person: shut from 1.0 to 1.2 s, open by 1.4 s, peak 1.2. Frames at 1.0, 1.1, ...: 1.1 shuts it, 1.3 opens it."""
    blink, stamps_s, person = TimedBlink(1.0, 1.8, 0.3, 1.0), np.arange(0, 4, 0.1), lid(1)
    fast = ideal_blink(blink, person, TIMES_S, stamps_s, (0.02, 0.10, 0.12))
    assert fast == pytest.approx((1.1 + 0.10 + 1.3 + 0.02) / 2 - 1.2, abs=STEP_S)
    slow = ideal_blink(blink, person, TIMES_S, stamps_s, (0.05, 0.30, 0.35))  # is shut at 1.45: opens only then
    assert slow == pytest.approx((1.1 + 0.30 + 1.45 + 0.05) / 2 - 1.2, abs=STEP_S)
    assert np.isnan(ideal_blink(blink, person, TIMES_S, np.array([0.0, 3.0]), (0.02, 0.10, 0.12)))


def test_sines_keep_the_limits_of_the_servo():
    for frequency_hz in (1.0, 3.0):
        for joint in ("jaw", "lid_left"):
            i, w = ROBOT.index[joint], 2 * np.pi * frequency_hz
            rad = amplitude(ROBOT, joint, frequency_hz) * (ROBOT.upper[i] - ROBOT.lower[i])
            assert rad * w < ROBOT.max_speed_rad_s[i] and rad * w * w < ROBOT.max_acceleration_rad_s2[i]


def test_frames_show_the_face_of_their_stamps_and_arrive_in_order():
    signal = sine(ROBOT, 1.0, 2.0)
    stamps_s, arrivals_s, goals = frames(signal, Conditions(latency_s=0.02, jitter_s=0.03, seed=1))
    late_s = arrivals_s - stamps_s
    assert (np.diff(arrivals_s) >= 0).all() and late_s.min() >= 0 and 0.01 < np.mean(late_s) < 0.04
    during = (stamps_s >= 0) & (stamps_s <= 2)
    i = ROBOT.index["jaw"]
    wanted = 0.5 + amplitude(ROBOT, "jaw", 1.0) * np.sin(W * stamps_s[during])
    assert goals[during, i] == pytest.approx(wanted)


def test_a_prediction_changes_the_commands_and_nothing_else():
    signal = sine(ROBOT, 1.0, 2.0)
    shifted = frames(signal, Conditions(), lambda stamp_s, goals: goals + 2.0)
    assert (shifted[2] == 1).all()
    assert all(
        (mine == theirs).all() for mine, theirs in zip(shifted[:2], frames(signal, Conditions())[:2], strict=True)
    )


def test_blinks_have_a_persons_times():
    signal = blinks(ROBOT, 9, np.random.default_rng(4))
    times_s = np.arange(0, signal.length_s, STEP_S)
    lids = signal.goals(times_s)
    assert [len(made) for made in signal.blinks.values()] == [5, 4]
    for joint, made in signal.blinks.items():
        track = lids[:, ROBOT.index[joint]]
        for blink in made:
            closed_s = STEP_S * (track[(times_s >= blink.start_s) & (times_s < blink.end_s)] >= 0.9999).sum()
            assert 0.095 <= closed_s <= 0.225  # 100 to 200 ms, and the ends of both movements
            assert track[round(blink.end_s / STEP_S)] == pytest.approx(0.3)


@pytest.fixture
def alone(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")


def shift(trace: Trace, samples: int) -> np.ndarray:
    return np.concatenate((np.repeat(trace.wanted[:1], samples, axis=0), trace.wanted))[: len(trace.wanted)]


def test_a_step_through_the_gate_is_never_before_its_command_nor_faster_than_the_servo(alone):
    conditions = Conditions(latency_s=0.025, jitter_s=0.0)
    signal = steps(ROBOT, 1.0)
    trace = run_signal(signal, conditions)
    for joint in ("jaw", "lid_left", "corner_left_up"):
        i = ROBOT.index[joint]
        limits = ROBOT.max_speed_rad_s[i], ROBOT.max_acceleration_rad_s2[i]
        for edge in signal.edges[joint]:
            way_rad = abs(edge.after - edge.before) * (ROBOT.upper[i] - ROBOT.lower[i])
            least_s = conditions.latency_s + fastest_s(way_rad, *limits, limits[1] / JERK_TIME_S)
            found = edge_figures(edge, trace.horns[:, i], trace.times_s)
            assert least_s - 0.001 < found.reached_s < least_s + 0.05
            before = trace.times_s < edge.start_s + conditions.latency_s
            still = before & (trace.times_s > edge.start_s - 0.2)
            assert np.ptp(trace.horns[still, i]) < 1e-3 and np.ptp(trace.goals[still, i]) < 1e-3


def test_a_sine_lags_by_at_least_the_latency_less_the_lead_and_the_horns_follow_the_goals(alone):
    signal, conditions = sine(ROBOT, 1.0, 3.0), Conditions(latency_s=0.05)
    trace = run_signal(signal, conditions)
    for row in signal_figures(ROBOT, signal, trace, conditions):
        # The lead gives back no more than itself, and half a frame and the servo take no more than it and 80 ms.
        assert 50 - 1e3 * LEAD_S < row.goals_ms < row.horns_ms < 50 + 80
        assert 90 < row.amplitude < 110
    again = run_signal(signal, conditions)
    assert (again.horns == trace.horns).all() and (again.goals == trace.goals).all()


def test_another_node_and_a_prediction_can_be_compared(alone):
    signal, conditions = sine(ROBOT, 1.0, 2.0), Conditions(latency_s=0.04, jitter_s=0.0)

    def ahead(stamp_s, goals):
        return signal.goals(np.array([np.clip(stamp_s + 0.03, 0, signal.length_s)]))[0]

    slow = partial(Rehearsal, quiet=True, interpolation_hz=50.0)
    plain, predicted, rare = (
        signal_figures(ROBOT, signal, run_signal(signal, conditions, **options), conditions)[0]
        for options in ({}, {"ahead": ahead}, {"rehearse": slow})
    )
    assert plain.horns_ms - predicted.horns_ms == pytest.approx(30, abs=2)  # a perfect prediction wins its horizon
    assert rare.horns_ms - rare.goals_ms > plain.horns_ms - plain.goals_ms + 2  # goals lie 20 ms ahead, not 10


def test_figures_of_horns_that_are_the_signal_moved_by_40_ms():
    signal, times_s = blinks(ROBOT, 6, np.random.default_rng(1)), None
    times_s = np.arange(0, signal.length_s, STEP_S)
    wanted = signal.goals(times_s)
    late = shift(Trace(times_s, wanted, wanted, wanted, wanted), 40)
    counts = blink_counts(ROBOT, signal, Trace(times_s, wanted, late, late, late), Conditions())
    assert (counts.blinks, counts.shown, counts.near) == (6, 6, 6)
    assert counts.peaks_ms == pytest.approx([40] * 6, abs=1.1)


def test_noise_at_rest_is_one_when_the_horns_take_every_command_as_it_is():
    signal = still(ROBOT, 0.02)
    times_s = np.arange(0, signal.length_s, STEP_S)
    wanted = signal.goals(times_s)
    rng = np.random.default_rng(0)
    noisy = wanted + np.repeat(rng.normal(0, 0.02, (240, wanted.shape[1])), 34, axis=0)[: len(times_s)]
    for row in signal_figures(ROBOT, signal, Trace(times_s, wanted, noisy, noisy, noisy), Conditions()):
        assert row.noise == pytest.approx(1.0, abs=0.15) and row.horns_ms is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fps", "nan"], "--fps must be 1 to 240"),
        (["--noise", "0"], "--noise above 0"),
        (["--latency-ms", "nan"], "must be 0 to 200"),
        (["--live", "nan"], "--live 5 to 3600 s"),
        (["--plot", "lag.txt"], "must end in .png"),
        (["--json", "no-such-folder/lag.json"], "there is no folder"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_measured(words, message):
    parser = argparse.ArgumentParser()
    lag.add_arguments(parser)
    with pytest.raises(RenaError, match=message):
        lag.run(parser.parse_args(words))
