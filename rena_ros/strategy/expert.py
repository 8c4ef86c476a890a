"""The expert strategy: natural expressions, one after another (the paper's Algorithm 1).

This reading of the algorithm: each iteration picks one of the seven constraint groups at random. It draws new
goals for that group's servos under its constraint, or relaxes them to neutral; all other servos keep their state.
Constraints 3 and 4 share the lids (blinking: goals above neutral, opening: below); the group that was picked last
determines them. Several iterations lie between two recorded expressions. What the paper leaves open (ranges, rests,
weights, one-sided moves) is data in ``config/strategy.yaml``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.robot.model import Robot
from rena_ros.strategy.file import Group, Hidden, Move, Strategy


@dataclass(frozen=True)
class Expression:
    """One expression. ``goals``: float32 (n,) in [0, 1]; ``group``: the constraint group that moved last."""

    goals: FloatArray
    group: str


def expressions(robot: Robot, strategy: Strategy, rng: np.random.Generator) -> Iterator[Expression]:
    """Yield expressions without end; the walk starts at neutral.

    The same robot, strategy and generator state give the same walk. ``strategy`` must have been loaded for
    this robot (``load_strategy(path, robot)``); a servo that the robot lacks raises KeyError.
    """
    groups = strategy.groups
    shares = np.cumsum([group.weight for group in groups])
    moves = [_mover(robot, group) for group in groups]
    hide = _hider(robot, strategy.hidden)
    state = robot.neutral_goals.astype(np.float64)
    while True:
        for _ in range(strategy.changes_per_expression):
            picked = _pick(shares, rng)
            moves[picked](state, rng)
        yield Expression(hide(state).astype(np.float32), groups[picked].name)


def _pick(shares: FloatArray, rng: np.random.Generator) -> int:
    """Draw an index; the weight of each is its step in the cumulative ``shares``."""
    return int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))


def _mover(robot: Robot, group: Group) -> Callable[[FloatArray, np.random.Generator], None]:
    """Return a function that changes the state (n,) as one iteration does when it picks this group."""
    servos = [robot.index[name] for name in group.servos]
    neutral = robot.neutral_goals.astype(np.float64)[servos]
    shares = np.cumsum([action.weight for action in group.actions])
    actions = [
        [_bound(robot, move) for move in (*action.moves, *group.companions) if action.name not in move.not_with]
        for action in group.actions
    ]

    def move(state: FloatArray, rng: np.random.Generator) -> None:
        state[servos] = neutral
        if rng.random() < group.rest:
            return
        moved: set[str] = set()
        for draw in actions[_pick(shares, rng)]:
            moved.update(draw(state, rng, moved))

    return move


def _bound(robot: Robot, move: Move) -> Callable[[FloatArray, np.random.Generator, set[str]], tuple[str, ...]]:
    """Return the draw of one move for this robot; the draw changes the state and returns the servos it moved."""
    servos = np.array([robot.index[name] for name in move.servos])
    neutral = robot.neutral_goals.astype(np.float64)[servos]
    start, end = (neutral if value == "neutral" else np.full(len(servos), value) for value in move.range)
    size = () if move.synchronised else len(servos)

    def draw(state: FloatArray, rng: np.random.Generator, moved: set[str]) -> tuple[str, ...]:
        if rng.random() >= move.chance or not moved.isdisjoint(move.not_beside):
            return ()
        shares = (rng.random(size) + rng.random(size)) / 2 if move.centred else rng.random(size)
        drawn = start + shares * (end - start)
        if rng.random() < move.one_sided:
            one = rng.integers(len(servos))
            state[servos[one]] = drawn[one]
        else:
            state[servos] = drawn
        return move.servos

    return draw


def _hider(robot: Robot, hidden: Hidden | None) -> Callable[[FloatArray], FloatArray]:
    """Return a function state (n,) -> goals (n,) in which hidden servos are neutral."""
    if hidden is None:
        return np.copy
    servos = [robot.index[name] for name in hidden.servos]
    behind = [robot.index[name] for name in hidden.behind]
    neutral = robot.neutral_goals.astype(np.float64)[servos]
    fade = hidden.hidden_from - hidden.visible_until

    def hide(state: FloatArray) -> FloatArray:
        goals = state.copy()
        seen = np.clip((hidden.hidden_from - state[behind].min()) / fade, 0.0, 1.0)
        goals[servos] = neutral + seen * (state[servos] - neutral)
        return goals

    return hide
