"""The expression of each sample: a function of the seed and the sample's number alone."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from rena_ros.robot.model import Robot
from rena_ros.strategy.expert import Expression, expressions
from rena_ros.strategy.file import RandomStrategy, Strategy
from rena_ros.strategy.random_walk import random_expressions


def walk(robot: Robot, strategy: Strategy | RandomStrategy, rng: np.random.Generator) -> Iterator[Expression]:
    """Yield the expressions of a strategy without end."""
    if isinstance(strategy, RandomStrategy):
        return random_expressions(robot, rng)
    return expressions(robot, strategy, rng)


def planned(robot: Robot, strategy: Strategy | RandomStrategy, seed: int, samples: int) -> list[Expression]:
    """Return the first ``samples`` expressions of the walk of ``seed``; a longer plan starts with the shorter one."""
    return list(islice(walk(robot, strategy, np.random.default_rng(seed)), samples))


def replacement(robot: Robot, strategy: Strategy | RandomStrategy, seed: int, sample: int, attempt: int) -> Expression:
    """Return the expression that replaces one in which no face was found; ``attempt`` counts from 1."""
    drawn = walk(robot, strategy, np.random.default_rng([seed, sample, attempt]))
    return next(islice(drawn, 4, None))  # some steps away from neutral, where every walk starts
