"""Fault files: what they become, and which error a faulty one gives."""

import math

import pytest
from servo_stand import ROBOT

from rena_ros.base.errors import RenaError
from rena_ros.emulator.fault_file import FaultScript, load_faults, read_faults
from rena_ros.emulator.fault_schedule import RandomFaults
from rena_ros.emulator.faults import make_fault

GOOD = """
faults:
  - {kind: dead, servo: jaw, at_s: 5, for_s: 2}
  - {kind: late, servo: [jaw, neck_yaw], delay_ms: 120, hold: true, every: 50}
  - kind: same_id
    servo: jaw
    with: neck_yaw
  - {kind: unplugged, at_s: 9, for_s: .inf}
random: {seed: 3, rate_per_minute: 10, kinds: [corrupt, unplugged], servos: [jaw], for_s: [0.5, 3]}
"""
BAD = """
faults:
  - {kind: ded}
  - {kind: dead, servo: jww, at_s: -1}
  - kind: late
    servo: jaw
  - 7
  - {kind: same_id, servo: jaw, with: chin}
random: {seed: x, rate: 3, kinds: [dead, same_id], for_s: [3, 1]}
others: 5
"""


def test_a_file_becomes_faults(tmp_path):
    (tmp_path / "faults.yaml").write_text(GOOD)
    assert load_faults(tmp_path / "faults.yaml", ROBOT) == FaultScript(
        faults=(
            make_fault("dead", "jaw", at_s=5, for_s=2),
            make_fault("late", "jaw", "neck_yaw", every=50, delay_ms=120, hold=True),
            make_fault("same_id", "jaw", **{"with": "neck_yaw"}),
            make_fault("unplugged", at_s=9, for_s=math.inf),
        ),
        random=RandomFaults(
            seed=3, rate_per_minute=10, kinds=("corrupt", "unplugged"), servos=("jaw",), for_s=(0.5, 3)
        ),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]", "faults:\n", "faults: []\n"])
def test_a_file_without_faults_is_read(text):
    assert read_faults(text, ROBOT) == FaultScript()


def test_a_list_of_faults_alone_is_read():
    assert read_faults("[{kind: dead, servo: jaw}]", ROBOT) == FaultScript(faults=(make_fault("dead", "jaw"),))


def test_all_faults_of_a_file_are_in_one_error_each_with_its_line():
    with pytest.raises(RenaError) as error:
        read_faults(BAD, ROBOT, "the fault file f.yaml")
    first, *lines = str(error.value).splitlines()
    assert first == "the fault file f.yaml has 11 fault(s):"
    wanted = [
        ("line 3", "kind must be one of 'dead', 'late'"),
        ("line 4", "at_s must be at least 0, found -1"),
        ("line 4", "no servo is called jww; did you mean jaw?"),
        ("line 5", "delay_ms is missing"),
        ("line 7", "entry 4 of faults must be a mapping of names and values, found 7"),
        ("line 8", "no servo is called chin"),
        ("line 9", "random: entry 2 of kinds must be one of 'dead', 'late'"),
        ("line 9", "random: for_s must be [shortest, longest]"),
        ("line 9", "random: rate is not a field here; known here: seed, rate_per_minute"),
        ("line 9", "random: seed must be a whole number, found 'x'"),
        ("line 10", "others is not a field here; known here: faults, random"),
    ]
    assert len(lines) == len(wanted)
    for line, (where, what) in zip(lines, wanted, strict=True):
        assert line.startswith(f"  {where}: ") and what in line


@pytest.mark.parametrize("text", ["a: [", "5", "random: 3", "faults: {a: 1}", "[!foo {kind: dead}]", "\0", "[[1]]"])
def test_a_text_that_is_no_fault_file_is_refused(text):
    with pytest.raises(RenaError):
        read_faults(text, ROBOT)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RenaError, match=r"cannot read the fault file .*none\.yaml: No such file"):
        load_faults(tmp_path / "none.yaml", ROBOT)
