"""What goes wrong with emulated servos, fault by fault, in the bytes that come back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rena_ros.bus import protocol
from rena_ros.bus.protocol import BROADCAST_ID, to_word
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.fault_schedule import RandomFaults
from rena_ros.emulator.faults import KINDS, Fault
from rena_ros.emulator.wire import superimpose
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
JAW, NECK = 21, 23  # ids
AT = {JAW: ROBOT.index["jaw"], NECK: ROBOT.index["neck_yaw"]}
MIDDLE = (0x00, 0x08)  # 2048


@pytest.fixture
def bank():
    return ServoBank(ROBOT)


def frame(servo_id, status, *params):
    """A reply by the rule of the vendor's manual."""
    body = [servo_id, len(params) + 2, status, *params]
    return bytes([0xFF, 0xFF, *body, ~sum(body) & 0xFF])


def ask(bank, servo_id, address=56, size=2):
    return bank.receive(protocol.read(servo_id, address, size))


def tell(bank, servo_id, address, *data):
    return bank.receive(protocol.write(servo_id, address, bytes(data)))


def goal(bank, servo_id, ticks):
    return tell(bank, servo_id, 42, *to_word(ticks))


def torque_on(bank):
    tell(bank, BROADCAST_ID, 40, 1)


def test_without_a_fault_the_frame_is_the_manuals(bank):
    assert ask(bank, JAW) == frame(JAW, 0, *MIDDLE) == bytes.fromhex("FF FF 15 04 00 00 08 DE")


def test_dead_neither_hears_nor_answers_and_keeps_going(bank):
    torque_on(bank)
    goal(bank, JAW, 2300)
    bank.inject("dead", "jaw")
    assert ask(bank, JAW) == b"" and goal(bank, JAW, 2100) == b""
    assert ask(bank, NECK) == frame(NECK, 0, *MIDDLE)
    bank.receive(protocol.sync_write([JAW], 42, np.array([to_word(2100)], "S2").view(np.uint8).reshape(1, 2)))
    assert bank.receive(protocol.sync_read([NECK, JAW], 65, 1)) == frame(NECK, 0, 0)
    bank.advance(2.0)
    assert bank.positions[AT[JAW]] == 2300
    bank.clear("dead", "jaw")
    assert ask(bank, JAW) == frame(JAW, 0, *to_word(2300))


def test_every_tenth_is_every_tenth(bank):
    bank.inject("dead", "jaw", every=10)
    answered = [bool(ask(bank, JAW)) for _ in range(50)]
    assert [k for k, there in enumerate(answered, 1) if not there] == [10, 20, 30, 40, 50]
    assert all(ask(bank, NECK) for _ in range(20))


def test_chance_is_seeded():
    def answered(seed):
        bank = ServoBank(ROBOT, seed=seed)
        bank.inject("dead", "jaw", probability=0.3)
        return [bool(ask(bank, JAW)) for _ in range(1000)]

    assert answered(1) == answered(1) != answered(2)
    # 300 expected, standard deviation sqrt(1000 * .3 * .7) = 14.5
    assert 240 < answered(1).count(False) < 360


def test_corrupt_is_one_bit(bank):
    bank.inject("corrupt", "jaw")
    right = frame(JAW, 0, *MIDDLE)
    places = set()
    for _ in range(100):
        got = ask(bank, JAW)
        assert len(got) == len(right) and got[:2] == right[:2]
        (wrong,) = [(i, a ^ b) for i, (a, b) in enumerate(zip(got, right, strict=True)) if a != b]
        assert wrong[1].bit_count() == 1
        places.add(wrong[0])
    assert places == {2, 3, 4, 5, 6, 7}


def test_truncated(bank):
    bank.inject("truncated", "jaw")
    assert ask(bank, JAW) == frame(JAW, 0, *MIDDLE)[:4]
    bank.clear()
    bank.inject("truncated", "jaw", bytes=7)
    both = bank.receive(protocol.sync_read([JAW, NECK], 56, 2))
    assert both == frame(JAW, 0, *MIDDLE)[:7] + frame(NECK, 0, *MIDDLE)


def test_duplicated(bank):
    bank.inject("duplicated", "jaw")
    assert ask(bank, JAW) == 2 * frame(JAW, 0, *MIDDLE)


def test_wrong_id_has_a_right_checksum(bank):
    bank.inject("wrong_id", "jaw", id=7)
    assert ask(bank, JAW) == frame(7, 0, *MIDDLE)
    assert ask(bank, 7) == frame(7, 0, *MIDDLE)


def test_late_alone_and_late_for_all_that_follow(bank):
    bank.inject("late", "jaw", delay_ms=120)
    jaw, neck = bank.replies(protocol.sync_read([JAW, NECK], 56, 2))
    assert (jaw.late_s, jaw.delay_s, neck.late_s, neck.delay_s) == (0.12, 0, 0, 0)
    bank.clear()
    bank.inject("late", "jaw", delay_ms=120, hold=True)
    jaw, neck = bank.replies(protocol.sync_read([JAW, NECK], 56, 2))
    assert (jaw.late_s, jaw.delay_s, neck.late_s, neck.delay_s) == (0, 0.12, 0, 0)


def test_return_delay_is_a_setting_that_can_be_mended(bank):
    bank.inject("return_delay", "jaw", us=500)
    assert ask(bank, JAW, 7, 1) == frame(JAW, 0, 250)
    assert bank.replies(protocol.read(JAW, 56, 2))[0].delay_s == pytest.approx(500e-6)
    bank.power_cycle()
    assert ask(bank, JAW, 7, 1) == frame(JAW, 0, 250)
    tell(bank, JAW, 55, 0)
    tell(bank, JAW, 7, 10)
    bank.clear()
    assert ask(bank, JAW, 7, 1) == frame(JAW, 0, 10)  # what was mended stays
    bank.inject("return_delay", "neck_yaw", us=300, for_s=1.0)
    bank.advance(2.0)
    assert ask(bank, NECK, 7, 1) == frame(NECK, 0, 0)  # what was not goes back


def test_two_servos_of_one_id_talk_over_each_other():
    bank = ServoBank(ROBOT, 2000 + np.arange(25))
    bank.inject("same_id", "neck_yaw", with_="jaw", skew_us=0)
    jaw, neck = (to_word(2000 + AT[servo]) for servo in (JAW, NECK))
    together = bytes(a & b for a, b in zip(frame(JAW, 0, *jaw), frame(JAW, 0, *neck), strict=True))
    assert ask(bank, JAW) == together != frame(JAW, 0, *jaw)
    assert ask(bank, NECK) == b""
    goal(bank, JAW, 2222)
    bank.clear()
    assert ask(bank, NECK, 42, 2) == frame(NECK, 0, *to_word(2222))  # both had heard it
    bank.inject("same_id", "neck_yaw", with_="jaw")
    assert bank.receive(protocol.ping(JAW)) != frame(JAW, 0)  # no two begin at quite the same moment


@pytest.mark.parametrize(
    ("frames", "offsets", "heard"),
    [
        ([b"\xf0\xff", b"\xcc\x0f"], [0, 0], b"\xc0\x0f"),
        # start 0, then 1 0 1 0 1 0 1 0, stop 1: shifted by one bit, one of both is always low, the stop bit too
        ([b"\x55", b"\x55"], [0, 1], b"\x00"),
        ([b"\xff"], [0], b"\xff"),
        # one after the other: nothing happens
        ([b"\x12\x34", b"\x56"], [0, 25], b"\x12\x34\x56"),
        # start 0 and eight 1s; the other pulls low from bit time 3 on: bits 2..7 and the stop bit
        ([b"\xff", b"\x00"], [0, 3], b"\x00"),
        # start 0 and 1s: of the second only its start bit is seen, in the place of the first one's bit 4
        ([b"\xff\xff", b"\xff"], [0, 5], b"\xef\xff"),
    ],
)
def test_levels_are_anded_bit_by_bit(frames, offsets, heard):
    assert superimpose(frames, offsets) == heard


def test_latched_overload_refuses_torque_off_and_does_not_move(bank):
    torque_on(bank)
    bank.inject("overload", "jaw")
    assert tell(bank, JAW, 40, 0) == frame(JAW, 32)
    assert ask(bank, JAW, 40, 1) == frame(JAW, 32, 1)
    goal(bank, JAW, 2300)
    tell(bank, BROADCAST_ID, 40, 0)
    bank.advance(2.0)
    assert bank.torque.tolist() == [i == AT[JAW] for i in range(25)]
    assert bank.positions[AT[JAW]] == 2048
    bank.clear("overload")
    bank.advance(2.0)
    assert bank.positions[AT[JAW]] == 2300
    assert tell(bank, JAW, 40, 0) == frame(JAW, 0) and not bank.torque.any()


def test_without_power_a_latched_overload_is_gone(bank):
    torque_on(bank)
    bank.inject("overload", "jaw")
    bank.power_cycle()
    assert ask(bank, JAW, 40, 1) == frame(JAW, 0, 0)


def test_heat_and_voltage_are_judged_by_the_servos_own_limits(bank):
    bank.inject("overheat", "jaw", temperature_c=65, for_s=1.0)
    assert ask(bank, JAW, 63, 1) == frame(JAW, 0, 65)
    bank.inject("overheat", "jaw", temperature_c=70, for_s=1.0)
    assert ask(bank, JAW, 63, 1) == frame(JAW, 0, 70)
    bank.inject("overheat", "jaw", temperature_c=71)
    bank.inject("undervoltage", "jaw", "neck_yaw", voltage_v=3.9)
    assert ask(bank, JAW, 62, 4) == frame(JAW, 5, 39, 71, 0, 5)
    assert ask(bank, NECK, 62, 4) == frame(NECK, 1, 39, 30, 0, 1)
    tell(bank, NECK, 15, 35)
    assert ask(bank, NECK, 62, 1) == frame(NECK, 0, 39)
    bank.clear("undervoltage", "neck_yaw")
    assert ask(bank, NECK, 62, 1) == frame(NECK, 0, 60) and ask(bank, JAW, 62, 1) == frame(JAW, 5, 39)


def test_a_stuck_horn_strains_trips_and_goes_on_when_freed(bank):
    torque_on(bank)
    bank.inject("stuck", "jaw")
    goal(bank, JAW, 2048 - 60)
    bank.advance(0.1)
    assert ask(bank, JAW, 56, 6) == frame(JAW, 0, *MIDDLE, 0, 0, *to_word(-600, 10))
    goal(bank, JAW, 2448)
    bank.advance(1.9)
    assert ask(bank, JAW, 60, 2) == frame(JAW, 0, *to_word(1000))
    bank.advance(0.2)  # 80 % for 2 s (registers 36 and 35): only the protective torque is left (34)
    assert ask(bank, JAW, 60, 2) == frame(JAW, 32, *to_word(200))
    goal(bank, JAW, 2300)
    assert ask(bank, JAW, 60, 2) == frame(JAW, 0, *to_word(1000))
    assert bank.positions[AT[JAW]] == 2048
    bank.clear("stuck")
    bank.advance(1.0)
    assert bank.positions[AT[JAW]] == 2300


def test_a_horn_that_gets_stuck_on_its_way_stays_there(bank):
    torque_on(bank)
    bank.inject("stuck", "jaw", at_s=0.05, for_s=1.0)
    goal(bank, JAW, 2448)
    bank.advance(0.1)
    where = bank.positions[AT[JAW]]
    bank.advance(0.5)
    assert 2048 < where < 2448 and bank.positions[AT[JAW]] == where
    bank.advance(1.5)
    assert bank.positions[AT[JAW]] == 2448


def test_torque_lost_is_noticed_only_by_who_looks(bank):
    torque_on(bank)
    bank.inject("torque_lost", "jaw", at_s=1.0)
    goal(bank, JAW, 2300)
    bank.advance(0.99)
    goal(bank, JAW, 2048)
    bank.advance(0.02)
    assert ask(bank, JAW, 40, 1) == frame(JAW, 0, 0)
    where = bank.positions[AT[JAW]]
    bank.advance(1.0)
    assert bank.positions[AT[JAW]] == where > 2048
    assert tell(bank, JAW, 40, 1) == frame(JAW, 0) and bank.torque.all()


def test_locked_eeprom_says_yes_and_keeps_nothing(bank):
    bank.inject("eeprom_locked", "jaw")
    tell(bank, JAW, 55, 0)
    assert tell(bank, JAW, 5, 99) == frame(JAW, 0)
    assert tell(bank, JAW, 39, 77, 1) == frame(JAW, 0)  # across the border: the torque is RAM
    assert ask(bank, JAW, 39, 2) == frame(JAW, 0, 10, 1)
    tell(bank, JAW, 41, 50)
    assert ask(bank, JAW, 41, 1) == frame(JAW, 0, 50)


def test_reject_carries_nothing_out_and_answers_zeros(bank):
    bank.inject("reject", "jaw")
    assert ask(bank, JAW) == frame(JAW, 64, 0, 0)
    assert tell(bank, JAW, 40, 1) == frame(JAW, 64)
    rows = np.array([[1], [1]], np.uint8)
    bank.receive(protocol.sync_write([JAW, NECK], 40, rows))
    assert bank.torque.tolist() == [i == AT[NECK] for i in range(25)]


def test_encoder_is_a_condition(bank):
    bank.inject("encoder", "jaw")
    assert ask(bank, JAW) == frame(JAW, 2, *MIDDLE)


def test_a_servo_at_another_rate_hears_nothing_until_it_is_brought_back(bank):
    bank.inject("wrong_baud", "jaw", baud=500_000)
    at_1m, at_500k = (
        {answer.frame[2] for answer in bank.replies(protocol.sync_read([JAW, NECK], 56, 2), baud)}
        for baud in (1_000_000, 500_000)
    )
    assert (at_1m, at_500k) == ({NECK}, {JAW})
    bank.replies(protocol.write(JAW, 55, b"\0") + protocol.write(JAW, 6, b"\0"), 500_000)
    assert bank.replies(protocol.ping(JAW), 500_000) == []
    assert [answer.frame for answer in bank.replies(protocol.ping(JAW), 1_000_000)] == [frame(JAW, 0)]


def test_faults_come_and_go_by_the_clock(bank):
    bank.inject("dead", "jaw", at_s=1.0, for_s=2.0)
    seen = []
    for _ in range(8):
        seen.append(bool(ask(bank, JAW)))
        bank.advance(0.5)
    assert seen == [True, True, False, False, False, False, True, True]
    assert bank.report()["faults"] == {"dead": 1} and bank.active_faults() == ()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.lists(st.floats(0.001, 20), min_size=1, max_size=20))
def test_the_same_seed_brings_the_same_faults_in_steps_of_any_size(seed, steps):
    """Whatever the steps of time: what there is at the end, and all there ever was."""
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


def test_clearing_everything_ends_what_comes_by_chance_too(bank):
    bank.script([], RandomFaults(seed=1, rate_per_minute=600, kinds=("dead",)))
    bank.advance(10.0)
    begun = bank.report()["faults"]["dead"]
    assert 60 < begun < 140  # 100 expected, standard deviation 10
    bank.clear()
    bank.advance(10.0)
    assert bank.report()["faults"]["dead"] == begun and bank.active_faults() == ()


def test_one_servo_of_a_fault_can_be_cleared(bank):
    bank.inject("dead", "jaw", "neck_yaw")
    bank.clear("dead", "jaw")
    assert ask(bank, JAW) and not ask(bank, NECK)
    assert bank.active_faults() == ("dead neck_yaw",)


def test_factory_servos_come_one_at_a_time_all_with_id_1():
    bank = ServoBank(ROBOT, factory=True)
    assert bank.attached == ROBOT.names[:1]
    assert [answer.delay_s for answer in bank.replies(protocol.ping(1))] == [pytest.approx(500e-6)]
    tell(bank, 1, 55, 0)
    tell(bank, 1, 5, 42)
    bank.attach(*ROBOT.names[:2])
    assert bank.receive(protocol.ping(1)) == frame(1, 0) and bank.receive(protocol.ping(42)) == frame(42, 0)
    bank.attach(*ROBOT.names[:4])
    assert bank.receive(protocol.ping(1)) != frame(1, 0)  # three of them
    tell(bank, 42, 5, 43)  # open lock: saved
    tell(bank, 43, 40, 1)
    bank.attach(*ROBOT.names[1:2])
    assert bank.receive(protocol.ping(43)) == b""
    bank.attach(*ROBOT.names[:1])
    assert bank.receive(protocol.ping(43)) == frame(43, 0)
    assert ask(bank, 43, 40, 1) == frame(43, 0, 0)  # it had no power meanwhile


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"kind": "ded"}, "none of dead, late"),
        ({"kind": "late"}, "needs delay_ms"),
        ({"kind": "late", "values": {"delay_ms": "5"}}, "a number"),
        ({"kind": "late", "values": {"delay_ms": float("nan")}}, "a number"),
        ({"kind": "late", "values": {"delay_ms": True}}, "a number"),
        ({"kind": "return_delay", "values": {"us": 501}}, "outside 0..500"),
        ({"kind": "wrong_baud", "values": {"baud": 9600}}, "none of 1000000"),
        ({"kind": "dead", "at_s": -1}, "at_s"),
        ({"kind": "dead", "every": 0}, "every"),
        ({"kind": "dead", "every": 2, "probability": 0.5}, "choose one"),
        ({"kind": "overheat", "every": 2}, "a state"),
        ({"kind": "echo", "servos": ("jaw",)}, "whole bus"),
        ({"kind": "dead", "values": {"delay_ms": 3}}, "not a value of dead"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        Fault(**given)


def test_a_fault_needs_servos_that_exist(bank):
    with pytest.raises(ValueError, match="jow"):
        bank.inject("dead", "jow")
    with pytest.raises(ValueError, match="nobody"):
        bank.inject("same_id", "jaw", with_="nobody")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_begin_and_end_and_leaves_nothing_behind(bank, kind):
    before = bank.receive(protocol.sync_read(ROBOT.ids.tolist(), 0, 70))
    values = {"late": {"delay_ms": 1}, "wrong_id": {"id": 7}, "same_id": {"with_": "neck_yaw"}}
    bank.inject(
        kind,
        *(() if KINDS[kind].whole_bus else ("jaw",)),
        **values.get(kind, {"baud": 500_000} if "baud" in kind else {}),
    )
    bank.advance(0.1)
    bank.clear(kind)
    assert bank.receive(protocol.sync_read(ROBOT.ids.tolist(), 0, 70)) == before
