"""The servos node on emulated servos in virtual time: no topics, no pty, no waiting.

Messages go straight into the node's callbacks, and its timers are called in the order of a clock that moves only with
what happens on the wire. For the fuzz, and for tests of events that take minutes or happen in an instant.
"""

from collections.abc import Callable, Sequence
from functools import partial

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.logging import LoggingSeverity
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from rena_ros.bus.bus import Bus
from rena_ros.control.arbiter import OPERATOR
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.emulator.virtual_time import VirtualTimers
from rena_ros.graph import ros_domain, yaml_value
from rena_ros.nodes.servos import ServosNode
from rena_ros.robot.file import load_robot


class Rehearsal:
    """``bank``: the servos; ``node``: the servos node; ``gate``: the node's gate. Ends with ``close``."""

    def __init__(
        self,
        bank: ServoBank | None = None,  # default: the servos of the Rena that ships
        open_bus: Callable[[], Bus] | None = None,  # default: a bus on a new port of the bank
        *,
        quiet: bool = False,  # the node logs nothing
        **parameters: object,
    ) -> None:
        """Start the node with these ROS parameters."""
        self.bank = bank = ServoBank(load_robot()) if bank is None else bank
        self._context = context_with(parameters)
        open_bus = open_bus or (lambda: Bus(VirtualPort(bank), bank.robot))
        self.node = ServosNode(open_bus, lambda: bank.now_s, self._context)
        if quiet:
            self.node.get_logger().set_level(LoggingSeverity.FATAL)
        self.gate = self.node.gate
        self._timers = VirtualTimers(bank)
        for timer in self.node.timers:
            self._timers.add(timer.timer_period_ns * 1e-9, timer.callback)

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.bank.now_s

    def live(self, seconds: float, **positions: float) -> None:
        """Let time pass while the node's timers run; with positions (rad by joint), command them at 50 Hz."""
        stream = partial(self.command, list(positions), list(positions.values()))
        self._timers.run(seconds, stream if positions else None)

    def status(self, name: str) -> DiagnosticStatus:
        """Return the newest diagnostics of the bus ("bus") or of one servo."""
        return next(status for status in self.node.reports.statuses if status.name == f"servos: {name}")

    def values(self, name: str) -> dict[str, str]:
        """Return the values of the newest diagnostics of the bus ("bus") or of one servo, by key."""
        return {pair.key: pair.value for pair in self.status(name).values}

    def command(
        self,
        names: list[str],
        positions: list[float],
        source: str = OPERATOR,
        velocities: Sequence[float] = (),
        stamp_s: float = 0.0,  # none
    ) -> None:
        """Send a message on the topic of a source."""
        header = Header(stamp=Time(nanoseconds=round(stamp_s * 1e9)).to_msg())
        self.node.on_command(JointState(header=header, name=names, position=positions, velocity=velocities), source)

    def set_torque(self, on: bool) -> SetBool.Response:
        """Call the service ``set_torque``."""
        return self.node.on_set_torque(SetBool.Request(data=on), SetBool.Response())

    def stop(self) -> Trigger.Response:
        """Call the service ``stop``."""
        return self.node.on_stop(Trigger.Request(), Trigger.Response())

    def reset(self) -> Trigger.Response:
        """Call the service ``reset``."""
        return self.node.on_reset(Trigger.Request(), Trigger.Response())

    def neutral(self) -> Trigger.Response:
        """Call the service ``neutral``."""
        return self.node.on_neutral(Trigger.Request(), Trigger.Response())

    def close(self) -> None:
        """End the node as Ctrl-C does."""
        self.node.leave()
        self.node.get_logger().set_level(LoggingSeverity.UNSET)  # levels belong to names and outlive their nodes
        self.node.destroy_node()
        self._context.try_shutdown()


def context_with(parameters: dict[str, object]) -> Context:
    """Make a ROS context in which nodes get these parameters."""
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={yaml_value(value)}")]
    context = Context()
    rclpy.init(args=["--ros-args", *words], context=context, domain_id=ros_domain())
    return context
