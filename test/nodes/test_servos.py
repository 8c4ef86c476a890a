"""The servos node as a process: topics in, bytes to the emulator out; and how it leaves."""

import math
import re
import signal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState, TimeReference
from std_srvs.srv import SetBool, Trigger

from rena_ros.robot.file import load_robot

ROBOT = load_robot()


class ServosPeer:
    """A peer node that commands the servos node and keeps what it publishes."""

    def __init__(self, processes):
        self.processes, self.until = processes, processes.until
        self.states = processes.listen(JointState, "joint_states", QoSProfile(depth=50))
        self.timings = processes.listen(TimeReference, "timing", QoSProfile(depth=100))
        self.diagnostics = processes.listen(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        make = processes.peer.create_publisher
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.commands = make(JointState, "servos/command", best_effort)
        self.policy = make(JointState, "servos/command/mimic", QoSProfile(depth=1))

    def start(self, port, **parameters):
        # Replies are late on a busy machine.
        return self.processes.start("servos", port=port, **{"retries": 10, **parameters})

    def command(self, stamp_s=0, publisher=None, **positions):
        message = JointState(name=list(positions), position=list(positions.values()))
        message.header.stamp.sec = stamp_s
        (publisher or self.commands).publish(message)

    def hold(self, condition, publisher=None, **positions):
        """Repeat an operator's command, or another publisher's, until the condition holds."""

        def held():
            self.command(12, publisher, **positions)
            return condition()

        self.until(held)

    def at(self, **positions):
        """Return whether the newest states are these positions (rad), within two ticks."""
        seen = dict(zip(self.states[-1].name, self.states[-1].position, strict=True)) if self.states else {}
        return all(name in seen and abs(seen[name] - wanted) < 0.004 for name, wanted in positions.items())

    def servos_read(self):
        """Return the servos whose position the newest states contain."""
        return {n for s in self.states[-1:] for n, p in zip(s.name, s.position, strict=True) if math.isfinite(p)}

    def value(self, key):
        """Return a value of the newest diagnostics of the bus."""
        return {pair.key: pair.value for pair in self.status("bus").values}.get(key)

    def status(self, name):
        """Return the newest diagnostics of the bus or of one servo."""
        return next(status for status in self.diagnostics[-1].status if status.name == f"bench/servos: {name}")

    def reports(self, name, level, text):
        """Return whether the bus or a servo is at this level and its message contains the text."""
        if not self.diagnostics:
            return False
        status = self.status(name)
        return status.level == level and text in status.message

    def says(self, key, wanted):
        return bool(self.diagnostics) and self.value(key) == wanted

    def set_torque(self, on):
        return self.processes.call(SetBool, "set_torque", data=on)

    def trigger(self, name):
        return self.processes.call(Trigger, name)


@pytest.fixture
def peer(processes):
    return ServosPeer(processes)


def test_from_command_to_bytes_to_states_and_a_limp_end(peer, make_emulator, tmp_path):
    emulator = make_emulator("--goals", tmp_path / "goals.csv")
    node = peer.start(emulator.link, autostart="true")
    peer.until(lambda: peer.says("torque", "true") and peer.says("driven", "25"))
    goal = 0.9 * ROBOT.upper[ROBOT.index["jaw"]]
    peer.hold(lambda: peer.at(jaw=goal, neck_yaw=-0.3), jaw=goal, neck_yaw=-0.3)
    peer.until(lambda: tuple(peer.states[-1].name) == ROBOT.names and len(peer.states[-1].velocity) == 25)
    servos = [timing for timing in peer.timings if timing.source == "servos"]
    assert servos and all(timing.time_ref.sec == 12 for timing in servos)
    assert all(timing.header.stamp.sec > 1_000_000 for timing in servos)
    # When the operator ceases, the policy is followed; its publisher is reliable, the operator's is best effort.
    peer.hold(lambda: peer.at(jaw=0.2) and peer.says("owner", "mimic"), peer.policy, jaw=0.2)
    # A command beyond the limits is clamped, a malformed one is refused; without commands it eases to neutral.
    peer.hold(lambda: peer.at(jaw=ROBOT.upper[ROBOT.index["jaw"]]), jaw=40.0)
    refused = int(peer.value("commands_refused"))
    peer.hold(lambda: peer.diagnostics and int(peer.value("commands_refused")) > refused, jaw=math.nan)
    peer.until(lambda: peer.at(**dict.fromkeys(ROBOT.names, 0.0)))
    code, output = peer.processes.leave(node)
    assert code == 0 and "torque is off" in output and "Traceback" not in output
    assert "jaw: nan is not a finite position" in output
    report = emulator.end()
    assert report["limit_violations"] == 0 and report["bad_checksums"] == 0
    # Torque on: one goal per servo, repeated where a reply was lost. Afterwards: frames with the goals of all servos.
    assert report["torque_on"] == [] and report["torque_on_writes"] >= 25
    rows = [line.split(",")[1:] for line in (tmp_path / "goals.csv").read_text().splitlines()]
    names = [[name for name, ticks in zip(rows[0], row, strict=True) if ticks] for row in rows[1:]]
    single = [i for i, row in enumerate(names) if len(row) == 1]
    assert {names[i][0] for i in single} == set(ROBOT.names)
    whole = names[single[-1] + 1 :]
    assert whole and all(len(row) == 25 for row in whole)


def test_torque_is_on_between_two_calls_of_set_torque(peer, emulator):
    node = peer.start(emulator.link)
    peer.until(lambda: peer.says("connected", "true") and peer.states)
    peer.hold(lambda: int(peer.value("commands_refused")) > 0, jaw=0.3)
    assert not peer.trigger("neutral").success
    assert peer.set_torque(True).success
    peer.hold(lambda: peer.at(jaw=0.3), jaw=0.3)
    assert peer.trigger("neutral").success
    peer.until(lambda: peer.at(jaw=0.0))
    assert peer.set_torque(False).success
    peer.until(lambda: peer.says("torque", "false"))
    code, output = peer.processes.leave(node, signal.SIGTERM)
    assert code == 0 and "torque is off" in output
    assert emulator.end()["torque_on"] == []


def test_a_dead_servo_is_named_and_does_not_affect_the_others(peer, emulator):
    emulator.command("fault {kind: truncated, servo: jaw, bytes: 0}")  # silent, but it obeys
    node = peer.start(emulator.link, autostart="true")
    peer.until(lambda: peer.says("torque", "true") and peer.servos_read() == {*ROBOT.names} - {"jaw"})
    peer.until(lambda: "silent: jaw" in peer.status("bus").message)
    peer.hold(lambda: peer.at(neck_yaw=0.2), neck_yaw=0.2)
    assert all(math.isnan(state.position[ROBOT.index["jaw"]]) for state in peer.states)
    code, output = peer.processes.leave(node)
    assert code == 0 and re.search(r"torque could not be switched off: (\w+, )*jaw(, \w+)*: does not reply", output)
    assert emulator.end()["torque_on"] == []


def test_a_pulled_cable_is_logged_once_and_the_robot_is_limp_when_it_is_back(peer, emulator):
    node = peer.start(emulator.link, autostart="true")
    peer.until(lambda: peer.says("torque", "true"))
    emulator.command("unplug")
    peer.until(lambda: peer.says("connected", "false"))
    emulator.command("plug")
    peer.until(lambda: peer.says("connected", "true"))
    assert peer.value("torque") == "false" and peer.value("driven") == "0"
    assert peer.set_torque(True).success
    code, output = peer.processes.leave(node)
    assert code == 0 and output.count("is gone") == 1 and "the robot is limp" in output
    assert emulator.end()["torque_on"] == []


THREE = ("jaw", "pucker", "neck_yaw")


def test_leaving_switches_all_servos_off_but_overloaded_ones_and_names_those(peer, emulator):
    node = peer.start(emulator.link, autostart="true")
    peer.until(lambda: peer.says("torque", "true") and peer.says("driven", "25"))
    emulator.command(f"fault {{kind: overload, servo: [{', '.join(THREE)}]}}")
    peer.until(lambda: all(peer.reports(name, b"\2", "overload") for name in THREE))
    code, output = peer.processes.leave(node)
    assert code == 0 and "Traceback" not in output
    assert f"torque could not be switched off: {', '.join(THREE)}: refuses" in output
    assert sorted(emulator.end()["torque_on"]) == sorted(THREE)


def test_lost_torque_is_reported_and_a_latched_stop_names_the_servo_that_refuses(peer, emulator):
    node = peer.start(emulator.link, autostart="true")
    peer.until(lambda: peer.says("torque", "true"))
    emulator.command("fault {kind: torque_lost, servo: jaw}")
    peer.until(lambda: peer.reports("jaw", b"\2", "torque is off though it was switched on"))
    assert "jaw" in peer.status("bus").message
    assert peer.set_torque(True).success
    emulator.command("fault {kind: overload, servo: jaw}")
    peer.until(lambda: peer.reports("jaw", b"\2", "overload"))
    response = peer.trigger("stop")
    assert not response.success and "jaw: refuses" in response.message and "pucker" not in response.message
    peer.hold(lambda: peer.says("stopped", "true") and int(peer.value("commands_refused")) > 0, jaw=0.3)
    assert "reset" in peer.set_torque(True).message and not peer.trigger("neutral").success
    emulator.command("clear")
    peer.until(lambda: peer.reports("bus", b"\1", "stopped"))  # tried again, it has switched off
    assert peer.trigger("reset").success
    peer.until(lambda: peer.says("stopped", "false") and peer.says("torque", "false"))
    assert peer.set_torque(True).success and peer.set_torque(False).success
    code, output = peer.processes.leave(node)
    assert code == 0 and output.count("jaw: torque is off though") == 1
    assert emulator.end()["torque_on"] == []


def goals_in(path):
    """Return every goal of the jaw, ticks."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    at = rows[0].index("jaw")
    return [int(row[at]) for row in rows[1:] if row[at]]


def test_a_killed_node_is_replaced_without_a_jump(peer, make_emulator, tmp_path):
    goals = tmp_path / "goals.csv"
    emulator = make_emulator("--goals", goals)
    node = peer.start(emulator.link, autostart="true")
    peer.hold(lambda: peer.at(jaw=0.4), jaw=0.4)
    node.kill()
    node.wait()
    before = goals_in(goals)
    assert abs(before[-1] - round(2048 + 0.4 * 4096 / (2 * np.pi))) <= 1
    peer.diagnostics.clear()
    second = peer.start(emulator.link, autostart="true")
    peer.until(lambda: peer.says("torque", "true"))
    peer.hold(lambda: peer.at(jaw=0.4), jaw=0.4)
    assert abs(goals_in(goals)[len(before)] - before[-1]) <= 2  # it starts where the jaw was
    assert peer.processes.leave(second)[0] == 0
    assert emulator.end()["torque_on"] == []


def test_a_port_in_use_ends_the_node_with_one_clear_line(peer, emulator):
    import serial

    with serial.Serial(str(emulator.link), exclusive=True):
        code, output = peer.processes.ended(peer.start(emulator.link))
    assert code == 2 and "and a port has one owner" in output and "Traceback" not in output
