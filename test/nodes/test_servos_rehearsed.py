"""The servos node in virtual time: what it says and does about servos and cables that fail."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import ClockType
from rclpy.parameter import Parameter

from rena_ros.bench.rehearsal import Rehearsal
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.nodes.status_log import REPEAT_S, StatusLog
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
JAW = ROBOT.index["jaw"]
OK, WARN, ERROR, STALE = (bytes((level,)) for level in range(4))


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")


@pytest.fixture
def made():
    """Make rehearsals that end with the test."""
    rehearsals = []

    def make(bank=None, autostart=False):
        rehearsals.append(Rehearsal(bank, autostart=autostart))
        return rehearsals[-1]

    yield make
    for rehearsal in rehearsals:
        rehearsal.close()


@pytest.fixture
def stage(made):
    """Up, with the jaw held open."""
    stage = made()
    stage.live(0.1)
    assert stage.set_torque(True).success
    stage.live(1.1)
    return stage


def act(stage, seconds, jaw=0.3):
    """Commands at 50 Hz."""
    end_s = stage.now_s + seconds
    while stage.now_s < end_s:
        stage.command(["jaw"], [jaw])
        stage.live(0.02)


def values(status):
    return {pair.key: pair.value for pair in status.values}


def test_each_servo_has_a_status_with_its_readings(stage):
    act(stage, 1.1)
    assert {status.name for status in stage.node.statuses} == {"servos: bus"} | {f"servos: {n}" for n in ROBOT.names}
    jaw, bus = stage.status("jaw"), stage.status("bus")
    assert jaw.level == OK and jaw.message == "torque on"
    # 30 C and 6.0 V are the emulated servos' own; everything is answered.
    shown = {
        "temperature_c": "30",
        "voltage_v": "6.0",
        "torque": "on",
        "fresh_percent": "100",
        "missed": "0",
        "id": "21",
    }
    assert values(jaw).items() >= shown.items() and float(values(jaw)["age_s"]) < 0.05
    assert bus.level == OK and float(values(bus)["bus_rate_hz"]) == pytest.approx(50, abs=3)
    # By hand, bytes a second: 50 reads (a request of 33, 25 answers of 14) and 50 frames of goals of 83.
    assert float(values(bus)["wire_percent"]) == pytest.approx(100 * 10e-6 * (50 * (33 + 25 * 14) + 50 * 83), rel=0.1)


@pytest.mark.parametrize(
    ("fault", "options", "level", "says"),
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
def test_what_goes_wrong_is_seen_within_two_seconds(stage, fault, options, level, says):
    act(stage, 0.5)
    stage.bank.inject(fault, "jaw", **options)
    act(stage, 2.0)
    jaw = stage.status("jaw")
    assert jaw.level == level and says in jaw.message
    assert all(stage.status(name).level == OK for name in ROBOT.names if name != "jaw")
    if fault in ("torque_lost", "dead"):
        assert stage.status("bus").level == ERROR and "jaw" in stage.status("bus").message
    if fault == "torque_lost":
        assert stage.set_torque(True).success
        act(stage, 1.1)
        assert stage.status("jaw").level == OK and stage.status("bus").level == OK


def test_a_torque_register_that_cannot_be_read_is_an_error_not_what_it_said_last(stage):
    line = stage.gate.bus.line
    plain = line.sync_read

    def sync_read(ids, address, size, *rest):
        replies = plain(ids, address, size, *rest)
        if address == 40:  # all other registers answer
            replies.fresh[np.array(ids) == ROBOT.ids[ROBOT.index["jaw"]]] = False
        return replies

    line.sync_read = sync_read
    act(stage, 2.1)
    assert stage.status("jaw").level == OK  # it may happen now and then
    act(stage, 1.1)
    jaw = stage.status("jaw")
    assert jaw.level == ERROR and "torque register cannot be read" in jaw.message and values(jaw)["torque"] == "unknown"
    line.sync_read = plain
    act(stage, 1.1)
    assert stage.status("jaw").level == OK and values(stage.status("jaw"))["torque"] == "on"


def test_its_timers_do_not_depend_on_a_clock_that_can_be_set(stage):
    timers = list(stage.node.timers)
    assert len(timers) == 2 and {timer.clock.clock_type for timer in timers} == {ClockType.STEADY_TIME}


def test_slow_answers_are_told_with_what_mends_them(made):
    stage = made(ServoBank(ROBOT, return_delay_us=500))
    stage.live(1.5)
    bus = stage.status("bus")
    assert bus.level == WARN and "12.5 ms" in bus.message and "rena servo set-return-delay" in bus.message


def test_a_cable_pulled_ten_times_is_found_again_within_a_second_and_always_limp(stage, capfd):
    for _ in range(10):
        act(stage, 0.5)
        stage.bank.inject("unplugged")
        act(stage, 1.5)
        assert stage.status("bus").level == ERROR and "disconnected" in stage.status("bus").message
        assert stage.status("jaw").level == STALE
        goals = stage.bank.goals.count
        stage.bank.clear("unplugged")
        act(stage, 1.0)
        assert stage.gate.bus is not None and not stage.bank.torque.any() and stage.bank.goals.count == goals
        assert stage.set_torque(True).success
        act(stage, 1.1)
    check = GoalCheck(ROBOT)
    check.add(stage.bank.goals.frames)
    assert check.violations == 0, check.examples
    said = capfd.readouterr().err
    assert said.count("is gone") == 10 and said.count("the robot is limp") == 10


@pytest.mark.parametrize("request_number", range(5))
@pytest.mark.parametrize("back_after", [1, 3])
def test_a_cable_that_slips_while_it_leaves_is_waited_for(stage, request_number, back_after, monkeypatch, capfd):
    act(stage, 0.5)
    stage.bank.inject("dead", "jaw")  # for more than one frame
    port, waited = stage.gate.bus.line.port, []
    plain, sent = port.write, []

    def write(data):
        if len(sent) == request_number:
            stage.bank.inject("unplugged")
        sent.append(data)
        return plain(data)

    def wait(_seconds):
        waited.append(1)
        if len(waited) == back_after:
            stage.bank.clear()

    port.write = write
    monkeypatch.setattr("rena_ros.nodes.servos.time.sleep", wait)
    stage.node.leave()
    assert not stage.bank.torque.any() and len(waited) == back_after
    assert "torque is off" in capfd.readouterr().err


@pytest.mark.parametrize("ask", [lambda stage: stage.stop(), lambda stage: stage.set_torque(False)])
def test_who_wants_it_limp_before_the_port_is_there_is_not_overruled_by_autostart(made, ask):
    stage = made(autostart=True)
    stage.bank.inject("unplugged")
    stage.live(0.5)
    ask(stage)
    stage.bank.clear()
    stage.live(1.0)
    stage.reset()
    stage.live(0.5)
    assert stage.gate.bus is not None and not stage.bank.torque.any()


def test_autostart_switches_on_at_the_first_connection(made):
    stage = made(autostart=True)
    stage.live(0.5)
    assert stage.bank.torque.all()


def test_stop_while_the_cable_is_pulled_holds_when_it_is_back(stage):
    stage.bank.inject("unplugged")
    act(stage, 0.1)
    answer = stage.stop()
    assert not answer.success and "as soon as it is back" in answer.message
    assert stage.bank.torque.all()
    stage.bank.clear()
    act(stage, 1.0)
    assert not stage.bank.torque.any() and "stopped" in stage.set_torque(True).message
    assert stage.reset().success and not stage.bank.torque.any()
    assert stage.set_torque(True).success and stage.bank.torque.all()


def test_a_stop_before_the_port_is_there_is_kept_also_when_it_was_lifted_meanwhile(made):
    first = made(autostart=True)
    first.live(0.5)
    first.gate.drop_port()
    first.bank.inject("unplugged")
    second = made(first.bank)
    second.live(0.5)
    assert "as soon as it is back" in second.stop().message and second.reset().success
    first.bank.clear()
    second.live(0.5)
    assert second.gate.bus is not None and not first.bank.torque.any()


def test_stop_names_who_refuses_and_goes_on_asking(stage, capfd):
    act(stage, 0.3)
    three = ("jaw", "pucker", "neck_yaw")
    stage.bank.inject("overload", *three)
    answer = stage.stop()
    assert not answer.success and all(name in answer.message for name in three)
    assert {ROBOT.names[i] for i in np.flatnonzero(stage.bank.torque)} == set(three)
    act(stage, 2.0)
    assert "refuses to switch its torque off: jaw, pucker, neck_yaw" in stage.status("bus").message
    stage.bank.clear()
    act(stage, 1.1)
    assert not stage.bank.torque.any() and "refuses" not in stage.status("bus").message
    assert "stopped" in stage.status("bus").message
    assert stage.neutral().success is False


def test_a_new_node_takes_over_from_one_that_was_killed_without_a_jump(made):
    # The first is never closed before the second runs: as after SIGKILL, the servos hold where they were sent.
    first = made()
    first.live(0.1)
    first.set_torque(True)
    act(first, 1.5, jaw=0.4)
    first.gate.drop_port()
    before = first.bank.positions
    second = made(first.bank)
    second.live(1.5)
    assert first.bank.torque.all() and (first.bank.positions == before).all()
    assert "torque still on from an earlier program" in second.status("bus").message
    first.bank.goals.take()
    assert second.set_torque(True).success
    act(second, 1.5, jaw=0.4)
    log, check = first.bank.goals.take(), GoalCheck(ROBOT)
    check.add(log)
    assert check.violations == 0, check.examples
    jaw = [goals.ticks[JAW] for goals in log if goals.ticks[JAW] >= 0]
    assert abs(jaw[0] - before[JAW]) <= 1 and abs(jaw[-1] - before[JAW]) <= 1


def test_a_busy_computer_makes_a_pause_not_a_jump(stage):
    act(stage, 0.5, jaw=0.0)
    stage.command(["jaw"], [0.6])
    stage.live(0.03)
    last = stage.bank.goals.frames[-1].ticks[JAW]
    stage.bank.advance(0.3)
    stage.node.on_tick()
    fastest = ROBOT.max_speed_rad_s[JAW] * 4096 / (2 * np.pi) * 0.01
    assert 0 <= stage.bank.goals.frames[-1].ticks[JAW] - last <= fastest + 1
    act(stage, 0.5, jaw=0.6)
    assert stage.bank.goals.frames[-1].ticks[JAW] == round(2048 + 0.6 * 4096 / (2 * np.pi))


def status(level, message, name="servos: jaw"):
    return DiagnosticStatus(level=bytes((level,)), name=name, message=message)


def test_the_log_tells_changes_only():
    said = []
    log = StatusLog(lambda level, text: said.append((level, text)))
    for second, (level, message) in enumerate(
        [(0, "torque on"), (0, "limp"), (1, "55 C"), (1, "56 C"), (2, "66 C"), (1, "56 C"), (2, "66.5 C")]
    ):
        log.update([status(level, message)], second)
    assert said == [(1, "jaw: 55 C"), (2, "jaw: 66 C")]
    log.update([status(0, "torque on")], 4 + REPEAT_S)
    assert said[-1] == (0, "jaw: good again")
    both = [status(2, "reports overload", f"servos: {name}") for name in ("jaw", "pucker")]
    log.update(both, 100)
    assert said[-1] == (2, "jaw, pucker: reports overload") and len(said) == 4


def test_what_would_change_nothing_cannot_be_set(stage):
    (answer,) = stage.node.set_parameters([Parameter("port", value="/dev/elsewhere")])
    assert not answer.successful and "read-only" in answer.reason
