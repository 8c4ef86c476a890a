"""The bus in virtual time: what it writes and reads, which servos it polls, and how it fails."""

import numpy as np
import pytest
from servo_stand import NAMES, ROBOT, ServoStand, neutral_but

from rena_ros.bus import protocol
from rena_ros.bus.bus import Bus
from rena_ros.bus.poll_schedule import SILENT_AFTER, SILENT_POLL_S, SLOW_POLL_S
from rena_ros.bus.port import PortLost
from rena_ros.bus.slices import SLICE_SERVOS, complete
from rena_ros.robot.model import RAD_PER_TICK

JAW = ROBOT.index["jaw"]
JAW_ID = ROBOT.servos[JAW].id
CYCLE_S = 0.02
WIRE_S = (83 + 33 + 25 * 14) * 10 / 1e6  # goals, request, replies


class BusStand(ServoStand):
    """A stand with a bus. ``alter(replies)`` changes the replies on their way to the port."""

    slice_servos = len(NAMES)  # in one request for states

    def __init__(self, positions=None, **options):
        super().__init__(positions)
        self.bus = self.open_bus(**options)
        self.port = self.ports[-1]
        self.alter = lambda replies: replies
        plain = self.bank.replies
        self.bank.replies = lambda *request: self.alter(plain(*request))

    def cycle(self, times=1):
        """Write goals and read states fifty times a second; return the seconds of the last cycle, and its state."""
        for _ in range(times):
            began_s = self.port.now()
            self.bus.write_goals(ROBOT.neutral_ticks)
            state = complete(self.bus.state_slices(self.slice_servos))
            took_s = self.port.now() - began_s
            self.port.sleep_until(began_s + CYCLE_S)
        return took_s, state

    def fall_silent(self, *names):
        self.bank.inject("dead", *names)
        self.cycle(SILENT_AFTER)
        assert self.bus.silent == tuple(name for name in NAMES if name in names)

    def written(self, address):
        """Return (id, data) of every WRITE to an address and of every row of a SYNC_WRITE."""
        found = [(p.id, p.params[1:]) for p in self.sent if p.code == 0x03 and p.params[0] == address]
        for packet in (p for p in self.sent if p.code == 0x83 and p.params[0] == address):
            rows = np.frombuffer(packet.params[2:], np.uint8).reshape(-1, packet.params[1] + 1)
            found += [(int(row[0]), row[1:].tobytes()) for row in rows]
        return found

    def polled(self):
        """Return the ids in the last SYNC_READ."""
        return [p for p in self.sent if p.code == 0x82][-1].params[2:]


@pytest.fixture
def stand():
    stand = BusStand(retries=1)
    stand.bus.read_return_delays()
    stand.sent.clear()
    return stand


@pytest.fixture
def bus(stand):
    return stand.bus


def test_connecting_sends_nothing():
    assert BusStand().sent == []


# Goals


def test_goals_are_one_sync_write_of_positions(stand, bus):
    ticks = neutral_but(jaw=2100)
    before_s = stand.port.now()
    assert bus.write_goals(ticks) == pytest.approx(before_s + 83 * 10 / 1e6)
    (packet,) = stand.sent
    rows = b"".join(bytes([i]) + int(t).to_bytes(2, "little") for i, t in zip(ROBOT.ids, ticks, strict=True))
    assert (packet.id, packet.code, packet.params) == (0xFE, 0x83, bytes([42, 2]) + rows)
    assert bus.counters.sync_writes == 1


def test_goals_go_to_the_selected_servos_only_but_all_goals_are_checked(stand, bus):
    ticks = neutral_but(jaw=2100)
    selected = np.zeros(len(NAMES), bool)
    assert bus.write_goals(ticks, selected) == stand.port.now() and stand.sent == []
    selected[JAW] = True
    bus.write_goals(ticks, selected)
    assert stand.sent[0].params == bytes([42, 2, JAW_ID]) + bytes.fromhex("34 08")
    ticks[0] = -1
    with pytest.raises(ValueError, match=NAMES[0]):
        bus.write_goals(ticks, selected)
    assert len(stand.sent) == 1


@pytest.mark.parametrize("wrong", [2047, 2469, -1, 70_000])
def test_a_goal_outside_the_robots_limits_raises_and_is_not_sent(stand, bus, wrong):
    with pytest.raises(ValueError, match=f"jaw: goal {wrong}"):
        bus.write_goals(neutral_but(jaw=wrong))
    with pytest.raises(ValueError, match="integer"):
        bus.write_goals(ROBOT.neutral_ticks.astype(float))
    with pytest.raises(ValueError, match="25 integer"):
        bus.write_goals(ROBOT.neutral_ticks[:3])
    assert stand.sent == []


# States


def test_states_are_read_from_all_servos_at_the_speed_of_the_wire(stand, bus):
    took_s, state = stand.cycle()
    assert took_s == pytest.approx(WIRE_S)
    assert state.fresh.all() and (state.age_s == 0).all() and state.stamp_s == state.seen_s[0]
    assert state.ticks.tolist() == ROBOT.neutral_ticks.tolist()
    assert set(state.voltage_v) == {6.0} and set(state.temperature_c) == {30} and not state.status.any()
    assert bus.counters.reads == 1 and bus.counters.stale_readings == 0


def test_a_stale_servo_keeps_its_last_values_and_their_age(stand, bus):
    before = bus.read_state()
    stand.bank.receive(protocol.write(JAW_ID, 40, b"\1") + protocol.write(JAW_ID, 42, protocol.to_word(2200)))
    stand.bank.inject("dead", "jaw")
    stand.port.sleep_until(stand.port.now() + 1.0)
    state = bus.read_state()
    assert not state.fresh[JAW] and state.fresh.sum() == 24
    assert state.ticks[JAW] == 2048 and state.seen_s[JAW] == before.seen_s[JAW]
    assert 1.0 < state.age_s[JAW] < 1.03
    stand.bank.clear()
    assert bus.read_state().ticks[JAW] == 2200


def test_the_age_of_a_servo_is_infinite_before_its_first_reply(stand, bus):
    stand.bank.inject("dead", "jaw")
    state = bus.read_state()
    assert state.age_s[JAW] == np.inf and state.ticks[JAW] == 0


def test_a_returned_state_does_not_change_afterwards(stand, bus):
    first = bus.read_state()
    values = {name: getattr(first, name).copy() for name in ("ticks", "fresh", "load", "status", "seen_s")}
    stand.bank.inject("overheat", "jaw")
    stand.bank.inject("dead", "pucker")
    stand.cycle()
    assert all((getattr(first, name) == value).all() for name, value in values.items())


def test_a_condition_is_reported_with_its_values(stand, bus):
    stand.bank.inject("overheat", "jaw", temperature_c=75)
    state = bus.read_state()
    assert state.fresh.all() and state.status[JAW] == 4 and state.temperature_c[JAW] == 75


def test_errors_are_counted_for_each_servo(stand, bus):
    bus.read_state()
    for kind, name in (("dead", "pucker"), ("reject", "jaw"), ("corrupt", "neck_yaw")):
        stand.bank.inject(kind, name)
        state = bus.read_state()
        assert [NAMES[i] for i in np.flatnonzero(~state.fresh)] == [name]
        stand.bank.clear()
        stand.port.sleep_until(stand.port.now() + 2.0)
    for kind, name in (("missed", "pucker"), ("rejected", "jaw"), ("corrupt", "neck_yaw")):
        assert [NAMES[i] for i in np.flatnonzero(getattr(bus.errors, kind))] == [name]
    assert bus.counters.stale_readings == 3


def test_a_servo_that_rejects_requests_is_not_silent(stand, bus):
    stand.bank.inject("reject", "jaw")
    for _ in range(10):
        took_s, state = stand.cycle()
        assert took_s == pytest.approx(WIRE_S) and state.fresh.sum() == 24
    assert bus.silent == () and bus.errors.rejected[JAW] == 10


# Silent servos


@pytest.mark.parametrize("index", [0, 12, 24])
def test_a_dead_servo_costs_the_others_nothing(stand, bus, index):
    stand.bank.inject("dead", NAMES[index])
    took = []
    for _ in range(100):
        took_s, state = stand.cycle()
        took.append(took_s)
        assert np.flatnonzero(~state.fresh).tolist() == [index]
    assert bus.silent == (NAMES[index],)
    assert max(took[(index == 24) :]) <= 2 * WIRE_S  # only a missing last reply is awaited, once
    single_polls = sum(p.code == 0x02 for p in stand.sent)
    assert bus.errors.missed[index] == SILENT_AFTER + single_polls
    assert 6 <= single_polls <= 8  # four times a second
    assert sum(took_s < WIRE_S for took_s in took) >= 85


def test_a_silent_servo_returns_to_the_group_when_it_replies(stand, bus):
    stand.fall_silent("jaw")
    stand.bank.clear()
    cycles = 0
    while not stand.cycle()[1].fresh[JAW]:
        cycles += 1
    assert cycles <= SILENT_POLL_S / CYCLE_S
    assert bus.silent == () and stand.cycle()[1].fresh.all() and len(stand.polled()) == 25


def test_when_one_silent_servo_replies_all_are_polled_at_once(stand, bus):
    stand.fall_silent(*NAMES[5:20])
    stand.bank.clear()
    cycles = 0
    while not stand.cycle()[1].fresh.all():
        cycles += 1
    assert cycles <= SILENT_POLL_S / CYCLE_S + 1


def test_the_return_delay_of_a_servo_is_read_when_it_returns():
    stand = BusStand()
    stand.bank.inject("dead", "jaw")
    assert "jaw" not in stand.bus.read_return_delays()
    stand.cycle(SILENT_AFTER)
    stand.bank.clear()
    stand.cycle(80)  # it returns after 0.25 s; one second later no late reply is expected any more
    # With the factory's 500 us every read would take that much longer.
    assert stand.cycle()[0] == pytest.approx(WIRE_S)


def test_a_bus_without_power_is_polled_four_times_a_second_and_all_servos_return_at_once(stand, bus):
    stand.bank.inject("dead")
    stand.cycle(SILENT_AFTER)
    assert bus.silent == NAMES
    stand.cycle(50)  # the fast polls, in case an adapter has stalled
    stand.sent.clear()
    for _ in range(50):
        assert not stand.cycle()[1].fresh.any()
    reads = [p for p in stand.sent if p.code in (0x02, 0x82)]
    assert 3 <= len(reads) <= 5
    # Three single polls, one of all servos, and so on.
    assert sorted(p.code for p in reads) in ([0x02] * 3 + [0x82], [0x02] * 2 + [0x82])
    stand.bank.clear()
    stand.cycle(round(SILENT_POLL_S / CYCLE_S))
    assert bus.silent == () and stand.cycle()[1].fresh.all()


@pytest.mark.parametrize("index", [0, 12, 24])
@pytest.mark.parametrize(("delay_ms", "servos"), [(30, 25), (120, 25), (120, SLICE_SERVOS)])
def test_a_servo_whose_late_replies_hold_up_all_others_does_not_make_them_silent(stand, bus, index, delay_ms, servos):
    stand.slice_servos = servos
    stand.cycle()
    stand.bank.inject("late", NAMES[index], delay_ms=delay_ms, hold=True)
    stand.cycle(round(4.0 / CYCLE_S))
    fresh = np.mean([stand.cycle()[1].fresh for _ in range(100)], axis=0)
    assert fresh[index] == 0 and np.delete(fresh, index).min() > 0.8
    stand.bank.clear()
    stand.cycle(round((SLOW_POLL_S + 0.1) / CYCLE_S))
    assert bus.silent == () and stand.cycle()[1].fresh.all()


@pytest.mark.parametrize("delay_ms", [4, 8, 11])
def test_a_silent_servo_returns_on_a_slow_adapter_too(stand, bus, delay_ms):
    stand.bank.inject("late", delay_ms=delay_ms)
    for _ in range(10):
        assert stand.cycle()[1].fresh.all()
    stand.bank.inject("dead", "jaw", for_s=0.3)
    stand.cycle(round(5.0 / CYCLE_S))
    assert bus.silent == () and stand.cycle()[1].fresh.all()
    # One lost read of all torque registers, after which all servos seem absent, makes no servo fail either.
    stand.bank.inject("dead", for_s=0.01)
    assert bus.set_torque(True) == {}


def test_a_missing_torque_register_is_requested_once_more(stand, bus):
    bus.set_torque(True)
    stand.bank.inject("torque_lost", "jaw")
    stand.bank.inject("dead", "jaw", every=2)
    known = [bus.read_health().torque[JAW] for _ in range(6)]
    assert set(known) == {0}


@pytest.mark.parametrize("servos", [25, SLICE_SERVOS])
def test_scattered_lost_replies_do_not_stop_other_servos_from_being_read(stand, servos):
    """Missing replies block lengths; a servo that shares no free length with the others is polled with its own."""
    stand.slice_servos = servos
    stand.bank.inject("dead", probability=0.05)
    fresh = np.mean([stand.cycle()[1].fresh.mean() for _ in range(300)])
    assert 0.93 < fresh < 0.97


@pytest.mark.parametrize("servos", [25, SLICE_SERVOS])
@pytest.mark.parametrize("hold", [False, True])
def test_late_replies_are_not_taken_as_states_and_make_no_servo_silent(stand, bus, hold, servos):
    serial, stand.slice_servos = 0, servos

    def alter(replies):  # every state carries the number of its request
        return [
            type(a)(a.delay_s, protocol.reply(a.frame[2], 0, serial.to_bytes(2, "little") + a.frame[7:-1]), a.late_s)
            for a in replies
            if len(a.frame) >= 14
        ]

    stand.alter = alter
    fresh = 0
    for serial in range(200):
        if serial % 50 == 0:
            stand.bank.inject("late", "jaw", delay_ms=120, hold=hold, for_s=CYCLE_S / 2)
        state = stand.cycle()[1]
        assert (state.ticks[state.fresh] == serial).all()
        fresh += state.fresh.sum()
    assert bus.silent == ()
    assert fresh >= 200 * 25 - (4 * 25 * 8 if hold else 4)


def test_a_corrupt_reply_is_not_taken_as_a_state_and_costs_no_time(stand, bus):
    stand.bank.inject("corrupt", "jaw", every=10)
    for k in range(1, 101):
        took_s, state = stand.cycle()
        assert took_s == pytest.approx(WIRE_S)
        assert np.flatnonzero(~state.fresh).tolist() == ([JAW] if k % 10 == 0 else [])
    assert bus.errors.corrupt[JAW] == 10 and bus.counters.bad_checksums >= 10 and bus.silent == ()


def test_two_servos_on_one_id_cost_the_others_nothing(stand, bus):
    stand.bank.inject("same_id", "jaw", **{"with": "pucker"})
    fresh = sum(stand.cycle()[1].fresh for _ in range(50))
    others = ~np.isin(np.arange(25), (JAW, ROBOT.index["pucker"]))
    assert (fresh[others] >= 48).all() and fresh[JAW] == 0


# Torque


def test_switching_torque_on_moves_no_servo(stand, bus):
    stand.bank.receive(protocol.write(0xFE, 40, b"\1") + protocol.write(JAW_ID, 42, protocol.to_word(2200)))
    stand.bank.advance(1.0)
    stand.bank.receive(protocol.write(0xFE, 40, b"\0"))
    before = stand.bank.positions
    assert bus.set_torque(True) == {}
    stand.bank.advance(1.0)
    assert stand.bank.torque.all() and (stand.bank.positions == before).all()
    assert dict(stand.written(41))[JAW_ID][1:3] == bytes.fromhex("98 08")
    assert bus.set_torque(False) == {} and not stand.bank.torque.any()


def test_torque_stays_off_unless_the_goal_is_known_to_be_the_present_position(stand, bus):
    prepared = []

    def alter(replies):  # the jaw acknowledges its goal but holds another
        for reply in replies:
            if reply.frame[2] == JAW_ID and len(reply.frame) == 6 and not prepared:
                prepared.append(reply)
                stand.bank.receive(protocol.write(JAW_ID, 42, protocol.to_word(2300)))
        return replies

    stand.alter = alter
    assert bus.set_torque(True, ["jaw"]) == {"jaw": "did not take its present position as its goal (status 0)"}
    assert not stand.bank.torque.any()


def test_a_servo_outside_its_limits_moves_slowly_to_the_nearer_one():
    stand = BusStand(neutral_but(jaw=1900))
    stand.bus.set_torque(True)
    fast = round(ROBOT.max_speed_rad_s[JAW] * 1.2 / RAD_PER_TICK)
    goal_and_speed = dict(stand.written(41))[JAW_ID]
    assert goal_and_speed[1:3] == (2048).to_bytes(2, "little")
    assert goal_and_speed[5:] == round(fast / 4).to_bytes(2, "little")
    stand.bus.set_speed_limits()
    assert dict(stand.written(46))[JAW_ID] == fast.to_bytes(2, "little")
    assert len(stand.written(46)) == 25


def test_torque_is_switched_for_the_named_servos_only(stand, bus):
    assert bus.set_torque(True, ["jaw", "pucker"]) == {}
    assert {NAMES[i] for i in np.flatnonzero(stand.bank.torque)} == {"jaw", "pucker"}
    assert bus.set_torque(False, ["jaw"]) == {}
    assert {NAMES[i] for i in np.flatnonzero(stand.bank.torque)} == {"pucker"}
    assert bus.set_torque(False, []) == {} and bus.set_torque(True, ()) == {}
    with pytest.raises(KeyError):
        bus.set_torque(True, ["nose"])


def test_torque_of_the_others_is_off_although_some_servos_refuse_or_are_dead(stand, bus):
    bus.set_torque(True)
    stand.bank.inject("overload", "jaw", "pucker")
    stand.bank.inject("dead", "neck_yaw")
    stand.sent.clear()
    failures = bus.set_torque(False)
    assert failures == {
        "jaw": "refuses: its torque is still on (status 32)",
        "pucker": "refuses: its torque is still on (status 32)",
        "neck_yaw": "does not reply",
    }
    assert {NAMES[i] for i in np.flatnonzero(stand.bank.torque)} == {"jaw", "pucker", "neck_yaw"}
    # Each of them is also tried singly.
    singly = {packet.id for packet in stand.sent if packet.code == 0x03}
    assert singly == {ROBOT.servos[ROBOT.index[name]].id for name in failures}


def test_servos_that_missed_the_common_frame_are_switched_off_one_by_one(stand, bus):
    bus.set_torque(True)
    plain = stand.port.write
    stand.port.write = lambda data: stand.port.now() if data[4] == 0x83 else plain(data)
    assert bus.set_torque(False) == {} and not stand.bank.torque.any()


def test_switching_off_a_dead_bus_takes_less_than_half_a_second(stand, bus):
    bus.set_torque(True)
    stand.fall_silent(*NAMES)
    before_s = stand.port.now()
    assert set(bus.set_torque(False)) == set(NAMES)
    assert stand.port.now() - before_s < 0.5


def test_switching_on_waits_only_briefly_for_dead_servos(stand, bus):
    stand.fall_silent(*NAMES[1:])
    before_s = stand.port.now()
    assert bus.set_torque(True) == dict.fromkeys(NAMES[1:], "does not reply")
    assert stand.port.now() - before_s < 0.15
    assert np.flatnonzero(stand.bank.torque).tolist() == [0]


def test_128_is_never_written_to_the_torque_register_nor_anything_to_eeprom(stand, bus):
    bus.read_return_delays()
    bus.set_torque(True)
    bus.write_goals(ROBOT.neutral_ticks)
    bus.set_speed_limits()
    bus.read_health()
    bus.set_torque(False)
    bus.read_state()
    writes = [packet for packet in stand.sent if packet.code in (0x03, 0x04, 0x83)]
    assert len(writes) == 53  # 25 prepared and switched on; goals, speed limits and torque off at once
    assert all(packet.params[0] >= 40 for packet in writes)
    assert {data for _, data in stand.written(40)} == {b"\0", b"\1"}


def test_health_contains_torque_and_motion(stand, bus):
    bus.set_torque(True, ["jaw"])
    stand.bank.inject("torque_lost", "jaw")
    health = bus.read_health()
    assert health.fresh.all() and not health.torque.any() and health.torque.dtype == np.int8
    stand.bank.clear()
    bus.set_torque(True, ["jaw"])
    bus.write_goals(neutral_but(jaw=2300), np.arange(25) == JAW)
    health = bus.read_health()
    assert np.flatnonzero(health.torque == 1).tolist() == [JAW]
    assert np.flatnonzero(health.moving).tolist() == [JAW]
    stand.bank.inject("dead", "lid_left")
    assert np.flatnonzero(~bus.read_health().fresh).tolist() == [ROBOT.index["lid_left"]]
    stand.bank.clear()
    stand.fall_silent("pucker")
    health = bus.read_health()
    assert np.flatnonzero(health.torque == -1).tolist() == [ROBOT.index["pucker"]]
    assert np.flatnonzero(~health.fresh).tolist() == [ROBOT.index["pucker"]]


def test_current_is_in_amperes(stand, bus):
    stand.bank.set_register("jaw", "present_current", 100)
    assert bus.read_health().current_a[JAW] == pytest.approx(0.65)


# Return delays, echo, pulled cable


def test_return_delays_are_returned_for_the_servos_that_reply(stand, bus):
    stand.bank.inject("dead", "jaw")
    stand.bank.receive(protocol.write(0xFE, 7, b"\5"))
    assert bus.read_return_delays() == {name: 10 for name in NAMES if name != "jaw"}


def test_missing_return_delays_are_requested_again(stand, bus):
    stand.bank.inject("dead", "jaw", for_s=0.001)
    assert len(bus.read_return_delays()) == 25 and bus.counters.retries == 1
    assert stand.polled() == bytes([JAW_ID])


def test_known_return_delays_are_part_of_the_deadline():
    slow = BusStand()
    slow.bank.receive(protocol.write(0xFE, 7, bytes([250])))
    slow.bus.read_return_delays()
    took_s, state = slow.cycle()
    assert state.fresh.all() and took_s == pytest.approx(WIRE_S + 25 * 500e-6)


def test_an_adapter_that_echoes_changes_nothing(stand, bus):
    stand.bank.inject("echo")
    assert stand.cycle()[1].fresh.all()
    assert bus.set_torque(True) == {} and bus.set_torque(False) == {}
    assert len(bus.read_return_delays()) == 25
    assert bus.counters.echoes > 100 and bus.counters.reply_errors == 0
    stand.bank.inject("dead")
    assert bus.read_return_delays() == {}  # the echo is not taken for a reply


def test_every_call_after_a_pulled_cable_raises_port_lost(emulator, until):
    bus = Bus(str(emulator.link), ROBOT)
    until(lambda: bus.read_state().fresh.any())  # a busy machine may lose replies
    emulator.command("unplug")
    emulator.command("status")  # printed after the port has gone
    for attempt in (bus.read_state, lambda: bus.write_goals(ROBOT.neutral_ticks), bus.read_health):
        with pytest.raises(PortLost, match="gone"):
            attempt()
    bus.close()


def test_a_read_stands_for_the_middle_between_its_request_and_the_last_byte_of_the_replies():
    stand = ServoStand()
    bus, byte_s = stand.open_bus(), 10e-6  # 10 bits at 1 Mbaud
    bus.read_return_delays()
    start_s, state = stand.now_s, bus.read_state()
    # A request of 33 bytes and 25 replies of 14; the port notices the last byte within a tenth of a millisecond.
    assert state.middle_s == pytest.approx(start_s + (33 + 25 * 14) * byte_s / 2, abs=1e-4)
    # Waiting 12 ms for a servo that does not reply is not part of it, nor is the single poll of a silent one. (After a
    # missing reply the others are a few bytes longer.)
    stand.bank.inject("truncated", NAMES[-1], bytes=0)
    for _ in range(20):
        start_s, state = stand.now_s, bus.read_state()
        assert state.stamp_s > state.middle_s == pytest.approx(start_s + (33 + 24 * 14) * byte_s / 2, abs=1e-3)
        stand.bank.advance(0.1)
    # When no servo is left to be polled with others, it is the middle of the single poll.
    stand.bank.inject("truncated", bytes=0)
    for _ in range(60):
        start_s, state = stand.now_s, bus.read_state()
        assert start_s <= state.middle_s <= state.stamp_s
        stand.bank.advance(0.1)


def test_a_silent_servo_that_rejects_its_single_poll_counts_as_rejecting_and_returns_to_the_group():
    stand = ServoStand()
    bus = stand.open_bus()
    stand.bank.inject("dead", "jaw")
    while "jaw" not in bus.silent:
        bus.read_state()
    stand.bank.clear()
    stand.bank.inject("reject", "jaw")
    missed = bus.errors.missed[JAW]
    while "jaw" in bus.silent:
        stand.bank.advance(0.05)
        assert not bus.read_state().fresh[JAW]
    assert bus.errors.missed[JAW] == missed and bus.errors.rejected[JAW] == 1
    stand.bank.clear()
    assert bus.read_state().fresh.all()
