"""The robot as data: units, the limiter, and the faults of a robot file."""

import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.robot.file import load_robot, parse_robot
from rena_ros.robot.model import RAD_PER_TICK, Band, Thresholds

ROBOT = load_robot()
COUNT = len(ROBOT.names)
numbers = st.floats(allow_nan=True, allow_infinity=True)
commands = st.lists(st.tuples(st.sampled_from((*ROBOT.names, "nose", "")), numbers), max_size=40)
finite_commands = st.dictionaries(st.sampled_from(ROBOT.names), st.floats(-1e308, 1e308), max_size=COUNT)
goals = st.lists(st.floats(0, 1), min_size=COUNT, max_size=COUNT).map(np.array)


def pulls(positions):
    """Pairs of antagonists that are both away from neutral, reckoned from the servo table alone."""
    away = {name for name, position in zip(ROBOT.names, positions, strict=True) if abs(position) > 1e-9}
    return [(s.name, other) for s in ROBOT.servos for other in s.antagonists if s.name in away and other in away]


def test_the_shipped_robot_has_the_servos_of_the_paper():
    assert Counter(servo.region for servo in ROBOT.servos) == {"brows": 4, "eyes": 4, "lids": 2, "mouth": 12, "head": 3}


def test_units_of_one_servo_by_hand():
    # corner_right_up: 1648..2048, neutral 2048, reversed: goal 1 lies at 1648, 400 ticks away.
    i = ROBOT.index["corner_right_up"]
    positions = np.zeros(COUNT)
    positions[i] = 100 * 2 * math.pi / 4096
    assert ROBOT.to_ticks(positions)[i] == 1948
    assert ROBOT.goals(positions)[i] == pytest.approx(0.25)
    assert ROBOT.from_ticks(ROBOT.to_ticks(positions))[i] == pytest.approx(positions[i])


@given(goals)
def test_goals_to_ticks_stay_inside_and_come_back(wanted):
    ticks = ROBOT.to_ticks(ROBOT.positions(wanted))
    assert ((ticks >= ROBOT.min_ticks) & (ticks <= ROBOT.max_ticks)).all()
    half_a_tick = 0.5 / (ROBOT.max_ticks - ROBOT.min_ticks)
    assert (np.abs(ROBOT.goals(ROBOT.from_ticks(ticks)) - wanted) <= half_a_tick + 1e-6).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.6])
def test_ticks_of_an_unlimited_position_are_refused_by_name(value):
    positions = np.zeros(COUNT)
    positions[ROBOT.index["neck_roll"]] = value
    with pytest.raises(ValueError, match="neck_roll"):
        ROBOT.to_ticks(positions)


@given(commands)
def test_no_command_leads_beyond_the_limits(command):
    names, values = [name for name, _ in command], [value for _, value in command]
    before = np.zeros(COUNT)
    limited = ROBOT.limit(names, values, before)
    assert np.isfinite(limited.positions).all()
    assert (limited.positions >= ROBOT.lower).all() and (limited.positions <= ROBOT.upper).all()
    assert pulls(limited.positions) == []
    bad = "nose" in names or "" in names or len(set(names)) < len(names) or not all(map(math.isfinite, values))
    assert (limited.refusal is not None) == (bad or not command)
    if bad:
        assert (limited.positions == before).all()


@given(finite_commands)
def test_a_partial_command_moves_only_the_joints_it_names_and_their_antagonists(command):
    limited = ROBOT.limit(list(command), list(command.values()), np.zeros(COUNT))
    moved = {ROBOT.names[i] for i in np.flatnonzero(limited.positions)}
    assert moved <= set(command)


@given(goals)
def test_a_command_within_the_rules_passes_unchanged(wanted):
    inside = ROBOT.limit(ROBOT.names, ROBOT.positions(wanted), np.zeros(COUNT)).positions
    again = ROBOT.limit(ROBOT.names, inside, np.zeros(COUNT))
    np.testing.assert_allclose(again.positions, inside, atol=1e-12)
    assert again.clamped == ()


@given(goals, st.integers(0, COUNT - 1))
def test_the_limiter_is_continuous(wanted, i):
    step = 1e-6
    nudged = wanted.copy()
    nudged[i] += step if wanted[i] < 0.5 else -step
    one, other = (ROBOT.limit(ROBOT.names, ROBOT.positions(g), np.zeros(COUNT)).positions for g in (wanted, nudged))
    assert np.abs(one - other).max() <= 10 * step


def test_the_weaker_antagonist_stays_at_neutral():
    names = ["corner_left_up", "corner_left_down"]
    travel = [ROBOT.upper[ROBOT.index[name]] for name in names]
    limited = ROBOT.limit(names, [0.8 * travel[0], 0.3 * travel[1]], np.zeros(COUNT))
    up, down = (limited.positions[ROBOT.index[name]] for name in names)
    assert up == pytest.approx(0.5 * travel[0]) and down == 0
    assert set(limited.clamped) == set(names)


SERVO = (
    "  - {{name: {name}, id: {id}, region: brows, min_ticks: {low}, neutral_ticks: 2048, max_ticks: 2428,"
    " max_speed_rad_s: 4.0, max_acceleration_rad_s2: {acceleration}{more}}}\n"
)


def read_rows(*rows, before=""):
    """Read a robot file with these servos, behind the text ``before``."""
    defaults = {"name": "left", "id": 1, "low": 2048, "acceleration": 80.0, "more": ""}
    text = before + "servos:\n" + "".join(SERVO.format(**{**defaults, **row}) for row in rows)
    return parse_robot(text, Path("robot.yaml"))


def test_every_fault_of_a_file_is_listed_with_its_servo_and_line():
    with pytest.raises(RenaError) as error:
        read_rows({"low": 3000}, {"name": "right", "acceleration": "fast"}, {"name": "middle", "more": ", colour: red"})
    text = str(error.value)
    assert "line 2: left: min_ticks 3000 must be below max_ticks 2428" in text
    assert "line 3: right: max_acceleration_rad_s2 must be a number, found 'fast'" in text
    assert "line 4: middle: colour is not a field here; known here: name, id, region" in text


def test_repeated_names_ids_and_unknown_antagonists_are_faults():
    rows = {"name": "one"}, {"name": "one", "id": 2}, {"name": "two", "id": 2, "more": ", antagonists: [three]"}
    with pytest.raises(RenaError) as error:
        read_rows(*rows)
    text = str(error.value)
    assert "line 3: one: another servo has this name already" in text
    assert "line 4: two: id 2 is that of one already" in text
    assert "line 4: two: antagonist 'three' is no other servo" in text


def test_thresholds_are_read_and_missing_ones_are_not_judged():
    assert read_rows({}).thresholds == Thresholds()
    assert Thresholds().voltage_low_v == Band(None, None)
    some = read_rows({}, before="thresholds:\n  voltage_low_v: {warn: 11, error: 10.5}\n  load: {error: 0.9}\n")
    assert some.thresholds == Thresholds(voltage_low_v=Band(11, 10.5), load=Band(None, 0.9))


def test_faulty_thresholds_are_listed_with_the_other_faults():
    thresholds = (
        "thresholds:\n  warmth: {warn: 1}\n  load: {warn: 2, error: 1}\n  age_s: {error: -1}\n"
        "  voltage_low_v: {warn: 4, error: 5}\n  current_a: 3\n  temperature_c: {warn: true}\n  voltage_high_v: {}\n"
    )
    with pytest.raises(RenaError) as error:
        read_rows({"low": 3000}, before=thresholds)
    text = str(error.value)
    for line in (
        "line 2: thresholds: warmth is not a field here; known here: temperature_c",
        "line 3: thresholds: load: warn 2 must come before error 1",
        "line 4: thresholds: age_s: error must be above 0, found -1",
        "line 5: thresholds: voltage_low_v: warn 4 must come before error 5",
        "line 6: thresholds: current_a must be a mapping of names and values, found 3",
        "line 7: thresholds: temperature_c: warn must be a number, found True",
        "line 8: thresholds: voltage_high_v: give `warn`, `error` or both",
        "line 10: left: min_ticks 3000 must be below max_ticks 2428",
    ):
        assert line in text


TEXTS = {"servos: [": "not YAML", "joints: []": "servos is missing", "": "servos is missing", "servos: []": "empty"}


@pytest.mark.parametrize(("text", "message"), TEXTS.items())
def test_a_text_without_servos_is_refused(text, message):
    with pytest.raises(RenaError, match=message):
        parse_robot(text, Path("robot.yaml"))


SHIPPED = share_path("config/rena.yaml").read_text()


def read_shipped(old, new):
    """Read the shipped robot file with one change."""
    assert old in SHIPPED
    return parse_robot(SHIPPED.replace(old, new, 1), Path("robot.yaml"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("max_speed_rad_s", value) for value in ("0.0", "-1.0", "1.0e-6", "240.0", ".inf", ".nan")),
        *(("max_acceleration_rad_s2", value) for value in ("0.0", "1.0e-8", "1.0e+300", ".nan")),
    ],
)
def test_rates_at_which_no_servo_can_be_driven_are_refused(field, value):
    old = re.search(rf"{field}: [\d.]+", SHIPPED).group(0)
    with pytest.raises(RenaError, match=rf"line \d+: \w+: {field} must be (a number|at \w+ [\d.]+), found"):
        read_shipped(old, f"{field}: {value}")


def test_a_servo_cannot_have_the_name_of_the_bus():
    with pytest.raises(RenaError, match="no servo can have the name bus"):
        read_shipped("name: jaw", "name: bus")


def test_more_servos_than_fit_into_one_frame_are_refused():
    with pytest.raises(RenaError, match="84 servos are more than the 83"):
        read_rows(*({"name": f"s{i}", "id": i} for i in range(84)))


def test_a_tick_is_a_4096th_of_a_turn():
    assert pytest.approx(2 * math.pi) == 4096 * RAD_PER_TICK
