"""The servo bank: its motion against the maths, its registers and replies against the vendor's table."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servo_stand import ROBOT

from rena_ros.bus import protocol
from rena_ros.bus.protocol import BROADCAST_ID, Instruction, Packet, Parser, to_word
from rena_ros.emulator.bank import SILENCE_S, ServoBank
from rena_ros.emulator.servo_motion import TrapezoidMotion

NECK = 23  # limits 1707..2389, neutral 2048
NECK_AT = ROBOT.names.index("neck_yaw")
OUTSIDE = to_word(2390)
REG_WRITE = protocol.encode(Packet(NECK, Instruction.REG_WRITE, b"\x2a" + OUTSIDE))


def row_of(data):
    return np.frombuffer(data, np.uint8).reshape(1, -1)


def registers(bank, servo_id, address, size):
    (packet,) = Parser().feed(bank.receive(protocol.read(servo_id, address, size)))
    return packet.params


def torque_on(bank):
    bank.receive(protocol.write(BROADCAST_ID, 40, b"\1"))


def goals(bank, ticks, servo_id=NECK, time_ms=0, speed=0):
    row = row_of(to_word(ticks, 15) + to_word(time_ms) + to_word(speed, 15))
    bank.receive(protocol.sync_write([servo_id], 42, row))


@pytest.mark.parametrize(
    ("hundreds", "goal", "wanted_s", "within_s"),
    [
        (50, {"ticks": 2348, "speed": 500}, 300 / 500 + 500 / 5000, 0.002),  # a trapezoid: d/v + v/a
        (10, {"ticks": 2148, "speed": 2000}, 2 * math.sqrt(100 / 1000), 0.002),  # a triangle
        (0, {"ticks": 2348, "time_ms": 1000, "speed": 2000}, 1.0, 0.01),  # the goal time sets the speed
    ],
)
def test_a_motion_takes_the_time_of_its_profile(bank, hundreds, goal, wanted_s, within_s):
    bank.receive(protocol.write(NECK, 41, bytes([hundreds])))  # acceleration, 100 ticks/s2
    torque_on(bank)
    goals(bank, **goal)
    steps = 0
    while bank.moving[NECK_AT]:
        bank.advance(0.001)
        steps += 1
    assert steps * 0.001 == pytest.approx(wanted_s, abs=within_s)
    assert bank.positions[NECK_AT] == goal["ticks"]


limits = st.tuples(st.floats(50, 2900), st.floats(100, 100_000))
journeys = st.lists(st.tuples(st.floats(0, 4095), limits, st.floats(0, 0.5)), min_size=1, max_size=6)


@settings(max_examples=60)
@given(journeys)
def test_speed_and_acceleration_never_jump_and_the_goal_is_reached(journey):
    motion, which, step_s = TrapezoidMotion(np.array([2048.0])), np.array([0]), 0.001
    position, speed = (float(column[0]) for column in motion.state())
    for goal, (top_speed, most), lasting_s in journey:
        motion.move(which, np.array([goal]), np.array([top_speed]), np.array([most]))
        highest = max(top_speed, abs(speed))
        for _ in range(int(lasting_s / step_s)):
            motion.advance(step_s)
            new_position, new_speed = (float(column[0]) for column in motion.state())
            assert abs(new_speed - speed) <= most * step_s * (1 + 1e-9) + 1e-6
            assert abs(new_speed) <= highest + 1e-6
            assert abs(new_position - position) <= highest * step_s + 1e-6
            position, speed = new_position, new_speed
    # The slowest possible end: brake, come back by the braking distance, then cross the whole range.
    motion.advance(2900 / 100 + (2900**2 / (2 * 100) + 4096) / 50 + 2 * 2900 / 100)
    assert not motion.moving()[0]
    assert motion.state()[0][0] == pytest.approx(journey[-1][0], abs=1e-6)


@given(journeys)
def test_the_size_of_the_time_steps_has_no_effect(journey):
    coarse, fine = (TrapezoidMotion(np.array([2048.0])) for _ in range(2))
    for goal, (top_speed, most), lasting_s in journey:
        for motion, parts in ((coarse, 1), (fine, 7)):
            motion.move(np.array([0]), np.array([goal]), np.array([top_speed]), np.array([most]))
            for _ in range(parts):
                motion.advance(lasting_s / parts)
        np.testing.assert_allclose(coarse.state(), fine.state(), atol=1e-3)


def test_nothing_moves_without_torque_and_torque_off_stops(bank):
    goals(bank, 2300)
    bank.advance(1.0)
    assert bank.positions[NECK_AT] == 2048
    torque_on(bank)
    bank.advance(0.05)
    midway = bank.positions[NECK_AT]
    assert 2048 < midway < 2300
    bank.receive(protocol.write(NECK, 40, b"\0"))
    bank.advance(1.0)
    assert bank.positions[NECK_AT] == midway


def test_registers_as_from_the_factory(bank):
    assert registers(bank, NECK, 3, 2) == to_word(521)
    assert registers(bank, NECK, 5, 1) == bytes([NECK])
    assert registers(bank, NECK, 9, 4) == to_word(0) + to_word(4095)
    assert registers(bank, NECK, 40, 1) == b"\0"
    assert registers(bank, NECK, 56, 8) == to_word(2048) + bytes(4) + bytes([60, 30])


def test_a_goal_beyond_the_servos_own_limits_is_clamped_but_counted_as_sent(bank):
    bank.receive(protocol.write(NECK, 9, to_word(1700) + to_word(2400)))
    torque_on(bank)
    goals(bank, 2395)  # inside the servo's limits, outside the robot's
    goals(bank, 3000)
    goals(bank, -5)
    goals(bank, 2389)
    assert bank.report()["limit_violations"] == 3 and bank.report()["goal_writes"] == 4
    goals(bank, 3000)
    bank.advance(2.0)
    assert bank.positions[NECK_AT] == 2400
    assert registers(bank, NECK, 42, 2) == to_word(2400)


@pytest.mark.parametrize(
    "frames",
    [
        [protocol.write(NECK, 42, OUTSIDE)],
        [REG_WRITE, protocol.encode(Packet(BROADCAST_ID, Instruction.ACTION))],
        [protocol.sync_write([NECK], 42, row_of(OUTSIDE))],
        [protocol.sync_write([NECK], 41, row_of(b"\0" + OUTSIDE))],
    ],
)
def test_violations_are_counted_for_every_instruction_that_sends_a_goal(bank, frames):
    for frame in frames:
        assert bank.report()["limit_violations"] == 0
        bank.receive(frame)
    assert bank.report()["limit_violations"] == 1


def test_writes_are_acknowledged_by_response_level_and_broadcast_is_silent(bank):
    assert bank.receive(protocol.write(NECK, 41, b"\5")) == protocol.reply(NECK, 0)
    assert bank.receive(protocol.write(BROADCAST_ID, 41, b"\6")) == b""
    assert registers(bank, 1, 41, 1) == b"\6"
    bank.receive(protocol.write(NECK, 8, b"\0"))
    assert bank.receive(protocol.write(NECK, 41, b"\7")) == b""
    assert registers(bank, NECK, 41, 1) == b"\7"
    assert bank.receive(protocol.ping(NECK)) == protocol.reply(NECK, 0)


def test_servos_reply_to_a_broadcast_ping_and_a_sync_read_in_the_order_of_their_request(bank):
    found = Parser().feed(bank.receive(protocol.ping(BROADCAST_ID)))
    assert [packet.id for packet in found] == ROBOT.ids.tolist()
    found = Parser().feed(bank.receive(protocol.sync_read((7, 3, 200, 5), 56, 8)))
    assert [(packet.id, len(packet.params)) for packet in found] == [(7, 8), (3, 8), (5, 8)]


def test_malformed_and_foreign_frames_get_no_reply(bank):
    corrupt = bytearray(protocol.read(NECK, 56, 2))
    corrupt[-1] ^= 1
    assert bank.receive(bytes(corrupt)) == b""
    assert bank.report()["bad_checksums"] == 1
    assert bank.receive(protocol.read(200, 56, 2)) == b""
    assert bank.receive(protocol.encode(Packet(NECK, 0x55))) == b""
    assert bank.receive(protocol.encode(Packet(NECK, 0x02, b"\x38"))) == b""
    assert bank.report()["unknown_instructions"] == 1


def test_an_unfinished_frame_does_not_swallow_the_next(bank):
    assert bank.receive(bytes.fromhex("FF FF 17 F0 03")) == b""
    bank.advance(2 * SILENCE_S)
    assert bank.receive(protocol.ping(NECK)) == protocol.reply(NECK, 0)


def test_eeprom_survives_a_power_cycle_only_if_written_unlocked_and_ram_never(bank):
    bank.receive(protocol.write(NECK, 9, to_word(1000)))
    bank.receive(protocol.write(NECK, 55, b"\0"))
    bank.receive(protocol.write(NECK, 11, to_word(3000)))
    torque_on(bank)
    assert registers(bank, NECK, 9, 4) == to_word(1000) + to_word(3000)
    bank.power_cycle()
    assert registers(bank, NECK, 9, 4) == to_word(0) + to_word(3000)
    assert not bank.torque.any()


def test_read_only_registers_keep_their_values(bank):
    bank.receive(protocol.write(NECK, 56, to_word(1)))
    bank.receive(protocol.write(NECK, 3, to_word(1)))
    assert registers(bank, NECK, 56, 2) == to_word(2048) and registers(bank, NECK, 3, 2) == to_word(521)


def test_a_servo_with_a_new_id_replies_to_that_id_only(bank):
    bank.receive(protocol.write(NECK, 5, bytes([99])))
    assert bank.receive(protocol.ping(NECK)) == b""
    assert bank.receive(protocol.ping(99)) == protocol.reply(99, 0)


def test_128_at_the_torque_register_redefines_the_middle_of_that_servo_only(bank):
    torque_on(bank)
    goals(bank, 2300)
    goals(bank, 2500, servo_id=1)
    bank.advance(2.0)
    bank.receive(protocol.write(NECK, 40, bytes([128])))
    assert bank.positions[NECK_AT] == 2048 and bank.positions[0] == 2500


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_the_bank_survives_any_bytes(chunks):
    bank = ServoBank(ROBOT)
    for chunk in chunks:
        bank.receive(chunk)
        bank.advance(0.01)
    bank.advance(1.0)
    assert bank.receive(protocol.ping(NECK)).endswith(protocol.reply(NECK, 0))
