"""The expression of each sample: a function of the seed and the sample's number alone."""

from itertools import islice

import numpy as np

from rena_ros.robot.model import Robot
from rena_ros.strategy.expert import Expression, expressions
from rena_ros.strategy.file import Strategy


def planned(robot: Robot, strategy: Strategy, seed: int, samples: int) -> list[Expression]:
    """Return the first ``samples`` expressions of the walk of ``seed``; a longer plan starts with the shorter one."""
    return list(islice(expressions(robot, strategy, np.random.default_rng(seed)), samples))


def replacement(robot: Robot, strategy: Strategy, seed: int, sample: int, attempt: int) -> Expression:
    """Return the expression that replaces one in which no face was found; ``attempt`` counts from 1."""
    walk = expressions(robot, strategy, np.random.default_rng([seed, sample, attempt]))
    return next(islice(walk, 4, None))  # some steps away from neutral, where every walk starts
