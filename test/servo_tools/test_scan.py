"""`rena servo scan`: the diagnosis of what replies, and the whole command on emulated servos."""

import json
import re
from dataclasses import replace

import pytest
from servo_stand import ROBOT, ServoStand
from tool_stand import ToolStand

from rena_ros.cli import main
from rena_ros.servo_tools import return_delay, scan
from rena_ros.servo_tools.diagnosis import diagnose, model_name
from rena_ros.servo_tools.scan import find_servos
from rena_ros.servo_tools.search import FoundServo

BAUD = 1_000_000


def well(servo_id, **changes):
    """Return a servo without faults, except for the changes."""
    return replace(FoundServo(servo_id, BAUD, model=521, firmware="3.10", return_delay_us=0), **changes)


def all_servos(**changed_by_id):
    """Return all 25 servos; ``id_13=None`` leaves one out, ``id_13={...}`` changes it."""
    changes = {servo_id: changed_by_id.get(f"id_{servo_id}", {}) for servo_id in ROBOT.ids.tolist()}
    return [well(servo_id, **changed) for servo_id, changed in changes.items() if changed is not None]


def remark(diagnosis, servo_id):
    return next(row.remark for row in diagnosis.rows if row.id == servo_id)


def test_a_complete_robot_needs_no_advice():
    diagnosis = diagnose(ROBOT, all_servos(), BAUD)
    assert diagnosis.good and diagnosis.advice == ()
    assert [row.id for row in diagnosis.rows] == sorted(ROBOT.ids.tolist())
    assert {row.remark for row in diagnosis.rows} == {"ok"}


def test_silence_of_all_servos_points_to_power():
    diagnosis = diagnose(ROBOT, [], BAUD)
    (advice,) = diagnosis.advice
    assert not diagnosis.good and "power" in advice


@pytest.mark.parametrize(
    ("changes", "remark_on_13", "advice"),
    [
        ({"id_13": None}, "silent", "lip_lower_left (id 13) alone is silent: its plug"),
        (
            {"id_18": None, "id_19": None, "id_20": None},
            "ok",
            "All servos from corner_right_back (id 18) to corner_right_down (id 20) are silent: if they are chained in "
            "the order of the robot file, the cable is broken between corner_left_back and corner_right_back",
        ),
        ({"id_23": None, "id_24": None, "id_25": None}, "ok", "All 3 servos of region head are silent"),
        (
            {"id_13": {"baud": 500_000}},
            "listens at 500000 baud",
            "lip_lower_left listens at 500000 baud: run `rena servo setup --baud 500000 --to-baud 1000000`",
        ),
        ({"id_13": {"unlocked": True}}, "EEPROM unlocked", "The EEPROM of lip_lower_left is unlocked"),
    ],
    ids=["a silent servo", "silent neighbours", "a silent region", "another rate", "an unlocked EEPROM"],
)
def test_one_fault_gets_a_remark_and_one_piece_of_advice(changes, remark_on_13, advice):
    diagnosis = diagnose(ROBOT, all_servos(**changes), BAUD)
    assert remark(diagnosis, 13) == remark_on_13 and not diagnosis.good
    assert len(diagnosis.advice) == 1 and diagnosis.advice[0].startswith(advice)


def test_the_factorys_id_points_to_new_servos():
    for found in ([FoundServo(1, BAUD, shared=True)], [well(1)], [well(1, shared=True)]):
        diagnosis = diagnose(ROBOT, found, BAUD)
        (advice,) = diagnosis.advice
        assert "rena servo setup" in advice and "the id of every new servo" in advice


def test_two_servos_with_one_id_are_garbled():
    diagnosis = diagnose(ROBOT, all_servos(id_12=None, id_13={"shared": True}), BAUD)
    assert remark(diagnosis, 13) == "garbled: several servos?"
    missing, shared = diagnosis.advice
    assert missing.startswith("lip_upper_right (id 12) is silent: it may reply as 13")
    assert shared.startswith("The reply of id 13 is garbled") and "rena servo setup" in shared


def test_an_unexpected_id_may_be_the_missing_servo():
    diagnosis = diagnose(ROBOT, [*all_servos(id_13=None), well(77)], BAUD)
    assert remark(diagnosis, 77) == "not in the robot file"
    missing, unexpected = diagnosis.advice
    assert "lip_lower_left (id 13) is silent: it may reply as 77" in missing
    assert "no servo with id 77" in unexpected
    assert not diagnose(ROBOT, [*all_servos(), well(77)], BAUD).good


def test_all_servos_at_another_rate_leave_a_choice():
    diagnosis = diagnose(ROBOT, [well(servo_id, baud=500_000) for servo_id in ROBOT.ids.tolist()], BAUD)
    (advice,) = diagnosis.advice
    assert advice.startswith("All servos listen at 500000 baud: use --baud 500000 from now on, or ")


def test_a_rate_that_no_servo_has_is_not_recommended():
    diagnosis = diagnose(ROBOT, all_servos(), 9600)
    assert not diagnosis.good
    wanted = "No servo can be set to 9600 baud; 25 servo(s) reply at 1000000: use --baud 1000000."
    assert diagnosis.advice[-1] == wanted


def test_a_reported_condition_is_in_the_remark():
    diagnosis = diagnose(ROBOT, all_servos(id_13={"status": 32 | 4}), BAUD)
    assert remark(diagnosis, 13) == "reports temperature, overload" and not diagnosis.good


def test_an_unlocked_eeprom_is_named_beside_other_faults():
    found = all_servos(id_13={"unlocked": True, "status": 32}, id_21={"unlocked": True, "baud": 500_000})
    diagnosis = diagnose(ROBOT, found, BAUD)
    assert remark(diagnosis, 13) == "reports overload; EEPROM unlocked"
    assert remark(diagnosis, 21) == "listens at 500000 baud; EEPROM unlocked"
    assert "lip_lower_left reports overload: `rena servo monitor lip_lower_left` shows more." in diagnosis.advice
    commands = " ".join(diagnosis.advice)
    assert "`rena servo set-return-delay lip_lower_left` locks it" in commands
    assert "`rena servo set-return-delay --baud 500000 jaw` locks it" in commands


def test_one_command_without_names_locks_all_eeproms():
    diagnosis = diagnose(ROBOT, [well(servo_id, unlocked=True) for servo_id in ROBOT.ids.tolist()], BAUD)
    (advice,) = diagnosis.advice
    assert "The EEPROM of all 25 servos is unlocked" in advice and "`rena servo set-return-delay` locks it" in advice


def test_the_command_that_scan_recommends_locks_an_unlocked_eeprom(monkeypatch, tmp_path, capsys):
    stand, path = ToolStand(monkeypatch, return_delay_us=120), tmp_path / "scan.json"
    for name in ("lip_lower_left", "jaw"):
        stand.bank.set_register(name, "lock", 0)
    assert stand.call(scan, "--json", path) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "23 of 25 servos are as they should be" in out and "EEPROM unlocked" in out
    found = json.loads(path.read_text())
    assert not found["good"]
    assert [row["name"] for row in found["rows"] if row["found"]["unlocked"]] == ["lip_lower_left", "jaw"]
    command = re.search("`rena servo set-return-delay (.+?)` locks it", out)[1].split()
    assert stand.run(return_delay, *command, answers=["n"]) == 1 and "Nothing was written" in stand.text
    assert set(stand.now("lock").values()) == {1} and set(stand.now("return_delay").values()) == {60}
    assert stand.call(scan, "--json", path) == 0 and json.loads(path.read_text())["good"]


def test_slow_replies_are_no_fault_but_named_with_their_remedy():
    diagnosis = diagnose(ROBOT, [well(servo_id, return_delay_us=500) for servo_id in ROBOT.ids.tolist()], BAUD)
    assert diagnosis.good
    (advice,) = diagnosis.advice
    assert "25 servos wait" in advice and "12.5 ms" in advice and "rena servo set-return-delay" in advice


@pytest.mark.parametrize(("number", "name"), [(777, "STS3215 (777)"), (521, "STS3032 (521)"), (9, "9"), (None, "?")])
def test_model_names(number, name):
    assert model_name(number) == name


def scanned(stand, **options):
    """Return the servos found on a stand, by id."""
    found = find_servos(ROBOT, BAUD, stand.line, lambda *_: lambda: None, **options)
    return {servo.id: servo for servo in found}


def test_a_scan_reads_model_firmware_and_return_delay():
    found = scanned(ServoStand(return_delay_us=120))
    assert set(found) == set(ROBOT.ids.tolist())
    assert found[7] == FoundServo(7, BAUD, model=521, firmware="3.10", return_delay_us=120)


def test_only_a_dead_servo_is_missing(stand):
    stand.bank.inject("dead", "jaw")
    assert set(ROBOT.ids.tolist()) - set(scanned(stand)) == {21}


def test_servos_that_share_an_id_are_noticed():
    stand = ServoStand(ROBOT.neutral_ticks + 20 * (ROBOT.ids == 11))
    stand.bank.inject("same_id", "lip_upper_left", **{"with": "jaw"})
    found = scanned(stand)
    assert found[21].shared and 11 not in found
    assert not any(servo.shared for servo_id, servo in found.items() if servo_id != 21)


def test_new_servos_together_on_one_bus_share_the_factorys_id():
    stand = ServoStand(2000 + 3 * ROBOT.ids, factory=True)
    stand.bank.set_attached(*ROBOT.names)
    found = scanned(stand)
    assert set(found) == {1} and found[1].shared
    assert "rena servo setup" in diagnose(ROBOT, list(found.values()), BAUD).advice[0]


@pytest.mark.parametrize("all_rates", [False, True])
def test_a_servo_is_found_at_its_own_rate(stand, all_rates):
    stand.bank.inject("wrong_baud", "jaw", baud=250_000)
    assert scanned(stand, all_rates=all_rates)[21].baud == 250_000


@pytest.mark.parametrize("all_rates", [False, True])
def test_an_unexpected_id_at_another_rate_is_searched_only_on_request(stand, all_rates):
    stand.bank.inject("wrong_baud", "brow_left_raise", baud=115_200)
    without_1 = replace(ROBOT, servos=ROBOT.servos[1:])
    found = find_servos(without_1, BAUD, stand.line, lambda *_: lambda: None, all_rates=all_rates)
    assert [servo.baud for servo in found if servo.id == 1] == [115_200] * all_rates


@pytest.mark.parametrize(("kind", "every"), [("corrupt", 10), ("dead", 3)])
def test_noise_and_missed_requests_hide_no_servo_and_do_not_count_as_a_second_one(stand, kind, every):
    stand.bank.inject(kind, every=every)
    found = scanned(stand)
    assert set(found) == set(ROBOT.ids.tolist()) and not any(servo.shared for servo in found.values())


def test_an_echoing_adapter_and_duplicate_replies_change_nothing(stand):
    stand.bank.inject("echo")
    stand.bank.inject("duplicated", "jaw")
    found = scanned(stand)
    assert len(found) == 25 and not any(servo.shared for servo in found.values())


def test_scan_on_the_emulator_finds_all_servos(emulator, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["servo", "scan", "--port", str(emulator.link), "--json", str(tmp_path / "scan.json")]) == 0
    out = capsys.readouterr().out
    assert "25 of 25 servos" in out and max(map(len, out.splitlines())) <= 80
    result = json.loads((tmp_path / "scan.json").read_text())
    assert result["good"] and len(result["rows"]) == 25 and result["rows"][20]["name"] == "jaw"


def test_ctrl_c_ends_a_scan_without_a_traceback(emulator, terminal):
    tool = terminal("scan", "--all-bauds", "--port", emulator.link)
    tool.wait_for("1000000 baud")
    tool.press("\x03")
    assert tool.ended() == 130
    assert "rena servo scan: interrupted" in tool.text and "Traceback" not in tool.text


def test_a_missing_port_is_an_error(tmp_path, capsys):
    assert main(["servo", "scan", "--port", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith(f"rena servo scan: there is no port {tmp_path / 'nowhere'}; ")


def test_a_file_is_refused_as_a_port(tmp_path, capsys):
    (tmp_path / "notes").write_text("mine")
    assert main(["servo", "scan", "--port", str(tmp_path / "notes")]) == 2
    assert capsys.readouterr().err == f"rena servo scan: {tmp_path / 'notes'} is no serial port\n"
