"""policy node: readings of a person's face -> commands for the servos.

Subscribes ``face/blendshapes``; publishes ``servos/command/mimic`` (radians, with the image's own stamp) as soon as a
reading arrives, and ``timing``. While no face is present it eases to neutral at ``rate_hz``; no image caused those
commands, so their stamps lie between those of the images, and they are not reported on ``timing``. With ``idle`` it
then blinks and moves its eyes a little, until a face comes.

The model is given what the person's face is expected to be ``horizon_s`` later (see ``behaviour.prediction``).

A model that reads landmarks waits for those of the same image on ``face/landmarks``, and takes the shape of the image
from ``camera/camera_info``; a reading whose landmarks do not come before the next one is skipped, and counted.

Services: ``rest`` measures the person's resting face again; ``~/pause`` stops all commands, so that another source or
the servos node's time-out has the robot; ``~/resume`` begins again at neutral and fades in.
"""

import time
from functools import partial

import builtin_interfaces.msg
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import JointState, TimeReference
from std_srvs.srv import Trigger

from rena_ros.base.files import printable
from rena_ros.behaviour.command_stamps import CommandStamps
from rena_ros.behaviour.idle import IdleLife
from rena_ros.behaviour.person import PersonFace
from rena_ros.behaviour.policy import Policy
from rena_ros.behaviour.prediction import Predictor
from rena_ros.behaviour.presence import Presence
from rena_ros.behaviour.resting_face import RestingFace
from rena_ros.behaviour.whole_blinks import WholeBlinks
from rena_ros.nodes.hops import Hops
from rena_ros.nodes.messages import diagnostics_msg, joint_state_msg, nanoseconds, timing_msg
from rena_ros.nodes.parameters import declare, on_change
from rena_ros.nodes.policy_parameters import PARAMETERS
from rena_ros.nodes.policy_status import PolicyCounts
from rena_ros.nodes.reading_intake import ReadingIntake
from rena_ros.nodes.running import STEADY, run_node, set_rate
from rena_ros.perception.face_reader import FaceReading
from rena_ros.robot.file import load_robot

HOLD_S = 0.2  # readings that come more slowly are repeated: the servos node eases to neutral without commands


class PolicyNode(Node):
    """Runs the model on each reading, unless it is paused."""

    def __init__(self, direct: bool = False, **node_options):
        """``direct``: readings come by ``follow``, not on topics; see ``nodes.chain``."""
        super().__init__("policy", **node_options)
        given = declare(self, PARAMETERS)
        self.robot = load_robot(given["robot_file"])
        self.policy = Policy(given["model_path"], self.robot)
        neutral = self.policy.robot_neutral
        self.policy(neutral.features, neutral.landmarks)  # the first inference is slow: not at the cost of a reading
        self.resting = RestingFace(self.policy.robot_rest, given["rest_seconds"])
        self.person = PersonFace(neutral, given["rest_seconds"])  # for models that read a neutral face
        self.predictor = Predictor()
        self._set_horizon(given["horizon_s"])
        self.presence = Presence(self.robot.neutral_goals, given["lost_after_s"])
        self.new_person_after_s: float = given["new_person_after_s"]
        self._seen_s: float | None = None  # when a face was last acted upon
        self._stamps, self._paused, self._sent_s = CommandStamps(), False, 0.0
        self.intake = ReadingIntake(self.policy.needs_landmarks, self._act, self._refuse, self._stamps)
        self._counts = PolicyCounts()
        self._idle, self.lives_idle = IdleLife(self.robot), False
        self._blinks, self.whole_blinks = WholeBlinks(self.robot), False

        self._command = self.create_publisher(JointState, "servos/command/mimic", QoSProfile(depth=1))
        self._timing = self.create_publisher(TimeReference, "timing", QoSProfile(depth=100))
        self._hops = Hops(self)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        if not direct:
            self.intake.subscribe(self)
        self.create_service(Trigger, "rest", self.on_rest)
        self.create_service(Trigger, "~/pause", self.on_pause)
        self.create_service(Trigger, "~/resume", self.on_resume)
        timer = self.create_timer(1 / given["rate_hz"], self.on_tick, clock=STEADY)
        self.create_timer(1.0, self.on_second, clock=STEADY)
        on_change(
            self,
            rate_hz=partial(set_rate, timer),
            lost_after_s=partial(setattr, self.presence, "lost_after_s"),
            new_person_after_s=partial(setattr, self, "new_person_after_s"),
            rest_seconds=self._set_rest_seconds,
            horizon_s=self._set_horizon,
            idle=self._set_idle,
            whole_blinks=self._set_whole_blinks,
        )
        self._set_idle(given["idle"])
        self._set_whole_blinks(given["whole_blinks"])
        figures = self.policy.provenance.get("held_out", {})
        error = f", held-out RMSE {100 * figures['rmse']:.1f} %" if "rmse" in figures else ""
        self.get_logger().info(f"model {printable(self.policy.path)}{error}; {self._asked()}")

    def is_heard(self) -> bool:
        """Whether a node subscribes to the commands."""
        return bool(self._command.get_subscription_count())

    def follow(self, reading: FaceReading | None, aspect: float, stamp: builtin_interfaces.msg.Time) -> None:
        """Turn a reading into a command; ``aspect``: width / height of its image. None: no face is present."""
        self.intake.follow(reading, aspect, stamp)

    def _act(self, features: np.ndarray, landmarks: np.ndarray | None, stamp: builtin_interfaces.msg.Time) -> None:
        """Turn features and aligned landmarks of one image into a command."""
        start_s, now_s, t_s = time.perf_counter(), time.monotonic(), nanoseconds(stamp) * 1e-9
        self._hops.mark("reading taken")
        self._meet(now_s)
        try:
            expected, expected_landmarks = self.predictor.ahead(features, landmarks, t_s)
            if self.policy.reads_rest:
                goals = self.policy(expected, expected_landmarks, self.person.rest)
            else:
                goals = self.policy(self.resting.adapt(expected), expected_landmarks)
        except ValueError as error:
            self._refuse(str(error))
            return
        self._counts.acted((time.perf_counter() - start_s) * 1e3)
        self._hops.mark("goals inferred")
        if not self._paused:
            goals = self._blinks.close(goals, features, t_s, self.whole_blinks)
            self._publish(self._idle.live(self.presence.seen(goals, now_s), now_s, False), stamp)
            self._timing.publish(timing_msg("policy", stamp, self.get_clock().now().to_msg()))
        self._hops.publish(stamp)
        self._learn_person(features, landmarks, t_s)

    def _meet(self, now_s: float) -> None:
        """Forget the person's neutral face when no face was seen for long: the next may be another's."""
        if self._seen_s is not None and now_s - self._seen_s > self.new_person_after_s:
            self.resting.reset()
            self.person.reset()
            self.predictor.reset()
            self._blinks.reset()
            self.get_logger().info(f"a face after {now_s - self._seen_s:.0f} s without one: {self._asked()}")
        self._seen_s = now_s

    def _learn_person(self, features: np.ndarray, landmarks: np.ndarray | None, t_s: float) -> None:
        if self.policy.reads_rest:
            self.person.observe(features, t_s, landmarks)
        elif self.resting.observe(features, t_s):
            differences = (
                f"{name} {person:.2f} (robot {rest:.2f})" for name, person, rest in self.resting.differences()
            )
            self.get_logger().info(f"resting face measured: {', '.join(differences)}")

    def on_tick(self) -> None:
        """While no face is present, ease to neutral and stay there; between slow readings, hold."""
        now_s = time.monotonic()
        if self._paused:
            return
        goals = self.presence.absent(now_s)
        alone = goals is not None and self.presence.at_neutral and self.lives_idle
        if goals is None and (self._idle.moves or now_s - self._sent_s > HOLD_S):
            goals = self.presence.held()
        if goals is not None:
            goals = self._idle.live(goals, now_s, alone)
            stamp_ns = self._stamps.between(self.get_clock().now().nanoseconds, now_s)
            self._publish(goals, Time(nanoseconds=stamp_ns).to_msg())

    def on_rest(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Measure the resting face again."""
        self.resting.reset()
        self.person.reset()
        response.success = True
        response.message = self._asked()
        self.get_logger().info(response.message)
        return response

    def on_pause(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Send no more commands until ``resume``."""
        self._paused = True
        self.presence.reset()
        self._idle.reset()
        self._blinks.reset()
        response.success, response.message = True, "paused: no more commands; the service ~/resume goes on"
        self.get_logger().info(response.message)
        return response

    def on_resume(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Follow the person again, from neutral on."""
        self._paused = False
        response.success, response.message = True, "following again"
        self.get_logger().info(response.message)
        return response

    def on_second(self) -> None:
        """Publish the diagnostics of the last second."""
        present = self.presence.is_present(time.monotonic())
        # A person has asked for the pause: it is no fault, so the level stays OK.
        alone = "idle" if self._idle.moves else "no face"
        status = self._counts.report(
            self.get_fully_qualified_name().lstrip("/"),
            printable(self.policy.path),
            "paused" if self._paused else "following" if present else alone,
            self.intake.skipped,
            {"person_present": present, "paused": self._paused, "rest_measured": self._rest_state()},
        )
        self._diagnostics.publish(diagnostics_msg([status], self.get_clock().now().to_msg()))

    def _rest_state(self) -> str:
        if self.policy.reads_rest:
            return f"{self.person.confidence:.0%} confident, {np.median(self.person.seen_s):.1f} s of rest so far"
        return "yes" if self.resting.measured else f"{self.resting.calm_s:.1f} s of calm so far"

    def _asked(self) -> str:
        """Return what the model wants of a person who has just come."""
        if self.policy.reads_rest:
            return "learning the person's face at rest while the person acts; a calm moment speeds it up"
        return f"measuring the resting face; look at the camera with a calm face for {self.resting.rest_seconds:g} s"

    def _set_horizon(self, horizon_s: float) -> None:
        least_s, most_s = self.predictor.horizon_range_s
        self.predictor.horizon_s = 0.0 if horizon_s == 0 else min(max(horizon_s, least_s), most_s)
        if horizon_s != self.predictor.horizon_s:
            self.get_logger().warning(
                f"horizon_s {horizon_s:g} s: the model of sequences predicts {least_s:g} to {most_s:g} s ahead, "
                f"or 0 for nothing; {self.predictor.horizon_s:g} s is used"
            )

    def _set_rest_seconds(self, seconds: float) -> None:
        self.resting.rest_seconds = self.person.rest_seconds = seconds

    def _set_whole_blinks(self, wanted: bool) -> None:
        self.whole_blinks = wanted
        if wanted:
            self._say_missing("whole_blinks", self._blinks.missing)

    def _set_idle(self, wanted: bool) -> None:
        self.lives_idle = wanted
        if wanted:
            self._say_missing("idle", self._idle.missing)

    def _say_missing(self, parameter: str, servos: tuple[str, ...]) -> None:
        if servos:
            text = f"{parameter}: the robot file has no {', '.join(servos)}; what there is of lids and eyes moves"
            self.get_logger().info(text, once=True)

    def _publish(self, goals: np.ndarray, stamp: builtin_interfaces.msg.Time) -> None:
        self._sent_s = time.monotonic()
        self._command.publish(joint_state_msg(self.robot.names, self.robot.positions(goals).tolist(), stamp))

    def _refuse(self, reason: str) -> None:
        self._counts.refused += 1
        self.get_logger().warning(f"reading refused: {reason}", throttle_duration_sec=5.0)


main = partial(run_node, "policy", PolicyNode, niceness=-10)


if __name__ == "__main__":
    raise SystemExit(main())
