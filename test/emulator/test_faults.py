"""Faults of emulated servos, kind by kind, in the bytes of their replies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servo_stand import ROBOT

from rena_ros.bus import protocol
from rena_ros.bus.protocol import BROADCAST_ID, to_word
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.fault_schedule import RandomFaults
from rena_ros.emulator.faults import KINDS, make_fault
from rena_ros.emulator.wire import superimpose

JAW, NECK = 21, 23  # ids
AT = {JAW: ROBOT.index["jaw"], NECK: ROBOT.index["neck_yaw"]}
MIDDLE = (0x00, 0x08)  # 2048


def frame(servo_id, status, *params):
    """Make a reply by the rule of the vendor's manual."""
    body = [servo_id, len(params) + 2, status, *params]
    return bytes([0xFF, 0xFF, *body, ~sum(body) & 0xFF])


PLAIN = frame(JAW, 0, *MIDDLE)


def read(bank, servo_id, address=56, size=2):
    return bank.receive(protocol.read(servo_id, address, size))


def write(bank, servo_id, address, *data):
    return bank.receive(protocol.write(servo_id, address, bytes(data)))


def goal(bank, servo_id, ticks):
    return write(bank, servo_id, 42, *to_word(ticks))


def torque_on(bank):
    write(bank, BROADCAST_ID, 40, 1)


def test_without_a_fault_the_reply_is_the_manuals(bank):
    assert read(bank, JAW) == PLAIN == bytes.fromhex("FF FF 15 04 00 00 08 DE")


@pytest.mark.parametrize(
    ("kind", "values", "received"),
    [
        ("dead", {}, b""),
        ("truncated", {}, PLAIN[:4]),
        ("truncated", {"bytes": 7}, PLAIN[:7]),
        ("duplicated", {}, 2 * PLAIN),
        ("wrong_id", {"id": 7}, frame(7, 0, *MIDDLE)),  # with a right checksum
        ("encoder", {}, frame(JAW, 2, *MIDDLE)),
        ("reject", {}, frame(JAW, 64, 0, 0)),
    ],
)
def test_a_fault_alters_the_reply_of_its_servo_only(bank, kind, values, received):
    bank.inject(kind, "jaw", **values)
    assert read(bank, JAW) == received
    assert bank.receive(protocol.sync_read([JAW, NECK], 56, 2)) == received + frame(NECK, 0, *MIDDLE)


def test_a_dead_servo_neither_hears_nor_replies_and_moves_on_to_its_goal(bank):
    torque_on(bank)
    goal(bank, JAW, 2300)
    bank.inject("dead", "jaw")
    assert read(bank, JAW) == b"" and goal(bank, JAW, 2100) == b""
    assert read(bank, NECK) == frame(NECK, 0, *MIDDLE)
    bank.receive(protocol.sync_write([JAW], 42, np.array([to_word(2100)], "S2").view(np.uint8).reshape(1, 2)))
    assert bank.receive(protocol.sync_read([NECK, JAW], 65, 1)) == frame(NECK, 0, 0)
    bank.advance(2.0)
    assert bank.positions[AT[JAW]] == 2300
    bank.clear("dead", "jaw")
    assert read(bank, JAW) == frame(JAW, 0, *to_word(2300))


def test_a_fault_of_every_tenth_reply_hits_every_tenth_reply(bank):
    bank.inject("dead", "jaw", every=10)
    replied = [bool(read(bank, JAW)) for _ in range(50)]
    assert [k for k, there in enumerate(replied, 1) if not there] == [10, 20, 30, 40, 50]
    assert all(read(bank, NECK) for _ in range(20))


def test_a_fault_with_a_probability_is_seeded():
    def replied(seed):
        bank = ServoBank(ROBOT, seed=seed)
        bank.inject("dead", "jaw", probability=0.3)
        return [bool(read(bank, JAW)) for _ in range(1000)]

    assert replied(1) == replied(1) != replied(2)
    # 300 expected, standard deviation sqrt(1000 * .3 * .7) = 14.5
    assert 240 < replied(1).count(False) < 360


def test_a_corrupt_reply_has_one_wrong_bit(bank):
    bank.inject("corrupt", "jaw")
    wrong_at = set()
    for _ in range(100):
        received = read(bank, JAW)
        assert len(received) == len(PLAIN) and received[:2] == PLAIN[:2]
        (wrong,) = [(i, a ^ b) for i, (a, b) in enumerate(zip(received, PLAIN, strict=True)) if a != b]
        assert wrong[1].bit_count() == 1
        wrong_at.add(wrong[0])
    assert wrong_at == {2, 3, 4, 5, 6, 7}


@pytest.mark.parametrize(("hold", "times"), [(False, (0.12, 0, 0, 0)), (True, (0, 0.12, 0, 0))])
def test_a_late_reply_comes_alone_or_delays_all_that_follow(bank, hold, times):
    bank.inject("late", "jaw", delay_ms=120, hold=hold)
    jaw, neck = bank.replies(protocol.sync_read([JAW, NECK], 56, 2))
    assert (jaw.late_s, jaw.delay_s, neck.late_s, neck.delay_s) == times


def test_a_return_delay_is_a_setting_that_can_be_corrected(bank):
    bank.inject("return_delay", "jaw", us=500)
    assert read(bank, JAW, 7, 1) == frame(JAW, 0, 250)
    assert bank.replies(protocol.read(JAW, 56, 2))[0].delay_s == pytest.approx(500e-6)
    bank.power_cycle()
    assert read(bank, JAW, 7, 1) == frame(JAW, 0, 250)
    write(bank, JAW, 55, 0)
    write(bank, JAW, 7, 10)
    bank.clear()
    assert read(bank, JAW, 7, 1) == frame(JAW, 0, 10)  # the correction stays
    bank.inject("return_delay", "neck_yaw", us=300, for_s=1.0)
    bank.advance(2.0)
    assert read(bank, NECK, 7, 1) == frame(NECK, 0, 0)  # without a correction it is restored


def test_the_replies_of_two_servos_with_one_id_overlap():
    bank = ServoBank(ROBOT, 2000 + np.arange(25))
    bank.inject("same_id", "neck_yaw", with_="jaw", skew_us=0)
    jaw, neck = (to_word(2000 + AT[servo]) for servo in (JAW, NECK))
    together = bytes(a & b for a, b in zip(frame(JAW, 0, *jaw), frame(JAW, 0, *neck), strict=True))
    assert read(bank, JAW) == together != frame(JAW, 0, *jaw)
    assert read(bank, NECK) == b""
    goal(bank, JAW, 2222)
    bank.clear()
    assert read(bank, NECK, 42, 2) == frame(NECK, 0, *to_word(2222))  # both heard it
    bank.inject("same_id", "neck_yaw", with_="jaw")
    assert bank.receive(protocol.ping(JAW)) != frame(JAW, 0)  # no two servos begin at exactly the same moment


@pytest.mark.parametrize(
    ("frames", "offsets", "expected"),
    [
        ([b"\xf0\xff", b"\xcc\x0f"], [0, 0], b"\xc0\x0f"),
        # start 0, then 1 0 1 0 1 0 1 0, stop 1: shifted by one bit, one of both is always low, the stop bit too
        ([b"\x55", b"\x55"], [0, 1], b"\x00"),
        ([b"\xff"], [0], b"\xff"),
        # one after the other: no overlap
        ([b"\x12\x34", b"\x56"], [0, 25], b"\x12\x34\x56"),
        # start 0 and eight 1s; the other pulls low from bit time 3 on: bits 2..7 and the stop bit
        ([b"\xff", b"\x00"], [0, 3], b"\x00"),
        # start 0 and 1s: only the start bit of the second shows, as bit 4 of the first
        ([b"\xff\xff", b"\xff"], [0, 5], b"\xef\xff"),
    ],
)
def test_levels_are_anded_bit_by_bit(frames, offsets, expected):
    assert superimpose(frames, offsets) == expected


def test_a_servo_in_latched_overload_refuses_torque_off_and_does_not_move(bank):
    torque_on(bank)
    bank.inject("overload", "jaw")
    assert write(bank, JAW, 40, 0) == frame(JAW, 32)
    assert read(bank, JAW, 40, 1) == frame(JAW, 32, 1)
    goal(bank, JAW, 2300)
    write(bank, BROADCAST_ID, 40, 0)
    bank.advance(2.0)
    assert bank.torque.tolist() == [i == AT[JAW] for i in range(25)]
    assert bank.positions[AT[JAW]] == 2048
    bank.clear("overload")
    bank.advance(2.0)
    assert bank.positions[AT[JAW]] == 2300
    assert write(bank, JAW, 40, 0) == frame(JAW, 0) and not bank.torque.any()


def test_a_power_cycle_ends_a_latched_overload(bank):
    torque_on(bank)
    bank.inject("overload", "jaw")
    bank.power_cycle()
    assert read(bank, JAW, 40, 1) == frame(JAW, 0, 0)


def test_temperature_and_voltage_are_compared_with_the_servos_own_limits(bank):
    bank.inject("overheat", "jaw", temperature_c=65, for_s=1.0)
    assert read(bank, JAW, 63, 1) == frame(JAW, 0, 65)
    bank.inject("overheat", "jaw", temperature_c=70, for_s=1.0)
    assert read(bank, JAW, 63, 1) == frame(JAW, 0, 70)
    bank.inject("overheat", "jaw", temperature_c=71)
    bank.inject("undervoltage", "jaw", "neck_yaw", voltage_v=3.9)
    assert read(bank, JAW, 62, 4) == frame(JAW, 5, 39, 71, 0, 5)
    assert read(bank, NECK, 62, 4) == frame(NECK, 1, 39, 30, 0, 1)
    write(bank, NECK, 15, 35)
    assert read(bank, NECK, 62, 1) == frame(NECK, 0, 39)
    bank.clear("undervoltage", "neck_yaw")
    assert read(bank, NECK, 62, 1) == frame(NECK, 0, 60) and read(bank, JAW, 62, 1) == frame(JAW, 5, 39)


def test_a_stuck_horn_strains_trips_and_moves_on_when_freed(bank):
    torque_on(bank)
    bank.inject("stuck", "jaw")
    goal(bank, JAW, 2048 - 60)
    bank.advance(0.1)
    assert read(bank, JAW, 56, 6) == frame(JAW, 0, *MIDDLE, 0, 0, *to_word(-600, 10))
    goal(bank, JAW, 2448)
    bank.advance(1.9)
    assert read(bank, JAW, 60, 2) == frame(JAW, 0, *to_word(1000))
    bank.advance(0.2)  # 80 % for 2 s (registers 36 and 35): only the protective torque is left (34)
    assert read(bank, JAW, 60, 2) == frame(JAW, 32, *to_word(200))
    goal(bank, JAW, 2300)
    assert read(bank, JAW, 60, 2) == frame(JAW, 0, *to_word(1000))
    assert bank.positions[AT[JAW]] == 2048
    bank.clear("stuck")
    bank.advance(1.0)
    assert bank.positions[AT[JAW]] == 2300


def test_a_horn_that_gets_stuck_during_a_motion_stays_there(bank):
    torque_on(bank)
    bank.inject("stuck", "jaw", at_s=0.05, for_s=1.0)
    goal(bank, JAW, 2448)
    bank.advance(0.1)
    where = bank.positions[AT[JAW]]
    bank.advance(0.5)
    assert 2048 < where < 2448 and bank.positions[AT[JAW]] == where
    bank.advance(1.5)
    assert bank.positions[AT[JAW]] == 2448


def test_lost_torque_shows_only_in_the_torque_register(bank):
    torque_on(bank)
    bank.inject("torque_lost", "jaw", at_s=1.0)
    goal(bank, JAW, 2300)
    bank.advance(0.99)
    goal(bank, JAW, 2048)
    bank.advance(0.02)
    assert read(bank, JAW, 40, 1) == frame(JAW, 0, 0)
    where = bank.positions[AT[JAW]]
    bank.advance(1.0)
    assert bank.positions[AT[JAW]] == where > 2048
    assert write(bank, JAW, 40, 1) == frame(JAW, 0) and bank.torque.all()


def test_locked_eeprom_acknowledges_a_write_and_does_not_keep_it(bank):
    bank.inject("eeprom_locked", "jaw")
    write(bank, JAW, 55, 0)
    assert write(bank, JAW, 5, 99) == frame(JAW, 0)
    assert write(bank, JAW, 39, 77, 1) == frame(JAW, 0)  # across the border: the torque is RAM
    assert read(bank, JAW, 39, 2) == frame(JAW, 0, 10, 1)
    write(bank, JAW, 41, 50)
    assert read(bank, JAW, 41, 1) == frame(JAW, 0, 50)


def test_a_rejecting_servo_carries_nothing_out_and_replies_with_zeros(bank):
    bank.inject("reject", "jaw")
    assert write(bank, JAW, 40, 1) == frame(JAW, 64)
    rows = np.array([[1], [1]], np.uint8)
    bank.receive(protocol.sync_write([JAW, NECK], 40, rows))
    assert bank.torque.tolist() == [i == AT[NECK] for i in range(25)]


def test_a_servo_at_another_rate_hears_nothing_until_its_rate_is_corrected(bank):
    bank.inject("wrong_baud", "jaw", baud=500_000)
    at_1m, at_500k = (
        {reply.frame[2] for reply in bank.replies(protocol.sync_read([JAW, NECK], 56, 2), baud)}
        for baud in (1_000_000, 500_000)
    )
    assert (at_1m, at_500k) == ({NECK}, {JAW})
    bank.replies(protocol.write(JAW, 55, b"\0") + protocol.write(JAW, 6, b"\0"), 500_000)
    assert bank.replies(protocol.ping(JAW), 500_000) == []
    assert [reply.frame for reply in bank.replies(protocol.ping(JAW), 1_000_000)] == [frame(JAW, 0)]


def test_a_fault_begins_and_ends_at_its_times(bank):
    bank.inject("dead", "jaw", at_s=1.0, for_s=2.0)
    seen = []
    for _ in range(8):
        seen.append(bool(read(bank, JAW)))
        bank.advance(0.5)
    assert seen == [True, True, False, False, False, False, True, True]
    assert bank.report()["faults"] == {"dead": 1} and bank.active_faults() == ()


@settings(max_examples=20)
@given(st.integers(0, 1000), st.lists(st.floats(0.001, 20), min_size=1, max_size=20))
def test_the_same_seed_brings_the_same_faults_in_steps_of_any_size(seed, steps):
    kinds = ("dead", "overload", "stuck", "overheat", "wrong_baud", "torque_lost", "unplugged", "return_delay")
    banks = [ServoBank(ROBOT) for _ in range(2)]
    for bank in banks:
        bank.script([], RandomFaults(seed=seed, rate_per_minute=60, kinds=kinds, for_s=(0.1, 5)))
    for step_s in steps:
        banks[0].advance(step_s)
        for part_s in (0.25 * step_s, 0.5 * step_s, 0.25 * step_s):
            banks[1].advance(part_s)
    assert banks[0].report() == banks[1].report()
    assert banks[0].active_faults() == banks[1].active_faults()


def test_clearing_all_faults_ends_random_faults_too(bank):
    bank.script([], RandomFaults(seed=1, rate_per_minute=600, kinds=("dead",)))
    bank.advance(10.0)
    begun = bank.report()["faults"]["dead"]
    assert 60 < begun < 140  # 100 expected, standard deviation 10
    bank.clear()
    bank.advance(10.0)
    assert bank.report()["faults"]["dead"] == begun and bank.active_faults() == ()


def test_a_fault_can_be_cleared_on_one_of_its_servos(bank):
    bank.inject("dead", "jaw", "neck_yaw")
    bank.clear("dead", "jaw")
    assert read(bank, JAW) and not read(bank, NECK)
    assert bank.active_faults() == ("dead neck_yaw",)


def test_factory_servos_come_one_at_a_time_all_with_id_1():
    bank = ServoBank(ROBOT, factory=True)
    assert bank.attached == ROBOT.names[:1]
    assert [reply.delay_s for reply in bank.replies(protocol.ping(1))] == [pytest.approx(500e-6)]
    write(bank, 1, 55, 0)
    write(bank, 1, 5, 42)
    bank.set_attached(*ROBOT.names[:2])
    assert bank.receive(protocol.ping(1)) == frame(1, 0) and bank.receive(protocol.ping(42)) == frame(42, 0)
    bank.set_attached(*ROBOT.names[:4])
    assert bank.receive(protocol.ping(1)) != frame(1, 0)  # three servos have it
    write(bank, 42, 5, 43)  # unlocked: saved
    write(bank, 43, 40, 1)
    bank.set_attached(*ROBOT.names[1:2])
    assert bank.receive(protocol.ping(43)) == b""
    bank.set_attached(*ROBOT.names[:1])
    assert bank.receive(protocol.ping(43)) == frame(43, 0)
    assert read(bank, 43, 40, 1) == frame(43, 0, 0)  # it had no power in the meantime


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("ded", {}, "kind must be one of 'dead', 'late'"),
        ("late", {}, "delay_ms is missing"),
        ("late", {"delay_ms": "5"}, "a number"),
        ("late", {"delay_ms": float("nan")}, "a number"),
        ("late", {"delay_ms": True}, "a number"),
        ("return_delay", {"us": 501}, "us must be at most 500, found 501"),
        ("wrong_baud", {"baud": 9600}, "baud must be one of 1000000"),
        ("dead", {"at_s": -1}, "at_s"),
        ("dead", {"every": 0}, "every"),
        ("dead", {"every": 2, "probability": 0.5}, "choose one"),
        ("overheat", {"every": 2}, "a state"),
        ("echo", {"servo": ("jaw",)}, "whole bus"),
        ("dead", {"delay_ms": 3}, "delay_ms is not a field"),
    ],
)
def test_an_impossible_fault_is_refused(kind, fields, message):
    with pytest.raises(ValueError, match=message):
        make_fault(kind, **fields)


def test_a_fault_on_an_unknown_servo_is_refused(bank):
    with pytest.raises(ValueError, match="jow"):
        bank.inject("dead", "jow")
    with pytest.raises(ValueError, match="nose"):
        bank.inject("same_id", "jaw", with_="nose")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_begins_and_ends_and_leaves_no_change(bank, kind):
    before = bank.receive(protocol.sync_read(ROBOT.ids.tolist(), 0, 70))
    values = {"late": {"delay_ms": 1}, "wrong_id": {"id": 7}, "wrong_baud": {"baud": 500_000}}
    values["same_id"] = {"with_": "neck_yaw"}
    bank.inject(kind, *(() if KINDS[kind].whole_bus else ("jaw",)), **values.get(kind, {}))
    bank.advance(0.1)
    bank.clear(kind)
    assert bank.receive(protocol.sync_read(ROBOT.ids.tolist(), 0, 70)) == before
