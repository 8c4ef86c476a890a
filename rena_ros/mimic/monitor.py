"""The listener inside the `rena mimic` process: passes what it receives to the measurements and the spool."""

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy, qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image, JointState, PointCloud2, TimeReference

from rena_ros.base.errors import RenaError
from rena_ros.mimic.measurements import Measurements
from rena_ros.mimic.spool import SpoolWriter
from rena_ros.nodes.hops import TOPIC as HOPS_TOPIC
from rena_ros.nodes.images import from_image_msg
from rena_ros.nodes.joining import hosts_of
from rena_ros.nodes.leaving import close_node
from rena_ros.nodes.messages import nanoseconds
from rena_ros.perception.pixels import to_jpeg

NICENESS = 10
# A thread that waits for each message wakes 200 times a second and disturbs the nodes; one that polls every 20 ms
# handles the same messages in a fraction of the time.
PAUSE_S = 0.02


class MonitorNode(Node):
    """Subscribes to the topics of all nodes. Pictures go to the spool as JPEG, all else to the measurements."""

    def __init__(
        self,
        measurements: Measurements,
        spool: SpoolWriter,
        context: Context,
        namespace: str,
        film: bool = True,
        hops: bool = False,
    ):
        """``film``: listen to pictures and landmarks; ``hops``: listen to ``timing/hops``."""
        # No services and no log topic: each of them would delay the start.
        super().__init__(
            "monitor",
            context=context,
            namespace=namespace,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._measurements, self._spool = measurements, spool
        newest = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        pictures = (
            (Image, "robot/image_raw", partial(self._keep, "robot"), newest),
            (PointCloud2, "face/landmarks", self._on_landmarks, qos_profile_sensor_data),
            # Last: the camera takes this subscription as the sign that the monitor is ready.
            (Image, "camera/image_raw", partial(self._keep, "camera"), newest),
        )
        subscriptions = (
            (JointState, "face/blendshapes", self._on_reading, 20),
            (JointState, "joint_states", self._on_joint_states, 20),
            (TimeReference, "timing", self._on_timing, 200),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics, 20),
            *([(TimeReference, HOPS_TOPIC, self._on_timing, 200)] if hops else []),
            *(pictures if film else ()),
        )
        for kind, topic, callback, qos in subscriptions:
            self.create_subscription(kind, topic, callback, qos)

    def take(self) -> None:
        """Handle everything that has arrived."""
        for subscription in self.subscriptions:
            # As rclpy.wait_for_message does it; an executor would build a wait set for every message.
            with subscription.handle:
                while (taken := subscription.handle.take_message(subscription.msg_type, False)) is not None:
                    subscription.callback(taken[0])

    def missing(self, expected: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
        """The nodes of ``expected``, name -> (topic published, topic subscribed), that are not on the graph yet."""
        return tuple(
            name
            for name, (published, subscribed) in expected.items()
            if name not in self._nodes(self.get_publishers_info_by_topic, published)
            or name not in self._nodes(self.get_subscriptions_info_by_topic, subscribed)
        )

    def on_other_machines(self, published: Mapping[str, str]) -> tuple[str, ...]:
        """The nodes of ``published``, name -> topic, that run on more than one machine in this domain and namespace."""
        return tuple(name for name, topic in published.items() if len(hosts_of(self, topic, name)) > 1)

    def _nodes(self, query: Callable[[str], list], topic: str) -> set[str]:
        return {end.node_name for end in query(self.resolve_topic_name(topic))}

    def _keep(self, stream: str, message: Image) -> None:
        self._measurements.add_picture(stream)
        try:
            picture = to_jpeg(from_image_msg(message))
        except RenaError as error:  # the film lacks this picture; the run goes on
            self._measurements.add_health(f"film: {stream}", DiagnosticStatus.WARN[0], str(error))
            return
        self._spool.append(stream, nanoseconds(message.header.stamp), picture)

    def _on_reading(self, message: JointState) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        self._measurements.add_reading(stamp_ns, bool(message.name))
        if message.name:
            self._spool.append("readings", stamp_ns, np.asarray(message.position, np.float32).tobytes())

    def _on_landmarks(self, message: PointCloud2) -> None:
        points = np.frombuffer(message.data, np.float32).reshape(-1, message.point_step // 4)
        self._spool.append("landmarks", nanoseconds(message.header.stamp), points[:, :3].tobytes())

    def _on_joint_states(self, message: JointState) -> None:
        self._measurements.add_joint_states(nanoseconds(message.header.stamp))

    def _on_timing(self, message: TimeReference) -> None:
        self._measurements.add_timing(message.source, nanoseconds(message.time_ref), nanoseconds(message.header.stamp))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._measurements.add_health(status.name, status.level[0], status.message)


class Monitor:
    """A ``MonitorNode`` and its thread, which has a low priority so that it does not slow the nodes that it watches.

    ``node``: for questions about the ROS graph. ``failure``: the error that ended the monitor early, or None.
    """

    def __init__(
        self, measurements: Measurements, spool: SpoolWriter, namespace: str, *, film: bool = True, hops: bool = False
    ):
        """``film``, ``hops``: see ``MonitorNode``."""
        self.node: MonitorNode | None = None
        self.failure: BaseException | None = None
        self._ready, self._leaving = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(measurements, spool, namespace, film, hops), daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """End the thread and leave the ROS graph."""
        self._leaving.set()
        self._thread.join(timeout=15.0)

    def _run(self, measurements: Measurements, spool: SpoolWriter, namespace: str, film: bool, hops: bool) -> None:
        # Linux counts niceness per thread, and the middleware's threads inherit this one's.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        context = Context()
        try:
            # Not the arguments of `rena mimic`: rclpy accepts only UTF-8, and they are no ROS arguments.
            rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
            self.node = MonitorNode(measurements, spool, context, namespace, film, hops)
            self._ready.set()
            while not self._leaving.wait(PAUSE_S):
                self.node.take()
            self.node.take()
        except BaseException as error:
            self.failure = error
        finally:
            self._ready.set()
            close_node(self.node, context)
