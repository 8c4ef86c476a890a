"""The topics of commands, one for each source, and a check that each has one publisher."""

from collections.abc import Callable, Mapping
from functools import partial

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from rena_ros.control.arbiter import COMMAND_TOPICS, MIMIC, SOURCES
from rena_ros.nodes.direct_take import take_message
from rena_ros.nodes.running import NO_SUBSCRIPTION_EVENTS


class CommandTopics:
    """Subscribes to the commands of all sources and counts where several publishers command in turn."""

    def __init__(self, node: Node, on_command: Callable[[JointState, str], None]) -> None:
        """``on_command(message, source)`` is called for every command."""
        self._node, self._on_command = node, on_command
        self._numbers = dict.fromkeys(SOURCES, 0)
        self._subscriptions = []
        self._turns, self._turns_before = dict.fromkeys(SOURCES, 0), dict.fromkeys(SOURCES, 0)
        for source, topic in COMMAND_TOPICS.items():
            # Best effort hears reliable publishers, too. The policy's newest command, which names all joints, replaces
            # older ones; other sources may name some joints in one message and the rest in the next.
            qos = QoSProfile(depth=1 if source == MIMIC else 10, reliability=ReliabilityPolicy.BEST_EFFORT)
            callback = partial(self.on_message, source)
            self._subscriptions.append(
                node.create_subscription(JointState, topic, callback, qos, event_callbacks=NO_SUBSCRIPTION_EVENTS)
            )

    def take(self) -> None:
        """Pass on a command of each source that has one waiting."""
        for subscription in self._subscriptions:
            take_message(subscription)

    def on_message(self, source: str, message: JointState, info: Mapping[str, int | None]) -> None:
        """Pass a command on. Numbers that go back are another publisher's (None: not numbered by the middleware)."""
        number = info["publication_sequence_number"]
        self._turns[source] += number is None or number <= self._numbers[source]
        self._numbers[source] = number or 0
        self._on_command(message, source)

    def crowded(self) -> dict[str, tuple[str, ...]]:
        """Return the publishing nodes of the topics on which several have commanded in turn; to be called every second.

        Publishers of one topic are one source, so no priority keeps them apart. The graph alone does not tell: it shows
        a killed node for up to 20 s, beside the one that replaces it; then the sequence numbers go back once.
        """
        crowded = {}
        for source in SOURCES:
            topic = self._node.resolve_topic_name(COMMAND_TOPICS[source])  # remapped, too
            in_turn = self._turns[source] + self._turns_before[source] > 1
            if in_turn and self._node.count_publishers(topic) > 1:
                ends = self._node.get_publishers_info_by_topic(topic)
                names = (f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in ends)
                crowded[topic] = tuple(sorted(names))
        self._turns_before, self._turns = self._turns, dict.fromkeys(SOURCES, 0)
        return crowded
