"""The play node: waits for the servos, sends the take with its pictures, and ends."""

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, JointState

from rena_ros.bags.writer import BagWriter, TopicQos
from rena_ros.nodes.messages import diagnostics_msg, joint_state_msg, status_msg
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
EPOCH_NS = 1_700_000_000 * 10**9
GOALS = [0.0, 0.01, 0.02, 0.03]


@pytest.fixture
def bag(tmp_path):
    """A bag of four goals of the jaw, 10 ms apart, and a picture."""
    with BagWriter(tmp_path / "bag", {"namespace": "/"}) as writer:
        writer.add_topic("/servos/goals", "sensor_msgs/msg/JointState", TopicQos())
        writer.add_topic("/camera/image_raw/compressed", "sensor_msgs/msg/CompressedImage", TopicQos(reliable=False))
        for k, goal in enumerate(GOALS):
            goals = joint_state_msg(["jaw"], [goal], Time(sec=1_700_000_000, nanosec=k * 10_000_000))
            goals.velocity = [1.0]
            writer.write("/servos/goals", EPOCH_NS + k * 10_000_000, serialize_message(goals))
        picture = serialize_message(CompressedImage(format="jpeg", data=b"picture"))
        writer.write("/camera/image_raw/compressed", EPOCH_NS + 15_000_000, picture)
    return tmp_path / "bag"


def publish_robot(states, diagnostics, torque):
    """What the servos node says once: every joint at 0 rad, and whether the servos have torque."""
    states.publish(joint_state_msg(ROBOT.names, [0.0] * 25, Time()))
    status = status_msg("bench/servos: bus", 0, "", {"torque": torque})
    diagnostics.publish(diagnostics_msg([status], Time()))


def test_the_take_begins_when_the_servos_have_torque_and_ends_the_node(processes, bag):
    commands = processes.listen(JointState, "servos/command/take", QoSProfile(depth=1000))
    states = processes.peer.create_publisher(JointState, "joint_states", QoSProfile(depth=5))
    diagnostics = processes.peer.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
    node = processes.start("play", bag=bag)

    def live(torque):
        publish_robot(states, diagnostics, torque)
        return node.poll() is not None

    heard = processes.listen(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
    processes.until(lambda: live(False) or any("play" in s.name for message in heard for s in message.status))
    assert not commands, "nothing is commanded while the robot is limp"
    processes.until(lambda: live(True))
    assert node.returncode == 0
    recorded = [message.position[0] for message in commands if message.velocity]
    assert recorded == GOALS
    first = next(i for i, message in enumerate(commands) if message.velocity)
    assert first > 0 and list(commands[first - 1].position) == [0.0] * 25, "the first pose was held before"


def test_a_take_that_loops_shows_its_pictures_with_the_time_of_now(processes, bag):
    """Pictures are best effort: a single one may be lost, so the take is played until one arrives."""
    newest = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    pictures = processes.listen(CompressedImage, "camera/image_raw/compressed", newest)
    states = processes.peer.create_publisher(JointState, "joint_states", QoSProfile(depth=5))
    diagnostics = processes.peer.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
    node = processes.start("play", bag=bag, pictures="true", loop="true")

    def shown():
        publish_robot(states, diagnostics, torque=True)
        return pictures or node.poll() is not None

    processes.until(shown)
    assert {bytes(picture.data) for picture in pictures} == {b"picture"}
    assert pictures[0].header.stamp.sec > 1_700_000_000, "it is stamped when it is shown"


def test_a_bag_that_was_cut_off_is_one_line_with_the_remedy(processes, bag):
    next(bag.glob("*.mcap")).write_bytes(next(bag.glob("*.mcap")).read_bytes()[:-100])
    code, output = processes.ended(processes.start("play", bag=bag))
    assert code == 2 and "rena bag recover" in output and "Traceback" not in output
