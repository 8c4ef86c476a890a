"""What the servos node publishes: joint states, goals, their timing, and diagnostics, which it also logs."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from builtin_interfaces.msg import Time as TimeMsg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import JointState, TimeReference

from rena_ros.bus.states import BusState, HealthState
from rena_ros.control.arbiter import Arbiter
from rena_ros.control.gate import Gate
from rena_ros.nodes.bus_status import BusStatus
from rena_ros.nodes.messages import diagnostics_msg, goals_msg, servo_states_msg, timing_msg
from rena_ros.nodes.running import NO_PUBLISHER_EVENTS
from rena_ros.nodes.servo_status import ServoStatus
from rena_ros.nodes.status_log import OwnerLog, StatusLog


class ServoReports:
    """``statuses``: the newest diagnostics, as published; ``bus``: the status of the bus."""

    def __init__(
        self,
        node: Node,
        gate: Gate,
        arbiter: Arbiter,
        crowded: Callable[[], Mapping[str, Sequence[str]]],
        port: str,
        clock: Callable[[], float],
        log: Callable[[int, str], None],
    ) -> None:
        """``crowded``: see ``BusStatus``; ``clock``: the bus's port's, seconds; ``log`` (level, text) writes a line."""
        self._node, self._gate, self._arbiter, self._now = node, gate, arbiter, clock
        name = node.get_fully_qualified_name().lstrip("/")
        self.bus = BusStatus(gate, arbiter, crowded, name, port, clock())
        self.statuses: list[DiagnosticStatus] = []
        self._servos = ServoStatus(gate, name, port)
        self._status_log, self._owner_log = StatusLog(log), OwnerLog(log)
        publisher = partial(node.create_publisher, event_callbacks=NO_PUBLISHER_EVENTS)
        self._states = publisher(JointState, "joint_states", QoSProfile(depth=5))
        self._goals = publisher(JointState, "servos/goals", QoSProfile(depth=100))
        self._timing = publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._diagnostics = publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))

    def goals(self, image: TimeMsg | None = None) -> None:
        """Publish the goals that were sent since the last call, if any, while a node subscribes.

        ``image``: stamp of the command that caused them, zero if it has none; goes out on ``timing`` with their stamp.
        """
        sent = self._gate.goals.take()
        stamped = image is not None and (image.sec or image.nanosec)
        wanted = self._goals.get_subscription_count() > 0
        if sent is None or not (stamped or wanted):
            return
        stamp = self._ros_time(sent.last_byte_s)
        if stamped:
            self._timing.publish(timing_msg("servos", image, stamp))
        if wanted:
            self._goals.publish(goals_msg(self._gate.robot, sent, stamp))

    def state(self, state: BusState) -> None:
        """Publish one read of all states."""
        self.bus.add(state)
        self._servos.add(state)
        self._states.publish(servo_states_msg(self._gate.robot, state, self._ros_time(state.middle_s)))

    def health(self, health: HealthState) -> None:
        """Add what is read once a second."""
        self._servos.add_health(health)

    def owner(self) -> None:
        """Log which source commands the robot, when that has changed."""
        now_s = self._now()
        self._owner_log.update(self._arbiter.owner(now_s), now_s)

    def second(self) -> None:
        """Publish the diagnostics of the last second, and log what has changed in them."""
        now_s = self._now()
        self.statuses = [self.bus.message(now_s), *self._servos.messages(now_s)]
        self._diagnostics.publish(diagnostics_msg(self.statuses, self._node.get_clock().now().to_msg()))
        if self._gate.bus is not None and self._servos.has_read:
            self._status_log.update(self.statuses, now_s)

    def _ros_time(self, port_s: float) -> TimeMsg:
        """Return a time of the port in ROS time, which a simulation may have just begun: not below zero."""
        now = self._node.get_clock().now()
        since_ns = round((self._now() - port_s) * 1e9)
        return Time(nanoseconds=max(now.nanoseconds - since_ns, 0), clock_type=now.clock_type).to_msg()
