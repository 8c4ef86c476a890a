"""servos node: commands -> the gate -> the bus; the bus -> joint states and diagnostics.

Subscribes ``servos/command`` (names and rad); publishes ``joint_states`` (only servos that just answered),
``timing`` (when the last byte of a stamped command's goals was on the wire) and ``/diagnostics``. Torque
is off until ``autostart`` or the service ``set_torque`` asks for it, and commands are refused until then.
Leaving switches it off, servo by servo. When the port vanishes the node says so once and looks for it
twice a second; back again, the robot stays limp until told otherwise.
"""

import array
import gc
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import JointState, TimeReference
from std_srvs.srv import SetBool, Trigger

from rena_ros.bus.bus import Bus, BusState
from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.errors import RenaError
from rena_ros.gate import Gate
from rena_ros.nodes.bus_status import BusStatus
from rena_ros.nodes.running import parameter, run_node
from rena_ros.robot_file import load_robot

RETRY_S = 0.5
SLOW_ANSWERS_S = 0.002  # return delays of all servos together that deserve a word


class ServosNode(Node):
    """See the module. One thread: every use of the bus takes 5 ms at most while servos answer."""

    def __init__(self):
        super().__init__("servos")
        port = parameter(self, "port", "/dev/ttyUSB0", "serial port of the servos, or the emulator's link")
        baud = parameter(self, "baud", 1_000_000, "baud rate of the bus")
        robot_file = parameter(self, "robot_file", "", "robot file (YAML); empty: the Rena that ships")
        rate_hz = parameter(self, "rate_hz", 50.0, "reads of all servo states per second, Hz")
        interpolation_hz = parameter(self, "interpolation_hz", 100.0, "goals per second while moving, Hz")
        self._autostart = parameter(self, "autostart", False, "switch torque on and ease to neutral at the start")
        timeout_s = parameter(self, "command_timeout_s", 0.5, "time without commands after which to ease to neutral, s")
        for name, value in (("rate_hz", rate_hz), ("interpolation_hz", interpolation_hz)):
            if not 0 < value <= 500:
                raise RenaError(f"servos: {name} {value} is outside 0..500 Hz")
        self.robot = load_robot(robot_file)
        self.gate = Gate(self.robot, lambda: Bus(port, self.robot, baud), 1 / interpolation_hz, timeout_s)
        self._names = list(self.robot.names)
        self._port = port
        self._read_period_s, self._next_read_s, self._next_try_s = 1 / rate_hz, 0.0, 0.0
        self._ever_connected = False
        self._status = BusStatus(self.gate, port)

        self._states = self.create_publisher(JointState, "joint_states", QoSProfile(depth=5))
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_subscription(JointState, "servos/command", self.on_command, QoSProfile(depth=1))
        self.create_service(SetBool, "set_torque", self.on_set_torque)
        self.create_service(Trigger, "neutral", self.on_neutral)
        self.create_timer(1 / interpolation_hz, self.on_tick)
        self.create_timer(1.0, self.on_second)
        gc.collect()
        gc.freeze()  # what exists now stays; a full collection would stop the bus for tens of milliseconds

    def on_command(self, message: JointState) -> None:
        """One command: through the gate, its first goals written at once."""
        try:
            outcome = self.gate.command(message.name, message.position, time.monotonic())
        except PortLost as error:
            self._lost(error)
            return
        if outcome.refusal:
            self.get_logger().warning(f"command refused: {outcome.refusal}", throttle_duration_sec=2.0)
            return
        stamp = message.header.stamp
        if stamp.sec or stamp.nanosec:
            timing = TimeReference(time_ref=stamp, source="servos")
            timing.header.stamp = self._ros_time(outcome.last_byte_s).to_msg()
            self._timing.publish(timing)

    def on_tick(self) -> None:
        """Goals on the way, then, when it is time, the states."""
        now_s = time.monotonic()
        try:
            if self.gate.bus is None:
                if now_s >= self._next_try_s:
                    self._next_try_s = now_s + RETRY_S
                    self._connect()
                return
            self.gate.tick(now_s)
            if now_s >= self._next_read_s:
                self._next_read_s = max(self._next_read_s + self._read_period_s, now_s + self._read_period_s / 2)
                self._publish(self.gate.read())
        except PortLost as error:
            self._lost(error)

    def on_set_torque(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Torque on (from the present position, then ease to neutral) or off, servo by servo."""
        word = "on" if request.data else "off"
        try:
            failures = self.gate.set_torque(request.data, time.monotonic())
        except PortLost as error:
            self._lost(error)
            failures = dict.fromkeys(self._names, str(error))
        except RenaError as error:
            failures = dict.fromkeys(self._names, str(error))
        response.success = not failures
        response.message = f"torque is {word}" if not failures else f"torque {word} failed: {_listed(failures)}"
        log = self.get_logger()
        log.info(response.message) if response.success else log.error(response.message)
        return response

    def on_neutral(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Ease to the resting face."""
        refusal = self.gate.neutral(time.monotonic())
        response.success, response.message = refusal is None, refusal or "easing to neutral"
        return response

    def on_second(self) -> None:
        """Say how the bus does."""
        message = DiagnosticArray(status=[self._status.message()])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def leave(self) -> None:
        """Leave the robot limp and the port free."""
        if self.gate.bus is not None:
            failures = self.gate.release()
            log = get_logger(f"{self.get_name()}.leaving")  # not the node's own: that one's topic is closed by now
            if failures:
                log.error(f"torque could not be switched off: {_listed(failures)}")
            else:
                log.info(f"torque is off, {self._port} is closed")
        gc.unfreeze()  # else ruckig's objects outlive the interpreter, and it complains of a leak

    def _connect(self) -> None:
        log = self.get_logger()
        try:
            delays = self.gate.connect()
        except PortLost:
            return
        except RenaError as error:
            if not (self._ever_connected or isinstance(error, PortMissing)):
                raise
            log.warning(f"{error}; looking again every {RETRY_S} s", throttle_duration_sec=30.0)
            return
        silent = [name for name in self._names if name not in delays]
        count = len(self._names)
        log.info(f"connected to {self._port}: {len(delays)} of {count} servos answer")
        if silent:
            log.error(f"silent: {', '.join(silent)}; check their power, cables and ids")
        if sum(delays.values()) * 1e-6 > SLOW_ANSWERS_S:
            log.warning(
                f"the servos' return delays add {sum(delays.values()) / 1e3:.1f} ms to each read; set them to 0"
            )
        first, self._ever_connected = not self._ever_connected, True
        if first and self._autostart:
            failures = self.gate.set_torque(True, time.monotonic())
            if failures:
                log.error(f"torque on failed: {_listed(failures)}")
            if self.gate.torque:
                log.info("torque is on, easing to neutral")
        elif not first:
            log.warning("the robot is limp; the service set_torque switches torque on")

    def _lost(self, error: PortLost) -> None:
        self.gate.lost()
        self._next_try_s = time.monotonic() + RETRY_S
        self.get_logger().error(f"{error} Looking for it every {RETRY_S} s")

    def _publish(self, state: BusState) -> None:
        """joint_states: position rad, velocity rad/s, effort as a fraction of full torque."""
        self._status.saw(state)
        robot = self.robot
        fresh = state.fresh
        message = JointState()
        message.header.stamp = self._ros_time(state.stamp_s).to_msg()
        everyone = bool(fresh.all())
        message.name = self._names if everyone else [name for name, ok in zip(self._names, fresh, strict=True) if ok]
        columns = (
            robot.from_ticks(state.ticks),
            robot.from_ticks(robot.neutral_ticks + state.speed),
            np.copysign(state.load, robot.from_ticks(robot.neutral_ticks + np.sign(state.load))),
        )
        message.position, message.velocity, message.effort = (
            array.array("d", (column if everyone else column[fresh]).tobytes()) for column in columns
        )
        self._states.publish(message)

    def _ros_time(self, monotonic_s: float) -> Time:
        now = self.get_clock().now()
        since_ns = round((time.monotonic() - monotonic_s) * 1e9)
        return Time(nanoseconds=now.nanoseconds - since_ns, clock_type=now.clock_type)


def _listed(failures: dict[str, str]) -> str:
    """`jaw, pucker: does not answer; neck_yaw: refuses`."""
    reasons = sorted(set(failures.values()))
    return "; ".join(f"{', '.join(n for n, why in failures.items() if why == reason)}: {reason}" for reason in reasons)


def main() -> int:
    """Console script ``servos_node``."""
    return run_node(ServosNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
