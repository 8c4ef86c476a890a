"""The rules of Algorithm 1, checked against the paper's text over 100,000 expressions of each strategy that ships.

The constants below are the paper's lines 8 to 19 in the names of the robot file; nothing here reads a strategy file
but to draw from it.
"""

import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from rena_ros.base.resources import share_path
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import SHIPPED, RandomStrategy, load_strategy, parse_strategy, strategy_path
from rena_ros.strategy.plan import planned, replacement, walk

ROBOT = load_robot()
COUNT = 100_000
SIDES = ("left", "right")
GAZE_ACROSS = ("eye_left_yaw", "eye_right_yaw")
GAZE_ALONG = ("eye_left_pitch", "eye_right_pitch")
LIDS = ("lid_left", "lid_right")
FROWN, RAISED = [[f"brow_{side}_{move}" for side in SIDES] for move in ("frown", "raise")]
HEAD = ("neck_yaw", "neck_pitch", "neck_roll")
SMILE, SADNESS, CORNERS_UP = [[f"corner_{side}_{move}" for side in SIDES] for move in ("back", "down", "up")]
LIPS = [f"lip_{place}_{side}" for place in ("upper", "lower") for side in SIDES]
MOUTH = (*SMILE, *SADNESS, *CORNERS_UP, *LIPS, "jaw", "pucker")
GROUPS = (GAZE_ACROSS, GAZE_ALONG, LIDS, (*FROWN, *RAISED), HEAD, MOUTH)


def drawn(strategy) -> np.ndarray:
    """Goals (COUNT, 25) of one walk."""
    return np.stack([one.goals for one in islice(walk(ROBOT, strategy, np.random.default_rng(20)), COUNT)])


def every_iteration(**changes: str):
    """The strategy that is used by default, recorded after every iteration; ``changes``: pattern -> replacement."""
    text = re.sub("changes_per_expression: 8", "changes_per_expression: 1", strategy_path().read_text())
    for old, new in changes.items():
        text = re.sub(rf"{old}: [0-9.]+", f"{old}: {new}", text)
    return parse_strategy(text, Path("strategy.yaml"), ROBOT)


class Face:
    """Goals by servo names, and which servos are away from neutral."""

    def __init__(self, goals: np.ndarray) -> None:
        self.goals, self.away = goals, goals != ROBOT.neutral_goals

    def of(self, *names: str) -> np.ndarray:
        return self.goals[:, [ROBOT.index[name] for name in names]]

    def any_away(self, names) -> np.ndarray:
        return self.away[:, [ROBOT.index[name] for name in names]].any(axis=1)

    def synchronised(self, names) -> bool:
        return bool((np.ptp(self.of(*names), axis=1) == 0).all())


def assert_inside(goals: np.ndarray) -> None:
    """No limit and no pair of antagonists is broken; the limiter agrees."""
    assert goals.shape == (COUNT, 25) and goals.dtype == np.float32
    positions = ROBOT.positions(goals)
    assert ((positions >= ROBOT.lower - 1e-9) & (positions <= ROBOT.upper + 1e-9)).all()
    away = np.abs(positions) > 1e-6
    assert not any((away[:, a] & away[:, b]).any() for a, b in ROBOT.antagonist_pairs)
    for row in positions[:: COUNT // 200]:
        limited = ROBOT.limit(list(ROBOT.names), row.tolist(), np.zeros(25))
        assert limited.refusal is None and limited.clamped == ()


def assert_rules(goals: np.ndarray, one_sided: bool = False) -> None:
    """Constraints 1, 2, 3 and 4 (unless lids may wink), 5, 7a and 7b."""
    face = Face(goals)
    assert face.synchronised(GAZE_ACROSS)  # 1
    assert face.synchronised(GAZE_ALONG)  # 2
    opened = face.of(*LIDS).min(axis=1) < ROBOT.neutral_goals[ROBOT.index["lid_left"]]
    assert (np.ptp(face.of(*LIDS), axis=1)[opened] == 0).all()  # 4
    assert one_sided or face.synchronised(LIDS)  # 3
    assert not (face.any_away(FROWN) & face.any_away(RAISED)).any()  # 5
    assert np.sum([face.any_away(act) for act in (SMILE, SADNESS, CORNERS_UP)], axis=0).max() == 1  # 7a
    assert face.synchronised(SMILE) and face.synchronised(SADNESS)  # 7b


def test_the_papers_strategy_follows_algorithm_1_to_the_letter():
    goals = drawn(load_strategy("paper", ROBOT))
    assert_inside(goals)
    assert_rules(goals)
    face = Face(goals)
    up = face.of(*CORNERS_UP)[face.any_away(CORNERS_UP)]
    head = face.of(*HEAD)
    for independent in (up, head):  # 7c and 6
        distinct = np.unique(independent, axis=0)
        assert len(distinct) > 4000
        assert np.abs(np.corrcoef(distinct.T) - np.eye(distinct.shape[1])).max() < 0.05
        assert distinct.min() < 0.01 and distinct.max() > 0.99
    changed = goals[1:] != goals[:-1]
    owners = np.array([[name in group for name in ROBOT.names] for group in GROUPS])
    moved = changed @ owners.T  # lines 4 to 6: one group in each iteration, and an image after it
    assert moved.any(axis=1).mean() > 0.999 and moved.sum(axis=1).max() == 1
    shares = moved.mean(axis=0)  # the lids are two of the seven groups
    np.testing.assert_allclose(shares, np.where(np.arange(6) == 2, 2, 1) / 7, atol=0.01)


def test_the_default_strategy_keeps_the_rules():
    goals = drawn(every_iteration())
    assert_inside(goals)
    assert_rules(goals, one_sided=True)
    assert_rules(drawn(every_iteration(one_sided="0")))


def test_random_babbling_stays_inside_and_covers_every_servo():
    strategy = load_strategy("random", ROBOT)
    assert isinstance(strategy, RandomStrategy)
    goals = drawn(strategy)
    assert_inside(goals)
    contested = {servo for pair in ROBOT.antagonist_pairs for servo in pair}
    for servo, name in enumerate(ROBOT.names):
        column = goals[:, servo][goals[:, servo] != ROBOT.neutral_goals[servo]]
        share = len(column) / COUNT
        # Of two antagonists each pulls in half of the expressions; corner down has two, so it pulls in a third, and
        # they in two thirds.
        wanted = 1 if servo not in contested else 1 / 2 if "brow" in name else 1 / 3 if "down" in name else 2 / 3
        assert share == pytest.approx(wanted, abs=0.01), name
        counts, _ = np.histogram(column, bins=10, range=(0, 1))
        assert np.abs(counts / len(column) - 0.1).max() < 0.01, name
    free = [servo for servo in range(25) if servo not in contested]
    assert np.abs(np.corrcoef(goals[:, free].T) - np.eye(len(free))).max() < 0.02


def test_a_plan_of_any_strategy_depends_on_its_seed_alone():
    for name in SHIPPED:
        strategy = load_strategy(name, ROBOT)
        first, longer = planned(ROBOT, strategy, 3, 5), planned(ROBOT, strategy, 3, 8)
        assert [one.goals.tobytes() for one in first] == [one.goals.tobytes() for one in longer[:5]]
        again = [replacement(ROBOT, strategy, 3, 4, attempt) for attempt in (1, 1, 2)]
        assert again[0].goals.tobytes() == again[1].goals.tobytes() != again[2].goals.tobytes()


def test_a_strategy_is_found_by_name_or_path(tmp_path):
    assert strategy_path() == strategy_path("") == share_path("config/strategy.yaml")
    assert strategy_path("random") == share_path("config/strategy_random.yaml")
    assert strategy_path("./random") == Path("./random") and strategy_path(tmp_path) == tmp_path
