"""What a trace of a signal says: a row of figures for each group of joints, and the blinks."""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.bench.lag_measures import Edge, beyond, blink_figures, edge_figures, fastest_s, jerk_rms, lag_s, sine_fit
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
    """``shown`` of ``blinks``, ``near``: whose peaks are within NEAR_S of the person's; ``peaks_ms`` of those shown."""

    signal: str
    blinks: int
    shown: int
    near: int
    peaks_ms: tuple[float, ...]


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
    limits = robot.max_speed_rad_s[i], robot.max_acceleration_rad_s2[i], robot.max_acceleration_rad_s2[i] / JERK_TIME_S
    reach_s, overshoot, servo_s = [], [], []
    for edge in edges:
        found = edge_figures(edge, trace.horns[:, i], trace.times_s)
        person = edge_figures(edge, trace.wanted[:, i], trace.times_s).reached_s
        seen_s = np.ceil((edge.start_s - 1e-9) * conditions.fps) / conditions.fps - edge.start_s
        reach_s.append(found.reached_s - (seen_s if signal.blinks is None else person))
        overshoot.append(found.overshoot)
        distance_rad = abs(edge.after - edge.before) * float(robot.upper[i] - robot.lower[i])
        servo_s.append(fastest_s(distance_rad, *limits))
    return {
        "overshoot": 100 * max(overshoot),
        "reach_ms": float(np.median(reach_s)) * 1e3,
        "reach_max_ms": max(reach_s) * 1e3,
        "servo_ms": float(np.mean(servo_s)) * 1e3,
    }


def blink_counts(robot: Robot, signal: Signal, trace: Trace) -> BlinkCounts:
    """Count the blinks that the horns show."""
    found = [
        blink_figures(blink, trace.wanted[:, i], trace.horns[:, i], trace.times_s)
        for joint, blinks in (signal.blinks or {}).items()
        for i in (robot.index[joint],)
        for blink in blinks
    ]
    peaks_s = [one.peak_s for one in found if one.shown]
    near = sum(abs(peak_s) <= NEAR_S for peak_s in peaks_s)
    return BlinkCounts(signal.name, len(found), len(peaks_s), near, tuple(round(s * 1e3, 1) for s in peaks_s))


def percentile(values: tuple[float, ...] | FloatArray, share: float) -> float:
    """Return a percentile; NaN of nothing."""
    return float(np.percentile(values, share)) if len(values) else float("nan")
