"""The parts of the lag that lie before the gate and after the horns, each measured by itself in this run."""

import time
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.bench.rehearsal import Rehearsal, context_with
from rena_ros.nodes.messages import joint_state_msg
from rena_ros.perception.face_reader import FaceReader, FaceReading
from rena_ros.perception.landmark_frame import aligned
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace
from rena_ros.twin.performer import DURATION_S, Performer, performance

FRAMES = 60
FRAME_S = 1 / 30
_WIDTH, _HEIGHT = 640, 480
_SETTLED = 5  # frames or messages before the first that counts
_WAIT_S = 2.0
_READS = 50
READ_PERIOD_S = 1 / 50  # as the servos node ships
CAMERA, PERCEPTION, TRANSPORT, STATE, PICTURE = "camera", "perception", "transport", "horn → state", "state → picture"


@dataclass(frozen=True)
class LagPart:
    """One part of the lag: medians and 95th percentiles in ms; ``how``: what was measured."""

    name: str
    p50_ms: float
    p95_ms: float
    how: str

    @classmethod
    def of(cls, name: str, times_s: FloatArray | list[float], how: str) -> "LagPart":
        """Take the figures of measurements."""
        p50, p95 = np.percentile(np.asarray(times_s) * 1e3, (50, 95))
        return cls(name, float(p50), float(p95), how)


def camera(fps: float) -> LagPart:
    """Return the wait of a change of the face for the next picture at ``fps``, at even phases; not measured."""
    wait_s = (np.arange(FRAMES) + 0.5) / FRAMES / fps
    return LagPart.of(
        CAMERA, wait_s, f"a change's wait for the next of {fps:g} pictures/s: by arithmetic, before the stamp"
    )


def perception() -> tuple[LagPart, FaceReading]:
    """Read faces of the drawn performer; return the part, and the newest reading. Raises RenaError without one."""
    performer, times_s, newest = Performer(), [], None
    with FaceReader() as reader:
        for k in range(FRAMES + _SETTLED):
            picture = performer.frame(k * DURATION_S / FRAMES)
            begun_s = time.perf_counter()
            reading = reader.read(picture, round(k * 1e3 * FRAME_S))
            times_s.append(time.perf_counter() - begun_s)
            newest = newest if reading is None else reading
    if newest is None:
        raise RenaError("no face was found in any picture of the performer; try `rena bench perception`")
    return LagPart.of(PERCEPTION, times_s[_SETTLED:], "FaceReader.read, drawn performer 640x480"), newest


def transport(reading: FaceReading) -> LagPart:
    """Let the policy answer a reading, and send each command through its topic, as the composed chain does."""
    policy = Policy()
    names, rows, aspect = policy.robot.names, reading.landmarks[None], _WIDTH / _HEIGHT
    times_s: list[float] = []
    with _CommandTopic() as topic:
        for _ in range(FRAMES + _SETTLED):
            begun_s = time.perf_counter()
            goals = policy(reading.features, aligned(rows, aspect)[0] if policy.needs_landmarks else None)
            topic.pass_on(joint_state_msg(names, policy.robot.positions(goals).tolist(), Time()))
            times_s.append(time.perf_counter() - begun_s)
    how = "the policy's answer and a command through its topic; pictures pass without a topic in the composed chain"
    return LagPart.of(TRANSPORT, times_s[_SETTLED:], how)


class _CommandTopic:
    """A publisher and a subscriber of commands, in two nodes of this process."""

    def __init__(self) -> None:
        self._context = context_with({})
        self._nodes = [Node(f"lag_{end}", context=self._context) for end in ("from", "to")]
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._nodes[1])
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._arrived = False
        self._publisher = self._nodes[0].create_publisher(JointState, "lag/command", qos)
        self._nodes[1].create_subscription(JointState, "lag/command", self._on_message, qos)

    def __enter__(self) -> "_CommandTopic":
        limit_s = time.monotonic() + _WAIT_S
        while not self._publisher.get_subscription_count() and time.monotonic() < limit_s:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        for node in self._nodes:
            node.destroy_node()
        self._context.try_shutdown()

    def pass_on(self, message: JointState) -> None:
        """Publish a message and take it. Raises RenaError when it does not arrive."""
        self._arrived, limit_s = False, time.monotonic() + _WAIT_S
        self._publisher.publish(message)
        while not self._arrived:
            if time.monotonic() > limit_s:
                raise RenaError(f"a command did not arrive on the topic lag/command within {_WAIT_S:g} s")
            self._executor.spin_once(timeout_sec=0.1)

    def _on_message(self, _: JointState) -> None:
        self._arrived = True


def state() -> LagPart:
    """Read the states of emulated servos in virtual time; the age of a state when its read ends."""
    rehearsal = Rehearsal(quiet=True)
    try:
        rehearsal.live(0.1)
        ages_s: list[float] = []
        apart_s: list[float] = []
        while len(ages_s) < _READS:
            rehearsal.live(READ_PERIOD_S)
            if (read := rehearsal.gate.read()) is not None:
                ages_s.append(read.stamp_s - read.middle_s)
                apart_s.append(float(np.abs(read.seen_s - read.middle_s).max()))
    finally:
        rehearsal.close()
    how = f"the read's second half; a servo is read at most {max(apart_s) * 1e3:.1f} ms off the state's stamp"
    return LagPart.of(STATE, ages_s, how)


def picture() -> LagPart:
    """Draw the robot; to the drawing is added the wait for the twin's tick, at even phases of the newest state's age.

    The picture bears the state's stamp: the person who watches waits for this, the round trip's figure does not.
    """
    face, robot = TwinFace(), load_robot()
    times_s = []
    for k in range(FRAMES + _SETTLED):
        goals = performance(k * DURATION_S / FRAMES, robot)
        begun_s = time.perf_counter()
        face.render(goals)
        times_s.append(time.perf_counter() - begun_s)
    wait_s = (np.arange(FRAMES) + 0.5) / FRAMES * READ_PERIOD_S
    how = f"wait of the twin's tick for a state, {READ_PERIOD_S / 2 * 1e3:.0f} ms on average, and drawing"
    return LagPart.of(PICTURE, np.array(times_s[_SETTLED:]) + wait_s, how)
