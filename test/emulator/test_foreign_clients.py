"""Two foreign drivers read and move the emulated servos: the vendor's SDK, and rustypot, written in Rust."""

import math

import pytest
import rustypot
import scservo_sdk as sdk
from servo_stand import ROBOT

IDS = ROBOT.ids.tolist()
NECK = 23


@pytest.fixture
def vendor(emulator, monkeypatch):
    # The SDK's deadlines suit an idle computer; this one may be busy.
    monkeypatch.setattr("scservo_sdk.port_handler.LATENCY_TIMER", 5000)
    port = sdk.PortHandler(str(emulator.link))
    assert port.openPort() and port.setBaudRate(1_000_000)
    yield port, sdk.PacketHandler(0)
    port.closePort()


@pytest.fixture
def timed_out(vendor, monkeypatch):
    """Whether a request ends in a timeout; half a second, because no late reply is expected."""

    def ends_in_timeout(request):
        with monkeypatch.context() as patch:
            patch.setattr("scservo_sdk.port_handler.LATENCY_TIMER", 250)
            return request()[1] == sdk.COMM_RX_TIMEOUT

    return ends_in_timeout


@pytest.fixture
def rust(emulator):
    controller = rustypot.Sts3215PyController(str(emulator.link), 1_000_000, 10.0)
    yield controller
    controller.close()


def test_the_vendors_sdk_pings_reads_and_writes(vendor, timed_out, until):
    port, servo = vendor
    assert servo.ping(port, NECK) == (521, sdk.COMM_SUCCESS, 0)
    assert servo.read2ByteTxRx(port, NECK, 56) == (2048, sdk.COMM_SUCCESS, 0)
    assert servo.read1ByteTxRx(port, NECK, 63) == (30, sdk.COMM_SUCCESS, 0)
    assert servo.write1ByteTxRx(port, NECK, 41, 50) == (sdk.COMM_SUCCESS, 0)
    assert servo.write1ByteTxRx(port, NECK, 40, 1) == (sdk.COMM_SUCCESS, 0)
    assert servo.write2ByteTxRx(port, NECK, 42, 2200) == (sdk.COMM_SUCCESS, 0)
    until(lambda: servo.read2ByteTxRx(port, NECK, 56)[0] == 2200)
    assert servo.regWriteTxRx(port, NECK, 42, 2, [0, 8]) == (sdk.COMM_SUCCESS, 0)
    assert servo.read2ByteTxRx(port, NECK, 42)[0] == 2200
    assert servo.action(port, sdk.BROADCAST_ID) == sdk.COMM_SUCCESS
    until(lambda: servo.read2ByteTxRx(port, NECK, 56)[0] == 2048)
    assert timed_out(lambda: servo.read2ByteTxRx(port, 200, 56))


def test_the_vendors_sdk_moves_and_reads_all_servos_at_once(emulator, vendor, until):
    port, servo = vendor
    write = sdk.GroupSyncWrite(port, servo, 42, 2)
    read = sdk.GroupSyncRead(port, servo, 56, 8)
    for servo_id, ticks in zip(IDS, ROBOT.max_ticks.tolist(), strict=True):
        assert servo.write1ByteTxRx(port, servo_id, 40, 1) == (sdk.COMM_SUCCESS, 0)
        write.addParam(servo_id, [ticks & 0xFF, ticks >> 8])
        read.addParam(servo_id)
    assert write.txPacket() == sdk.COMM_SUCCESS

    def positions():
        if read.txRxPacket() != sdk.COMM_SUCCESS:
            return None
        return [read.getData(servo_id, 56, 2) for servo_id in IDS]

    until(lambda: positions() == ROBOT.max_ticks.tolist())
    report = emulator.end()
    assert report["sync_writes"] == 1 and report["goal_writes"] == 25 and report["limit_violations"] == 0
    assert report["torque_on"] == list(ROBOT.names)


def test_the_vendors_sdk_sees_faults(emulator, vendor, timed_out):
    port, servo = vendor
    emulator.command("fault {kind: overload, servo: neck_yaw}")
    emulator.command("fault {kind: dead, servo: jaw}")
    emulator.command("fault {kind: wrong_baud, servo: pucker, baud: 250000}")
    assert servo.read2ByteTxRx(port, NECK, 56) == (2048, sdk.COMM_SUCCESS, 32)
    assert timed_out(lambda: servo.ping(port, 21)) and timed_out(lambda: servo.ping(port, 22))
    assert port.setBaudRate(250_000)
    assert servo.ping(port, 22) == (521, sdk.COMM_SUCCESS, 0)
    assert timed_out(lambda: servo.ping(port, NECK))


def test_the_driver_in_rust_reads_and_moves_one_servo(emulator, rust, until):
    assert rust.ping(NECK) and rust.read_model(NECK) == [521]
    assert rust.read_present_temperature(NECK) == [30] and rust.read_present_voltage(NECK) == [60]
    rust.write_torque_enable(NECK, True)
    rust.write_goal_position(NECK, -0.2)
    wanted = 2048 - round(0.2 * 4096 / (2 * math.pi))
    until(lambda: abs(rust.read_raw_present_position(NECK)[0] - wanted) <= 1)
    rust.write_torque_enable(NECK, False)
    assert rust.read_torque_enable(NECK) == [False]
    rust.close()
    hasty = rustypot.Sts3215PyController(str(emulator.link), 1_000_000, 0.2)
    with pytest.raises(RuntimeError):
        hasty.ping(200) or hasty.read_present_position(200)
    hasty.close()


def test_the_driver_in_rust_moves_and_reads_all_servos_at_once(emulator, rust, until):
    rust.sync_write_torque_enable(IDS, [True] * 25)
    rust.sync_write_raw_goal_position(IDS, ROBOT.min_ticks.tolist())
    until(lambda: rust.sync_read_raw_present_position(IDS) == ROBOT.min_ticks.tolist())
    rust.sync_write_torque_enable(IDS, [False] * 25)
    rust.close()
    report = emulator.end()
    assert report["goal_writes"] == 25 and report["limit_violations"] == 0 and report["bad_checksums"] == 0
    assert report["torque_on"] == [] and report["torque_on_writes"] == 25
