"""Known signals for the servos: what the person's face does, as goals over time, with what is to be measured on each.

A signal gives the true goals at any time; the commands are samples of it. Joints that are not part of it are at rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.bench.lag_measures import Edge, TimedBlink
from rena_ros.robot.model import Robot
from rena_ros.twin.performer import BLINK_S, BLINKS_S, DURATION_S, SCRIPT, performance

GROUPS = {
    "jaw": ("jaw",),
    "smile": ("corner_left_up", "corner_right_up", "corner_left_back", "corner_right_back"),
    "lids": ("lid_left", "lid_right"),
}
SINE_TRAVEL = 0.4  # amplitude of the 1 Hz sine as a share of the servo's travel
SINE_SPEED = 0.8  # the largest speed of a sine, as a share of the servo's limit
HOLD_S = 1.0  # between two edges
STEP_ROUNDS = 3
CLOSING_S, OPENING_S, CLOSED_S = 0.075, 0.150, (0.1, 0.2)  # a person's blink
BLINK_GAP_S = (0.35, 0.6)
REST_LID = 0.3


@dataclass(frozen=True)
class Signal:
    """``goals(times_s (k,))`` -> float64 (k, n) in [0, 1], from 0 to ``length_s``; at rest before and after.

    ``edges`` and ``blinks`` by joint; ``frequency_hz`` of a sine; ``noise`` sd of what is added to every command.
    ``whole``: every joint plays.
    """

    name: str
    length_s: float
    goals: Callable[[FloatArray], FloatArray]
    groups: tuple[str, ...] = tuple(GROUPS)
    frequency_hz: float | None = None
    edges: dict[str, tuple[Edge, ...]] | None = None
    blinks: dict[str, tuple[TimedBlink, ...]] | None = None
    noise: float = 0.0
    whole: bool = False


def amplitude(robot: Robot, joint: str, frequency_hz: float) -> float:
    """Return the amplitude in goals of the sine that a servo is asked for: what its speed and acceleration permit.

    SINE_TRAVEL of the travel, less where the sine's largest speed or acceleration exceeds SINE_SPEED of the limit.
    """
    i, w = robot.index[joint], 2 * np.pi * frequency_hz
    travel_rad = float(robot.upper[i] - robot.lower[i])
    rad = SINE_SPEED * min(robot.max_speed_rad_s[i] / w, robot.max_acceleration_rad_s2[i] / w**2)
    return min(SINE_TRAVEL, rad / travel_rad)


def sine(robot: Robot, frequency_hz: float, length_s: float) -> Signal:
    """Return a sine on jaw and lids about the middle of their travel."""
    joints = (*GROUPS["jaw"], *GROUPS["lids"])

    def goals(times_s: FloatArray) -> FloatArray:
        rows = np.tile(robot.neutral_goals.astype(float), (len(times_s), 1))
        for joint in joints:
            wave = np.sin(2 * np.pi * frequency_hz * times_s)
            rows[:, robot.index[joint]] = 0.5 + amplitude(robot, joint, frequency_hz) * wave
        return rows

    return Signal(f"sine {frequency_hz:g} Hz", length_s, goals, ("jaw", "lids"), frequency_hz)


def steps(robot: Robot, share: float) -> Signal:
    """Return steps from rest to ``share`` of the way to goal 1, and back, on jaw, smile and lids at once."""
    rest = robot.neutral_goals.astype(float)
    times_s = HOLD_S * np.arange(1, 2 * STEP_ROUNDS + 1)
    moved = [robot.index[joint] for group in GROUPS.values() for joint in group]

    def goals(at_s: FloatArray) -> FloatArray:
        rows = np.tile(rest, (len(at_s), 1))
        out = np.searchsorted(times_s, at_s + 1e-9) % 2 == 1
        rows[np.ix_(out, moved)] += share * (1 - rest[moved])
        return rows

    edges = {}
    for i in moved:
        far = float(rest[i] + share * (1 - rest[i]))
        ends = [(float(rest[i]), far), (far, float(rest[i]))] * STEP_ROUNDS
        edges[robot.names[i]] = tuple(
            Edge(float(t), float(t) + HOLD_S, *end) for t, end in zip(times_s, ends, strict=True)
        )
    return Signal("step full" if share == 1 else f"step {share:g}", float(times_s[-1]) + HOLD_S, goals, edges=edges)


def performer(robot: Robot) -> Signal:
    """Return the performer's half minute: its own goals, with smiles, a grin, a surprise and eleven blinks."""

    def goals(times_s: FloatArray) -> FloatArray:
        return np.array([performance(min(max(t, 0.0), DURATION_S - 1e-6), robot) for t in times_s], float)

    edges: dict[str, list[Edge]] = {joint: [] for group in GROUPS.values() for joint in group}
    for chapter, following in pairwise(SCRIPT):
        if chapter.name not in ("abrupt grin", "surprise"):
            continue
        span = np.array([chapter.start_s, min(chapter.start_s + 1.0, following.start_s)])
        before, after = goals(span)
        for joint in edges:
            if abs(after[robot.index[joint]] - before[robot.index[joint]]) > 0.2:
                ends = float(before[robot.index[joint]]), float(after[robot.index[joint]])
                edges[joint].append(Edge(float(span[0]), float(span[1]), *ends))
    blink_s, blinks = sum(BLINK_S), []
    for start_s in BLINKS_S:
        rest = float(goals(np.array([start_s]))[0, robot.index["lid_left"]])
        if rest < 0.9 and start_s + 2 * blink_s < DURATION_S:
            blinks.append(TimedBlink(start_s, start_s + 2 * blink_s, rest, 1.0))
    by_joint = {joint: tuple(found) for joint, found in edges.items() if found}
    return Signal("performer", DURATION_S - 0.01, goals, edges=by_joint, blinks={"lid_left": tuple(blinks)}, whole=True)


def blinks(robot: Robot, count: int, rng: np.random.Generator) -> Signal:
    """Return ``count`` blinks as people blink, half of them on each lid, at random phases against the frames.

    The lid closes within CLOSING_S, is closed for CLOSED_S (random), opens within OPENING_S, with the least jerk.
    """
    by_joint: dict[str, tuple[TimedBlink, ...]] = {}
    closed_s: dict[str, list[float]] = {}
    last_s = 0.0
    for joint, share in zip(GROUPS["lids"], (count - count // 2, count // 2), strict=True):
        at_s, made, closed_s[joint] = 0.2, [], []
        for _ in range(share):
            at_s += float(rng.uniform(*BLINK_GAP_S))
            closed_s[joint].append(float(rng.uniform(*CLOSED_S)))
            over_s = at_s + CLOSING_S + closed_s[joint][-1] + OPENING_S
            made.append(TimedBlink(at_s, over_s + BLINK_GAP_S[0] - 0.02, REST_LID, 1.0))
            at_s = over_s
        by_joint[joint] = tuple(made)
        last_s = max(last_s, at_s)

    def goals(times_s: FloatArray) -> FloatArray:
        rows = np.tile(robot.neutral_goals.astype(float), (len(times_s), 1))
        for joint, made in by_joint.items():
            lid = np.full(len(times_s), REST_LID)
            for blink, closed in zip(made, closed_s[joint], strict=True):
                since_s = times_s - blink.start_s
                left_s = CLOSING_S + closed + OPENING_S - since_s
                shut = np.minimum(
                    _least_jerk(since_s / CLOSING_S),
                    _least_jerk(left_s / OPENING_S),
                )
                lid += shut * (1 - REST_LID)
            rows[:, robot.index[joint]] = lid
        return rows

    return Signal("blinks", last_s + 0.6, goals, ("lids",), blinks=by_joint)


def still(robot: Robot, sd: float) -> Signal:
    """Return a constant face, seen with noise: ``sd`` in goals on every command, frames independent of each other."""
    face = robot.neutral_goals.astype(float)
    for group in GROUPS.values():
        face[[robot.index[joint] for joint in group]] = 0.5

    def goals(times_s: FloatArray) -> FloatArray:
        return np.tile(face, (len(times_s), 1))

    return Signal("still", 8.0, goals, noise=sd)


def _least_jerk(x: FloatArray) -> FloatArray:
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x * x)
