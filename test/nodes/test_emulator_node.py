"""The emulator node: services and parameters make a running session fail."""

import json
import signal

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
PLUGGED = "plugged; 25 servos attached, torque on at"


class EmulatorPeer:
    """The node as the graph starts it, a bus at its link, and calls of its services and parameters."""

    def __init__(self, processes, folder):
        self.processes, self.until = processes, processes.until
        self.link, self._report = folder / "servos", folder / "report.json"
        self.diagnostics = processes.listen(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))

    def start(self, **parameters):
        parameters = {name: json.dumps(value) for name, value in parameters.items()}
        self.process = self.processes.start("emulator", "--link", self.link, "--report", self._report, **parameters)

    def bus(self):
        self.until(self.link.is_symlink)
        return Bus(str(self.link), ROBOT, retries=10)

    def call(self, name):
        return self.processes.call(Trigger, f"emulator/{name}")

    def set(self, name, text):
        return self.processes.set_parameter("emulator", name, text)

    def diagnosed(self):
        """Return level, text and values of the newest diagnostics."""
        self.until(lambda: self.diagnostics)
        (status,) = self.diagnostics[-1].status
        assert status.name == "bench/emulator: emulator" and status.hardware_id == str(self.link)
        return status.level, status.message, {value.key: value.value for value in status.values}

    def report(self):
        return json.loads(self._report.read_text())


@pytest.fixture
def peer(processes, tmp_path):
    return EmulatorPeer(processes, tmp_path)


def test_faults_are_injected_and_cleared_while_a_session_runs(peer):
    peer.start(faults="[{kind: overheat, servo: jaw, temperature_c: 90}]")
    bus = peer.bus()

    def status(name):
        return bus.read_state().status[ROBOT.index[name]]

    peer.until(lambda: status("jaw") == 4)
    assert bus.set_torque(True) == {}
    peer.until(lambda: peer.diagnosed()[2]["torque_on"] == "25")
    level, text, values = peer.diagnosed()
    assert (level, text) == (DiagnosticStatus.WARN, "on purpose: overheat jaw")
    assert (values["attached"], values["faults"], values["link"]) == ("25", "overheat jaw", str(peer.link))
    assert float(values["requests_per_s"]) >= 0
    assert peer.set("faults", "[{kind: overload, servo: neck_yaw}]").successful
    peer.until(lambda: (status("jaw"), status("neck_yaw")) == (0, 32))
    refused = peer.set("faults", "- {kind: ded}\n- {kind: dead, servo: jww}")
    assert not refused.successful
    assert "line 1: kind must be one of 'dead'" in refused.reason and "line 2: no servo is called jww" in refused.reason
    assert status("neck_yaw") == 32
    assert peer.call("clear_faults").message == f"{PLUGGED} 25; faults: none"
    peer.until(lambda: status("neck_yaw") == 0)

    assert peer.call("unplug").success
    peer.until(lambda: not peer.link.is_symlink())

    def read_thrice():
        for _ in range(3):
            bus.read_state()

    with pytest.raises(PortLost):
        read_thrice()
    with pytest.raises(PortMissing):
        Bus(str(peer.link), ROBOT)
    bus.close()
    assert peer.call("plug").message == f"{PLUGGED} 25; faults: none"
    bus = peer.bus()
    peer.until(lambda: (bus.read_health().torque == 1).all())
    assert peer.call("power_cycle").message == f"{PLUGGED} 0; faults: none"
    assert peer.set("attached", "jaw neck_yaw").successful
    assert peer.call("clear_faults").message.startswith("plugged; 2 servos attached")
    assert not peer.set("attached", "jow").successful
    peer.until(lambda: peer.diagnosed()[2]["attached"] == "2")
    assert peer.diagnosed()[:2] == (DiagnosticStatus.OK, "no faults")
    bus.close()
    code, said = peer.processes.leave(peer.process)
    assert code == 0 and len(said.splitlines()) == 7  # the log tells which faults were injected on purpose
    assert f"on purpose: {PLUGGED} 25; faults: overload neck_yaw" in said and "on purpose: power_cycle: " in said
    assert not peer.link.is_symlink()
    assert peer.report()["faults"] == {"overheat": 1, "overload": 1, "unplugged": 1}


def test_it_hears_the_servos_node_switch_torque_off_when_both_are_interrupted_at_once(peer):
    peer.start()
    peer.until(peer.link.is_symlink)
    servos = peer.processes.start("servos", port=peer.link, autostart="true")
    while "torque is on" not in peer.processes.next_line(servos):
        assert servos.poll() is None
    for process in (peer.process, servos, peer.process):  # `ros2 launch` may deliver one Ctrl-C twice
        process.send_signal(signal.SIGINT)
    assert peer.processes.ended(peer.process) == (0, "")
    assert peer.report()["torque_on_writes"] >= 25 and peer.report()["torque_on"] == []
    code, said = peer.processes.ended(servos)
    assert code == 0 and "torque is off" in said


def test_invalid_parameters_end_it_with_one_clear_message(peer):
    peer.start(faults="[{kind: ded}]")
    code, said = peer.processes.ended(peer.process)
    assert code == 2 and said.startswith("emulator: the parameter faults") and "Traceback" not in said
    assert not peer.link.is_symlink()
