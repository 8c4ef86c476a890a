"""What the servos node does and logs when its port vanishes or is missing, and when the node itself fails."""

import re
import subprocess
import sys

import pytest
from servo_stand import ServoStand


def on_second(rehearsal):
    rehearsal.node.on_second()


def on_ticks(rehearsal):
    rehearsal.live(0.05)


def on_command(rehearsal):
    rehearsal.command(["jaw"], [0.1])


@pytest.mark.parametrize("callback", [on_second, on_ticks, on_command])
def test_a_port_that_vanishes_in_a_callback_is_logged_and_opened_again(rehearse, callback, capfd):
    rehearsal = rehearse(torque=True)
    rehearsal.bank.inject("unplugged")
    callback(rehearsal)
    assert rehearsal.gate.bus is None and not rehearsal.gate.torque
    assert capfd.readouterr().err.count("is gone") == 1
    rehearsal.bank.clear()
    rehearsal.live(1.1)
    assert rehearsal.gate.bus is not None and not rehearsal.bank.torque.any()
    assert rehearsal.status("bus").message == "limp"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rehearsal: rehearsal.set_torque(True), r"torque on failed: all 25 servos: .* is gone"),
        (lambda rehearsal: rehearsal.set_torque(False), r"torque off failed: all 25 servos: .* is gone"),
        (lambda rehearsal: rehearsal.stop(), "torque is switched off as soon as it is back"),
    ],
)
def test_a_port_that_vanishes_in_a_service_fails_that_service_only(rehearse, call, message, capfd):
    rehearsal = rehearse(torque=True)
    rehearsal.bank.inject("unplugged")
    response = call(rehearsal)
    assert not response.success and re.search(message, response.message)
    assert rehearsal.gate.bus is None and "is gone" in capfd.readouterr().err
    rehearsal.bank.clear()
    rehearsal.live(0.5)
    rehearsal.reset()
    assert not rehearsal.bank.torque.any() and rehearsal.set_torque(True).success


def test_a_port_that_vanishes_while_connecting_changes_no_servo_and_is_opened_again(rehearse, capfd):
    stand = ServoStand()
    rehearsal = rehearse(stand)
    rehearsal.bank.receive(b"\xff\xff\xfe\x04\x03\x28\x01\xd1")  # an earlier program: torque on, all servos
    rehearsal.bank.inject("unplugged", at_s=0.001, for_s=0.5)
    rehearsal.live(0.4)
    logged = capfd.readouterr().err
    assert rehearsal.gate.bus is None and len(stand.opened_s) >= 2
    assert "connected" not in logged and "is gone" not in logged
    rehearsal.live(0.5)
    assert rehearsal.gate.bus is not None and "25 of 25 servos reply" in capfd.readouterr().err
    assert rehearsal.bank.torque.all()


@pytest.mark.parametrize("was_connected", [False, True])
def test_a_missing_port_is_tried_four_times_a_second(rehearse, was_connected):
    stand = ServoStand()
    rehearsal = rehearse(stand, torque=was_connected)
    stand.opened_s.clear()
    stand.bank.inject("unplugged")
    rehearsal.live(2.0)
    assert 7 <= len(stand.opened_s) <= 9
    stand.bank.clear()
    rehearsal.live(0.3)
    assert rehearsal.gate.bus is not None


def test_a_port_that_is_back_switches_no_torque_on(rehearse, capfd):
    rehearsal = rehearse(autostart=True)
    rehearsal.live(0.5)
    assert rehearsal.bank.torque.all()
    rehearsal.bank.inject("unplugged")
    rehearsal.live(0.5)
    rehearsal.bank.clear()
    rehearsal.live(1.5)
    assert rehearsal.gate.bus is not None and not rehearsal.bank.torque.any()
    assert "the robot is limp; the service set_torque switches torque on" in capfd.readouterr().err
    rehearsal.bank.inject("unplugged", for_s=0.5)
    rehearsal.live(0.1)
    rehearsal.stop()
    rehearsal.live(1.5)
    assert "the robot is limp; stopped; the service reset lifts it" in capfd.readouterr().err


def test_a_node_that_leaves_without_its_port_logs_that_servos_hold(rehearse, monkeypatch, capfd):
    monkeypatch.setattr("rena_ros.nodes.servos.time.sleep", lambda _seconds: None)
    rehearsal = rehearse(torque=True)
    rehearsal.bank.inject("unplugged")
    rehearsal.live(0.1)
    rehearsal.node.leave()
    assert "is gone; servos hold until you cut their power" in capfd.readouterr().err


def test_a_node_that_never_had_a_port_logs_nothing_about_servos_when_it_leaves(rehearse, capfd):
    rehearsal = rehearse()
    rehearsal.bank.inject("unplugged")
    rehearsal.live(0.3)
    capfd.readouterr()
    rehearsal.node.leave()
    assert "servos" not in capfd.readouterr().err.replace("[servos]", "")


def test_refusals_of_a_stream_of_commands_are_not_logged_each_time(rehearse, capfd):
    rehearsal = rehearse()
    rehearsal.live(0.1)
    for _ in range(200):
        rehearsal.command(["jaw"], [0.1])
    # Logged once in two seconds of the machine's time; the test does not take the time of 20 lines.
    assert rehearsal.gate.commands.refused == 200
    assert 1 <= capfd.readouterr().err.count("command of operator refused: torque is off") <= 20


# A node with a fault of its own, on servos in virtual time. It prints how many have torque, then and at its end.
BROKEN = """
from rena_ros.bus.bus import Bus
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.nodes.running import run_node
from rena_ros.nodes.servos import ServosNode
from rena_ros.robot.file import load_robot

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

    def leave(self):
        super().leave()
        print("torque of", bank.torque.sum(), flush=True)

run_node("servos", Broken)
"""


def test_an_error_of_the_program_leaves_the_robot_limp_and_shows_its_place(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    command = [sys.executable, "-c", BROKEN, "--ros-args", "-p", "autostart:=true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["torque of 25", "torque of 0"], done.stderr
    assert done.returncode == 1 and "torque is off" in done.stderr
    assert "Traceback" in done.stderr and "on_tick" in done.stderr and "a fault of the program" in done.stderr
