"""The topics of commands, one for each source, and a check that each has one publisher."""

from collections.abc import Callable
from functools import partial

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from rena_ros.control.arbiter import MIMIC, OPERATOR, TAKE

COMMAND_TOPICS = {MIMIC: "servos/command/mimic", TAKE: "servos/command/take", OPERATOR: "servos/command"}


def subscribe_to_commands(node: Node, on_command: Callable[[JointState, str], None]) -> None:
    """Call ``on_command(message, source)`` for every command."""
    for source, topic in COMMAND_TOPICS.items():
        # Best effort hears reliable publishers, too. The policy's newest command, which names all joints, replaces
        # older ones; other sources may name some joints in one message and the rest in the next.
        qos = QoSProfile(depth=1 if source == MIMIC else 10, reliability=ReliabilityPolicy.BEST_EFFORT)
        node.create_subscription(JointState, topic, partial(_pass_on, on_command, source), qos)


def crowded_topics(node: Node) -> dict[str, tuple[str, ...]]:
    """Return the publishing nodes of every command topic that has more than one publisher.

    Publishers of one topic are one source, so no priority keeps them apart.
    """
    crowded = {}
    for topic in map(node.resolve_topic_name, COMMAND_TOPICS.values()):  # remapped, too
        if node.count_publishers(topic) > 1:
            ends = node.get_publishers_info_by_topic(topic)
            names = (f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in ends)
            crowded[topic] = tuple(sorted(names))
    return crowded


def _pass_on(on_command: Callable[[JointState, str], None], source: str, message: JointState) -> None:
    on_command(message, source)
