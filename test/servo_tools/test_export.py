"""`rena servo export` and `restore`: saved registers are written back where they differ, and no servo loses its id."""

import contextlib
import copy

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tool_stand import NAMES, ROBOT, ToolStand, ctrl_c, full_disk

from rena_ros.base.errors import RenaError
from rena_ros.bus.access import read_register
from rena_ros.bus.eeprom import write_eeprom
from rena_ros.bus.registers import REGISTERS
from rena_ros.servo_tools import export, restore
from rena_ros.servo_tools.eeprom_job import Change
from rena_ros.servo_tools.register_file import formatted, parsed
from rena_ros.servo_tools.restore import plan_restore, refuse_taken_ids

CHANGED = {"position_correction": -1234, "max_torque": 900, "position_p": 20, "return_delay": 25}
JAW = 21


@pytest.fixture
def saved(stand, tmp_path):
    """A file of a robot with a jaw that has settings of its own."""
    path, line = tmp_path / "registers.yaml", stand.line()
    for name, value in CHANGED.items():
        assert write_eeprom(line, JAW, name, value) is None
    assert stand.run(export, str(path)) == 0
    return path


def edit(path, servo, **values):
    content = yaml.safe_load(path.read_text())
    content["servos"][servo]["eeprom"].update(values)
    path.write_text(yaml.safe_dump(content))


def test_the_file_holds_every_register_of_every_servo(stand, saved):
    servos = yaml.safe_load(saved.read_text())["servos"]
    assert tuple(servos) == NAMES
    for name, parts in servos.items():
        assert {**parts["eeprom"], **parts["ram"]}.keys() == REGISTERS.keys()
        assert parts["eeprom"]["id"] == ROBOT.servos[ROBOT.index[name]].id
    assert {name: servos["jaw"]["eeprom"][name] for name in CHANGED} == CHANGED
    # Byte by byte as a servo sends it: -1234 has its sign in bit 11 (FEETECH's memory table).
    raw = stand.line().read(JAW, 31, 2).params
    assert int.from_bytes(raw, "little") == 1234 | 1 << 11


def test_saved_values_are_restored_and_no_others_are_written(monkeypatch, saved):
    other = ToolStand(monkeypatch)
    assert other.run(restore, str(saved), answers=["y"]) == 0
    assert "Write 4 value(s) to the EEPROM of 1 servo(s)?" in other.text
    assert {name: other.kept(name, ("jaw",))["jaw"] for name in CHANGED} == CHANGED
    assert set(other.now("lock").values()) == {1}
    assert other.run(restore, str(saved)) == 0 and "Nothing differs" in other.text


def test_nothing_is_restored_without_a_yes(monkeypatch, saved):
    other = ToolStand(monkeypatch)
    assert other.run(restore, str(saved), answers=["n"]) == 1
    assert other.now("max_torque", ("jaw",)) == {"jaw": 1000}


def test_ids_and_rates_are_restored_only_on_request(stand, saved):
    edit(saved, "jaw", id=77, baud_code=1)
    assert stand.run(restore, str(saved)) == 0 and "Nothing differs" in stand.text
    assert stand.run(restore, str(saved), "--ids", "--bauds", "--yes") == 0
    assert "jaw replies as 77 from now on: write that id into the robot file" in stand.text
    stand.bank.power_cycle()
    line = stand.line(500_000)
    assert read_register(line, 77, "baud_code") == 1 == read_register(line, 77, "lock")


def test_an_id_in_use_is_refused_before_anything_is_written(stand, saved):
    edit(saved, "jaw", id=22, max_torque=1)
    with pytest.raises(RenaError, match="jaw cannot get id 22: another servo replies as 22"):
        stand.run(restore, str(saved), "--ids", "--yes")
    assert stand.now("max_torque", ("jaw",)) == {"jaw": CHANGED["max_torque"]}


def test_two_servos_cannot_get_one_id():
    changes = [Change("jaw", 21, "id", 21, 77), Change("pucker", 22, "id", 22, 77)]
    with pytest.raises(RenaError, match="pucker and jaw would both get id 77"):
        refuse_taken_ids(changes, lambda _: False)


def test_another_model_and_changes_that_silence_a_servo_are_left_out(stand, saved):
    edit(saved, "pucker", model=777, max_torque=1)
    edit(saved, "jaw", response_level=0)
    assert stand.run(restore, str(saved), "--yes") == 1
    assert "pucker (id 22) is left as it is: its model is 521, in the file it is 777" in stand.text
    assert "response_level 1 -> 0 is left out" in stand.text
    assert stand.now("max_torque", ("pucker",)) == {"pucker": 1000}


def test_ctrl_c_while_a_rate_changes_still_locks_it(monkeypatch, saved):
    edit(saved, "jaw", baud_code=1)

    def restored(at):
        stand = ToolStand(monkeypatch)
        stand.before_request[at] = ctrl_c
        stand.on_text = lambda text: counts.append(stand.requests) if "baud_code" in text else None
        with contextlib.suppress(KeyboardInterrupt):
            assert stand.run(restore, str(saved), "--bauds", "--only", "jaw", "--yes") == 0
        return stand

    counts = []
    restored(None)
    for at in range(counts[-1] - 12, counts[-1] + 4, 2):
        stand = restored(at)
        locks = [read_register(stand.line(baud), JAW, "lock") for baud in (1_000_000, 500_000)]
        assert sorted(locks, key=str) == [1, None]


def test_a_silent_servo_is_named_and_left_out(stand, tmp_path):
    stand.bank.inject("dead", "jaw")
    path = tmp_path / "registers.yaml"
    assert stand.run(export, str(path)) == 1
    assert "Silent, not in the file: jaw" in stand.text
    assert len(yaml.safe_load(path.read_text())["servos"]) == 24
    stand.bank.clear()
    stand.bank.inject("dead", "pucker")
    assert stand.run(restore, str(path)) == 1 and "pucker (id 22) does not reply" in stand.text


def test_a_missing_folder_is_reported(stand, tmp_path):
    path = tmp_path / "nowhere" / "registers.yaml"
    with pytest.raises(RenaError, match=f"cannot write {path}: there is no folder"):
        stand.run(export, str(path), "--only", "jaw")


def test_a_full_device_is_reported(stand, full_device):
    with pytest.raises(RenaError, match=f"cannot write {full_device}: No space left"):
        stand.run(export, str(full_device), "--only", "jaw")


def test_an_interrupted_export_leaves_the_earlier_file_unchanged(stand, saved):
    before = saved.read_text()
    stand.before_request[stand.requests + 20] = ctrl_c
    with pytest.raises(KeyboardInterrupt):
        stand.run(export, str(saved))
    assert saved.read_text() == before and list(saved.parent.iterdir()) == [saved]


FAULTY = """\
servos:
  jaw:
    eeprom: {id: 300, nose: 1, mode: x, torque_enable: 1}
  nose:
    eeprom:
      position_p: 3
      position_p: 256
  pucker: [1]
"""


def test_every_fault_of_a_file_is_listed_with_its_line(stand, tmp_path):
    path = tmp_path / "registers.yaml"
    path.write_text(FAULTY)
    with pytest.raises(RenaError) as error:
        stand.run(restore, str(path))
    for fault in (
        "line 3: jaw: eeprom: id: 300 is outside 0..253",
        "line 3: jaw: eeprom: nose is not a field here",
        "line 3: jaw: eeprom: mode must be a whole number, found 'x'",
        "line 3: jaw: eeprom: torque_enable is not a field here",
        "line 4: no servo is called nose",
        "line 7: nose: eeprom: position_p is there twice",
        "line 7: nose: eeprom: position_p: 256 is outside 0..255",
        "line 8: pucker must be a mapping of names and values, found [1]",
    ):
        assert fault in str(error.value)
    assert stand.requests == 0


@pytest.mark.parametrize("text", ["", "[", "servos: 3", "- 1", "servos: {}", "servos: {[1]: {eeprom: {id: 1}}}"])
def test_a_file_of_another_kind_is_refused(text):
    with pytest.raises(RenaError, match="file"):
        parsed(text, NAMES, "the file")


EEPROM = [register for register in REGISTERS.values() if register.eeprom]
values = st.fixed_dictionaries({register.name: st.integers(0, 100) for register in EEPROM}).map(
    lambda row: {**row, "mode": row["mode"] % 4, "baud_code": row["baud_code"] % 5, "response_level": 1}
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=3))
def test_a_formatted_file_is_parsed_to_the_same_values(servos):
    text = formatted(servos, ["a comment"])
    assert parsed(text, NAMES, "the file") == servos
    assert {name: row["eeprom"] for name, row in yaml.safe_load(text)["servos"].items()} == servos


@given(values, values, st.booleans(), st.booleans())
def test_the_plan_turns_the_present_registers_into_the_saved_ones(now, wanted, ids, bauds):
    wanted["model"] = now["model"]
    also = [name for name, asked in (("id", ids), ("baud_code", bauds)) if asked]
    plan = plan_restore(ROBOT.servos[:1], {NAMES[0]: wanted}, {NAMES[0]: now}, also)
    after = copy.copy(now)
    for change in plan.changes:
        assert after[change.register] == change.old
        after[change.register] = change.new
    fixed = {register.name for register in EEPROM if not register.writable} | ({"id", "baud_code"} - set(also))
    assert after == {name: now[name] if name in fixed else value for name, value in wanted.items()}
    order = [change.register for change in plan.changes]
    assert order == sorted(order, key=lambda name: {"id": 1, "baud_code": 2}.get(name, 0))


def test_an_export_backs_up_the_older_file(stand, saved):
    edit(saved, "jaw", max_torque=7)
    older = saved.read_text()
    assert stand.run(export, str(saved)) == 0 and "exists already" in stand.text
    (kept,) = saved.parent.glob(f"{saved.name}.*.bak")
    assert "max_torque: 7" in older == kept.read_text() and "max_torque: 7" not in saved.read_text()


def test_exports_within_one_second_back_up_every_older_file(stand, saved, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form, *_: "20260101-120000")
    texts = ["the first day", "the second day", "the third day"]
    for text in texts:
        saved.write_text(text)
        assert stand.run(export, str(saved)) == 0
    assert sorted(path.read_text() for path in saved.parent.glob(f"{saved.name}.*.bak")) == sorted(texts)


def test_a_failed_backup_leaves_the_file_unchanged(stand, saved, monkeypatch):
    saved.write_text("the first day")
    monkeypatch.setattr("shutil.copy2", full_disk)
    with pytest.raises(RenaError, match="No space left"):
        stand.run(export, str(saved))
    assert saved.read_text() == "the first day" and list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_gets_the_registers_and_nothing_else(stand, name, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    stand.bank.inject("dead", "jaw")
    assert stand.run(export, name) == 1
    out, err = capfd.readouterr()
    assert set(yaml.safe_load(out)["servos"]) == set(NAMES) - {"jaw"}
    assert stand.lines == [] and "Silent, not in the file: jaw" in err
    assert list(tmp_path.iterdir()) == []


def test_a_full_standard_output_is_one_clear_error(stand, monkeypatch):
    monkeypatch.setattr("sys.stdout.write", full_disk)
    with pytest.raises(RenaError, match="cannot write to standard output: No space left"):
        stand.run(export, "-")
