"""Which expression every sample shows: a function of the seed and the sample's number alone."""

from itertools import islice

import numpy as np

from rena_ros.robot.model import Robot
from rena_ros.strategy.expert import Expression, Strategy, expressions


def planned(robot: Robot, strategy: Strategy, seed: int, samples: int) -> list[Expression]:
    """The first ``samples`` expressions of the walk that ``seed`` begins; a longer plan begins like a shorter one."""
    return list(islice(expressions(robot, strategy, np.random.default_rng(seed)), samples))


def replacement(robot: Robot, strategy: Strategy, seed: int, sample: int, attempt: int) -> Expression:
    """The expression shown in place of one in which no face was found; ``attempt`` counts from 1."""
    walk = expressions(robot, strategy, np.random.default_rng([seed, sample, attempt]))
    return next(islice(walk, 4, None))  # some way from neutral, where every walk begins
