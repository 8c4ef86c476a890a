"""The topics that the recorder node writes, and how it takes their messages: as bytes, many at a time."""

from collections.abc import Callable
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, JointState, PointCloud2, TimeReference
from std_msgs.msg import String

from rena_ros.bags.writer import TopicQos
from rena_ros.control.arbiter import COMMAND_TOPICS
from rena_ros.recording.marker import TOPIC as SAMPLE_TOPIC

PLAIN, PICTURE, COMPANION, READING, MARKER = "plain", "picture", "companion", "reading", "marker"
QUEUED = 1000  # messages of a topic that wait in the middleware while this process does not get the processor
QUEUED_PICTURES = 30
_BEST_EFFORT = TopicQos(reliable=False, depth=2)


@dataclass(frozen=True)
class RecordedTopic:
    """One topic: its relative name, type, the quality of service that Rena's publishers offer, and its role.

    ``role``: PICTURE or COMPANION (has a picture's stamp; kept as that picture is), READING (has a picture's stamp,
    always kept), MARKER (of samples) or PLAIN. ``lossy``: subscribed to best effort. Commands are, as the servos node
    does it: what a best-effort publisher sends moves the robot, too.
    """

    name: str
    kind: type
    offered: TopicQos
    role: str = PLAIN
    lossy: bool = False

    @property
    def msgtype(self) -> str:
        """The type as bags name it, such as "sensor_msgs/msg/JointState"."""
        return f"{self.kind.__module__.split('.')[0]}/msg/{self.kind.__name__}"

    def qos(self) -> QoSProfile:
        """Return the quality of service to subscribe with."""
        return QoSProfile(
            depth=QUEUED if self.role in (PLAIN, READING, MARKER) else QUEUED_PICTURES,
            reliability=ReliabilityPolicy.BEST_EFFORT if self.lossy else ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if self.offered.transient_local else DurabilityPolicy.VOLATILE,
        )


# All topics but the pictures, which ``ImageTopics`` finds in raw or compressed form.
TOPICS = (
    RecordedTopic("camera/camera_info", CameraInfo, _BEST_EFFORT, COMPANION, lossy=True),
    RecordedTopic("face/landmarks", PointCloud2, _BEST_EFFORT, COMPANION, lossy=True),
    RecordedTopic("face/blendshapes", JointState, TopicQos(depth=5), READING),
    *(RecordedTopic(name, JointState, TopicQos(), lossy=True) for name in COMMAND_TOPICS.values()),
    RecordedTopic("joint_states", JointState, TopicQos(depth=5)),
    RecordedTopic("servos/goals", JointState, TopicQos(depth=100)),
    RecordedTopic("timing", TimeReference, TopicQos(depth=100)),
    RecordedTopic(SAMPLE_TOPIC, DiagnosticArray, TopicQos(depth=100), MARKER),
    RecordedTopic("/diagnostics", DiagnosticArray, TopicQos()),
    RecordedTopic("robot_description", String, TopicQos(transient_local=True, depth=1)),
)


def picture_topic(name: str) -> RecordedTopic:
    """Return the topic on which pictures stand in the bag, as JPEG; ``name``: its full name."""
    return RecordedTopic(name, CompressedImage, _BEST_EFFORT, PICTURE, lossy=True)


class _NotWaitedFor(CallbackGroup):
    """Its subscriptions are left alone by the executor."""

    def can_execute(self, entity: object) -> bool:
        """Return False: ``Polled`` takes their messages."""
        return False

    def beginning_execution(self, entity: object) -> bool:
        """Return False."""
        return False

    def ending_execution(self, entity: object) -> None:
        """Do nothing."""


class Polled:
    """Subscriptions whose messages are taken as bytes, all that have come, whenever ``take`` is called.

    An executor builds a wait set for each of 500 messages a second; this costs a fraction of that. ``missed``: messages
    that a publisher had sent and that did not come, by topic, as far as sequence numbers tell: only for topics of one
    publisher, whose numbers have no gaps.
    """

    def __init__(self, node: Node, on_message: Callable[[RecordedTopic, bool, int, bytes], None]) -> None:
        """``on_message`` (topic, raw, time of its publication in ns, CDR bytes) is called for each message."""
        self.missed: dict[str, int] = {}
        self._node, self._on_message = node, on_message
        self._group = _NotWaitedFor()
        self._subscriptions: dict[Subscription, tuple[RecordedTopic, bool, bool]] = {}
        self._numbers: dict[Subscription, tuple[int | None, bool]] = {}

    def subscribe(
        self, topic: RecordedTopic, kind: type, name: str, *, raw: bool = False, one_publisher: bool = False
    ) -> Subscription:
        """Subscribe to messages of ``kind`` on ``name`` and pass them on as messages of ``topic``.

        ``raw`` is passed on with them; ``one_publisher``: count what does not come.
        """
        subscription = self._node.create_subscription(
            kind, name, lambda message: None, topic.qos(), raw=True, callback_group=self._group
        )
        self._subscriptions[subscription] = topic, raw, one_publisher
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        del self._subscriptions[subscription]
        self._numbers.pop(subscription, None)
        self._node.destroy_subscription(subscription)

    def take(self) -> None:
        """Pass on everything that has come."""
        for subscription, (topic, raw, one_publisher) in list(self._subscriptions.items()):
            with subscription.handle:  # as rclpy's own wait_for_message takes them
                while (taken := subscription.handle.take_message(subscription.msg_type, True)) is not None:
                    data, info = taken
                    if one_publisher:
                        self._count_gap(subscription, topic.name, info["publication_sequence_number"])
                    self._on_message(topic, raw, info["source_timestamp"] or info["received_timestamp"], data)

    def _count_gap(self, subscription: Subscription, name: str, number: int | None) -> None:
        """Count the numbers left out; where they have just gone back, another publisher's came in between."""
        before, went_back = self._numbers.get(subscription, (None, False))
        if number is None:
            return
        if before is not None and number > before + 1 and not went_back:
            self.missed[name] = self.missed.get(name, 0) + number - before - 1
        self._numbers[subscription] = number, before is not None and number <= before
