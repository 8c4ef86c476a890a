"""Smooth streams for the fuzz: a camera's commands that the motion trusts and leads on, close to every limit.

Random single commands are never led on, because nothing about them comes true (see ``control.stream``).
"""

from collections.abc import Iterator

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.robot.model import Robot

_RATES_HZ = (15.0, 30.0, 30.0, 60.0, 100.0)


class StreamMaker:
    """Makes random streams: sines of every joint, of which some swing far beyond the limits."""

    def __init__(self, robot: Robot, rng: np.random.Generator) -> None:
        self._robot, self._rng = robot, rng

    def make(self) -> Iterator[tuple[float, FloatArray, float]]:
        """Yield the commands of a stream: the s to wait before each, positions of all joints, rad (n,), a stamp in s.

        Frames are late by up to 5 ms, one in thirty is missing, and some streams end with a jump. Stamps are the
        frames' own, or none (0), or say anything.
        """
        rng, robot, count = self._rng, self._robot, len(self._robot.names)
        half = (robot.upper - robot.lower) / 2
        middle = robot.lower + half + rng.uniform(-1, 1, count) * half
        size = half * rng.choice([0.2, 0.8, 1.5, 4.0], count)
        frequency_hz, phase = rng.uniform(0.1, rng.choice([0.6, 3.0]), count), rng.uniform(0, 2 * np.pi, count)
        noise_rad = float(rng.choice([0.0, 0.0, 1e-3, 2e-2]))
        frames, period_s = int(rng.integers(5, 90)), 1 / float(rng.choice(_RATES_HZ))
        now_s, stamped = 0.0, int(rng.integers(4))  # two in four: the frames' own
        for k in range(frames):
            if rng.random() < 1 / 30:
                continue
            due_s = k * period_s + float(rng.uniform(0, 0.005))
            t = k * period_s
            position = middle + size * np.sin(2 * np.pi * frequency_hz * t + phase)
            stamp_s = (1 + t, 1 + t, 0.0, float(rng.uniform(0, 3)))[stamped]
            yield max(due_s - now_s, 0.0), position + rng.normal(0, 1, count) * noise_rad, stamp_s
            now_s = max(due_s, now_s)
        if rng.random() < 0.3:
            yield 0.01, middle - size * np.sign(np.sin(phase)), 0.0
