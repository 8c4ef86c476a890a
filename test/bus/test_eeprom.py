"""Registers of single emulated servos, in RAM and in EEPROM: writing, reading back, and the lock."""

import pytest
from servo_stand import ROBOT, ServoStand

from rena_ros.bus import protocol
from rena_ros.bus.access import read_register, write_register
from rena_ros.bus.eeprom import check_eeprom, lock_eeprom, write_eeprom
from rena_ros.bus.line import Line
from rena_ros.bus.port import PortLost
from rena_ros.bus.registers import REGISTERS

JAW = ROBOT.servos[ROBOT.index["jaw"]]
HIGHEST = {  # from FEETECH's memory table of the STS series
    **{"id": 253, "baud_code": 7, "return_delay": 254, "response_level": 1, "min_angle": 4095, "max_angle": 4095},
    **{"max_temperature": 100, "max_torque": 1000, "mode": 3, "protective_torque": 100, "protection_time": 254},
}


@pytest.fixture
def stand():
    return ServoStand()


@pytest.fixture
def bank(stand):
    return stand.bank


@pytest.fixture
def line(stand):
    return Line(stand.open_port(), retries=1)


def test_registers_are_read_by_name_and_with_their_sign(bank, line):
    assert read_register(line, JAW.id, "model") == 521
    assert read_register(line, JAW.id, "return_delay") == 0
    bank.receive(protocol.write(JAW.id, 46, protocol.to_word(-300, 15)))
    assert read_register(line, JAW.id, "goal_speed") == -300
    bank.inject("dead", "jaw")
    assert read_register(line, JAW.id, "model") is None


def test_a_ram_register_is_written_and_read_back(bank, stand, line):
    assert write_register(line, JAW.id, "goal_speed", -300) is None
    assert stand.writes() == [(JAW.id, 46, bytes.fromhex("2C 81"))]
    assert write_register(line, JAW.id, "torque_enable", 1) is None
    assert bank.read_register("jaw", "torque_enable") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("torque_enable", 128),
        ("torque_enable", 2),
        ("id", 4),
        ("present_position", 0),
        ("acceleration", 256),
        ("acceleration", -1),
        ("torque_limit", -1),
        ("goal_position", 40_000),
    ],
)
def test_what_must_not_be_written_raises_and_is_not_sent(stand, line, name, value):
    with pytest.raises(ValueError, match=name):
        write_register(line, JAW.id, name, value)
    assert stand.sent == []


def test_a_failed_write_returns_its_reason(bank, line):
    bank.inject("reject", "jaw")
    assert write_register(line, JAW.id, "acceleration", 5) == "rejects the request (status 64)"
    bank.clear()
    bank.inject("overload", "jaw")
    bank.receive(protocol.write(JAW.id, 40, b"\1"))
    why = write_register(line, JAW.id, "torque_enable", 0)
    assert why == "did not take torque_enable (status 32)"
    bank.inject("dead", "jaw")
    assert write_register(line, JAW.id, "acceleration", 5) == "does not reply"


def test_a_lost_acknowledgement_is_no_failure_when_the_register_holds_the_value(bank, line):
    plain = bank.replies
    bank.replies = lambda data, *rest: [] if data[4] == 0x03 and plain(data, *rest) else plain(data, *rest)
    assert write_register(line, JAW.id, "acceleration", 5) is None


def test_eeprom_is_unlocked_written_read_back_and_locked_again(bank, stand, line):
    assert write_eeprom(line, JAW.id, "return_delay", 7) is None
    assert stand.writes() == [(JAW.id, 55, b"\0"), (JAW.id, 7, b"\7"), (JAW.id, 55, b"\1")]
    reads = [p.params[0] for p in stand.sent if p.code == 0x02]
    assert reads == [40, 55, 7, 55]  # torque first, then each written register
    bank.power_cycle()
    assert bank.read_register("jaw", "return_delay") == 7 and bank.read_register("jaw", "lock") == 1


def test_no_eeprom_is_written_while_torque_is_on(bank, stand, line):
    bank.receive(protocol.write(JAW.id, 40, b"\1"))
    assert "torque is on" in write_eeprom(line, JAW.id, "return_delay", 7)
    assert stand.writes() == []


def test_a_servo_that_does_not_reply_is_not_written_to(bank, stand, line):
    bank.inject("dead", "jaw")
    assert write_eeprom(line, JAW.id, "return_delay", 7) == "does not reply"
    assert stand.writes() == []


def test_a_failed_eeprom_write_returns_its_reason_and_closes_the_lock(bank, line):
    bank.inject("eeprom_locked", "jaw")
    assert "did not take return_delay" in write_eeprom(line, JAW.id, "return_delay", 7)
    assert bank.read_register("jaw", "lock") == 1


def test_a_lock_that_stays_open_is_reported(bank, line):
    plain = bank.replies
    closing = protocol.write(JAW.id, 55, b"\1")
    bank.replies = lambda data, *rest: [] if data == closing else plain(data, *rest)
    why = write_eeprom(line, JAW.id, "return_delay", 7)
    assert why.startswith("return_delay is written; but its EEPROM could not be locked again: did not take lock")
    assert bank.read_register("jaw", "return_delay") == 7 and bank.read_register("jaw", "lock") == 0


def test_an_interrupted_write_closes_the_lock(bank, line):
    port = line.port
    plain, value = port.write, protocol.write(JAW.id, 7, b"\7")

    def interrupted(data):
        if data == value:
            raise KeyboardInterrupt
        return plain(data)

    port.write = interrupted
    with pytest.raises(KeyboardInterrupt):
        write_eeprom(line, JAW.id, "return_delay", 7)
    assert bank.read_register("jaw", "lock") == 1


def test_a_pulled_cable_raises_port_lost(bank, line):
    bank.inject("unplugged")
    with pytest.raises(PortLost):
        write_eeprom(line, JAW.id, "return_delay", 7)


def test_a_servo_is_locked_under_its_new_id(bank, stand, line):
    assert write_eeprom(line, JAW.id, "id", 77) is None
    assert stand.writes() == [(JAW.id, 55, b"\0"), (JAW.id, 5, b"\x4d"), (77, 55, b"\1")]
    bank.power_cycle()
    assert read_register(line, 77, "lock") == 1 and read_register(line, JAW.id, "id") is None


def test_an_id_of_another_servo_is_refused(bank, stand, line):
    assert write_eeprom(line, JAW.id, "id", 5) == "another servo already has id 5"
    bank.inject("corrupt", "eye_left_yaw")
    assert write_eeprom(line, JAW.id, "id", 5) == "another servo already has id 5"
    assert stand.writes() == []
    assert write_eeprom(line, JAW.id, "id", JAW.id) is None


def test_an_id_that_the_servo_did_not_take_is_reported(bank, line):
    bank.inject("eeprom_locked", "jaw")
    why = write_eeprom(line, JAW.id, "id", 77)
    assert why == f"did not take the id 77 and still replies as id {JAW.id}"
    assert bank.read_register("jaw", "lock") == 1


def test_the_error_names_both_ids_when_the_servo_falls_silent_after_its_id_is_written(bank, line):
    plain, changing = bank.replies, protocol.write(JAW.id, 5, b"\x4d")

    def replies(data, *rest):
        if data == changing:
            bank.inject("dead", "jaw")
        return plain(data, *rest)

    bank.replies = replies
    why = write_eeprom(line, JAW.id, "id", 77)
    assert f"does not reply under id 77, nor under {JAW.id}" in why and "could not be locked" in why


def test_a_new_baud_rate_is_verified_on_a_port_of_that_rate(bank, stand, line):
    assert write_eeprom(line, JAW.id, "baud_code", 1) is None
    assert (JAW.id, 6, b"\1") in stand.writes() and stand.writes()[0] == (JAW.id, 55, b"\0")
    assert read_register(line, JAW.id, "id") is None
    after = stand.line(500_000)
    assert read_register(after, JAW.id, "baud_code") == 1
    assert lock_eeprom(after, JAW.id) is None and read_register(after, JAW.id, "lock") == 1


def test_writing_the_present_baud_rate_leaves_the_lock_closed(bank, line):
    assert write_eeprom(line, JAW.id, "baud_code", 0) is None  # its present rate
    assert bank.read_register("jaw", "lock") == 1


@pytest.mark.parametrize(("name", "highest"), HIGHEST.items())
def test_values_outside_a_registers_range_are_refused(stand, line, name, highest):
    for value in (-1, highest + 1):
        with pytest.raises(ValueError, match=f"{name}: {value} is outside 0..{highest}"):
            write_eeprom(line, JAW.id, name, value)
    check_eeprom(name, 0)
    check_eeprom(name, highest)
    assert stand.sent == []


@pytest.mark.parametrize("name", ["torque_enable", "model", "nonsense"])
def test_only_writable_eeprom_registers_can_be_written(line, name):
    with pytest.raises(ValueError, match=name):
        write_eeprom(line, JAW.id, name, 1)


def test_every_writable_eeprom_register_can_be_written_back():
    for register in REGISTERS.values():
        if register.eeprom and register.writable:
            check_eeprom(register.name, register.default)
    with pytest.raises(ValueError, match="position_p: 256"):
        check_eeprom("position_p", 256)
    with pytest.raises(ValueError, match="4000"):
        check_eeprom("position_correction", 4000)
