"""babble node: the robot shows one expression after another, and each that is seen well is marked as a sample.

Publishes ``servos/command/take`` (rad; at once when it changes, else at 10 Hz), ``sample`` (a marker for each try, see
``recording/marker.py``, and the measured delay of the camera) and ``/diagnostics``. Subscribes to ``joint_states``,
``face/blendshapes``, ``/diagnostics`` and, with ``confirm``, ``sample/stored``. Services: ``~/pause``, ``~/resume`` and
``~/stop_collecting``.

It does not subscribe to the pictures, 28 MB/s: each picture that is read gives a message on ``face/blendshapes`` with
the picture's stamp, without names when it shows no face, and why none comes is in the camera's status.

With ``restore_torque`` it calls ``set_torque`` when the port was lost and is back.

The robot eases to neutral while something speaks against moving it (see ``behaviour/protection.py``). Ends with exit
code 0 when all samples are done, and 2 when the camera's delay is to be measured and cannot be.
"""

import re
import time
from functools import partial

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import UInt32
from std_srvs.srv import SetBool, Trigger

from rena_ros.behaviour.babbling import Babbling, Course, Phase
from rena_ros.behaviour.capture_delay import DelayMeasurement
from rena_ros.behaviour.protection import Protection, StatusReport
from rena_ros.behaviour.settling import REST_RAD
from rena_ros.behaviour.trial import TrialSettings
from rena_ros.behaviour.worklist import Worklist, parse_todo
from rena_ros.control.health import Level
from rena_ros.nodes.messages import diagnostics_msg, joint_state_msg, nanoseconds, status_msg
from rena_ros.nodes.parameters import ParameterSpec, declare
from rena_ros.nodes.running import STEADY, run_node
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.recording.marker import STORED_TOPIC, TOPIC, SampleMarker
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import planned, replacement

TICK_S = 0.02
REPEAT_S = 0.1  # commands: the servos node gives the robot to another source when none comes
RESTORE_S = 5.0  # between two requests to switch torque on again
RELOG_S = 10.0  # another reason for the same pause is logged this often at most
QUIET_S = 3.0  # after the start, in which the other nodes are found
PARAMETERS = (
    ParameterSpec("samples", 9000, "size of the plan; 0: only measure the camera's delay", (0, 1_000_000)),
    ParameterSpec("seed", 0, "seed of the walk through the expressions", (0, 2**53)),
    ParameterSpec("strategy_file", "", "strategy file (YAML), or paper or random; empty: the one that ships"),
    ParameterSpec("robot_file", "", "robot file (YAML); empty: the Rena that ships"),
    # Any type, for a bare 57 on a command line arrives as a number.
    ParameterSpec("todo", "", "samples of the plan to collect, such as 57,103-8999; empty: all", any_type=True),
    ParameterSpec("rest_every", 300, "samples between two rests at neutral; 0: no rests", (0, 1_000_000)),
    ParameterSpec("rest_s", 20.0, "length of a rest, in which the servos cool, s", (0, 3600)),
    ParameterSpec("settle_timeout_s", 5.0, "time in which the servos must have settled, s", (0.5, 60)),
    ParameterSpec("tolerance_rad", REST_RAD, "how far from its goal a servo at rest has settled, rad", (0.01, 1.0)),
    ParameterSpec("capture_delay_s", 0.0, "how much later than its capture a picture is stamped, s", (-1, 5)),
    ParameterSpec("confirm", False, "a sample is done only when the recorder has confirmed that it is stored"),
    ParameterSpec("restore_torque", False, "switch torque on again when the port of the servos was lost and is back"),
    ParameterSpec("measure_delay", False, "measure capture_delay_s first: the neck turns for 20 s"),
)


class BabbleNode(Node):
    """Connects ROS with ``Babbling``. Single-threaded."""

    def __init__(self, **node_options):
        super().__init__("babble", **node_options)
        given = declare(self, PARAMETERS)
        self.robot, samples, seed = load_robot(given["robot_file"]), given["samples"], given["seed"]
        strategy = load_strategy(given["strategy_file"], self.robot)
        plan = planned(self.robot, strategy, seed, samples)
        replace = partial(replacement, self.robot, strategy, seed)
        todo = parse_todo(str(given["todo"]), samples)
        self._confirm, self._restore, self._asked_s = given["confirm"], given["restore_torque"], -np.inf
        self.babbling = Babbling(
            self.robot,
            Worklist(plan, replace, todo, confirm=self._confirm),
            Protection(self.robot, time.monotonic()),
            Course(seed, given["rest_every"], given["rest_s"]),
            TrialSettings(
                given["settle_timeout_s"],
                capture_delay_s=given["capture_delay_s"],
                tolerance_rad=given["tolerance_rad"],
            ),
            DelayMeasurement(self.robot) if given["measure_delay"] or not samples else None,
            self._mark,
        )
        self._names, self._places = (), np.array([], int)  # of the last joint states, in the robot's order
        self._lacking = ""
        self._sent, self._sent_s = None, -np.inf
        self._said, self._said_s, self._delay_said = "starting", time.monotonic() + QUIET_S - RELOG_S, False
        namespace = self.get_namespace().strip("/")
        self._prefix = f"{namespace}/" if namespace else ""

        self._command = self.create_publisher(JointState, "servos/command/take", QoSProfile(depth=1))
        self._samples = self.create_publisher(DiagnosticArray, TOPIC, QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self.create_subscription(JointState, "joint_states", self.on_state, QoSProfile(depth=10))
        self.create_subscription(JointState, "face/blendshapes", self.on_reading, QoSProfile(depth=10))
        self.create_subscription(DiagnosticArray, "/diagnostics", self.on_diagnostics, QoSProfile(depth=50))
        if self._confirm:
            self.create_subscription(UInt32, STORED_TOPIC, self.on_stored, QoSProfile(depth=100))
        for name, act in (("pause", self.babbling.pause), ("resume", self.babbling.resume)):
            self.create_service(Trigger, f"~/{name}", partial(self._on_trigger, name, act))
        self.create_service(Trigger, "~/stop_collecting", partial(self._on_trigger, "stop", self.babbling.stop))
        self._torque = self.create_client(SetBool, "set_torque")
        self.create_timer(TICK_S, self.on_tick, clock=STEADY)
        self.create_timer(1.0, self.on_second, clock=STEADY)
        self.get_logger().info(f"{len(todo)} samples of {samples} to collect, seed {seed}")

    def on_state(self, message: JointState) -> None:
        """Take one read of all servos."""
        if message.name != self._names:
            places = {name: place for place, name in enumerate(message.name)}
            missing = [name for name in self.robot.names if name not in places]
            self._lacking = f"joint_states lacks servos of the robot file: {missing[0]}" if missing else ""
            self._names = message.name
            self._places = np.array([] if missing else [places[name] for name in self.robot.names], int)
        if self._places.size and len(message.position) == len(self._names):
            positions = np.asarray(message.position, float)[self._places]
            self.babbling.state(nanoseconds(message.header.stamp), positions, *self._now())
            self._send()

    def on_reading(self, message: JointState) -> None:
        """Take one reading; one without names says that the picture shows no face."""
        named = len(message.name) == len(message.position) == len(READING_NAMES)
        yaw = message.position[message.name.index("head_yaw")] if named else None
        self.babbling.reading(nanoseconds(message.header.stamp), yaw, *self._now())
        self._send()

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """Take the statuses of this robot's nodes."""
        for status in message.status:
            node, _, part = status.name.partition(": ")
            if node.startswith(self._prefix) and "/" not in (node := node.removeprefix(self._prefix)):
                values = {pair.key: pair.value for pair in status.values}
                report = StatusReport(node, part, status.level[0], status.message, values)
                self.babbling.protection.note(report, time.monotonic())

    def on_stored(self, message: UInt32) -> None:
        """Take the recorder's confirmation."""
        self.babbling.stored(message.data, time.monotonic())

    def on_tick(self) -> None:
        """Let time pass, and repeat the command."""
        self.babbling.advance(*self._now())
        self._send()
        self._tell_delay()
        self._log()
        if self.babbling.phase is Phase.FINISHED:
            self.on_second()
            self.get_logger().info(f"finished: {self.babbling.worklist.done} samples are done")
            rclpy.try_shutdown(context=self.context)

    def on_second(self) -> None:
        """Publish the progress; look for what is missing, and ask for torque where it may be restored."""
        recorded = not self._confirm or self.count_publishers(STORED_TOPIC)
        self.babbling.obstacle = self._lacking or ("" if recorded else f"no recorder publishes {STORED_TOPIC}")
        self._restore_torque()
        babbling, now = self.babbling, self.get_clock().now().to_msg()
        paused, work, rate = babbling.phase is Phase.PAUSED, babbling.worklist, babbling.progress.rate_per_min
        values = {
            "done": work.done,
            "samples": work.samples,
            "rate_per_min": f"{rate:.1f}",
            "left_s": f"{60 * (work.samples - work.done) / rate:.0f}" if rate else "",
            "paused_because": babbling.because if paused else "",
            "capture_delay_s": f"{babbling.settings.capture_delay_s:.4f}",
        }
        values |= {name: f"{mean_s:.3f}" for name, mean_s in babbling.progress.phases().items()}
        values |= {f"rejected_{why.replace(' ', '_')}": n for why, n in babbling.progress.rejected.items()}
        status = status_msg(
            f"{self.get_fully_qualified_name().lstrip('/')}: babble",
            Level.WARN if paused and not babbling.is_asked_to_pause else Level.OK,
            f"paused: {babbling.because}" if paused else babbling.phase.value,
            values,
        )
        self._diagnostics.publish(diagnostics_msg([status], now))

    def _now(self) -> tuple[float, int]:
        return time.monotonic(), self.get_clock().now().nanoseconds

    def _send(self) -> None:
        """Publish the target if it has changed or is due again; while torque is off, no command would be followed."""
        target, now_s = self.babbling.target, time.monotonic()
        if not self.babbling.protection.can_command or (target is self._sent and now_s - self._sent_s < REPEAT_S):
            return
        self._sent, self._sent_s = target, now_s
        stamp = self.get_clock().now().to_msg()
        self._command.publish(joint_state_msg(self.robot.names, target.tolist(), stamp))

    def _restore_torque(self) -> None:
        now_s = time.monotonic()
        lost = self._restore and self.babbling.protection.has_lost_torque and not self.babbling.is_asked_to_pause
        if lost and now_s - self._asked_s >= RESTORE_S and self._torque.service_is_ready():
            self._asked_s = now_s
            self.get_logger().warning("the port of the servos is back: asking for torque again")
            self._torque.call_async(SetBool.Request(data=True))

    def _mark(self, marker: SampleMarker) -> None:
        stamp_ns = marker.image_ns or self.get_clock().now().nanoseconds
        level = Level.OK if marker.accepted else Level.WARN
        statuses = [
            status_msg("sample", level, marker.verdict, marker.values()),
            status_msg("goals", Level.OK, "", marker.goal_values()),
        ]
        self._samples.publish(diagnostics_msg(statuses, Time(nanoseconds=stamp_ns).to_msg()))

    def _tell_delay(self) -> None:
        """Publish and log the measured delay, once."""
        delay = self.babbling.delay
        if delay is None or self._delay_said:
            return
        self._delay_said = True
        values = {
            "capture_delay_s": repr(delay.delay_s),
            "correlation": f"{delay.correlation:.4f}",
            "readings": delay.readings,
        }
        status = status_msg("capture_delay", Level.OK, "measured", values)
        self._samples.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))
        mirrored = "; the picture is mirrored" if delay.correlation < 0 else ""
        figures = f"{delay.delay_s * 1e3:.0f} ms (correlation {delay.correlation:.3f}, {delay.readings} readings)"
        self.get_logger().info(f"pictures are stamped {figures} after their capture{mirrored}")

    def _log(self) -> None:
        """Write one line when a pause begins, when it is over, and when its reason becomes another."""
        babbling, now_s = self.babbling, time.monotonic()
        because = re.sub(r"\d+", "#", babbling.because)
        if because == self._said or (because and self._said and now_s - self._said_s < RELOG_S):
            return
        if because:
            self.get_logger().warning(f"paused: {babbling.because}")
        elif self._said:
            self.get_logger().info(babbling.phase.value)
        self._said, self._said_s = because, now_s

    def _on_trigger(self, name, act, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        act()
        response.success = True
        response.message = {
            "pause": "easing to neutral; the service resume goes on",
            "resume": "going on, unless something else speaks against it",
            "stop": "easing to neutral; then the node ends",
        }[name]
        self.get_logger().info(f"asked to {name}: {response.message}")
        return response


main = partial(run_node, "babble", BabbleNode)


if __name__ == "__main__":
    raise SystemExit(main())
