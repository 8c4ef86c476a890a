"""What a trace of a signal says: a row of figures for each group of joints, and the blinks."""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.bench.lag_measures import (
    REACHED,
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
from rena_ros.bench.lag_run import STEP_S, Conditions, Trace
from rena_ros.bench.lag_signals import GROUPS, Signal
from rena_ros.control.motion import JERK_TIME_S
from rena_ros.robot.model import Robot

NEAR_S = 0.05  # a peak this close to the person's counts as at its time
ALL = "all"  # the group of every joint that moves
MOVED = 0.02  # standard deviation in goals of a joint that moves
_SETTLED_S = 1.0  # of a sine and of a still face: what comes before is the way there


@dataclass(frozen=True)
class SignalFigures:
    """One signal on one group of joints, means over its joints; times in ms, None: not measured on this signal.

    Lags are behind the picture's stamp. ``amplitude`` and ``overshoot`` in %, the latter of the change, the largest.
    ``reach_ms``: until 90 % of a change: steps from the frame that shows it first, the performer's from when the person
    has done 90 %; the median; ``reach_max_ms`` the longest. ``servo_ms``: the least that the servo's limits permit.
    ``jerk_rad_s3``: rms. ``noise``: rms of the horns over the sd of the commands' noise.
    """

    signal: str
    group: str
    goals_ms: float | None = None
    horns_ms: float | None = None
    amplitude: float | None = None
    overshoot: float | None = None
    reach_ms: float | None = None
    reach_max_ms: float | None = None
    servo_ms: float | None = None
    jerk_rad_s3: float | None = None
    noise: float | None = None


@dataclass(frozen=True)
class BlinkCounts:
    """``shown`` of ``blinks``, ``near``: whose peaks are within NEAR_S of the person's; ``peaks_ms`` of those shown.

    ``ideal_ms``: peaks of a lid that starts as early as the frames permit and moves as fast as the servo can, and how
    many of these are near.
    """

    signal: str
    blinks: int
    shown: int
    near: int
    peaks_ms: tuple[float, ...]
    ideal_near: int
    ideal_ms: tuple[float, ...]


def signal_figures(robot: Robot, signal: Signal, trace: Trace, conditions: Conditions) -> list[SignalFigures]:
    """Measure a trace; groups of which no joint moves are left out."""
    rows = []
    if signal.whole:
        rows.append(
            SignalFigures(signal.name, ALL, *(_common_ms(trace, track) for track in (trace.goals, trace.horns)))
        )
    for group in signal.groups:
        joints = [_joint(robot, signal, trace, joint, conditions) for joint in GROUPS[group]]
        names = {name for joint in joints for name in joint}
        figures = {name: _of_joints(name, [joint[name] for joint in joints if name in joint]) for name in names}
        if figures:
            rows.append(SignalFigures(signal.name, group, **figures))
    return rows


def _common_ms(trace: Trace, track: FloatArray) -> float:
    """Return one lag for all joints that move, as the round trip takes it: of the largest mean correlation."""
    moved = trace.wanted.std(axis=0) > MOVED
    return lag_s(trace.wanted[:, moved], track[:, moved], STEP_S) * 1e3


def _of_joints(name: str, values: list[float]) -> float:
    return float(np.max(values) if name in ("overshoot", "reach_max_ms") else np.mean(values))


def _joint(robot: Robot, signal: Signal, trace: Trace, joint: str, conditions: Conditions) -> dict[str, float]:
    i = robot.index[joint]
    wanted, goals, horns = (track[:, i] for track in (trace.wanted, trace.goals, trace.horns))
    travel_rad = float(robot.upper[i] - robot.lower[i])
    jerk = {"jerk_rad_s3": jerk_rms(horns, STEP_S) * travel_rad}
    settled = trace.times_s >= _SETTLED_S
    if signal.noise:
        return {**jerk, "noise": float(np.std(horns[settled])) / signal.noise}
    lags = {"goals_ms": lag_s(wanted, goals, STEP_S) * 1e3, "horns_ms": lag_s(wanted, horns, STEP_S) * 1e3}
    if signal.frequency_hz is not None:
        shown, asked = (sine_fit(t[settled], trace.times_s[settled], signal.frequency_hz)[0] for t in (horns, wanted))
        over = beyond(wanted[settled], horns[settled])
        return {**lags, **jerk, "amplitude": 100 * shown / asked, "overshoot": 100 * over}
    edges = (signal.edges or {}).get(joint, ())
    return {**lags, **jerk, **_edges(robot, signal, trace, joint, edges, conditions)}


def _edges(
    robot: Robot, signal: Signal, trace: Trace, joint: str, edges: tuple[Edge, ...], conditions: Conditions
) -> dict[str, float]:
    if not edges:
        return {}
    i = robot.index[joint]
    reach_s, overshoot, servo_s = [], [], []
    for edge in edges:
        found = edge_figures(edge, trace.horns[:, i], trace.times_s)
        person = edge_figures(edge, trace.wanted[:, i], trace.times_s).reached_s
        seen_s = np.ceil((edge.start_s - 1e-9) * conditions.fps) / conditions.fps - edge.start_s
        reach_s.append(found.reached_s - (seen_s if signal.blinks is None else person))
        overshoot.append(found.overshoot)
        servo_s.append(_fastest_s(robot, i, edge.after - edge.before, REACHED))
    return {
        "overshoot": 100 * max(overshoot),
        "reach_ms": float(np.median(reach_s)) * 1e3,
        "reach_max_ms": max(reach_s) * 1e3,
        "servo_ms": float(np.mean(servo_s)) * 1e3,
    }


def _fastest_s(robot: Robot, i: int, way: float, share: float) -> float:
    """Return the servo's least time for a share of a way in goals, from rest to rest."""
    most = float(robot.max_acceleration_rad_s2[i])
    way_rad = abs(way) * float(robot.upper[i] - robot.lower[i])
    return fastest_s(way_rad, float(robot.max_speed_rad_s[i]), most, most / JERK_TIME_S, share)


def blink_counts(robot: Robot, signal: Signal, trace: Trace, conditions: Conditions) -> BlinkCounts:
    """Count the blinks that the horns show, beside what is possible under these conditions."""
    found, ideal_s = [], []
    stamps_s = np.arange(int(signal.length_s * conditions.fps) + 1) / conditions.fps
    for joint, blinks in (signal.blinks or {}).items():
        i = robot.index[joint]
        for blink in blinks:
            found.append(blink_figures(blink, trace.wanted[:, i], trace.horns[:, i], trace.times_s))
            least_s = ideal_blink(blink, trace.wanted[:, i], trace.times_s, stamps_s, _ways_s(robot, i, blink))
            ideal_s.append(least_s + conditions.latency_s)
    peaks_s = [one.peak_s for one in found if one.shown]
    known_s = [peak_s for peak_s in ideal_s if not np.isnan(peak_s)]
    return BlinkCounts(
        signal.name, len(found), len(peaks_s), _near(peaks_s), _ms(peaks_s), _near(known_s), _ms(known_s)
    )


def _near(peaks_s: list[float]) -> int:
    return sum(abs(peak_s) <= NEAR_S for peak_s in peaks_s)


def _ms(times_s: list[float]) -> tuple[float, ...]:
    return tuple(round(time_s * 1e3, 1) for time_s in times_s)


def _ways_s(robot: Robot, i: int, blink: TimedBlink) -> tuple[float, float, float]:
    tenth, most, whole = (_fastest_s(robot, i, blink.shut - blink.rest, share) for share in (0.1, REACHED, 1.0))
    return tenth, most, whole


def percentile(values: tuple[float, ...] | FloatArray, share: float) -> float:
    """Return a percentile; NaN of nothing."""
    return float(np.percentile(values, share)) if len(values) else float("nan")
