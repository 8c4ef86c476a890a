"""The emulator as a process, driven by our bus and by the vendor's own SDK."""

import os
import signal

import numpy as np
import pytest
import scservo_sdk as sdk

from rena_ros.bus.bus import Bus
from rena_ros.bus.emulator import main
from rena_ros.bus.wire import Answer, Wire
from rena_ros.robot_file import load_robot

ROBOT = load_robot()


@pytest.fixture
def vendor(emulator):
    port = sdk.PortHandler(str(emulator.link))
    assert port.openPort() and port.setBaudRate(1_000_000)
    yield port, sdk.PacketHandler(0)
    port.closePort()


def test_the_vendors_sdk_pings_reads_and_writes(vendor, until):
    port, servo = vendor
    assert servo.ping(port, 23) == (521, sdk.COMM_SUCCESS, 0)
    assert servo.read2ByteTxRx(port, 23, 56) == (2048, sdk.COMM_SUCCESS, 0)
    assert servo.read1ByteTxRx(port, 23, 63) == (30, sdk.COMM_SUCCESS, 0)
    assert servo.write1ByteTxRx(port, 23, 41, 50) == (sdk.COMM_SUCCESS, 0)
    assert servo.write1ByteTxRx(port, 23, 40, 1) == (sdk.COMM_SUCCESS, 0)
    assert servo.write2ByteTxRx(port, 23, 42, 2200) == (sdk.COMM_SUCCESS, 0)
    until(lambda: servo.read2ByteTxRx(port, 23, 56)[0] == 2200)
    assert servo.regWriteTxRx(port, 23, 42, 2, [0, 8]) == (sdk.COMM_SUCCESS, 0)
    assert servo.read2ByteTxRx(port, 23, 42)[0] == 2200
    assert servo.action(port, sdk.BROADCAST_ID) == sdk.COMM_SUCCESS
    until(lambda: servo.read2ByteTxRx(port, 23, 56)[0] == 2048)
    assert servo.read2ByteTxRx(port, 200, 56)[1] == sdk.COMM_RX_TIMEOUT


def test_the_vendors_sdk_moves_and_reads_all_servos_at_once(emulator, vendor, until):
    port, servo = vendor
    write = sdk.GroupSyncWrite(port, servo, 42, 2)
    read = sdk.GroupSyncRead(port, servo, 56, 8)
    for servo_id, ticks in zip(ROBOT.ids.tolist(), ROBOT.max_ticks.tolist(), strict=True):
        assert servo.write1ByteTxRx(port, servo_id, 40, 1) == (sdk.COMM_SUCCESS, 0)
        write.addParam(servo_id, [ticks & 0xFF, ticks >> 8])
        read.addParam(servo_id)
    assert write.txPacket() == sdk.COMM_SUCCESS

    def positions():
        if read.txRxPacket() != sdk.COMM_SUCCESS:
            return None
        return [read.getData(servo_id, 56, 2) for servo_id in ROBOT.ids.tolist()]

    until(lambda: positions() == ROBOT.max_ticks.tolist())
    report = emulator.end()
    assert report["sync_writes"] == 1 and report["goal_writes"] == 25 and report["limit_violations"] == 0
    assert report["torque_on"] == list(ROBOT.names)


def test_our_bus_and_the_emulator_agree(emulator, until):
    bus = Bus(str(emulator.link), ROBOT)
    assert bus.set_torque(True) == {}
    bus.write_goals(ROBOT.min_ticks)
    until(lambda: (bus.read_state().ticks == ROBOT.min_ticks).all())
    assert bus.set_torque(False) == {}
    bus.close()
    report = emulator.end()
    assert report["sync_writes"] == 1
    assert report["goal_writes"] == 25 + 25  # torque on sets each servo's present position as its goal
    assert report["torque_on_writes"] == 25 and report["torque_on"] == []


def test_told_to_end_it_stays_until_its_client_has_gone(emulator):
    bus = Bus(str(emulator.link), ROBOT)
    bus.set_torque(True)
    os.kill(emulator.process.pid, signal.SIGINT)
    assert bus.set_torque(False) == {}
    bus.close()
    assert emulator.process.wait(20) == 0


def test_a_link_must_not_replace_a_file(tmp_path, capsys):
    (tmp_path / "precious").write_text("mine")
    assert main(["--link", str(tmp_path / "precious")]) == 2
    assert "choose another --link" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("delay_us", [0, 500])
def test_answers_take_as_long_as_on_a_wire_of_1_mbps(delay_us):
    # 33 bytes asked, then 25 answers of 14 bytes, 10 us a byte, each after its servo's return delay
    wire = Wire(1_000_000)
    wire.request(33, 100.0)
    wire.answer([Answer(delay_us * 1e-6, bytes(14))] * 25)
    slot_s = 14e-5 + delay_us * 1e-6
    received = 0
    for now_s in 100.0 + np.arange(0, 0.02, 5e-5):
        received += len(wire.arrived(now_s))
        carried = max(0, min(25, int((now_s - 100.0 - 33e-5 + 1e-9) / slot_s)))
        assert received <= carried * 14  # never earlier than the wire,
        assert received >= (carried - 1e-3 / slot_s - 1) * 14  # and at most one burst of a millisecond later
    assert received == 350 and wire.next_s() is None and wire.collisions == 0


def test_a_request_in_the_middle_of_an_answer_is_a_collision():
    wire = Wire(1_000_000)
    wire.request(33, 0.0)
    wire.answer([Answer(0.0, bytes(14))])
    wire.request(33, 1e-4)
    assert wire.collisions == 1
