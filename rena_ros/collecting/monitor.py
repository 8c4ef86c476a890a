"""The listener inside `rena collect`: the newest diagnostics of the session's nodes."""

import threading
from dataclasses import dataclass

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from rena_ros.nodes.leaving import close_node


@dataclass(frozen=True)
class NodeStatus:
    """One status of /diagnostics: ``level`` as in diagnostic_msgs/DiagnosticStatus."""

    level: int
    message: str
    values: dict[str, str]


class SessionMonitor:
    """``statuses``: the newest one by name, without the namespace, such as "babble: babble"."""

    def __init__(self, namespace: str) -> None:
        """``namespace``: of the nodes, as ``graph.ros_namespace`` gives it."""
        self.statuses: dict[str, NodeStatus] = {}
        self._prefix = namespace.strip("/") + "/" if namespace.strip("/") else ""
        self._context = Context()
        # Not the arguments of `rena collect`: they are no ROS arguments.
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node(
            "monitor",
            context=self._context,
            namespace=namespace,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and leave the ROS graph."""
        self._leaving.set()
        self._thread.join(5.0)
        close_node(self._node, self._context)

    def _spin(self) -> None:
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(self._node)
        try:
            while not self._leaving.is_set():
                executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:
            pass
        finally:
            executor.remove_node(self._node)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.removeprefix(self._prefix)
            if status.name.startswith(self._prefix) and "/" not in name.partition(":")[0]:
                values = {pair.key: pair.value for pair in status.values}
                self.statuses[name] = NodeStatus(status.level[0], status.message, values)
