"""Takes for the fuzz: points of motions with velocities, of which most are not what such a motion can be.

A take begins when no other source commands any more, and ends, wherever its joints are, without a last point at rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.robot.model import Robot

_VELOCITIES = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0)
KINDS = ("smooth", "late", "flipped", "zigzag", "outward", "odd", "pulling", "noise")


@dataclass(frozen=True)
class TakePoint:
    """A command with velocities, rad and rad/s, to be sent ``after_s`` seconds after the one before."""

    after_s: float
    names: list[str]
    positions: list[float]
    velocities: list[float]


class TakeMaker:
    """Makes random takes, each of one kind of ``KINDS``."""

    def __init__(self, robot: Robot, rng: np.random.Generator) -> None:
        self._robot, self._rng = robot, rng
        self._pairs = np.array(robot.antagonist_pairs, int).reshape(-1, 2)

    def make(self, begin: FloatArray) -> Iterator[TakePoint]:
        """Yield the points of a take from ``begin`` on, rad (n,); 10 ms apart, "late" ones in bursts."""
        rng, robot, kind = self._rng, self._robot, KINDS[self._rng.integers(len(KINDS))]
        way = self._goal() - begin
        if rng.random() < 0.8:  # antagonists that change places have to wait for each other
            way[self._pairs] = 0.0
        # A smoothstep: its highest speed is 1.5 ways per duration, its highest acceleration 6 per duration squared.
        speed_s, acceleration_s = (
            1.5 * np.abs(way) / robot.max_speed_rad_s,
            np.sqrt(6 * np.abs(way) / robot.max_acceleration_rad_s2),
        )
        duration_s = float(np.maximum(speed_s, acceleration_s).max() * rng.uniform(0.9, 2.0)) + 0.02
        last_s, sent_s = float(rng.uniform(0.01, duration_s)), 0.0
        stalls = rng.random(int(last_s / 0.01) + 1) < 0.05
        until_s, sound_s = 0.0, float(rng.uniform(-0.5, 1.0)) * last_s  # it is sound so far
        for k in range(1, int(last_s / 0.01) + 1):
            u = k * 0.01 / duration_s
            position = begin + way * (3 * u**2 - 2 * u**3)
            velocity = way * 6 * u * (1 - u) / duration_s
            at_s = k * 0.01 + float(rng.uniform(0, 0.003))
            if kind == "late" and stalls[k]:
                until_s = at_s + float(rng.uniform(0.02, 0.1))
            at_s = max(at_s, until_s)
            if k * 0.01 >= sound_s:
                position, velocity = self._spoiled(kind, position, velocity)
            yield TakePoint(
                max(at_s - sent_s, 0.0), list(robot.names), position.tolist(), np.asarray(velocity).tolist()
            )
            sent_s = max(at_s, sent_s)

    def _goal(self) -> FloatArray:
        """A pose; of two antagonists one pulls at most."""
        robot = self._robot
        goal = robot.positions(self._rng.random(len(robot.names)))
        return robot.limit(robot.names, goal.tolist(), goal).positions

    def _spoiled(self, kind: str, position: FloatArray, velocity: FloatArray) -> tuple[FloatArray, FloatArray]:
        rng, robot, count = self._rng, self._robot, len(position)
        if kind == "flipped":
            return position, velocity * rng.choice([-1.0, 1.0], count)
        if kind == "zigzag":  # there and back, with the velocity of there
            there: FloatArray = float(rng.uniform(0, 1)) * robot.max_speed_rad_s
            return position + rng.uniform(-0.02, 0.02, count), there
        if kind == "outward":
            outer = np.where(rng.random(count) < 0.5, robot.lower, robot.upper)
            near = rng.random(count) < 0.3
            return np.where(near, outer, position), np.where(near, np.sign(outer) * robot.max_speed_rad_s, velocity)
        if kind == "odd":
            return position, np.where(rng.random(count) < 0.1, rng.choice(_VELOCITIES, count), velocity)
        if kind == "pulling" and len(self._pairs):
            pair, pulled = self._pairs[rng.integers(len(self._pairs))], velocity.copy()
            pulled[pair] = np.sign(robot.upper + robot.lower)[pair] * rng.uniform(0, 4, 2)
            return np.where(np.isin(np.arange(count), pair), position * rng.uniform(0, 1, count), position), pulled
        if kind == "noise":
            return position, velocity + rng.normal(0, 0.5, count)
        return position, velocity
