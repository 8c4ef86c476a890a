"""Any YAML text in any reader: it is read, or refused in words with its line, and never a traceback."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rena_ros.base.errors import RenaError
from rena_ros.base.yaml_lines import number_hint
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.console import carry_out
from rena_ros.emulator.fault_file import read_faults
from rena_ros.robot.file import load_robot, parse_robot
from rena_ros.servo_tools.register_file import parsed
from rena_ros.strategy.file import parse_strategy

ROBOT = load_robot()
SERVO = "name: left, id: 1, region: brows, min_ticks: 1, neutral_ticks: 2, max_ticks: 3, max_acceleration_rad_s2: 1"


def read_robot(text):
    return parse_robot(text, Path("face.yaml"))


def read_faults_of(text):
    return read_faults(text, ROBOT)


def read_registers(text):
    return parsed(text, ROBOT.names, "the file registers.yaml")


def read_strategy(text):
    return parse_strategy(text, Path("strategy.yaml"), ROBOT)


# A reader and a valid text for it; {} stands where a number belongs.
ROBOT_FILE = read_robot, f"servos:\n- {{{{{SERVO}, max_speed_rad_s: {{}}}}}}\n"
THRESHOLDS = read_robot, f"thresholds:\n  age_s: {{{{warn: {{}}}}}}\nservos:\n- {{{{{SERVO}, max_speed_rad_s: 1}}}}\n"
REGISTER_FILE = read_registers, "servos:\n  jaw: {{eeprom: {{max_torque: {}}}}}\n"
FAULT_FILE = read_faults_of, "faults:\n- {{kind: dead, at_s: {}}}\n"
RANDOM = read_faults_of, "random:\n  rate_per_minute: {}\n"
STRATEGY_RANGE = read_strategy, "changes_per_expression: 8\ngroups: [{{actions: [{{moves: [{{range: [0, {}]}}]}}]}}]\n"
EVERY_PLACE = [ROBOT_FILE, THRESHOLDS, REGISTER_FILE, FAULT_FILE, RANDOM]
every_place = pytest.mark.parametrize(("read", "text"), EVERY_PLACE)


def refusal(read, text):
    with pytest.raises(RenaError) as error:
        read(text)
    str(error.value).encode()  # can be shown
    return str(error.value)


def read_or_refused(read, text):
    try:
        read(text)
    except RenaError as error:
        str(error).encode()  # can be shown


@every_place
def test_every_place_takes_a_number(read, text):
    read(text.format(3))


@every_place
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-01-99", "'2026-01-99' cannot be read as timestamp; put it in quotes if it is a text"),
        ("!!int foo", "'foo' cannot be read as int"),
        ("!!int ''", "'' cannot be read as int"),
        ("!!bool foo", "'foo' cannot be read as bool"),
        ("!!timestamp foo", "'foo' cannot be read as timestamp"),
        ("!foo 1", "!foo means nothing here"),
        ("{[a]: 1}", "a list or a mapping cannot be the name of a value"),
        ("&x [*x]", "an alias stands inside what it names"),
        ("&x {a: *x}", "an alias stands inside what it names"),
        ("{<<: 5}", "expected a mapping"),
        ("0x" + 5000 * "f", f"'0x{38 * 'f'}' cannot be read as int"),
        ("9" * 5000, f"'{40 * '9'}' cannot be read as int"),
    ],
)
def test_a_value_that_yaml_cannot_build_is_refused_with_its_line(read, text, value, message):
    assert f"  line 2: {message}" in refusal(read, text.format(value))


@every_place
@pytest.mark.parametrize("value", ['"\\U0011ffff"', '"\\UFFFFFFFF"', '"\\ud800"', "[" * 1200, "*missing", "%", "\0"])
def test_a_value_that_is_no_text_or_no_yaml_is_refused(read, text, value):
    refusal(read, text.format(value))


@pytest.mark.parametrize("old", ["left", "nose"])
def test_a_lone_surrogate_is_refused_with_its_line(old):
    text = f"nose: 1\nservos:\n- {{{SERVO}, max_speed_rad_s: 1}}"
    message = refusal(read_robot, text.replace(old, '"\\ud800"'))
    assert "a lone surrogate" in message and f"line {1 if old == 'nose' else 3}" in message


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_robot, f"servos:\n- {{{SERVO}, max_speed_rad_s: 1, id: 1}}", "line 2: left: id is there twice"),
        (read_robot, f"servos: []\n\nservos:\n- {{{SERVO}, max_speed_rad_s: 1}}", "line 3: servos is there twice"),
        (read_robot, f"servos: &s\n- {{{SERVO}, max_speed_rad_s: 1}}\nservos: *s", "line 3: servos is there twice"),
        (read_robot, "thresholds: {load: {}, load: {}}\nservos: [1]", "line 1: thresholds: load is there twice"),
        (read_robot, "thresholds: {load: {warn: 1, warn: 1}}\nservos: [1]", "1: thresholds: load: warn is there twice"),
        (read_registers, "servos: {jaw: {eeprom: {\n id: 1,\n id: 1}}}", "line 3: jaw: eeprom: id is there twice"),
        (read_registers, "servos: {jaw: {}, jaw: {}}", "line 1: jaw is there twice"),
        (read_registers, "servos: {jaw: {eeprom: {}, eeprom: {}}}", "line 1: jaw: eeprom is there twice"),
        (read_registers, "servos: {}\nservos: {}", "line 2: servos is there twice"),
        (read_faults_of, "\n- {kind: dead, servo: jaw, servo: jaw}", "line 2: servo is there twice"),
        (read_faults_of, "faults: []\nfaults: []", "line 2: faults is there twice"),
        (read_faults_of, "random: {seed: 1, seed: 1}", "line 1: random: seed is there twice"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_line(read, text, message):
    assert message in refusal(read, text)


def test_a_merged_key_may_be_overridden():
    rest = SERVO.replace("name: left, id: 1, ", "")
    text = f"servos:\n- &one {{name: one, id: 1, {rest}, max_speed_rad_s: 1}}\n- {{<<: *one, name: two, id: 2}}\n"
    assert read_robot(text).names == ("one", "two")


@pytest.mark.parametrize("value", ["2026-01-99", "!!int foo", "!foo 1", "{[a]: 1}"])
def test_a_typed_fault_that_cannot_be_built_is_refused_and_leaves_the_bank_alone(value):
    bank = ServoBank(ROBOT)
    with pytest.raises(RenaError, match="line 1"):
        carry_out(bank, f"fault {{kind: dead, servo: jaw, at_s: {value}}}")
    assert not bank.active_faults()


WORDS = """
servos thresholds faults random jaw eeprom ram name id kind dead servo at_s antagonists load warn mode seed kinds for_s
late delay_ms with every
"""
PIECES = (
    *WORDS.split(),
    *("{", "}", "[", "]", "- ", "? ", ": ", ", ", ":\n  ", "\n", "\n  ", "\n- ", "&x ", "*x", "<<: ", "'", '"', "# "),
    *("!foo ", "!!int ", "!!float ", "!!bool ", "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!str ", "!!map "),
    *("1", "-1", "1e-9", "1.0e-9", ".inf", ".nan", "0x", "0b", "1:60", "true", "~", "=", "2026-01-99", "2026-01-01"),
    *("2001-12-14t21:59:43.10-99:99", '"\\ud800"', '"\\UFFFFFFFF"', "%YAML 1.1\n--- ", "---\n", "...\n", "| ", "> "),
)
pieces = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
anything = st.one_of(pieces, st.text(max_size=30), st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join))
FIELDS = ("name", "id", "region", "max_ticks", "reversed", "max_speed_rad_s", "antagonists", "nose")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([read_robot, read_registers, read_faults_of, read_strategy]), anything)
def test_any_text_is_read_or_refused(read, text):
    read_or_refused(read, text)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*EVERY_PLACE, STRATEGY_RANGE]), anything)
def test_any_value_is_read_or_refused(place, value):
    read, text = place
    read_or_refused(read, text.format(value))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), pieces, max_size=3))
@example({"antagonists": "[[a]]"})
def test_any_field_of_a_servo_is_read_or_refused(fields):
    whole = dict(entry.split(": ") for entry in f"{SERVO}, max_speed_rad_s: 1".split(", "))
    rows = "".join(f"\n  {field}: {value}" for field, value in {**whole, **fields}.items())
    read_or_refused(read_robot, f"servos:\n-{rows[2:]}\n")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(("kind", "servo", "at_s", "every", "with", "delay_ms")), pieces, max_size=4))
def test_any_typed_fault_is_carried_out_or_refused(fields):
    row = ", ".join(f"{field}: {value}" for field, value in {"kind": "late", **fields}.items())
    read_or_refused(lambda text: carry_out(ServoBank(ROBOT), text), f"fault {{{row}}}")


@pytest.mark.parametrize(
    ("text", "float_hint", "int_hint"),
    [
        ("1e-9", "1.0e-09", ""),
        ("1e3", "1000.0", "1000"),
        ("-2.5E3", "-2500.0", "-2500"),
        ("5", "5.0", "5"),  # in quotes
        (".5e1", "5.0", "5"),
        ("fast", "", ""),
        ("nan", "", ""),
        ("inf", "", ""),
        (None, "", ""),
    ],
)
def test_a_number_hint_is_how_yaml_writes_the_number(text, float_hint, int_hint):
    assert number_hint(text) == (float_hint and f"; write it as {float_hint}")
    assert number_hint(text, int) == (int_hint and f"; write it as {int_hint}")


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e299, 1e299).map(repr) | st.from_regex(r"\A[-+ ]?[0-9_]{0,4}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?\Z"))
def test_yaml_reads_a_number_hint_as_the_number(text):
    for kind in (int, float):
        hint = number_hint(text, kind).removeprefix("; write it as ")
        if hint:
            value = yaml.safe_load(hint)
            assert isinstance(value, int | float) and math.isclose(value, float(text), rel_tol=0, abs_tol=0)


@pytest.mark.parametrize(
    ("read", "text", "value", "message"),
    [
        (*ROBOT_FILE, "1e-9", "line 2: left: max_speed_rad_s must be a number, found '1e-9'; write it as 1.0e-09"),
        (*THRESHOLDS, "1e-9", "line 2: thresholds: age_s: warn must be a number, found '1e-9'; write it as 1.0e-09"),
        (*REGISTER_FILE, "1e2", "line 2: jaw: eeprom: max_torque must be a whole number, found '1e2'; write it as 100"),
        (*FAULT_FILE, "1e-9", "line 2: at_s must be a number, found '1e-9'; write it as 1.0e-09"),
        (*RANDOM, "1e1", "line 2: random: rate_per_minute must be a number, found '1e1'; write it as 10.0"),
        (read_faults_of, "[{{kind: dead, every: {}}}]", "1e1", "must be a whole number, found '1e1'; write it as 10"),
        (read_faults_of, "random: {{seed: {}}}", "1e1", "seed must be a whole number, found '1e1'; write it as 10"),
        (read_faults_of, "random: {{for_s: [{}, 2]}}", "1e-1", "must be a number, found '1e-1'; write it as 0.1"),
        (read_robot, "servos: [{{id: {}}}]", "1e1", "id must be a whole number, found '1e1'; write it as 10"),
    ],
)
def test_numbers_that_yaml_takes_for_text_get_a_hint(read, text, value, message):
    assert message in refusal(read, text.format(value))


@pytest.mark.parametrize("name", ["''", "'  '", '"\\t"'])
def test_a_servo_without_a_readable_name_is_refused(name):
    _, text = ROBOT_FILE
    assert "line 2: name " in refusal(read_robot, text.replace("left", name).format(3))
