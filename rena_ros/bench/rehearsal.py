"""The real servos node on emulated servos in virtual time: no topics, no pty, no waiting.

Messages go straight into the node's callbacks and its timers are rung here, in the order of a clock that moves only
with what happens on the wire. For the fuzz and for tests of what takes long or happens in an instant.
"""

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.logging import LoggingSeverity
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from rena_ros.bus.bus import Bus
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.nodes.servos import ServosNode
from rena_ros.robot.file import load_robot

TICK_S, SECOND_S = 0.01, 1.0


class Rehearsal:
    """``bank``: the servos; ``node``: the servos node, its other parameters as by default. To be closed."""

    def __init__(self, bank: ServoBank | None = None, *, autostart: bool = False, quiet: bool = False) -> None:
        """``quiet``: the node keeps its warnings to itself."""
        self.bank = ServoBank(load_robot()) if bank is None else bank
        self._context = Context()
        rclpy.init(args=["--ros-args", "-p", f"autostart:={str(autostart).lower()}"], context=self._context)
        self.node = ServosNode(self._open_bus, lambda: self.bank.now_s, self._context)
        if quiet:
            self.node.get_logger().set_level(LoggingSeverity.FATAL)
        self.gate = self.node.gate
        self._next_tick_s, self._next_second_s = self.now_s, self.now_s + SECOND_S

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.bank.now_s

    def live(self, seconds: float) -> None:
        """Let time pass, with the node's timers ringing."""
        self.live_until(self.now_s + seconds)

    def live_until(self, time_s: float) -> None:
        """As ``live``; a timer that is late rings once, as in ROS."""
        while (due_s := min(self._next_tick_s, self._next_second_s)) <= time_s:
            self._wait_until(due_s)
            if due_s == self._next_tick_s:
                self._next_tick_s += TICK_S * max(1, (self.now_s - due_s) // TICK_S)
                self.node.on_tick()
            else:
                self._next_second_s += SECOND_S
                self.node.on_second()
        self._wait_until(time_s)

    def status(self, name: str) -> DiagnosticStatus:
        """The newest diagnostics of the bus ("bus") or of one servo."""
        return next(status for status in self.node.statuses if status.name == f"servos: {name}")

    def command(self, names: list[str], positions: list[float]) -> None:
        """A message on ``servos/command``."""
        self.node.on_command(JointState(name=names, position=positions))

    def set_torque(self, on: bool) -> SetBool.Response:
        """The service."""
        return self.node.on_set_torque(SetBool.Request(data=on), SetBool.Response())

    def stop(self) -> Trigger.Response:
        """The service."""
        return self.node.on_stop(Trigger.Request(), Trigger.Response())

    def reset(self) -> Trigger.Response:
        """The service."""
        return self.node.on_reset(Trigger.Request(), Trigger.Response())

    def neutral(self) -> Trigger.Response:
        """The service."""
        return self.node.on_neutral(Trigger.Request(), Trigger.Response())

    def close(self) -> None:
        """The node leaves as it does at Ctrl-C."""
        self.node.leave()
        self.node.get_logger().set_level(LoggingSeverity.UNSET)  # levels belong to names and outlive their nodes
        self.node.destroy_node()
        self._context.try_shutdown()

    def _open_bus(self) -> Bus:
        return Bus(VirtualPort(self.bank), self.bank.robot)

    def _wait_until(self, time_s: float) -> None:
        if time_s > self.now_s:
            self.bank.advance(time_s - self.now_s)
