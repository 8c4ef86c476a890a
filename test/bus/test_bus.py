"""The bus over a pty: what it writes, what it believes, and how it fails."""

import os
import select
import time

import numpy as np
import pytest

from rena_ros.bus import protocol
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.errors import RenaError
from rena_ros.robot_file import load_robot

ROBOT = load_robot()
JAW = ROBOT.index["jaw"]


@pytest.fixture
def bus(servos):
    bus = Bus(servos.path, ROBOT, retries=1)
    yield bus
    bus.close()


def test_connecting_sends_nothing(servos, bus):
    assert servos.sent == b""


def test_goals_are_one_sync_write_of_positions(servos, bus):
    ticks = ROBOT.neutral_ticks.copy()
    ticks[JAW] = 2100
    bus.write_goals(ticks)
    rows = b"".join(bytes([i]) + int(t).to_bytes(2, "little") for i, t in zip(ROBOT.ids, ticks, strict=True))
    body = bytes([0xFE, 4 + len(rows), 0x83, 42, 2]) + rows
    bus.read_state()  # once it is answered, everything before it has arrived
    assert servos.sent.startswith(b"\xff\xff" + body + bytes([~sum(body) & 0xFF]))


@pytest.mark.parametrize("wrong", [2047, 2469, -1, 70_000])
def test_a_goal_outside_the_robots_limits_raises_and_is_not_sent(servos, bus, wrong):
    ticks = ROBOT.neutral_ticks.copy()
    ticks[JAW] = wrong
    with pytest.raises(ValueError, match="jaw"):
        bus.write_goals(ticks)
    with pytest.raises(ValueError, match="integer"):
        bus.write_goals(ROBOT.neutral_ticks.astype(float))
    bus.read_state()
    assert servos.sent.count(b"\xff\xff") == 1


def test_the_time_of_the_last_byte_is_not_before_the_wire_can_have_carried_it(bus):
    before_s = time.monotonic()
    assert bus.write_goals(ROBOT.neutral_ticks) - before_s >= 83 * 10 / 1e6


def test_states_are_read_from_all_servos(servos, bus):
    start = ROBOT.neutral_ticks
    state = bus.read_state()
    assert state.fresh.all()
    assert state.ticks.tolist() == start.tolist()
    assert set(state.voltage_v) == {6.0} and set(state.temperature_c) == {30}


def without(place):
    return lambda frames: frames[:place] + frames[place + 1 :] if len(frames) == 25 else frames


@pytest.mark.parametrize("place", [0, 12, 24])
def test_a_dead_servo_costs_only_itself_and_comes_back(servos, bus, place):
    servos.spoil = lambda frames: [f for f in frames if f[2] != ROBOT.ids[place]]
    for _ in range(5):
        assert np.flatnonzero(~bus.read_state().fresh).tolist() == [place]
    assert bus.counters.stale_readings == 5
    servos.spoil = lambda frames: frames
    assert bus.read_state().fresh.all()


def test_a_stale_servo_keeps_its_last_values_and_their_age(servos, bus):
    seen = bus.read_state()
    servos.bank.receive(protocol.write(0xFE, 40, b"\1") + protocol.write(21, 42, protocol.to_word(2200)))
    servos.bank.advance(1.0)
    servos.spoil = without(JAW)
    state = bus.read_state()
    assert not state.fresh[JAW] and state.ticks[JAW] == 2048 and state.seen_s[JAW] == seen.seen_s[JAW]
    servos.spoil = lambda frames: frames
    assert bus.read_state().ticks[JAW] == 2200


def test_a_corrupt_reply_is_never_a_reading(servos, bus):
    def corrupt(frames):
        broken = bytearray(frames[12])
        broken[6] ^= 0x40
        return [*frames[:12], bytes(broken), *frames[13:]]

    servos.spoil = corrupt
    state = bus.read_state()
    assert np.flatnonzero(~state.fresh).tolist() == [12]
    assert bus.counters.reply_errors > 0


def test_replies_of_an_earlier_request_are_thrown_away(servos, bus, until):
    late = protocol.reply(1, 0, bytes([1, 2, 3, 4, 5, 6, 7, 8]))
    os.write(servos.master, late)
    until(lambda: select.select([servos.slave], [], [], 0)[0])
    # Now servo 1 is silent: only the old reply could be taken for its answer.
    servos.spoil = without(0)
    state = bus.read_state()
    assert np.flatnonzero(~state.fresh).tolist() == [0]
    assert bus.counters.discarded_bytes == len(late)


def test_torque_goes_on_where_the_servos_are_and_moves_nothing(servos, bus):
    servos.bank.receive(protocol.write(0xFE, 40, b"\1") + protocol.write(21, 42, protocol.to_word(2200)))
    servos.bank.advance(1.0)
    servos.bank.receive(protocol.write(0xFE, 40, b"\0"))
    before = servos.bank.positions
    assert bus.set_torque(True) == {}
    servos.bank.advance(1.0)
    assert servos.bank.torque.all() and (servos.bank.positions == before).all()
    assert bus.set_torque(False) == {}
    assert not servos.bank.torque.any()


def test_one_servo_that_refuses_or_is_dead_does_not_keep_the_others_on(servos, bus):
    bus.set_torque(True)
    dead, refusing = 3, 7

    def spoil(frames):
        if servos.bank.torque[refusing - 1] == 0:
            servos.bank.receive(protocol.write(refusing, 40, b"\1"))  # as a servo in overload does
        return [frame for frame in frames if frame[2] != dead]

    servos.spoil = spoil
    failures = bus.set_torque(False)
    assert set(failures) == {ROBOT.names[dead - 1], ROBOT.names[refusing - 1]}
    assert "does not answer" in failures[ROBOT.names[dead - 1]]
    assert "still on" in failures[ROBOT.names[refusing - 1]]
    assert np.flatnonzero(servos.bank.torque).tolist() == [refusing - 1]


def test_128_is_never_written_to_the_torque_register_nor_anything_to_eeprom(servos, bus):
    bus.survey()
    bus.set_torque(True)
    bus.write_goals(ROBOT.neutral_ticks)
    bus.set_torque(False)
    bus.read_state()
    writes = [p for p in protocol.Parser().feed(servos.sent) if p.code in (0x03, 0x04, 0x83)]
    assert len(writes) == 76  # 25 prepared and switched on, one for the goals, 25 switched off
    assert all(packet.params[0] >= 40 for packet in writes)
    assert all(packet.params[1] in (0, 1) for packet in writes if packet.params[0] == 40)


def test_ping_and_survey_name_who_answers(servos, bus):
    servos.spoil = lambda frames: [frame for frame in frames if frame[2] != 21]
    servos.bank.receive(protocol.write(0xFE, 7, b"\5"))
    models, delays = bus.ping(), bus.survey()
    assert models["jaw"] is None and "jaw" not in delays
    assert {models[name] for name in ROBOT.names if name != "jaw"} == {521}
    assert set(delays.values()) == {10} and len(delays) == 24


def test_an_adapter_that_echoes_changes_nothing(servos, bus):
    plain = servos.bank.answers
    requests = []

    def answers(data):
        requests.append(data)
        return plain(data)

    servos.bank.answers = answers
    servos.spoil = lambda frames: [requests[-1], *frames]
    assert bus.read_state().fresh.all()
    assert bus.set_torque(True) == {}
    servos.spoil = lambda frames: [requests[-1]]
    assert set(bus.ping().values()) == {None}


def test_a_pulled_cable_is_one_clear_error_each_time(servos, bus):
    bus.read_state()
    servos.pull_the_cable()
    for attempt in (bus.read_state, lambda: bus.write_goals(ROBOT.neutral_ticks), bus.read_state):
        with pytest.raises(PortLost, match="gone"):
            attempt()
    bus.close()


def test_a_port_has_one_owner(servos, bus):
    with pytest.raises(RenaError, match="somebody else has"):
        Bus(servos.path, ROBOT)
    bus.close()
    Bus(servos.path, ROBOT).close()


def test_ports_that_cannot_be_opened_say_why(tmp_path):
    with pytest.raises(PortMissing, match="there is no port"):
        Bus(str(tmp_path / "nothing"), ROBOT)
    (tmp_path / "file").write_text("no port")
    with pytest.raises(RenaError, match=r"cannot open .* as a serial port"):
        Bus(str(tmp_path / "file"), ROBOT)


def test_a_forbidden_port_says_how_to_be_permitted(monkeypatch):
    import serial

    def forbid(*_args, **_options):
        raise serial.SerialException(13, "could not open port /dev/ttyUSB0: Permission denied")

    monkeypatch.setattr(serial, "Serial", forbid)
    with pytest.raises(RenaError, match="dialout"):
        Bus("/dev/ttyUSB0", ROBOT)
