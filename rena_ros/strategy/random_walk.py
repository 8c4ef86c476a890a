"""Random babbling, as of the robot Eva, to compare the expert strategy with: every servo is drawn on its own.

Goals are uniform over a servo's limits, independent of the last expression and of all other servos, but for
antagonists: in an order that is drawn anew, a servo rests at neutral if an antagonist of it pulls already.
"""

from collections.abc import Iterator

import numpy as np

from rena_ros.robot.model import Robot
from rena_ros.strategy.expert import Expression

GROUP = "random"


def random_expressions(robot: Robot, rng: np.random.Generator) -> Iterator[Expression]:
    """Yield expressions without end. The same robot and generator state give the same."""
    neutral = robot.neutral_goals
    rivals: dict[int, list[int]] = {}
    for a, b in robot.antagonist_pairs:
        rivals.setdefault(a, []).append(b)
        rivals.setdefault(b, []).append(a)
    contested = np.array(sorted(rivals), int)
    while True:
        goals = rng.random(len(robot.names)).astype(np.float32)
        pulling: set[int] = set()
        for servo in rng.permutation(contested):
            if pulling.isdisjoint(rivals[servo]):
                pulling.add(servo)
            else:
                goals[servo] = neutral[servo]
        yield Expression(goals, GROUP)
