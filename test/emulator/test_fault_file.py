"""Faults as somebody writes them: what is read, and what is said about what is not."""

import math

import pytest

from rena_ros.base.errors import RenaError
from rena_ros.emulator.fault_file import FaultScript, load_faults, read_faults
from rena_ros.emulator.fault_schedule import RandomFaults
from rena_ros.emulator.faults import Fault
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
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
  - {kind: same_id, servo: jaw, with: nobody}
random: {seed: x, rate: 3, kinds: [dead, same_id], for_s: [3, 1]}
others: 5
"""


def test_a_file_becomes_faults(tmp_path):
    (tmp_path / "faults.yaml").write_text(GOOD)
    assert load_faults(tmp_path / "faults.yaml", ROBOT) == FaultScript(
        (
            Fault("dead", ("jaw",), at_s=5, for_s=2),
            Fault("late", ("jaw", "neck_yaw"), every=50, values={"delay_ms": 120, "hold": True}),
            Fault("same_id", ("jaw",), values={"with": "neck_yaw"}),
            Fault("unplugged", at_s=9, for_s=math.inf),
        ),
        RandomFaults(seed=3, rate_per_minute=10, kinds=("corrupt", "unplugged"), servos=("jaw",), for_s=(0.5, 3)),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]", "faults:\n", "faults: []\n"])
def test_nothing_is_nothing(text):
    assert read_faults(text, ROBOT) == FaultScript()


def test_a_list_alone_will_do():
    assert read_faults("[{kind: dead, servo: jaw}]", ROBOT) == FaultScript((Fault("dead", ("jaw",)),))


def test_everything_wrong_is_told_at_once_each_with_its_line():
    with pytest.raises(RenaError) as error:
        read_faults(BAD, ROBOT, "the fault file f.yaml")
    first, *lines = str(error.value).splitlines()
    assert first == "the fault file f.yaml: 11 thing(s) to mend:"
    wanted = [
        ("line 3", "'ded' is none of dead, late"),
        ("line 4", "at_s -1"),
        ("line 4", "no servo is called jww; did you mean jaw?"),
        ("line 5", "late needs delay_ms"),
        ("line 7", "found 7"),
        ("line 8", "no servo is called nobody"),
        ("line 9", "'same_id': not a kind for random"),
        ("line 9", "for_s must be two numbers"),
        ("line 9", "rate is not a value of random"),
        ("line 9", "seed must be a whole number"),
        ("line 10", "`faults:`"),
    ]
    assert len(lines) == len(wanted)
    for line, (where, what) in zip(lines, wanted, strict=True):
        assert line.startswith(f"  {where}: ") and what in line


@pytest.mark.parametrize("text", ["a: [", "5", "random: 3", "faults: {a: 1}", "[!foo {kind: dead}]", "\0", "[[1]]"])
def test_odd_texts_are_refused_not_tripped_over(text):
    with pytest.raises(RenaError):
        read_faults(text, ROBOT)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RenaError, match=r"cannot read the fault file .*none\.yaml: No such file"):
        load_faults(tmp_path / "none.yaml", ROBOT)
