"""servos node: commands -> the gate -> the bus; the bus -> joint states and diagnostics.

Subscribes to commands (names and rad) of three sources, by rising priority ``servos/command/mimic``,
``servos/command/take`` and ``servos/command``; the robot follows one of them (see ``control.arbiter``). Publishes
``joint_states`` (all servos, NaN for one that did not reply to the last read; stamped at the middle of the read),
``servos/goals`` (every frame of goals, limited and smoothed, stamped when its last byte was on the wire; while a node
subscribes), ``timing`` (an image's stamp with that of the first goals that it caused), ``robot_description`` (URDF,
once, also for later subscribers) and ``/diagnostics`` (the bus and each servo). Services: ``set_torque``, ``neutral``,
``stop`` (latched: the robot is limp and refuses commands) and ``reset``.

States are read in slices of about a millisecond; between two of them, commands and ``stop`` take effect (see
``control.state_reader``), and of a read that is interrupted by a stop or a lost port nothing is published.

Torque is off until ``autostart`` or ``set_torque`` switches it on, and commands are refused until then. The node
switches it off, all servos with one frame, then singly each that has not confirmed, at every end but SIGKILL or a lost
port. It logs a lost port once as ERROR, then WARN every 30 s, and looks for it four times a second; once it is back,
torque is switched off, and the robot is limp until ``set_torque`` switches torque on.
"""

import gc
import math
import time
from collections.abc import Callable
from functools import partial

from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from rena_ros.base.errors import RenaError
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import RATES, PortLost, PortMissing
from rena_ros.control.arbiter import NO_SOURCE, OPERATOR, TAKE, Arbiter
from rena_ros.control.failures import listed
from rena_ros.control.gate import STOPPED, Gate
from rena_ros.control.health import Level
from rena_ros.control.read_times import ReadTimes
from rena_ros.nodes.command_topics import CommandTopics
from rena_ros.nodes.direct_take import answer_request
from rena_ros.nodes.hops import Hops
from rena_ros.nodes.joining import discovery_s, refuse_namesake
from rena_ros.nodes.messages import nanoseconds
from rena_ros.nodes.parameters import ParameterSpec, declare, on_change
from rena_ros.nodes.robot_description import publish_description
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.nodes.servo_reports import ServoReports
from rena_ros.robot.file import load_robot

RETRY_S = 0.25
LEAVING_TRIES, LEAVING_RETRY_S = 10, 0.05
COMMAND_TIMEOUT = "time without commands after which the next source takes over, or the robot eases to neutral, s"
PARAMETERS = (
    ParameterSpec("port", "/dev/ttyUSB0", "serial port of the servos, or the emulator's link"),
    ParameterSpec("baud", 1_000_000, "baud rate of the bus", RATES),
    ParameterSpec("robot_file", "", "robot file (YAML); empty: the Rena that ships"),
    # Below 10 Hz healthy servos would count as silent.
    ParameterSpec("rate_hz", 50.0, "reads of all servo states per second, Hz", (10, 500), live=True),
    # Below 50 Hz goals would lie too far ahead of the horns. The motion is planned for this period: read-only.
    ParameterSpec("interpolation_hz", 100.0, "goals per second while moving, Hz", (50, 500)),
    ParameterSpec("autostart", False, "switch torque on and ease to neutral at the start"),
    ParameterSpec("command_timeout_s", 0.5, COMMAND_TIMEOUT, (0.05, 60), live=True),
    ParameterSpec(
        "release_after_s", 0.0, "time after command_timeout_s until torque goes off, s; 0: never", (0, 86400), live=True
    ),
    ParameterSpec("retries", 2, "how often a request to a single servo is repeated", (0, 10)),
    ParameterSpec("margin_s", 0.012, "waiting time beyond the computed end of a reply, s", (0.001, 0.1)),
)


class ServosNode(Node):
    """Connects ROS with the gate. Single-threaded.

    Time on the bus: tick and read 6 ms, check 9 ms, both in slices of about 1 ms between which commands and ``stop``
    take effect; torque on 30 ms.
    """

    def __init__(
        self,
        open_bus: Callable[[], Bus] | None = None,
        clock: Callable[[], float] = time.monotonic,
        context: Context | None = None,
    ) -> None:
        """``open_bus`` and ``clock`` (that of the bus's port, seconds): for a bus in virtual time."""
        super().__init__("servos", context=context)
        given = declare(self, PARAMETERS)
        self._autostart, self._port, interpolation_hz = given["autostart"], given["port"], given["interpolation_hz"]
        self.robot, self._now = load_robot(given["robot_file"]), clock
        options = {"margin_s": given["margin_s"], "retries": given["retries"]}
        open_bus = open_bus or (lambda: Bus(self._port, self.robot, given["baud"], **options))
        timeouts_s = given["command_timeout_s"], given["release_after_s"]
        self.gate = Gate(self.robot, open_bus, 1 / interpolation_hz, *timeouts_s)
        self.arbiter = Arbiter(given["command_timeout_s"])
        self._read_times = ReadTimes(1 / given["rate_hz"])
        self._next_try_s = clock() + (discovery_s() if self._autostart else 0.0)  # see refuse_namesake
        self._ever_connected = self._had_torque = False
        self.topics = CommandTopics(self, self.on_command)
        crowded = self.topics.crowded
        self.reports = ServoReports(self, self.gate, self.arbiter, crowded, self._port, clock, self._log)
        self.hops = Hops(self)
        publish_description(self, self.robot)
        self.create_service(SetBool, "set_torque", self.on_set_torque)
        self.create_service(Trigger, "neutral", self.on_neutral)
        self._stop_service = self.create_service(Trigger, "stop", self.on_stop)
        self.create_service(Trigger, "reset", self.on_reset)
        self.create_timer(1 / interpolation_hz, self.on_tick, clock=STEADY)
        self.create_timer(1.0, self.on_second, clock=STEADY)
        on_change(
            self,
            rate_hz=lambda rate_hz: setattr(self._read_times, "period_s", 1 / rate_hz),
            command_timeout_s=self._set_command_timeout,
            release_after_s=partial(setattr, self.gate, "release_after_s"),
        )
        gc.collect()
        gc.freeze()  # objects of the start-up live on; a full collection would stop the bus for tens of milliseconds

    def on_command(self, message: JointState, source: str = OPERATOR) -> None:
        """Pass a command of the source that owns the robot to the gate, which writes its first goals at once."""
        now_s, arbiter = self._now(), self.arbiter
        self.hops.mark("command taken")
        if not arbiter.admits(source, now_s):
            return
        try:
            new_stream = arbiter.takes_over(source)
            planned = message.velocity if source == TAKE else ()  # velocities of other sources say something else
            stamp_s = nanoseconds(message.header.stamp) * 1e-9 or math.nan  # 0: the sender gave none
            outcome = self.gate.command(message.name, message.position, now_s, new_stream, planned, stamp_s)
        except PortLost as error:
            self._lost(error)
            return
        self.reports.bus.commands[source].add(outcome)
        if outcome.refusal:
            if outcome.malformed:
                arbiter.refuse(source)
            else:
                arbiter.release()
            text = f"command of {source} refused: {outcome.refusal}"
            self.get_logger().warning(text, throttle_duration_sec=2.0)
            return
        arbiter.follow(source, now_s)
        self._read_times.add_command(now_s)
        self.reports.goals(message.header.stamp)
        self.hops.publish(message.header.stamp)

    def on_tick(self) -> None:
        """Write the next goals and, when they are due, read the states."""
        now_s = self._now()
        self.reports.owner()
        try:
            if self.gate.bus is None:
                if now_s >= self._next_try_s:
                    self._next_try_s = now_s + RETRY_S
                    self._connect()
                return
            self.gate.tick(now_s)
            self.reports.goals()
            if self._read_times.is_due(now_s) and (state := self.gate.read(self._let_in)) is not None:
                self.reports.state(state)
        except PortLost as error:
            self._lost(error)
        self._log_torque_off()

    def on_second(self) -> None:
        """Compare the torque registers with what was commanded, and publish the diagnostics."""
        now_s = self._now()
        if self.gate.bus is not None:
            try:
                if (health := self.gate.check_torque(now_s, self._let_in)) is not None:
                    self.reports.health(health)
            except PortLost as error:
                self._lost(error)
        self.reports.second()

    def on_set_torque(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Switch torque on (from the present position, then ease to neutral) or off."""
        word = "on" if request.data else "off"
        self._autostart &= request.data  # torque off, asked for before the first connection, cancels it
        failures = self._try(lambda: self.gate.set_torque(request.data))
        response.success = not failures
        failed = "torque is on; not driven:" if self.gate.torque else f"torque {word} failed:"
        response.message = f"{failed} {self._listed(failures)}" if failures else f"torque is {word}"
        self._log(Level.OK if response.success else Level.ERROR, response.message)
        return response

    def on_neutral(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Ease to neutral; the next command of any source is followed all the same."""
        now_s = self._now()
        refusal, owner = self.gate.neutral(now_s), self.arbiter.owner(now_s)
        until = "" if owner == NO_SOURCE else f" until the next command of the source {owner}, which commands now"
        response.success, response.message = refusal is None, refusal or f"easing to neutral{until}"
        return response

    def on_stop(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Make the robot limp, at once or as soon as the port is back, and refuse commands until ``reset``."""
        self._autostart = False
        failures = self._try(self.gate.stop)
        if self.gate.bus is None:
            response.message = f"stopped; {self._port} is not connected: torque is switched off as soon as it is back"
        elif failures:
            response.message = f"stopped, but torque could not be switched off: {self._listed(failures)}; trying again"
        else:
            response.success, response.message = True, "stopped: torque is off; the service reset lifts it"
        self._log(Level.WARN if response.success else Level.ERROR, response.message)
        return response

    def on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Lift ``stop``; the robot stays limp."""
        self.gate.reset()
        response.success = True
        response.message = "no longer stopped; the robot is limp until set_torque switches torque on"
        self._log(Level.OK, response.message)
        return response

    def leave(self) -> None:
        """Switch torque off on every servo and close the port."""
        log = self.get_logger()
        failures = self.gate.release()
        for _ in range(LEAVING_TRIES):
            if failures is not None or not self.gate.torque_off_pending:
                break
            time.sleep(LEAVING_RETRY_S)  # a cable that was pulled may be back in a moment
            failures = self.gate.release()
        if failures:
            log.error(f"torque could not be switched off: {self._listed(failures)}")
        elif failures is not None:
            log.info(f"torque is off, {self._port} is closed")
        elif self._ever_connected:
            log.error(f"torque could not be switched off: {self._port} is gone; servos hold until you cut their power")
        gc.unfreeze()  # else ruckig's objects outlive the interpreter, which reports a leak

    def _let_in(self) -> None:
        """Let waiting commands and a stop take effect: what a read calls between two slices."""
        answer_request(self._stop_service)
        self.topics.take()

    def _set_command_timeout(self, timeout_s: float) -> None:
        self.gate.command_timeout_s = self.arbiter.timeout_s = timeout_s

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
        self.reports.bus.connected(delays)
        missing = [name for name in self.robot.names if name not in delays]
        found = f"{len(delays)} of {len(self.robot.names)} servos reply"
        log.info(f"connected to {self._port}: {found}" + (f", not {', '.join(missing)}" if missing else ""))
        first, self._ever_connected = not self._ever_connected, True
        if refusals := self.gate.torque_state.refusals:
            log.error(f"torque could not be switched off: {self._listed(refusals)}; trying again")
        if first and self._autostart:
            refuse_namesake(self, "joint_states")
            if failures := self.gate.set_torque(True):
                failed = "torque is on; not driven:" if self.gate.torque else "torque on failed:"
                log.error(f"{failed} {self._listed(failures)}")
            if self.gate.torque:
                log.info("torque is on, easing to neutral")
        elif not first:
            remedy = "the service set_torque switches torque on"
            log.warning(f"the robot is limp; {STOPPED if self.gate.stopped else remedy}")

    def _lost(self, error: PortLost) -> None:
        self.gate.drop_port()
        self._next_try_s = self._now() + RETRY_S
        self.get_logger().error(f"{error} Looking for it every {RETRY_S} s")

    def _try(self, action: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Carry out what a service asks for; returns failures by servo name."""
        try:
            return action()
        except RenaError as error:
            if isinstance(error, PortLost):
                self._lost(error)
            return dict.fromkeys(self.robot.names, str(error))

    def _log_torque_off(self) -> None:
        """Log that the gate has switched torque off because commands ceased."""
        if self._had_torque and not self.gate.torque and self.gate.limp_because.startswith("no command"):
            self._log(Level.WARN, f"torque is off: {self.gate.limp_because}")
        self._had_torque = self.gate.torque

    def _log(self, level: int, text: str) -> None:
        if level == Level.OK:
            self.get_logger().info(text)
        elif level == Level.WARN:
            self.get_logger().warning(text)
        else:
            self.get_logger().error(text)

    def _listed(self, failures: dict[str, str]) -> str:
        return listed(failures, len(self.robot.names))


main = partial(run_node, "servos", ServosNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
