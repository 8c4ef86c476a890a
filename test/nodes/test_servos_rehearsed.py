"""The servos node in virtual time: what it does and reports when servos and cables fail."""

import numpy as np
import pytest
from rclpy.clock import ClockType
from servo_stand import ServoStand

from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
JAW = ROBOT.index["jaw"]
OK, WARN, ERROR, STALE = (bytes((level,)) for level in range(4))


@pytest.fixture
def rehearsal(rehearse):
    """A node with torque on that follows commands at full speed."""
    rehearsal = rehearse(torque=True)
    rehearsal.live(1.1)
    return rehearsal


def test_each_servo_has_a_status_with_its_readings(rehearsal):
    rehearsal.live(1.1, jaw=0.3)
    assert {status.name for status in rehearsal.node.reports.statuses} == {
        f"servos: {n}" for n in ("bus", *ROBOT.names)
    }
    jaw, bus = rehearsal.status("jaw"), rehearsal.status("bus")
    assert jaw.level == OK and jaw.message == "torque on"
    # 30 C and 6.0 V are the emulated servos' own values; every request gets its reply.
    own = {"id": "21", "torque": "on", "temperature_c": "30", "voltage_v": "6.0"}
    assert rehearsal.values("jaw").items() >= {**own, "fresh_percent": "100", "missed": "0"}.items()
    assert float(rehearsal.values("jaw")["age_s"]) < 0.05
    assert bus.level == OK and float(rehearsal.values("bus")["bus_rate_hz"]) == pytest.approx(50, abs=3)
    # By hand, bytes a second: 50 reads (a request of 33, 25 replies of 14) and 50 frames of goals of 83.
    wire_percent = 100 * 10e-6 * (50 * (33 + 25 * 14) + 50 * 83)
    assert float(rehearsal.values("bus")["wire_percent"]) == pytest.approx(wire_percent, rel=0.1)


@pytest.mark.parametrize(
    ("fault", "options", "level", "text"),
    [
        ("torque_lost", {}, ERROR, "torque is off though it was switched on"),
        ("overheat", {"temperature_c": 60}, WARN, "60 C"),
        ("overheat", {"temperature_c": 80}, ERROR, "80 C"),
        ("undervoltage", {"voltage_v": 4.7}, WARN, "only 4.7 V"),
        ("undervoltage", {"voltage_v": 3.8}, ERROR, "only 3.8 V"),
        ("overload", {}, ERROR, "reports overload"),
        ("encoder", {}, ERROR, "reports encoder"),
        ("dead", {}, STALE, "silent for"),
        ("corrupt", {"every": 4}, WARN, "replied to only"),
    ],
)
def test_a_fault_is_reported_within_two_seconds(rehearsal, fault, options, level, text):
    rehearsal.live(0.5, jaw=0.3)
    rehearsal.bank.inject(fault, "jaw", **options)
    rehearsal.live(2.0, jaw=0.3)
    jaw = rehearsal.status("jaw")
    assert jaw.level == level and text in jaw.message
    assert all(rehearsal.status(name).level == OK for name in ROBOT.names if name != "jaw")
    if fault in ("torque_lost", "dead"):
        assert rehearsal.status("bus").level == ERROR and "jaw" in rehearsal.status("bus").message
    if fault == "torque_lost":
        assert rehearsal.set_torque(True).success
        rehearsal.live(1.1, jaw=0.3)
        assert rehearsal.status("jaw").level == OK and rehearsal.status("bus").level == OK


def test_a_torque_register_that_cannot_be_read_is_an_error_not_its_last_value(rehearsal):
    line = rehearsal.gate.bus.line
    plain = line.sync_read

    def sync_read(ids, address, size, *rest):
        replies = plain(ids, address, size, *rest)
        if address == 40:  # the other registers are read
            replies.fresh[np.array(ids) == ROBOT.ids[ROBOT.index["jaw"]]] = False
        return replies

    line.sync_read = sync_read
    rehearsal.live(2.1, jaw=0.3)
    assert rehearsal.status("jaw").level == OK  # two missing replies are no fault
    rehearsal.live(1.1, jaw=0.3)
    jaw = rehearsal.status("jaw")
    assert jaw.level == ERROR and "torque register cannot be read" in jaw.message
    assert rehearsal.values("jaw")["torque"] == "unknown"
    line.sync_read = plain
    rehearsal.live(1.1, jaw=0.3)
    assert rehearsal.status("jaw").level == OK and rehearsal.values("jaw")["torque"] == "on"


def test_the_timers_use_a_clock_that_cannot_be_set(rehearsal):
    timers = list(rehearsal.node.timers)
    assert len(timers) == 2 and {timer.clock.clock_type for timer in timers} == {ClockType.STEADY_TIME}


def test_long_return_delays_are_reported_with_their_remedy(rehearse):
    rehearsal = rehearse(ServoStand(return_delay_us=500))
    rehearsal.live(1.5)
    bus = rehearsal.status("bus")
    assert bus.level == WARN and "12.5 ms" in bus.message and "rena servo set-return-delay" in bus.message


def test_a_cable_pulled_ten_times_is_reconnected_within_a_second_and_always_limp(rehearsal, capfd):
    for _ in range(10):
        rehearsal.live(0.5, jaw=0.3)
        rehearsal.bank.inject("unplugged")
        rehearsal.live(1.5, jaw=0.3)
        assert rehearsal.status("bus").level == ERROR and "disconnected" in rehearsal.status("bus").message
        assert rehearsal.status("jaw").level == STALE
        goals = rehearsal.bank.goals.count
        rehearsal.bank.clear("unplugged")
        rehearsal.live(1.0, jaw=0.3)
        assert rehearsal.gate.bus is not None and not rehearsal.bank.torque.any()
        assert rehearsal.bank.goals.count == goals
        assert rehearsal.set_torque(True).success
        rehearsal.live(1.1, jaw=0.3)
    check = GoalCheck(ROBOT)
    check.add(rehearsal.bank.goals.frames)
    assert check.violations == 0, check.examples
    logged = capfd.readouterr().err
    assert logged.count("is gone") == 10 and logged.count("the robot is limp") == 10


@pytest.mark.parametrize("request_number", range(5))
@pytest.mark.parametrize("back_after", [1, 3])
def test_a_leaving_node_waits_for_a_cable_that_slipped(rehearsal, request_number, back_after, monkeypatch, capfd):
    rehearsal.live(0.5, jaw=0.3)
    rehearsal.bank.inject("dead", "jaw")  # so that leaving takes several requests
    port, waited = rehearsal.gate.bus.line.port, []
    plain, sent = port.write, []

    def write(data):
        if len(sent) == request_number:
            rehearsal.bank.inject("unplugged")
        sent.append(data)
        return plain(data)

    def wait(_seconds):
        waited.append(1)
        if len(waited) == back_after:
            rehearsal.bank.clear()

    port.write = write
    monkeypatch.setattr("rena_ros.nodes.servos.time.sleep", wait)
    rehearsal.node.leave()
    assert not rehearsal.bank.torque.any() and len(waited) == back_after
    assert "torque is off" in capfd.readouterr().err


@pytest.mark.parametrize("call", [lambda rehearsal: rehearsal.stop(), lambda rehearsal: rehearsal.set_torque(False)])
def test_autostart_does_not_overrule_a_service_called_before_the_port_is_there(rehearse, call):
    rehearsal = rehearse(autostart=True)
    rehearsal.bank.inject("unplugged")
    rehearsal.live(0.5)
    call(rehearsal)
    rehearsal.bank.clear()
    rehearsal.live(1.0)
    rehearsal.reset()
    rehearsal.live(0.5)
    assert rehearsal.gate.bus is not None and not rehearsal.bank.torque.any()


def test_a_stop_while_the_cable_is_pulled_takes_effect_when_it_is_back(rehearsal):
    rehearsal.bank.inject("unplugged")
    rehearsal.live(0.1, jaw=0.3)
    response = rehearsal.stop()
    assert not response.success and "as soon as it is back" in response.message
    assert rehearsal.bank.torque.all()
    rehearsal.bank.clear()
    rehearsal.live(1.0, jaw=0.3)
    assert not rehearsal.bank.torque.any() and "stopped" in rehearsal.set_torque(True).message
    assert rehearsal.reset().success and not rehearsal.bank.torque.any()
    assert rehearsal.set_torque(True).success and rehearsal.bank.torque.all()


def test_a_stop_before_the_port_is_there_switches_torque_off_though_it_was_reset_meanwhile(rehearse):
    stand = ServoStand()
    first = rehearse(stand, autostart=True)
    first.live(0.5)
    first.gate.drop_port()
    stand.bank.inject("unplugged")
    second = rehearse(stand)
    second.live(0.5)
    assert "as soon as it is back" in second.stop().message and second.reset().success
    stand.bank.clear()
    second.live(0.5)
    assert second.gate.bus is not None and not stand.bank.torque.any()


def test_stop_names_the_servos_that_refuse_and_keeps_trying(rehearsal, capfd):
    rehearsal.live(0.3, jaw=0.3)
    three = ("jaw", "pucker", "neck_yaw")
    rehearsal.bank.inject("overload", *three)
    response = rehearsal.stop()
    assert not response.success and all(name in response.message for name in three)
    assert {ROBOT.names[i] for i in np.flatnonzero(rehearsal.bank.torque)} == set(three)
    rehearsal.live(2.0, jaw=0.3)
    assert "refuses to switch its torque off: jaw, pucker, neck_yaw" in rehearsal.status("bus").message
    rehearsal.bank.clear()
    rehearsal.live(1.1, jaw=0.3)
    assert not rehearsal.bank.torque.any() and "refuses" not in rehearsal.status("bus").message
    assert "stopped" in rehearsal.status("bus").message
    assert rehearsal.neutral().success is False


def test_a_node_takes_over_from_a_killed_one_without_a_jump(rehearse):
    # The first node does not leave before the second runs: as after SIGKILL, the servos hold their last goals.
    stand = ServoStand()
    first = rehearse(stand)
    first.live(0.1)
    first.set_torque(True)
    first.live(1.5, jaw=0.4)
    first.gate.drop_port()
    before = stand.bank.positions
    second = rehearse(stand)
    second.live(1.5)
    assert stand.bank.torque.all() and (stand.bank.positions == before).all()
    assert "torque still on from an earlier program" in second.status("bus").message
    stand.bank.goals.take()
    assert second.set_torque(True).success
    second.live(1.5, jaw=0.4)
    log, check = stand.bank.goals.take(), GoalCheck(ROBOT)
    check.add(log)
    assert check.violations == 0, check.examples
    jaw = [goals.ticks[JAW] for goals in log if goals.ticks[JAW] >= 0]
    assert abs(jaw[0] - before[JAW]) <= 1 and abs(jaw[-1] - before[JAW]) <= 1


def test_a_busy_computer_causes_a_pause_not_a_jump(rehearsal):
    rehearsal.live(0.5, jaw=0.0)
    rehearsal.command(["jaw"], [0.6])
    rehearsal.live(0.03)
    last = rehearsal.bank.goals.frames[-1].ticks[JAW]
    rehearsal.bank.advance(0.3)
    rehearsal.node.on_tick()
    fastest = ROBOT.max_speed_rad_s[JAW] * 4096 / (2 * np.pi) * 0.01
    assert 0 <= rehearsal.bank.goals.frames[-1].ticks[JAW] - last <= fastest + 1
    rehearsal.live(0.5, jaw=0.6)
    assert rehearsal.bank.goals.frames[-1].ticks[JAW] == round(2048 + 0.6 * 4096 / (2 * np.pi))
