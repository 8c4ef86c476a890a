"""The babble node among peers that stand for the servos, the pictures and the recorder of a robot in a namespace."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import UInt32
from std_srvs.srv import Trigger

from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.recording.marker import marker_from
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import planned

ROBOT = load_robot()


def values_of(status):
    return {pair.key: pair.value for pair in status.values}


class Peers:
    """Servos that are where they were commanded to be at once, pictures of them, and a recorder that confirms."""

    def __init__(self, processes):
        self.peer = processes.peer
        self.positions, self.commands, self.markers, self.statuses = np.zeros(25), [], [], []
        self.torque, self.has_face, self.others = "true", True, []
        depth = QoSProfile(depth=100)
        self.states = self.peer.create_publisher(JointState, "joint_states", depth)
        self.readings = self.peer.create_publisher(JointState, "face/blendshapes", depth)
        self.diagnostics = self.peer.create_publisher(DiagnosticArray, "/diagnostics", depth)
        self.stored = self.peer.create_publisher(UInt32, "sample/stored", depth)
        self.peer.create_subscription(JointState, "servos/command/take", self.on_command, depth)
        self.peer.create_subscription(DiagnosticArray, "sample", self.on_sample, depth)
        self.peer.create_subscription(DiagnosticArray, "/diagnostics", self.on_diagnostics, depth)
        self.peer.create_timer(0.02, self.on_state)
        self.peer.create_timer(0.03, self.on_picture)
        self.peer.create_timer(0.3, self.on_second)

    def on_command(self, message):
        assert tuple(message.name) == ROBOT.names
        self.commands.append(np.array(message.position))
        self.positions = self.commands[-1]

    def on_sample(self, message):
        by_name = {status.name: status for status in message.status}
        sample = by_name["sample"]
        marker = marker_from(sample.message, values_of(sample), values_of(by_name["goals"]))
        assert marker.accepted == (sample.level == b"\0")
        stamp = Time.from_msg(message.header.stamp).nanoseconds
        assert stamp == marker.image_ns or not marker.image_ns
        self.markers.append(marker)
        if marker.accepted:
            self.stored.publish(UInt32(data=marker.index))

    def on_diagnostics(self, message):
        self.statuses += [status for status in message.status if status.name == "bench/babble: babble"]

    def on_state(self):
        message = JointState(name=ROBOT.names[::-1], position=self.positions[::-1].tolist())
        message.header.stamp = self.peer.get_clock().now().to_msg()
        self.states.publish(message)

    def on_picture(self):
        face = self.has_face
        message = JointState(name=READING_NAMES if face else (), position=[0.1] * 55 if face else [])
        message.header.stamp = self.peer.get_clock().now().to_msg()
        self.readings.publish(message)

    def on_second(self):
        bus = {"connected": "true", "torque": self.torque, "stopped": "false", "owner": "take"}
        values = [KeyValue(key=key, value=value) for key, value in bus.items()]
        statuses = [DiagnosticStatus(name="bench/servos: bus", level=b"\0", values=values)]
        # Another robot's, in its own namespace.
        statuses.append(DiagnosticStatus(name="lab/bench/servos: jaw", level=b"\2", message="hot"))
        statuses.append(DiagnosticStatus(name="servos: jaw", level=b"\2", message="hot"))
        self.diagnostics.publish(DiagnosticArray(status=statuses))


@pytest.fixture
def peers(processes):
    return Peers(processes)


def test_the_node_shows_its_plan_marks_the_samples_and_ends(processes, peers):
    node = processes.start("babble", samples=5, seed=4, todo="1-2,4", confirm=True, strategy_file="paper")
    code, output = processes.ended(node)
    assert code == 0 and "finished: 3 samples are done" in output
    plan = planned(ROBOT, load_strategy("paper", ROBOT), 4, 5)
    processes.until(lambda: sum(marker.accepted for marker in peers.markers) == 3)
    accepted = [marker for marker in peers.markers if marker.accepted]
    assert [marker.index for marker in accepted] == [1, 2, 4]
    for marker in accepted:
        goals = plan[marker.index].goals
        assert marker.goals_of(ROBOT.names).tobytes() == goals.tobytes()
        assert any(np.allclose(command, ROBOT.positions(goals)) for command in peers.commands)
    assert not peers.commands[-1].any()
    processes.until(lambda: peers.statuses and values_of(peers.statuses[-1])["done"] == "3")
    assert peers.statuses[-1].message == "finished"


def test_the_node_pauses_resumes_and_stops_when_asked_to(processes, peers):
    peers.torque = "false"
    node = processes.start("babble", rest_every=0)
    processes.until(lambda: peers.statuses and "torque is off" in values_of(peers.statuses[-1])["paused_because"])
    assert peers.statuses[-1].level == b"\1" and not peers.commands
    peers.torque = "true"
    processes.until(lambda: len(peers.markers) > 2)
    assert processes.call(Trigger, "babble/pause").success
    processes.until(lambda: peers.statuses[-1].message.startswith("paused: the service pause"))
    assert peers.statuses[-1].level == b"\0"  # a person has asked for it
    peers.commands.clear()
    processes.until(lambda: len(peers.commands) > 3)  # it remains the owner of the robot
    assert not np.any(peers.commands)
    assert processes.call(Trigger, "babble/resume").success
    tried = len(peers.markers)
    processes.until(lambda: len(peers.markers) > tried + 1)
    peers.has_face = False
    processes.until(lambda: "face is not found" in values_of(peers.statuses[-1])["paused_because"])
    assert peers.statuses[-1].level == b"\1" and values_of(peers.statuses[-1])["rejected_no_face"] == "5"
    peers.has_face, tried = True, len(peers.markers)
    processes.until(lambda: len(peers.markers) > tried)
    assert peers.markers[-1].accepted and peers.markers[-1].attempt == 5
    assert processes.call(Trigger, "babble/stop_collecting").success
    code, output = processes.ended(node)
    assert code == 0 and "paused: the service pause" in output
    assert not peers.positions.any()


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"todo": "9000"}, "todo: 9000 is not among the samples 0-8999"),
        ({"strategy_file": "/nowhere.yaml"}, "/nowhere.yaml"),
    ],
)
def test_faulty_parameters_end_the_node(processes, parameters, complaint):
    code, output = processes.ended(processes.start("babble", **parameters))
    assert code == 2 and complaint in output
