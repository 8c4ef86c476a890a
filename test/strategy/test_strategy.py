"""The expert strategy: Algorithm 1's constraints hold, every servo covers its range, faults of a file are named."""

import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.robot.file import load_robot
from rena_ros.strategy.expert import expressions
from rena_ros.strategy.file import load_strategy, parse_strategy

ROBOT = load_robot()
SHIPPED = share_path("config/strategy.yaml").read_text()


def walk(seed: int, samples: int, strategy=None) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """Return goals by servo name, goals (samples, 25) and the groups."""
    drawn = list(islice(expressions(ROBOT, strategy or load_strategy(), np.random.default_rng(seed)), samples))
    goals = np.stack([expression.goals for expression in drawn])
    return dict(zip(ROBOT.names, goals.T, strict=True)), goals, [expression.group for expression in drawn]


def away(goals: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Where a servo is away from neutral, bool (samples,)."""
    return goals[name] != ROBOT.neutral_goals[ROBOT.index[name]]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_seven_constraints_hold(seed):
    by_name, goals, groups = walk(seed, 150)
    assert goals.dtype == np.float32 and goals.shape == (150, 25)
    assert np.isfinite(goals).all() and goals.min() >= 0 and goals.max() <= 1
    np.testing.assert_array_equal(by_name["eye_left_yaw"], by_name["eye_right_yaw"])  # 1
    np.testing.assert_array_equal(by_name["eye_left_pitch"], by_name["eye_right_pitch"])  # 2
    lids = np.stack([by_name["lid_left"], by_name["lid_right"]])
    rest = ROBOT.neutral_goals[ROBOT.index["lid_left"]]
    wide = (lids < rest - 1e-6).any(axis=0)
    np.testing.assert_array_equal(lids[0, wide], lids[1, wide])  # 4; and 3, but for declared winks:
    winking = lids[0] != lids[1]
    np.testing.assert_allclose(lids.min(axis=0)[winking], rest, atol=1e-6)
    for side in ("left", "right"):
        assert not (away(by_name, f"brow_{side}_raise") & away(by_name, f"brow_{side}_frown")).any()
    raises = away(by_name, "brow_left_raise") | away(by_name, "brow_right_raise")
    frowns = away(by_name, "brow_left_frown") | away(by_name, "brow_right_frown")
    assert not (raises & frowns).any()  # 5
    acts = [
        away(by_name, f"corner_left_{action}") | away(by_name, f"corner_right_{action}")
        for action in ("back", "down", "up")
    ]
    assert np.sum(acts, axis=0).max() <= 1  # 7a
    np.testing.assert_array_equal(by_name["corner_left_back"], by_name["corner_right_back"])  # 7b
    np.testing.assert_array_equal(by_name["corner_left_down"], by_name["corner_right_down"])  # 7b
    assert not (away(by_name, "jaw") & away(by_name, "lip_lower_left")).any()  # declared: neither would be readable
    for a, b in ROBOT.antagonist_pairs:
        assert not (away(by_name, ROBOT.names[a]) & away(by_name, ROBOT.names[b])).any()
    assert {group.constraint for group in load_strategy().groups if group.name in groups} <= set(range(1, 8))


def test_corners_up_and_head_are_independent():
    by_name, _, _ = walk(5, 6000)
    both = away(by_name, "corner_left_up") & away(by_name, "corner_right_up")
    assert both.sum() > 300
    assert abs(np.corrcoef(by_name["corner_left_up"][both], by_name["corner_right_up"][both])[0, 1]) < 0.15  # 7c
    head = np.corrcoef([by_name[name] for name in ("neck_yaw", "neck_pitch", "neck_roll")])  # 6
    assert np.abs(head - np.eye(3)).max() < 0.08


def test_every_servo_covers_its_whole_range_in_the_first_and_the_last_thousand():
    _, goals, groups = walk(0, 9000)
    assert set(groups) == {group.name for group in load_strategy().groups}
    for part in (goals[:1000], goals[-1000:]):
        for name, column in zip(ROBOT.names, part.T, strict=True):
            counts, _ = np.histogram(column, bins=10, range=(0, 1))
            assert counts.min() >= 5, f"{name}: {counts}"
    # Same distribution: means differ by less than 5 standard errors of 1,000 independent draws.
    error = goals.std(axis=0) / np.sqrt(1000)
    assert (np.abs(goals[:8000].mean(axis=0) - goals[8000:].mean(axis=0)) < 5 * error).all()


def test_neighbours_are_nearly_independent():
    _, goals, _ = walk(1, 4000)
    centred = goals - goals.mean(axis=0)
    correlation = (centred[1:] * centred[:-1]).mean(axis=0) / goals.var(axis=0)
    assert np.abs(correlation).max() < 0.45
    assert correlation.mean() < 0.35


def test_rests_and_one_sided_moves_have_the_shares_of_the_file():
    by_name, _, _ = walk(2, 6000)
    for name in ROBOT.names:
        assert 0.2 < 1 - away(by_name, name).mean() < 0.9, name
    winks = (by_name["lid_left"] != by_name["lid_right"]).mean()
    one_brow = (by_name["brow_left_raise"] != by_name["brow_right_raise"]).mean()
    assert 0.01 < winks < 0.08
    assert 0.01 < one_brow < 0.08


def test_without_one_sided_moves_the_sides_are_synchronised():
    strict = re.sub(r", one_sided: [0-9.]+", "", SHIPPED)
    by_name, _, _ = walk(3, 2000, parse_strategy(strict, Path("strict.yaml"), ROBOT))
    for name in ("lid", "brow_{}_raise", "brow_{}_frown", "lip_upper", "lip_lower"):
        left, right = (name.format(side) if "{}" in name else f"{name}_{side}" for side in ("left", "right"))
        np.testing.assert_array_equal(by_name[left], by_name[right])


def test_gaze_is_neutral_behind_closed_lids_and_full_with_open_ones():
    by_name, goals, _ = walk(4, 6000)
    hidden = load_strategy().hidden
    eyes = [ROBOT.index[name] for name in hidden.servos]
    more_open = np.minimum(by_name["lid_left"], by_name["lid_right"])
    shut = more_open >= hidden.hidden_from
    assert shut.sum() > 100
    np.testing.assert_allclose(goals[shut][:, eyes], np.tile(ROBOT.neutral_goals[eyes], (shut.sum(), 1)), atol=1e-6)
    open_ = more_open <= hidden.visible_until
    assert goals[open_][:, eyes].min() < 0.02
    assert goals[open_][:, eyes].max() > 0.98


def test_the_same_seed_gives_the_same_walk():
    _, first, _ = walk(7, 50)
    _, again, _ = walk(7, 50)
    _, other, _ = walk(8, 50)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def refusal(text):
    """Why a strategy file with this text is refused."""
    with pytest.raises(RenaError) as error:
        parse_strategy(text, Path("faulty.yaml"), ROBOT)
    return str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("changes_per_expression: 8", "changes_per_expression: 0", "changes_per_expression must be at least 1, found"),
        ("servos: [neck_yaw]", "servos: [neck_jaw]", "head: turn: no servo is called neck_jaw; did you mean neck_yaw"),
        ("servos: [neck_yaw]", "servos: [neck_pitch]", "neck_yaw: no group moves this servo"),
        ("range: [neutral, 0.0]", "range: [neutral, -0.1]", "range must be two goals"),
        ("range: [neutral, 0.0]", "range: [neutral, .nan]", "range must be two goals"),
        ("range: [neutral, 0.0]", "range: [neutral]", "entry 2 of range is missing"),
        ("range: [neutral, 0.0]", "range: [neutral, 1e-1]", "found '1e-1'; write it as 0.1"),
        ("range: [neutral, 0.0]", "range: [0, 1, neutral]", "range has 3 entries, 2 are the most"),
        ("one_sided: 0.06", "one_side: 0.06", "one_side is not a field here; did you mean one_sided"),
        ("rest: 0.15", "rest: 1.1", "mouth: rest must be at most 1, found 1.1"),
        ("rest: 0.15", "rested: 0.1", "rest is missing"),
        ("constraint: 7", "constraint: 8", "mouth: constraint must be at most 7, found 8"),
        ("name: frown", "name: raise", "brows: has two actions named raise"),
        ("name: gaze_vertical", "name: gaze_horizontal", "another group has this name already"),
        ("synchronised: false", "synchronised: 0", "synchronised must be true or false"),
        ("chance: 0.35", "chance: 0.35, not_with: [shout]", "no action of this group"),
        ("not_beside: [jaw]", "not_beside: [jawbone]", "no servo is called jawbone; did you mean jaw"),
        ("centred: true", "centred: 1", "centred must be true or false"),
        ("centred: true", "not_beside: [jaw]", "rule out companions only"),
        ("[neck_yaw]", "[neck_yaw, neck_yaw]", "neck_yaw is named twice"),
        ("visible_until: 0.55", "visible_until: 0.9", "must be below hidden_from"),
        ("servos: [jaw]", "servos: [jaw, corner_left_down]", "corner_left_down and corner_left_up|corner_left_up and"),
        ("servos: [neck_roll]", "servos: [neck_roll, brow_left_frown]", "brow_left_raise and brow_left_frown"),
    ],
)
def test_faults_are_named_with_their_line(old, new, complaint):
    assert old in SHIPPED
    assert re.search(rf"(?s)line \d+: .*({complaint})", refusal(SHIPPED.replace(old, new)))


def test_all_faults_stand_in_one_error():
    text = SHIPPED.replace("rest: 0.15", "rest: 2").replace("[jaw]", "[jow]", 1).replace("[pucker]", "[pocker]")
    message = refusal(text)
    assert all(word in message for word in ("3 fault(s)", "rest must be", "called jow", "called pocker"))


@pytest.mark.parametrize("text", ["", "groups: [", "- 1", "groups: 3", "groups: []", "groups: [1, {name: [a]}]"])
def test_a_text_that_is_no_strategy_is_refused(text):
    assert "strategy file" in refusal(text)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("{servos: [neck_yaw]", "{servos: [jaw], servos: [neck_yaw]", "servos is there twice"),
        ("rest: 0.15", "weight: 1.0", "mouth: weight is there twice"),
        ("servos: [neck_yaw]", "servos: [!neck yaw]", "!neck means nothing here"),
        ("visible_until: 0.55", "visible_until: !!float half", "'half' cannot be read as float"),
        ("one_sided: 0.06", "one_sided: 6e-2", "one_sided must be a number, found '6e-2'; write it as 0.06"),
        ("changes_per_expression: 8", "changes_per_expression: 1e2", "found '1e2'; write it as 100"),
    ],
)
def test_duplicates_and_unreadable_values_are_refused_with_their_line(old, new, complaint):
    message = refusal(SHIPPED.replace(old, new, 1))
    line = next(number for number, text in enumerate(SHIPPED.split("\n"), 1) if old in text)
    assert f"line {line}: " in message and complaint in message


def test_an_unreadable_group_does_not_hide_the_faults_of_the_others():
    text = SHIPPED.replace("constraint: 1", "constraint: !!int x").replace("constraint: 7", "constraint: 8")
    message = refusal(text)
    assert "2 fault(s)" in message and "'x' cannot be read as int" in message and "at most 7, found 8" in message


def test_a_deep_nest_is_refused():
    assert "nested too deeply" in refusal("groups: " + 1200 * "[")
