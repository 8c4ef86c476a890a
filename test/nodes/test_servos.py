"""The servos node as a process: topics in, bytes at the emulator out; and how it leaves."""

import itertools
import math
import re
import signal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState, TimeReference
from std_srvs.srv import SetBool, Trigger

from rena_ros.robot.file import load_robot

ROBOT = load_robot()


class ServosBench:
    """The node's neighbours: who commands, who listens."""

    def __init__(self, bench):
        self.bench = bench
        self.until = bench.until
        self.states = bench.listen(JointState, "joint_states", QoSProfile(depth=50))
        self.timings = bench.listen(TimeReference, "timing", QoSProfile(depth=100))
        self.diagnostics = bench.listen(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.commands = bench.peer.create_publisher(JointState, "servos/command", QoSProfile(depth=1))
        self._torque = bench.peer.create_client(SetBool, "set_torque")
        self._triggers = {name: bench.peer.create_client(Trigger, name) for name in ("neutral", "stop", "reset")}

    def start(self, port, **parameters):
        return self.bench.start("servos", port=port, **parameters)

    def command(self, stamp_s=0, **positions):
        message = JointState(name=list(positions), position=list(positions.values()))
        message.header.stamp.sec = stamp_s
        self.commands.publish(message)

    def hold(self, condition, **positions):
        """Repeat a command, as the policy does, until the condition holds."""

        def held():
            self.command(stamp_s=12, **positions)
            return condition()

        self.until(held)

    def at(self, **positions):
        """Whether the newest states say so, within two ticks."""
        seen = dict(zip(self.states[-1].name, self.states[-1].position, strict=True)) if self.states else {}
        return all(name in seen and abs(seen[name] - wanted) < 0.004 for name, wanted in positions.items())

    def answering(self):
        """The servos of the newest states."""
        return set(self.states[-1].name) if self.states else set()

    def value(self, key):
        """A value of the newest diagnostics of the bus."""
        return {pair.key: pair.value for pair in self.status("bus").values}.get(key)

    def status(self, name):
        """The newest diagnostics of the bus or of one servo."""
        return next(status for status in self.diagnostics[-1].status if status.name == f"bench/servos: {name}")

    def reports(self, name, level, text):
        """Whether bus or servo is at this level and says so."""
        if not self.diagnostics:
            return False
        status = self.status(name)
        return status.level == level and text in status.message

    def says(self, key, wanted):
        return bool(self.diagnostics) and self.value(key) == wanted

    def ask(self, client, request):
        self.until(client.service_is_ready)
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def set_torque(self, on):
        return self.ask(self._torque, SetBool.Request(data=on))

    def trigger(self, name):
        return self.ask(self._triggers[name], Trigger.Request())


@pytest.fixture
def around(bench):
    return ServosBench(bench)


def test_from_command_to_bytes_to_states_and_a_limp_end(around, make_emulator, tmp_path):
    emulator = make_emulator("--goals", tmp_path / "goals.csv")
    node = around.start(emulator.link, autostart="true")
    around.until(lambda: around.says("torque", "true") and around.says("driven", "25"))
    goal = 0.9 * ROBOT.upper[ROBOT.index["jaw"]]
    around.hold(lambda: around.at(jaw=goal, neck_yaw=-0.3), jaw=goal, neck_yaw=-0.3)
    around.until(lambda: tuple(around.states[-1].name) == ROBOT.names and len(around.states[-1].velocity) == 25)
    servos = [timing for timing in around.timings if timing.source == "servos"]
    assert servos and all(timing.time_ref.sec == 12 for timing in servos)
    assert all(timing.header.stamp.sec > 1_000_000 for timing in servos)
    # Beyond the limits, malformed, and then no more: clamped, refused, eased to neutral.
    around.hold(lambda: around.at(jaw=ROBOT.upper[ROBOT.index["jaw"]]), jaw=40.0)
    refused = int(around.value("commands_refused"))
    around.hold(lambda: around.diagnostics and int(around.value("commands_refused")) > refused, jaw=math.nan)
    around.until(lambda: around.at(**dict.fromkeys(ROBOT.names, 0.0)))
    code, said = around.bench.leave(node, signal.SIGINT)
    assert code == 0 and "torque is off" in said and "Traceback" not in said
    assert "jaw: nan is not a finite position" in said
    report = emulator.end()
    assert report["limit_violations"] == 0 and report["bad_checksums"] == 0
    # At torque on each servo by itself, again where an acknowledgement got lost; from then on whole frames of goals.
    assert report["torque_on"] == [] and report["torque_on_writes"] >= 25
    rows = [line.split(",")[1:] for line in (tmp_path / "goals.csv").read_text().splitlines()]
    names = [[name for name, ticks in zip(rows[0], row, strict=True) if ticks] for row in rows[1:]]
    single = [i for i, row in enumerate(names) if len(row) == 1]
    assert {names[i][0] for i in single} == set(ROBOT.names)
    whole = names[single[-1] + 1 :]
    assert whole and all(len(row) == 25 for row in whole)


def test_limp_until_asked_and_again_when_asked(around, emulator):
    node = around.start(emulator.link)
    around.until(lambda: around.says("connected", "true") and around.states)
    around.hold(lambda: int(around.value("commands_refused")) > 0, jaw=0.3)
    assert not around.trigger("neutral").success
    assert around.set_torque(True).success
    around.hold(lambda: around.at(jaw=0.3), jaw=0.3)
    assert around.trigger("neutral").success
    around.until(lambda: around.at(jaw=0.0))
    assert around.set_torque(False).success
    around.until(lambda: around.says("torque", "false"))
    code, said = around.bench.leave(node, signal.SIGTERM)
    assert code == 0 and "torque is off" in said
    assert emulator.end()["torque_on"] == []


def test_a_dead_servo_is_named_and_costs_only_itself(around, servos):
    servos.alter = lambda frames: [frame for frame in frames if frame[2] != 21]
    node = around.start(servos.path, autostart="true")
    # Others may be late where this process is: it is the one that answers for them.
    around.until(lambda: around.says("torque", "true") and around.answering() == {*ROBOT.names} - {"jaw"})
    around.until(lambda: "silent: jaw" in around.status("bus").message)
    around.hold(lambda: around.at(neck_yaw=0.2), neck_yaw=0.2)
    assert not any("jaw" in state.name for state in around.states)
    code, said = around.bench.leave(node)
    assert code == 0 and re.search(r"torque could not be switched off: (\w+, )*jaw(, \w+)*: does not reply", said)
    assert not np.any(servos.bank.torque)


def test_a_pulled_cable_is_said_once_and_taken_up_again_limp(around, emulator):
    node = around.start(emulator.link, autostart="true")
    around.until(lambda: around.says("torque", "true"))
    emulator.command("unplug")
    around.until(lambda: around.says("connected", "false"))
    emulator.command("plug")
    around.until(lambda: around.says("connected", "true"))
    assert around.value("torque") == "false" and around.value("driven") == "0"
    assert around.set_torque(True).success
    code, said = around.bench.leave(node)
    assert code == 0 and said.count("is gone") == 1 and "the robot is limp" in said
    assert emulator.end()["torque_on"] == []


THREE = ("jaw", "pucker", "neck_yaw")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_leaving_with_overloaded_servos_switches_all_others_off_and_names_those(around, emulator, how):
    node = around.start(emulator.link, autostart="true")
    around.until(lambda: around.says("torque", "true") and around.says("driven", "25"))
    emulator.command(f"fault {{kind: overload, servo: [{', '.join(THREE)}]}}")
    around.until(lambda: all(around.reports(name, b"\2", "overload") for name in THREE))
    code, said = around.bench.leave(node, how)
    assert code == 0 and "Traceback" not in said
    assert f"torque could not be switched off: {', '.join(THREE)}: refuses" in said
    assert sorted(emulator.end()["torque_on"]) == sorted(THREE)


def test_lost_torque_is_seen_and_a_stop_is_latched_and_names_who_refuses(around, emulator):
    node = around.start(emulator.link, autostart="true")
    around.until(lambda: around.says("torque", "true"))
    emulator.command("fault {kind: torque_lost, servo: jaw}")
    around.until(lambda: around.reports("jaw", b"\2", "torque is off though it was switched on"))
    assert "jaw" in around.status("bus").message
    assert around.set_torque(True).success
    emulator.command("fault {kind: overload, servo: jaw}")
    around.until(lambda: around.reports("jaw", b"\2", "overload"))
    answer = around.trigger("stop")
    assert not answer.success and "jaw: refuses" in answer.message and "pucker" not in answer.message
    around.hold(lambda: around.says("stopped", "true") and int(around.value("commands_refused")) > 0, jaw=0.3)
    assert "reset" in around.set_torque(True).message and not around.trigger("neutral").success
    emulator.command("clear")
    around.until(lambda: around.reports("bus", b"\1", "stopped"))  # asked again, it has let go
    assert around.trigger("reset").success
    around.until(lambda: around.says("stopped", "false") and around.says("torque", "false"))
    assert around.set_torque(True).success and around.set_torque(False).success
    code, said = around.bench.leave(node)
    assert code == 0 and said.count("jaw: torque is off though") == 1
    assert emulator.end()["torque_on"] == []


def goals_in(path):
    """Seconds and ticks of the jaw, of every goal it got."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    at = rows[0].index("jaw")
    return [(float(row[0]), int(row[at])) for row in rows[1:] if row[at]]


def test_a_node_that_was_killed_is_replaced_without_a_jump(around, make_emulator, tmp_path):
    goals = tmp_path / "goals.csv"
    emulator = make_emulator("--goals", goals)
    node = around.start(emulator.link, autostart="true")
    around.hold(lambda: around.at(jaw=0.4), jaw=0.4)
    node.kill()
    node.wait()
    before = goals_in(goals)
    assert abs(before[-1][1] - round(2048 + 0.4 * 4096 / (2 * np.pi))) <= 1
    around.diagnostics.clear()
    second = around.start(emulator.link, autostart="true")
    around.until(lambda: around.says("torque", "true"))
    around.hold(lambda: around.at(jaw=0.4), jaw=0.4)
    way = [before[-1], *goals_in(goals)[len(before) :]]
    # From where it was, and never faster than it may be (a tick of rounding, and a writer that is late once, allowed).
    assert abs(way[1][1] - way[0][1]) <= 2
    fastest = ROBOT.max_speed_rad_s[ROBOT.index["jaw"]] * 4096 / (2 * np.pi)
    assert all(abs(b - a) <= fastest * max(tb - ta, 0.06) + 1 for (ta, a), (tb, b) in itertools.pairwise(way[1:]))
    assert around.bench.leave(second)[0] == 0
    assert emulator.end()["torque_on"] == []


def test_a_port_that_is_taken_ends_the_node_with_one_clear_line(around, servos):
    import serial

    with serial.Serial(servos.path, exclusive=True):
        code, said = around.bench.ended(around.start(servos.path))
    assert code == 2 and "another program has" in said and "Traceback" not in said
