"""What the servos node does, and says, when its port goes, is looked for, and when the node itself is broken."""

import re
import subprocess
import sys

import pytest
from servos_stand import stages


@pytest.fixture
def make_stage(monkeypatch):
    with stages(monkeypatch) as make:
        yield make


def pulled(stage):
    """The cable goes with the next byte."""
    stage.bank.inject("unplugged")
    return stage


def on_second(stage):
    stage.node.on_second()


def on_ticks(stage):
    stage.live(0.05)


def on_command(stage):
    stage.command(["jaw"], [0.1])


@pytest.mark.parametrize("callback", [on_second, on_ticks, on_command])
def test_a_port_that_vanishes_in_a_callback_is_said_and_looked_for(make_stage, callback, capfd):
    stage = make_stage()
    stage.up()
    callback(pulled(stage))
    assert stage.gate.bus is None and not stage.gate.torque
    assert capfd.readouterr().err.count("is gone") == 1
    stage.bank.clear()
    stage.live(1.1)
    assert stage.gate.bus is not None and not stage.bank.torque.any()
    assert stage.status("bus").message == "limp"


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda stage: stage.set_torque(True), r"torque on failed: all 25 servos: .* is gone"),
        (lambda stage: stage.set_torque(False), r"torque off failed: all 25 servos: .* is gone"),
        (lambda stage: stage.stop(), "torque is switched off as soon as it is back"),
    ],
)
def test_a_port_that_vanishes_in_a_service_fails_that_service_only(make_stage, ask, answer, capfd):
    stage = make_stage()
    stage.up()
    response = ask(pulled(stage))
    assert not response.success and re.search(answer, response.message)
    assert stage.gate.bus is None and "is gone" in capfd.readouterr().err
    stage.bank.clear()
    stage.live(0.5)
    stage.reset()
    assert not stage.bank.torque.any() and stage.set_torque(True).success


def test_a_port_that_vanishes_while_it_is_connected_changes_nothing_and_is_looked_for(make_stage, capfd):
    stage = make_stage()
    stage.bank.receive(b"\xff\xff\xfe\x04\x03\x28\x01\xd1")  # an earlier program: torque on, everybody
    stage.bank.inject("unplugged", at_s=0.001, for_s=0.5)
    stage.live(0.4)
    said = capfd.readouterr().err
    assert stage.gate.bus is None and len(stage.tries) >= 2 and "connected" not in said and "is gone" not in said
    stage.live(0.5)
    assert stage.gate.bus is not None and "25 of 25 servos reply" in capfd.readouterr().err
    assert stage.bank.torque.all()


def test_a_port_is_looked_for_four_times_a_second(make_stage):
    stage = make_stage()
    stage.bank.inject("unplugged")
    stage.live(2.0)
    assert 7 <= len(stage.tries) <= 9
    stage.bank.clear()
    stage.live(0.3)
    assert stage.gate.bus is not None


def test_a_port_that_was_lost_is_looked_for_four_times_a_second(make_stage):
    stage = make_stage()
    stage.up()
    stage.tries.clear()
    pulled(stage).live(2.0)
    assert 7 <= len(stage.tries) <= 9
    stage.bank.clear()
    stage.live(0.3)
    assert stage.gate.bus is not None


def test_a_port_that_is_back_switches_nothing_on(make_stage, capfd):
    stage = make_stage(autostart=True)
    stage.live(0.5)
    assert stage.bank.torque.all()
    pulled(stage).live(0.5)
    stage.bank.clear()
    stage.live(1.5)
    assert stage.gate.bus is not None and not stage.bank.torque.any()
    assert "the robot is limp; the service set_torque switches torque on" in capfd.readouterr().err


def test_that_servos_are_left_holding_is_said_when_the_port_is_gone_at_leaving(make_stage, monkeypatch, capfd):
    monkeypatch.setattr("rena_ros.nodes.servos.time.sleep", lambda _seconds: None)
    stage = make_stage()
    stage.up()
    pulled(stage).live(0.1)
    stage.node.leave()
    assert "is gone: servos that have power hold where they are" in capfd.readouterr().err


def test_a_node_that_never_had_a_port_leaves_without_a_word_about_servos(make_stage, capfd):
    stage = make_stage()
    pulled(stage).live(0.3)
    capfd.readouterr()
    stage.node.leave()
    assert "servos" not in capfd.readouterr().err.replace("[servos]", "")


def test_refusals_in_a_stream_of_commands_are_not_said_each_time(make_stage, capfd):
    stage = make_stage()
    stage.live(0.1)
    for _ in range(200):
        stage.command(["jaw"], [0.1])
    # Said once in two seconds; how much of the computer's time passes here, nobody knows, but not that of 20 lines.
    assert stage.gate.commands.refused == 200
    assert 1 <= capfd.readouterr().err.count("command refused: torque is off") <= 20


# A node with a fault of its own, on servos in virtual time. Who has torque when it fails and at its end, it prints.
BROKEN = """
from rena_ros.bus.bus import Bus
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.nodes import running
from rena_ros.nodes.servos import ServosNode
from rena_ros.robot.file import load_robot

running.CLOSING_S = 40
bank = ServoBank(load_robot())

class Broken(ServosNode):
    def __init__(self):
        super().__init__(lambda: Bus(VirtualPort(bank), bank.robot), lambda: bank.now_s)

    def on_tick(self):
        bank.advance(0.01)
        super().on_tick()
        if self.gate.torque:
            print("torque of", bank.torque.sum(), flush=True)
            raise ZeroDivisionError("a fault of the program")

try:
    raise SystemExit(running.run_node(Broken))
finally:
    print("torque of", bank.torque.sum(), flush=True)
"""


def test_a_fault_of_the_program_leaves_the_robot_limp_and_shows_where_it_was(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    command = [sys.executable, "-c", BROKEN, "--ros-args", "-p", "autostart:=true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["torque of 25", "torque of 0"], done.stderr
    assert done.returncode == 1 and "torque is off" in done.stderr
    assert "Traceback" in done.stderr and "on_tick" in done.stderr and "a fault of the program" in done.stderr
