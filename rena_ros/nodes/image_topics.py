"""The topics on which images arrive: ``camera/image_raw`` and, while it has no publisher, its compressed form."""

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from rena_ros.base.errors import RenaError

TOPIC = "camera/image_raw"
TRANSPORTS = ("auto", "raw", "compressed")


class ImageTopics:
    """Subscribes to images, best effort and the newest one only; both kinds call the same callback.

    ``publishers``: names of the nodes that publish the topic that is read, as of the last ``update``.
    """

    def __init__(
        self,
        node: Node,
        transport: str,
        on_image: Callable | None,
        subscribe: Callable[[type, str], Subscription] | None = None,
        unsubscribe: Callable[[Subscription], object] | None = None,
    ) -> None:
        """``transport``: raw, compressed, or auto: compressed while there is no publisher of the raw topic.

        A camera's driver compresses only for subscribers, so auto costs it nothing while raw images are there.
        ``subscribe`` (type, topic) and ``unsubscribe`` replace this class's own; then ``on_image`` is not needed.
        Raises RenaError for another transport.
        """
        if transport not in TRANSPORTS:
            raise RenaError(f"{node.get_name()}: transport {transport!r} is none of {', '.join(TRANSPORTS)}")
        self._node, self._transport, self._on_image = node, transport, on_image
        self._subscribe, self._unsubscribe = subscribe or self._newest, unsubscribe or node.destroy_subscription
        self._raw = node.resolve_topic_name(TOPIC)
        # As image_transport names it, so that a remapped raw topic brings its compressed form along.
        self._compressed = node.resolve_topic_name(f"{self._raw}/compressed")
        self._compressed_images: Subscription | None = None
        self.publishers: tuple[str, ...] = ()
        if transport != "compressed":
            self._subscribe(Image, self._raw)
        else:
            self._compressed_images = self._subscribe(CompressedImage, self._compressed)

    @property
    def topic(self) -> str:
        """The topic that is read."""
        return self._raw if self._compressed_images is None else self._compressed

    def update(self) -> bool:
        """Look which publishers exist, and follow them; returns whether they changed since the last call."""
        if self._transport == "auto":
            compressed = bool(self._names(self._compressed)) and not self._names(self._raw)
            if compressed and self._compressed_images is None:
                self._compressed_images = self._subscribe(CompressedImage, self._compressed)
                self._node.get_logger().info(f"reading {self._compressed}: {self._raw} has no publisher")
            elif not compressed and self._compressed_images is not None:
                self._unsubscribe(self._compressed_images)
                self._compressed_images = None
        before, self.publishers = self.publishers, self._names(self.topic)
        return before != self.publishers

    def _names(self, topic: str) -> tuple[str, ...]:
        found = self._node.get_publishers_info_by_topic(topic)
        return tuple(sorted(f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in found))

    def _newest(self, kind: type, topic: str) -> Subscription:
        assert self._on_image is not None
        one = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        return self._node.create_subscription(kind, topic, self._on_image, one)
