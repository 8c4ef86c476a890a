"""servos node: commands -> the gate -> the bus; the bus -> joint states and diagnostics.

Subscribes ``servos/command`` (names and rad); publishes ``joint_states`` (only servos that just answered and know
where they are), ``timing`` (when the last byte of a stamped command's goals was on the wire) and ``/diagnostics``
(the bus and each servo). Services ``set_torque``, ``neutral``, ``stop`` (latched: limp, and nothing else is accepted)
and ``reset``.

Torque is off until ``autostart`` or ``set_torque`` asks for it, and commands are refused until then. Leaving, however
it comes about, switches it off, servo by servo. When the port vanishes the node says so once and looks for it four
times a second; back again, the robot is made limp and stays so until told otherwise.
"""

import array
import gc
import time
from collections.abc import Callable

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import JointState, TimeReference
from std_srvs.srv import SetBool, Trigger

from rena_ros.base.errors import RenaError
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import RATES, PortLost, PortMissing
from rena_ros.bus.states import BusState
from rena_ros.control.gate import Gate
from rena_ros.nodes.bus_status import BusStatus
from rena_ros.nodes.running import STEADY, parameter, run_node
from rena_ros.nodes.servo_status import ServoStatus
from rena_ros.nodes.status_log import StatusLog
from rena_ros.robot.file import load_robot

RETRY_S = 0.25
LEAVING_TRIES = 10


class ServosNode(Node):
    """See the module. One thread: every use of the bus takes 5 ms at most while servos answer."""

    def __init__(
        self,
        open_bus: Callable[[], Bus] | None = None,
        clock: Callable[[], float] = time.monotonic,
        context: Context | None = None,
    ) -> None:
        """``open_bus`` and ``clock`` (that of the bus's port, seconds): for a bus that lives in virtual time."""
        super().__init__("servos", context=context)
        port = parameter(self, "port", "/dev/ttyUSB0", "serial port of the servos, or the emulator's link")
        baud = parameter(self, "baud", 1_000_000, "baud rate of the bus")
        retries = parameter(self, "retries", 2, "how often a request to a single servo is repeated")
        margin_s = parameter(self, "margin_s", 0.012, "patience beyond the computed end of an answer, s")
        robot_file = parameter(self, "robot_file", "", "robot file (YAML); empty: the Rena that ships")
        rate_hz = parameter(self, "rate_hz", 50.0, "reads of all servo states per second, Hz")
        interpolation_hz = parameter(self, "interpolation_hz", 100.0, "goals per second while moving, Hz")
        self._autostart = parameter(self, "autostart", False, "switch torque on and ease to neutral at the start")
        timeout_s = parameter(self, "command_timeout_s", 0.5, "time without commands after which to ease to neutral, s")
        release_s = parameter(self, "release_after_s", 0.0, "time after that to switch torque off, s; 0: never")
        for name, value, low, high in (
            ("baud", baud, *RATES),
            ("rate_hz", rate_hz, 10, 500),  # slower, healthy servos would pass for silent ones
            ("interpolation_hz", interpolation_hz, 50, 500),  # slower, goals would be too far ahead of the horns
            ("command_timeout_s", timeout_s, 0.05, 60),
            ("release_after_s", release_s, 0, 86400),
            ("retries", retries, 0, 10),
            ("margin_s", margin_s, 0.001, 0.1),
        ):
            if not low <= value <= high:
                raise RenaError(f"servos: {name} {value} is outside {low}..{high}")
        self.robot = load_robot(robot_file)
        self._now = clock
        open_bus = open_bus or (lambda: Bus(port, self.robot, baud, margin_s=margin_s, retries=retries))
        self.gate = Gate(self.robot, open_bus, 1 / interpolation_hz, timeout_s, release_s)
        self._names = list(self.robot.names)
        self._port = port
        self._read_period_s, self._next_read_s, self._next_try_s = 1 / rate_hz, 0.0, 0.0
        self._ever_connected = self._had_torque = False
        me = self.get_fully_qualified_name().lstrip("/")
        self._bus_status, self._servo_status = BusStatus(self.gate, me, port, clock()), ServoStatus(self.gate, me, port)
        self._log = StatusLog(self._say)
        self.statuses: list[DiagnosticStatus] = []  # the newest, as published

        self._states = self.create_publisher(JointState, "joint_states", QoSProfile(depth=5))
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_subscription(JointState, "servos/command", self.on_command, QoSProfile(depth=1))
        self.create_service(SetBool, "set_torque", self.on_set_torque)
        self.create_service(Trigger, "neutral", self.on_neutral)
        self.create_service(Trigger, "stop", self.on_stop)
        self.create_service(Trigger, "reset", self.on_reset)
        self.create_timer(1 / interpolation_hz, self.on_tick, clock=STEADY)
        self.create_timer(1.0, self.on_second, clock=STEADY)
        gc.collect()
        gc.freeze()  # what exists now stays; a full collection would stop the bus for tens of milliseconds

    def on_command(self, message: JointState) -> None:
        """One command: through the gate, its first goals written at once."""
        try:
            outcome = self.gate.command(message.name, message.position, self._now())
        except PortLost as error:
            self._lost(error)
            return
        if outcome.refusal:
            self.get_logger().warning(f"command refused: {outcome.refusal}", throttle_duration_sec=2.0)
            return
        stamp = message.header.stamp
        if outcome.last_byte_s is not None and (stamp.sec or stamp.nanosec):
            timing = TimeReference(time_ref=stamp, source="servos")
            timing.header.stamp = self._ros_time(outcome.last_byte_s).to_msg()
            self._timing.publish(timing)

    def on_tick(self) -> None:
        """Goals on the way, then, when it is time, the states."""
        now_s = self._now()
        try:
            if self.gate.bus is None:
                if now_s >= self._next_try_s:
                    self._next_try_s = now_s + RETRY_S
                    self._connect()
                return
            self.gate.tick(now_s)
            if now_s >= self._next_read_s:
                self._next_read_s = max(self._next_read_s + self._read_period_s, now_s + self._read_period_s / 2)
                self._publish(self.gate.read(now_s))
        except PortLost as error:
            self._lost(error)
        self._tell_torque()

    def on_second(self) -> None:
        """Compare the torque registers with what was told, and say how servos and bus do."""
        now_s = self._now()
        if self.gate.bus is not None:
            try:
                self._servo_status.saw_health(self.gate.check_torque(now_s))
            except PortLost as error:
                self._lost(error)
        self.statuses = [self._bus_status.message(now_s), *self._servo_status.messages(now_s)]
        message = DiagnosticArray(status=self.statuses)
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        if self.gate.bus is not None:
            self._log.tell(self.statuses, now_s)

    def on_set_torque(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Torque on (from the present position, then ease to neutral) or off, servo by servo."""
        word = "on" if request.data else "off"
        self._autostart &= request.data
        failures = self._try(lambda: self.gate.set_torque(request.data))
        response.success = not failures
        response.message = f"torque is {word}" if not failures else f"torque {word} failed: {self._listed(failures)}"
        self._say(0 if response.success else 2, response.message)
        return response

    def on_neutral(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Ease to the resting face."""
        refusal = self.gate.neutral(self._now())
        response.success, response.message = refusal is None, refusal or "easing to neutral"
        return response

    def on_stop(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Limp at once, and nothing moves until ``reset``; connected or not."""
        self._autostart = False
        failures = self._try(self.gate.stop)
        if self.gate.bus is None:
            response.message = f"stopped; {self._port} is not connected: torque is switched off as soon as it is back"
        elif failures:
            response.message = f"stopped, but torque could not be switched off: {self._listed(failures)}; still trying"
        else:
            response.success, response.message = True, "stopped: torque is off; the service reset lifts it"
        self._say(1 if response.success else 2, response.message)
        return response

    def on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Lift ``stop``; the robot stays limp."""
        self.gate.reset()
        response.success, response.message = True, "not stopped; the robot is limp until set_torque"
        self._say(0, response.message)
        return response

    def leave(self) -> None:
        """Leave the robot limp and the port free."""
        log = self.get_logger()
        failures = self.gate.release()
        for _ in range(LEAVING_TRIES):
            if failures is not None or not self.gate.torque_off_pending:
                break
            time.sleep(RETRY_S / 5)  # the cable may only have slipped
            failures = self.gate.release()
        if failures:
            log.error(f"torque could not be switched off: {self._listed(failures)}")
        elif failures is not None:
            log.info(f"torque is off, {self._port} is closed")
        elif self._ever_connected:
            log.error(f"{self._port} is gone: servos that have power hold where they are, until somebody switches off")
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
        self._bus_status.connected(delays)
        missing = [name for name in self._names if name not in delays]
        answer = f"{len(delays)} of {len(self._names)} servos answer"
        log.info(f"connected to {self._port}: {answer}" + (f", not {', '.join(missing)}" if missing else ""))
        first, self._ever_connected = not self._ever_connected, True
        if refusals := self.gate.torque_state.refusals:
            log.error(f"torque could not be switched off: {self._listed(refusals)}; still trying")
        if first and self._autostart:
            failures = self.gate.set_torque(True)
            if failures:
                log.error(f"torque on failed: {self._listed(failures)}")
            if self.gate.torque:
                log.info("torque is on, easing to neutral")
        elif not first:
            log.warning("the robot is limp; the service set_torque switches torque on")

    def _lost(self, error: PortLost) -> None:
        self.gate.drop_port()
        self._next_try_s = self._now() + RETRY_S
        self.get_logger().error(f"{error} Looking for it every {RETRY_S} s")

    def _try(self, action: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Failures of something that a service asks for, by servo name."""
        try:
            return action()
        except PortLost as error:
            self._lost(error)
            return dict.fromkeys(self._names, str(error))
        except RenaError as error:
            return dict.fromkeys(self._names, str(error))

    def _tell_torque(self) -> None:
        """Say it when the robot goes limp by itself."""
        if self._had_torque and not self.gate.torque and self.gate.limp_because.startswith("no command"):
            self._say(1, f"torque is off: {self.gate.limp_because}")
        self._had_torque = self.gate.torque

    def _say(self, level: int, text: str) -> None:
        log = self.get_logger()
        if level == 0:
            log.info(text)
        elif level == 1:
            log.warning(text)
        else:
            log.error(text)

    def _publish(self, state: BusState) -> None:
        """joint_states: position rad, velocity rad/s, effort as a fraction of full torque."""
        self._bus_status.saw(state)
        self._servo_status.saw(state)
        robot = self.robot
        fresh = state.position_known
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

    def _listed(self, failures: dict[str, str]) -> str:
        """`jaw, pucker: does not reply; neck_yaw: refuses`, or `all 25 servos: does not reply`."""
        if len(failures) == len(self._names) and len(set(failures.values())) == 1:
            return f"all {len(failures)} servos: {next(iter(failures.values()))}"
        reasons = sorted(set(failures.values()))
        names = {reason: ", ".join(name for name, why in failures.items() if why == reason) for reason in reasons}
        return "; ".join(f"{names[reason]}: {reason}" for reason in reasons)

    def _ros_time(self, port_s: float) -> Time:
        now = self.get_clock().now()
        since_ns = round((self._now() - port_s) * 1e9)
        return Time(nanoseconds=max(now.nanoseconds - since_ns, 0), clock_type=now.clock_type)


def main() -> int:
    """Run the node until it is asked to leave; returns its exit code (see ``run_node``)."""
    return run_node(ServosNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
