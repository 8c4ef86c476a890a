"""The port in virtual time: the same bytes as over a pty, at the times that the wire's arithmetic gives."""

import numpy as np
import pytest
from servo_stand import ROBOT

from rena_ros.bus import protocol
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost, PortMissing, SerialPort
from rena_ros.emulator.virtual_port import VirtualPort

IDS = ROBOT.ids.tolist()
BYTE_S = 1e-5  # 10 bits at 1 Mbps
READ_ALL = protocol.sync_read(IDS, 56, 8)
READ_ALL_BYTES = 25 * 14


@pytest.fixture
def port(bank):
    return VirtualPort(bank)


def exchange(port, request, size=None, patience_s=0.3):
    """Send a request; return the bytes that come, up to ``size`` bytes or until ``patience_s`` is over."""
    sent_s = port.write(request)
    return port.read(sent_s, sent_s + patience_s, lambda received: len(received) == size)


def test_the_bytes_are_the_same_as_over_a_pty(emulator, port):
    row = np.frombuffer(protocol.to_word(2100) * 25, np.uint8).reshape(25, 2)
    requests = [
        READ_ALL,
        protocol.ping(21),
        protocol.read(21, 0, 70),
        protocol.write(21, 41, b"\7"),
        protocol.sync_write(IDS, 42, row),
        protocol.sync_read((25, 200, 1), 41, 3),
        protocol.ping(200),
        b"\xff\xff\x15\x09",
        protocol.write(21, 5, bytes([99])),
        protocol.ping(99),
    ]
    real = SerialPort(str(emulator.link), 1_000_000)
    for request in requests:
        virtual = exchange(port, request)
        over_pty = exchange(real, request, size=len(virtual) or None, patience_s=20.0 if virtual else 0.05)
        assert over_pty == virtual
        if not virtual:
            port.sleep_until(port.now() + 0.05)
    real.close()


def test_time_passes_as_on_the_wire(port):
    assert port.now() == 0
    goals = protocol.sync_write(IDS, 42, np.zeros((25, 2), np.uint8) + 8)
    assert port.write(goals) == pytest.approx(83 * BYTE_S) == port.now()
    assert len(exchange(port, READ_ALL, READ_ALL_BYTES)) == READ_ALL_BYTES
    assert port.now() == pytest.approx((83 + 33 + READ_ALL_BYTES) * BYTE_S)
    port.sleep_until(1.5)
    assert port.now() == pytest.approx(1.5)
    port.sleep_until(1.0)
    assert port.now() == pytest.approx(1.5)


def test_return_delays_take_time(bank, port):
    bank.inject("return_delay", us=500)
    exchange(port, READ_ALL, READ_ALL_BYTES)
    assert port.now() == pytest.approx((33 + READ_ALL_BYTES) * BYTE_S + 25 * 500e-6)


def test_a_read_waits_for_a_silent_servo_until_the_deadline(bank, port):
    bank.inject("dead", "jaw")
    sent_s = port.write(READ_ALL)
    received = port.read(sent_s + 24 * 14 * BYTE_S, sent_s + 0.02, lambda received: len(received) == READ_ALL_BYTES)
    assert len(received) == 24 * 14 and port.now() == pytest.approx(sent_s + 0.02)


def test_a_late_reply_comes_later_and_is_still_there_at_the_next_request(bank, port):
    bank.inject("late", "jaw", delay_ms=120, for_s=0.1)
    assert len(exchange(port, READ_ALL, patience_s=0.05)) == 24 * 14
    port.sleep_until(0.2)
    assert port.discard_input() == 14 and port.discard_input() == 0


def test_a_late_reply_delays_the_replies_behind_it(bank, port):
    bank.inject("late", ROBOT.names[1], delay_ms=120, hold=True)
    assert len(exchange(port, READ_ALL, patience_s=0.05)) == 14
    assert len(exchange(port, READ_ALL, 24 * 14)) == 24 * 14  # of the previous request


def test_an_echo_comes_before_the_reply(bank, port):
    bank.inject("echo", every=2)
    assert exchange(port, protocol.ping(21)) == protocol.reply(21, 0)
    assert exchange(port, protocol.ping(21)) == protocol.ping(21) + protocol.reply(21, 0)


def test_a_servo_set_to_another_rate_does_not_hear_requests(bank):
    bank.inject("wrong_baud", "jaw", baud=500_000)
    slow = VirtualPort(bank, 500_000)
    assert exchange(slow, protocol.ping(21)) == protocol.reply(21, 0)
    assert exchange(slow, protocol.ping(20)) == b""
    assert slow.baud == 500_000 and slow.now() >= 0.3


def test_a_pulled_cable_loses_the_port_for_good(bank, port):
    bank.receive(protocol.write(0xFE, 40, b"\1"))
    bank.inject("unplugged", at_s=0.5, for_s=1.0)
    assert exchange(port, protocol.ping(21), 6)
    sent_s = port.write(protocol.ping(21))
    with pytest.raises(PortLost, match="cable"):
        port.read(sent_s, sent_s + 2.0, lambda received: False)
    assert port.now() == pytest.approx(0.5)
    with pytest.raises(PortMissing):
        VirtualPort(bank)
    bank.advance(2.0)
    for attempt in (port.discard_input, lambda: port.write(b"\0"), lambda: port.read(0.0, 0.0, bool)):
        with pytest.raises(PortLost):
            attempt()
    assert bank.torque.all()  # the servos kept their power
    assert exchange(VirtualPort(bank), protocol.ping(21), 6) == protocol.reply(21, 0)


def test_our_bus_runs_at_the_speed_of_the_wire(bank, port):
    bus = Bus(port, ROBOT)
    bus.read_return_delays()
    assert bus.set_torque(True) == {}
    begun_s = port.now()
    for _ in range(100):
        bus.write_goals(ROBOT.max_ticks)
        state = bus.read_state()
        assert state.fresh.all()
    assert (port.now() - begun_s) / 100 == pytest.approx((83 + 33 + READ_ALL_BYTES) * BYTE_S, rel=0.01)
    port.sleep_until(port.now() + 1.0)
    assert bus.read_state().ticks.tolist() == ROBOT.max_ticks.tolist()
    bus.close()
