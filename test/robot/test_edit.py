"""Changing a robot file in place: only the wanted values change, and no file is ever half written."""

import os
import stat
from dataclasses import replace
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.robot import edit as robot_edit
from rena_ros.robot.edit import RobotFileEdit, edited
from rena_ros.robot.file import load_robot

SHIPPED = share_path("config/rena.yaml").read_text()
NAMES = load_robot().names
TICKS = {"min_ticks": 100, "neutral_ticks": 200, "max_ticks": 300}


@pytest.fixture
def robot_file(tmp_path):
    path = tmp_path / "face.yaml"
    path.write_text(SHIPPED)
    return path


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.fixed_dictionaries({"min_ticks": st.integers(0, 4095)}), min_size=1))
def test_only_the_wanted_values_change(changes):
    before, after = SHIPPED.split("\n"), edited(SHIPPED, changes).split("\n")
    touched = [new for old, new in zip(before, after, strict=True) if old != new]
    assert all(any(f"{{name: {name}," in line for name in changes) for line in touched)
    wanted = yaml.safe_load(SHIPPED)
    for row in wanted["servos"]:
        row.update(changes.get(row["name"], {}))
    assert yaml.safe_load("\n".join(after)) == wanted


BLOCK = """\
\ufeffservos:  # one servo\r
  - max_ticks: 0x9A4  # by hand\r
    name: "left"   # the left one\r
    id: 3\r
    region: brows\r
    min_ticks: 2_000\r
    neutral_ticks:\r
      2048  # rest\r
    max_speed_rad_s: 4.0\r
    max_acceleration_rad_s2: 80.0 # last\r
"""


def test_any_layout_is_kept_to_the_byte(robot_file):
    robot_file.write_bytes(BLOCK.encode())
    edit = RobotFileEdit(robot_file)
    edit.change({"left": {"max_ticks": 2500, "neutral_ticks": 2100, "min_ticks": 2001}})
    by_hand = BLOCK.replace("0x9A4", "2500").replace("2048", "2100").replace("2_000", "2001")
    assert robot_file.read_bytes() == by_hand.encode()


def test_a_field_that_was_not_there_is_added(robot_file):
    robot_file.write_text(BLOCK.replace("\r", ""))
    RobotFileEdit(robot_file).change({"left": {"reversed": True}})
    assert load_robot(robot_file).servos[0].reversed
    assert "    reversed: true\n    max_acceleration_rad_s2: 80.0 # last\n" in robot_file.read_text()
    flow = SHIPPED.replace(", reversed: false", "", 1)
    assert yaml.safe_load(edited(flow, {NAMES[0]: {"reversed": True}}))["servos"][0]["reversed"] is True


def test_each_session_makes_one_backup_of_the_file_before_it(robot_file):
    edit = RobotFileEdit(robot_file)
    assert edit.backup is None and len(list(robot_file.parent.iterdir())) == 1
    for name in NAMES[:2]:
        edit.change({name: TICKS})
    second = RobotFileEdit(robot_file)
    middle = robot_file.read_text()
    second.change({NAMES[2]: TICKS})
    assert edit.backup.read_text() == SHIPPED
    assert second.backup != edit.backup and second.backup.read_text() == middle
    assert sorted(robot_file.parent.iterdir()) == sorted((robot_file, edit.backup, second.backup))
    assert [s.max_ticks for s in load_robot(robot_file).servos[:3]] == [300, 300, 300]


def test_mode_and_link_survive(robot_file, tmp_path):
    robot_file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(robot_file)
    RobotFileEdit(link).change({NAMES[0]: TICKS})
    assert link.is_symlink() and stat.S_IMODE(robot_file.stat().st_mode) == 0o640
    assert load_robot(robot_file).servos[0].min_ticks == 100


def unchanged(robot_file):
    return robot_file.read_text() == SHIPPED and list(robot_file.parent.iterdir()) == [robot_file]


def test_values_that_would_be_faults_are_refused(robot_file):
    with pytest.raises(RenaError, match=r"face\.yaml was not changed") as error:
        RobotFileEdit(robot_file).change({NAMES[0]: {"neutral_ticks": 5}})
    line = 1 + next(i for i, row in enumerate(SHIPPED.split("\n")) if "brow_left_raise, id" in row)
    assert f"line {line}: brow_left_raise: neutral_ticks 5 is outside" in str(error.value)
    assert f".face.yaml.{os.getpid()}" not in str(error.value)
    assert unchanged(robot_file)


def test_an_alias_that_would_change_another_servo_too_is_refused(robot_file):
    row = "region: eyes, min_ticks: {0}, neutral_ticks: 2, max_ticks: 3, max_speed_rad_s: 1, max_acceleration_rad_s2: 1"
    before = f"servos:\n- {{name: a, id: 1, {row.format('&low 1')}}}\n- {{name: b, id: 2, {row.format('*low')}}}\n"
    robot_file.write_text(before)
    with pytest.raises(RenaError, match="alias"):
        RobotFileEdit(robot_file).change({"a": {"min_ticks": 0}})
    assert robot_file.read_text() == before


def test_changes_of_another_program_meanwhile_stay(robot_file):
    edit = RobotFileEdit(robot_file)
    jaw = edit.robot.servos[edit.robot.index["jaw"]]
    by_hand = SHIPPED.replace(f"jaw, id: {jaw.id},", "jaw, id: 99,").replace("servos:", "servos: # mine", 1)
    robot_file.write_text(by_hand)
    robot = edit.change({"jaw": TICKS})
    assert robot == edit.robot == load_robot(robot_file)
    assert robot.servos[robot.index["jaw"]] == replace(jaw, id=99, **TICKS)
    assert robot_file.read_text() == edited(by_hand, {"jaw": TICKS})
    assert edit.backup.read_text() == by_hand


@pytest.mark.parametrize(
    ("meanwhile", "message"),
    [
        (SHIPPED[: SHIPPED.index("{name: jaw,") + 9], "is not YAML"),
        (SHIPPED.replace("servos:", "joints:"), "servos is missing"),
        ("", "servos is missing"),
        (SHIPPED.replace("{name: jaw, id: ", "{name: jaw, id: 9"), "jaw: id must be at most 253, found 9"),
    ],
)
def test_a_file_that_another_program_spoilt_meanwhile_is_left_alone(robot_file, meanwhile, message):
    edit = RobotFileEdit(robot_file)
    robot_file.write_text(meanwhile)
    with pytest.raises(RenaError, match=r"face\.yaml was not changed: another program changed it meanwhile") as error:
        edit.change({"jaw": TICKS})
    assert message in str(error.value) and "mend or restore the file" in str(error.value)
    assert robot_file.read_text() == meanwhile and list(robot_file.parent.iterdir()) == [robot_file]


def test_a_file_or_servo_that_is_gone_meanwhile_is_named(robot_file):
    edit = RobotFileEdit(robot_file)
    robot_file.write_text(SHIPPED.replace("name: jaw,", "name: chin,"))
    with pytest.raises(RenaError, match=r"face\.yaml was not changed: .* no servo in it is called jaw any more"):
        edit.change({"jaw": TICKS})
    robot_file.unlink()
    with pytest.raises(RenaError, match=r"cannot read the robot file .*face\.yaml"):
        edit.change({"jaw": TICKS})
    assert list(robot_file.parent.iterdir()) == []


def test_a_servo_with_a_merged_name_is_refused(robot_file):
    text = SHIPPED.replace(f"{{name: {NAMES[0]},", "{<<: *first,")
    robot_file.write_text(f"first: &first {{name: {NAMES[0]}}}\n{text}")
    with pytest.raises(RenaError, match=r"was not changed: .*cannot be edited in place .*write the values in by hand"):
        RobotFileEdit(robot_file).change({NAMES[0]: TICKS})


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("place", "call", "error"),
    [(os, "fsync", FULL), (os, "replace", FULL), (robot_edit, "back_up", KeyboardInterrupt())],
)
def test_a_full_disk_or_ctrl_c_leaves_the_old_file_alone(robot_file, monkeypatch, place, call, error):
    edit = RobotFileEdit(robot_file)
    monkeypatch.setattr(place, call, mock.Mock(side_effect=error))
    with pytest.raises((RenaError, KeyboardInterrupt), match="No space left" if error is FULL else None):
        edit.change({NAMES[0]: TICKS})
    assert unchanged(robot_file)


def test_a_file_that_cannot_be_changed_is_refused_at_the_beginning(robot_file, monkeypatch):
    monkeypatch.setattr(robot_edit.os, "access", lambda path, _: path != robot_file.parent)  # root may write anywhere
    with pytest.raises(RenaError, match="no permission to change"):
        RobotFileEdit(robot_file)
