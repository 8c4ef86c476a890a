"""`rena servo scan`: the diagnosis of what replies, and the whole command on emulated servos."""

import argparse
import json
import re
from dataclasses import replace

import pytest
from tool_stand import ToolStand

from rena_ros.bus.line import Line
from rena_ros.bus.registers import REGISTERS
from rena_ros.cli import main
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.robot.file import load_robot
from rena_ros.servo_tools import return_delay, scan
from rena_ros.servo_tools.diagnosis import diagnose, model_name
from rena_ros.servo_tools.scan import find_servos
from rena_ros.servo_tools.search import FoundServo

ROBOT = load_robot()
BAUD = 1_000_000


def well(servo_id, **changes):
    """Return a servo without faults, except for the changes."""
    return replace(FoundServo(servo_id, BAUD, model=521, firmware="3.10", return_delay_us=0), **changes)


def all_servos(**changed_by_id):
    """All 25 servos; ``id_13=None`` leaves one out, ``id_13={...}`` changes it."""
    found = []
    for servo_id in ROBOT.ids.tolist():
        changes = changed_by_id.get(f"id_{servo_id}", {})
        if changes is not None:
            found.append(well(servo_id, **changes))
    return found


def remark(diagnosis, servo_id):
    return next(row.remark for row in diagnosis.rows if row.id == servo_id)


def test_a_complete_robot_needs_no_advice():
    diagnosis = diagnose(ROBOT, all_servos(), BAUD)
    assert diagnosis.good and diagnosis.advice == ()
    assert [row.id for row in diagnosis.rows] == sorted(ROBOT.ids.tolist())
    assert {row.remark for row in diagnosis.rows} == {"ok"}


def test_silence_of_all_servos_points_to_power():
    diagnosis = diagnose(ROBOT, [], BAUD)
    assert not diagnosis.good
    assert len(diagnosis.advice) == 1 and "power" in diagnosis.advice[0]


def test_one_silent_servo_among_others_has_power():
    diagnosis = diagnose(ROBOT, all_servos(id_13=None), BAUD)
    assert remark(diagnosis, 13) == "silent"
    assert len(diagnosis.advice) == 1
    assert diagnosis.advice[0].startswith("lip_lower_left (id 13) alone is silent: its plug")


def test_silent_neighbours_point_to_the_place_of_the_break():
    diagnosis = diagnose(ROBOT, all_servos(id_18=None, id_19=None, id_20=None), BAUD)
    (advice,) = diagnosis.advice
    assert "corner_right_back (id 18) to corner_right_down (id 20)" in advice
    assert "between corner_left_back and corner_right_back" in advice


def test_a_silent_region_points_to_its_common_plug():
    diagnosis = diagnose(ROBOT, all_servos(id_23=None, id_24=None, id_25=None), BAUD)
    (advice,) = diagnosis.advice
    assert advice.startswith("All 3 servos of region head are silent")


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


def test_a_servo_at_another_rate():
    diagnosis = diagnose(ROBOT, all_servos(id_13={"baud": 500_000}), BAUD)
    assert remark(diagnosis, 13) == "listens at 500000 baud"
    (advice,) = diagnosis.advice
    assert advice.startswith("lip_lower_left listens at 500000 baud")
    assert "`rena servo setup --baud 500000 --to-baud 1000000`" in advice


def test_all_servos_at_another_rate_leave_a_choice():
    diagnosis = diagnose(ROBOT, [well(servo_id, baud=500_000) for servo_id in ROBOT.ids.tolist()], BAUD)
    (advice,) = diagnosis.advice
    assert advice.startswith("All servos listen at 500000 baud: use --baud 500000 from now on, or ")


def test_a_rate_that_no_servo_has_is_not_recommended():
    diagnosis = diagnose(ROBOT, all_servos(), 9600)
    assert not diagnosis.good
    assert diagnosis.advice[-1] == (
        "No servo can be set to 9600 baud; 25 servo(s) reply at 1000000: use --baud 1000000."
    )


def test_a_reported_condition_is_in_the_remark():
    diagnosis = diagnose(ROBOT, all_servos(id_13={"status": 32 | 4}), BAUD)
    assert remark(diagnosis, 13) == "reports temperature, overload"
    assert not diagnosis.good


def test_an_eeprom_that_was_left_unlocked_is_named_with_the_command_that_locks_it():
    diagnosis = diagnose(ROBOT, all_servos(id_13={"unlocked": True}), BAUD)
    assert remark(diagnosis, 13) == "EEPROM unlocked" and not diagnosis.good
    (advice,) = diagnosis.advice
    assert "The EEPROM of lip_lower_left is unlocked" in advice
    assert "`rena servo set-return-delay lip_lower_left` locks it" in advice


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
    for servo_id in (13, 21):
        stand.line().write(servo_id, REGISTERS["lock"].address, b"\0")
    assert scan_on(stand, monkeypatch, "--json", path) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "23 of 25 servos are as they should be" in out and "EEPROM unlocked" in out
    found = json.loads(path.read_text())
    assert not found["good"]
    assert [row["name"] for row in found["rows"] if row["found"]["unlocked"]] == ["lip_lower_left", "jaw"]
    command = re.search("`rena servo set-return-delay (.+?)` locks it", out)[1].split()
    assert stand.run(return_delay, *command, answers=["n"]) == 1 and "Nothing was written" in stand.text
    assert set(stand.now("lock").values()) == {1} and set(stand.now("return_delay").values()) == {60}
    assert scan_on(stand, monkeypatch, "--json", path) == 0 and json.loads(path.read_text())["good"]


def test_slow_replies_are_no_fault_but_named_with_their_remedy():
    diagnosis = diagnose(ROBOT, [well(servo_id, return_delay_us=500) for servo_id in ROBOT.ids.tolist()], BAUD)
    assert diagnosis.good
    (advice,) = diagnosis.advice
    assert "25 servos wait" in advice and "12.5 ms" in advice and "rena servo set-return-delay" in advice


@pytest.mark.parametrize(("number", "name"), [(777, "STS3215 (777)"), (521, "STS3032 (521)"), (9, "9"), (None, "?")])
def test_model_names(number, name):
    assert model_name(number) == name


def scan_on(stand, monkeypatch, *arguments):
    """Run the command on a stand's servos and return its exit code."""
    monkeypatch.setattr(scan, "open_line", lambda _, baud: stand.line(baud))
    parser = argparse.ArgumentParser()
    scan.add_arguments(parser)
    return scan.run(parser.parse_args([*map(str, arguments)]))


def scanned(bank, **options):
    """The servos found on an emulated bus, by id; in virtual time."""
    found = find_servos(ROBOT, BAUD, lambda baud: Line(VirtualPort(bank, baud)), lambda *_: lambda: None, **options)
    return {servo.id: servo for servo in found}


def test_a_scan_reads_model_firmware_and_return_delay():
    found = scanned(ServoBank(ROBOT, return_delay_us=120))
    assert set(found) == set(ROBOT.ids.tolist())
    assert found[7] == FoundServo(7, BAUD, model=521, firmware="3.10", return_delay_us=120)


def test_only_a_dead_servo_is_missing():
    bank = ServoBank(ROBOT)
    bank.inject("dead", "jaw")
    assert set(ROBOT.ids.tolist()) - set(scanned(bank)) == {21}


def test_servos_that_share_an_id_are_noticed():
    bank = ServoBank(ROBOT, positions=ROBOT.neutral_ticks + 20 * (ROBOT.ids == 11))
    bank.inject("same_id", "lip_upper_left", **{"with": "jaw"})
    found = scanned(bank)
    assert found[21].shared and 11 not in found
    assert not any(servo.shared for servo_id, servo in found.items() if servo_id != 21)


def test_new_servos_together_on_one_bus_share_the_factorys_id():
    bank = ServoBank(ROBOT, positions=2000 + 3 * ROBOT.ids, factory=True)
    bank.attach(*ROBOT.names)
    found = scanned(bank)
    assert set(found) == {1} and found[1].shared
    assert "rena servo setup" in diagnose(ROBOT, list(found.values()), BAUD).advice[0]


@pytest.mark.parametrize("all_rates", [False, True])
def test_a_servo_is_found_at_its_own_rate(all_rates):
    bank = ServoBank(ROBOT)
    bank.inject("wrong_baud", "jaw", baud=250_000)
    assert scanned(bank, all_rates=all_rates)[21].baud == 250_000


@pytest.mark.parametrize("all_rates", [False, True])
def test_an_unexpected_id_at_another_rate_is_searched_only_on_request(all_rates):
    bank = ServoBank(ROBOT)
    bank.inject("wrong_baud", "brow_left_raise", baud=115_200)
    found = find_servos(
        replace(ROBOT, servos=ROBOT.servos[1:]),
        BAUD,
        lambda baud: Line(VirtualPort(bank, baud)),
        lambda *_: lambda: None,
        all_rates=all_rates,
    )
    assert [servo.baud for servo in found if servo.id == 1] == [115_200] * all_rates


def test_noise_does_not_count_as_a_second_servo():
    bank = ServoBank(ROBOT)
    bank.inject("corrupt", every=10)
    found = scanned(bank)
    assert set(found) == set(ROBOT.ids.tolist())
    assert not any(servo.shared for servo in found.values())


def test_a_servo_that_misses_one_request_is_found():
    bank = ServoBank(ROBOT)
    bank.inject("dead", every=3)
    assert set(scanned(bank)) == set(ROBOT.ids.tolist())


def test_an_echoing_adapter_and_duplicate_replies_change_nothing():
    bank = ServoBank(ROBOT)
    bank.inject("echo")
    bank.inject("duplicated", "jaw")
    assert not any(servo.shared for servo in scanned(bank).values())
    assert len(scanned(bank)) == 25


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
