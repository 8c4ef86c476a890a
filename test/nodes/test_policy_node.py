"""The policy node over real ROS topics: readings in, commands and timing out."""

import json
import os
import time

import numpy as np
import onnx
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from onnx import TensorProto, helper, numpy_helper
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState, TimeReference
from std_srvs.srv import Trigger

from rena_ros.nodes.messages import nanoseconds
from rena_ros.nodes.policy import PolicyNode
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
DEADLINE_S = 60.0
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    """Goals = the first 25 features, whatever they mean."""
    weights = np.eye(55, 25, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weights"], ["goals"])],
        "first",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 55])],
        [helper.make_tensor_value_info("goals", TensorProto.FLOAT, ["n", 25])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    labels = {
        "rena.servo_names": ROBOT.names,
        "rena.feature_names": READING_NAMES,
        "rena.robot_rest": [0.2] * 52 + [0.0] * 3,
        "rena.provenance": {},
    }
    helper.set_model_props(model, {key: json.dumps(value) for key, value in labels.items()})
    path = tmp_path_factory.mktemp("model") / "first.onnx"
    onnx.save(model, path)
    return path


class Ticks:
    """The time of the node under test: each tick takes 20 ms, however late the computer is."""

    now_s = 1000.0

    def monotonic(self):
        self.now_s += 1e-6
        return self.now_s

    perf_counter = monotonic


class TickingNode(PolicyNode):
    """A policy node with a clock that advances with its ticks."""

    def on_tick(self):
        CLOCK.now_s += 0.02
        super().on_tick()


CLOCK = Ticks()


class PolicyNodeStand:
    """The node under test, and a peer that feeds it and writes down what it says."""

    def __init__(self, model_path, domain):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        overrides = [Parameter("model_path", value=str(model_path)), Parameter("rest_seconds", value=0.4)]
        self.node = TickingNode(context=self.context, namespace="/face1", parameter_overrides=overrides)
        self.peer = rclpy.create_node("peer", context=self.context, namespace="/face1")
        self.commands, self.timings, self.diagnostics = [], [], []
        self.readings = self.peer.create_publisher(JointState, "face/blendshapes", 5)
        self.peer.create_subscription(JointState, "servos/command/mimic", self.commands.append, 10)
        self.peer.create_subscription(TimeReference, "timing", self.timings.append, 100)
        self.peer.create_subscription(DiagnosticArray, "/diagnostics", lambda m: self.diagnostics.extend(m.status), 10)
        names = ("rest", "policy/pause", "policy/resume")
        self.rest, self.pause, self.resume = (self.peer.create_client(Trigger, name) for name in names)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self.until(lambda: self.readings.get_subscription_count() and self.commands and self.rest.service_is_ready())
        self._stamp_s = 1000

    def until(self, condition) -> None:
        end_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end_s, "waited too long"
            self.executor.spin_once(timeout_sec=0.02)

    def show(self, **values) -> JointState:
        """Publish one reading, 0.1 s of image time after the one before, and wait for its command."""
        message = self.show_unanswered(**values)
        self.until(lambda: any(command.header.stamp == message.header.stamp for command in self.commands))
        return next(command for command in self.commands if command.header.stamp == message.header.stamp)

    def show_unanswered(self, **values) -> JointState:
        """Publish one reading, and let the node live for a tick."""
        self._stamp_s += 1
        coefficients, head = dict.fromkeys(READING_NAMES[:52], 0.05), dict.fromkeys(READING_NAMES[52:], 0.0)
        features = {**coefficients, **head, **values}
        message = JointState(name=list(features), position=list(features.values()))
        message.header.stamp.sec, tenths = divmod(self._stamp_s, 10)
        message.header.stamp.nanosec = tenths * 100_000_000
        self.last_shown, before_s = message.header.stamp, CLOCK.now_s
        self.readings.publish(message)
        self.until(lambda: before_s + 0.02 <= CLOCK.now_s)
        return message

    def call(self, client):
        """Call one of the node's services; return its response."""
        future = client.call_async(Trigger.Request())
        self.until(future.done)
        return future.result()

    def stay(self, seconds_of_easing: float = 0.6, **values) -> JointState:
        """Show the same reading until the easing is over; the last command."""
        end_s = CLOCK.now_s + seconds_of_easing
        while CLOCK.now_s < end_s:
            self.show(**values)
        return self.show(**values)

    def close(self) -> None:
        self.node.destroy_node()
        self.peer.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="module")
def shared_policy(model_path, own_domain):
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setattr("rena_ros.nodes.policy.time", CLOCK)
        patch.setattr("rena_ros.nodes.reading_intake.time", CLOCK)
        policy = PolicyNodeStand(model_path, domain)
        yield policy
        policy.close()


@pytest.fixture
def policy(shared_policy):
    shared_policy.node.resting.reset()
    shared_policy.until(lambda: shared_policy.node.presence.absent(CLOCK.now_s) is not None)
    for messages in (shared_policy.commands, shared_policy.timings, shared_policy.diagnostics):
        messages.clear()
    return shared_policy


def test_a_reading_becomes_a_command_with_the_images_stamp(policy):
    command = policy.stay(jawOpen=0.5, browDownLeft=0.9)  # jawOpen is feature 25, and so no goal of this model
    assert tuple(command.name) == ROBOT.names
    goals = np.full(25, 0.05)
    goals[READING_NAMES.index("browDownLeft")] = 0.9
    np.testing.assert_allclose(command.position, ROBOT.positions(goals), atol=1e-6)
    policy.until(lambda: any(timing.time_ref == command.header.stamp for timing in policy.timings))
    assert {timing.source for timing in policy.timings} == {"policy"}


def test_absence_eases_to_neutral_without_timing(policy):
    policy.stay(browDownLeft=0.9)
    policy.commands.clear()
    policy.readings.publish(JointState())
    policy.until(lambda: policy.commands and np.allclose(policy.commands[-1].position, 0, atol=1e-6))
    eased = np.array([command.position[1] for command in policy.commands])  # brow_right_raise, feature 1
    assert eased[0] > 0.8 * ROBOT.positions(np.full(25, 0.9))[1]
    assert (np.diff(eased) <= 1e-9).all() and len(eased) > 10
    stamps = [nanoseconds(command.header.stamp) for command in policy.commands]
    assert stamps == sorted(set(stamps)) and min(stamps) > nanoseconds(policy.last_shown)
    images = {nanoseconds(timing.time_ref) for timing in policy.timings}
    assert not images & set(stamps)  # timing is of images only
    assert nanoseconds(policy.show().header.stamp) > max(stamps)  # none has overtaken the next image


def test_a_paused_policy_sends_nothing_and_comes_back_from_neutral(policy):
    policy.stay(browDownLeft=0.9)
    assert policy.call(policy.pause).success
    policy.commands.clear()
    policy.diagnostics.clear()
    end_s = CLOCK.now_s + 1.5
    while CLOCK.now_s < end_s:
        policy.show_unanswered(browDownLeft=0.9)
    policy.until(lambda: any(status.message == "paused" for status in policy.diagnostics))
    assert policy.commands == [] and policy.diagnostics[-1].level == b"\x00"
    assert policy.call(policy.resume).success
    i = READING_NAMES.index("browDownLeft")
    first = policy.show(browDownLeft=0.9).position[i]
    last = policy.stay(browDownLeft=0.9).position[i]
    assert first < 0.2 * last and last == pytest.approx(ROBOT.positions(np.full(25, 0.9))[i], abs=1e-6)


def test_the_resting_face_is_measured_and_measured_again(policy):
    person = {"jawOpen": 0.1, "browInnerUp": 0.4}
    for _ in range(6):  # 0.5 s of image time
        policy.show(**person)
    assert policy.node.resting.measured
    rested = policy.stay(**person)
    np.testing.assert_allclose(ROBOT.goals(rested.position), 0.2, atol=1e-5)  # the robot's rest
    assert policy.call(policy.rest).success
    assert not policy.node.resting.measured


def test_readings_that_do_not_fit_are_refused_and_reported(policy):
    policy.stay(browDownLeft=0.9)
    policy.diagnostics.clear()
    bad = JointState(name=list(READING_NAMES), position=[float("nan")] * 55)
    short = JointState(name=["jawOpen"], position=[0.5])
    for message in (bad, short):
        policy.readings.publish(message)
        policy.until(lambda: any("refused" in status.message for status in policy.diagnostics))
        policy.diagnostics.clear()
    assert all(np.isfinite(command.position).all() for command in policy.commands)


def test_diagnostics_have_the_keys_that_are_documented(policy):
    policy.diagnostics.clear()
    policy.until(lambda: policy.diagnostics)
    keys = {value.key for value in policy.diagnostics[-1].values}
    assert policy.diagnostics[-1].name == "face1/policy: mimicry"
    assert keys == {"rate_hz", "inference_ms", "person_present", "paused", "rest_measured"}


@pytest.fixture
def simulated(model_path, ros_domain, monkeypatch):
    """A policy node on a simulation's time; its callbacks are called, and its commands kept."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    monkeypatch.setattr("rena_ros.nodes.policy.time", CLOCK)
    monkeypatch.setattr("rena_ros.nodes.reading_intake.time", CLOCK)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    values = {"model_path": str(model_path), "rest_seconds": 0.4, "use_sim_time": True}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = TickingNode(context=context, parameter_overrides=overrides)
    node.commands = []
    node._command.publish = node.commands.append
    yield node
    node.destroy_node()
    context.try_shutdown()


def test_a_bag_that_is_sought_backwards_and_played_again_is_followed(simulated):
    """Without /clock first, then with one that jumps: each pass is followed, and its stamps rise."""
    node = simulated
    node.on_tick()
    node.on_second()
    assert nanoseconds(node.commands[-1].header.stamp) == 0  # no /clock yet: nothing fails
    for begin_s in (1000, 400, 1000):
        node.commands.clear()
        node.resting.reset()
        for i in range(30):
            clock = Clock()
            clock.clock.sec, tenths = divmod(begin_s * 10 + i, 10)
            clock.clock.nanosec = tenths * 100_000_000
            node._time_source.clock_callback(clock)
            reading = JointState(name=list(READING_NAMES), position=[0.05] * 52 + [0.0] * 3)
            reading.header.stamp = clock.clock
            node.intake.on_reading(reading if i < 20 else JointState(header=reading.header))
            for _ in range(5):
                node.on_tick()
        stamps = [nanoseconds(command.header.stamp) for command in node.commands]
        assert stamps == sorted(stamps) and stamps[0] == begin_s * 10**9
        assert node.resting.measured
        assert np.allclose(node.commands[-1].position, 0, atol=1e-6)  # the person has left
        node.on_second()


@pytest.mark.parametrize("rate_hz", [1, 2, 5])
def test_slow_readings_are_followed_and_their_commands_repeated(simulated, rate_hz):
    node = simulated
    position = [0.05] * 52 + [0.0] * 3
    position[READING_NAMES.index("browDownLeft")] = 0.9
    for i in range(8 * rate_hz):
        reading = JointState(name=list(READING_NAMES), position=position)
        reading.header.stamp.sec, part = divmod(5 * rate_hz + i, rate_hz)
        reading.header.stamp.nanosec = part * 10**9 // rate_hz
        node.intake.on_reading(reading)
        if i == 6 * rate_hz:
            node.commands.clear()
        for _ in range(50 // rate_hz):
            node.on_tick()
    stamps = [nanoseconds(command.header.stamp) for command in node.commands]
    assert stamps == sorted(stamps)
    assert len(node.commands) >= 8  # in 2 s: the servos node waits for half a second
    followed = ROBOT.positions(np.full(25, 0.9))[READING_NAMES.index("browDownLeft")]
    for command in node.commands:
        assert command.position[READING_NAMES.index("browDownLeft")] == pytest.approx(followed, abs=1e-6)


def test_idle_moves_lids_and_eyes_alone_and_ends_in_one_call(simulated):
    node = simulated
    node.set_parameters([Parameter("idle", value=True)])
    for _ in range(1000):
        node.on_tick()
    lived = np.array([command.position for command in node.commands])
    moving = {ROBOT.names[i] for i in np.flatnonzero(np.ptp(lived, axis=0) > 1e-6)}
    sides = ("left", "right")
    assert moving == {name.format(side) for name in ("lid_{}", "eye_{}_yaw", "eye_{}_pitch") for side in sides}
    node.set_parameters([Parameter("idle", value=False)])
    for _ in range(17):  # 0.34 s
        node.on_tick()
    assert np.abs(node.commands[-1].position).max() < 1e-6
    node.commands.clear()
    for _ in range(200):
        node.on_tick()
    assert np.abs([command.position for command in node.commands]).max() < 1e-6


@pytest.mark.parametrize("wanted", [False, True])
def test_a_fast_blink_closes_the_lid_whole_only_where_it_is_asked_for(simulated, wanted):
    """The goal of lid_left is feature 8, no eyeBlink: the model itself does not move it."""
    node, lid = simulated, ROBOT.index["lid_left"]
    node.set_parameters([Parameter("whole_blinks", value=wanted)])
    blinks, lids = [READING_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")], []
    assert lid not in blinks
    for i in range(60):
        position = np.full(55, 0.05)
        position[blinks] = 0.7 if i in (40, 41) else 0.05
        reading = JointState(name=list(READING_NAMES), position=position.tolist())
        reading.header.stamp.sec, part = divmod(30 + i, 30)
        reading.header.stamp.nanosec = part * 10**9 // 30
        CLOCK.now_s += 1 / 30
        node.intake.on_reading(reading)
        lids.append(float(ROBOT.goals(node.commands[-1].position)[lid]))
    rest = lids[30]  # the face has come, and its resting face is measured
    assert max(lids[40:]) == pytest.approx(1.0 if wanted else rest, abs=1e-5)
    assert lids[-1] == pytest.approx(rest, abs=1e-5) and rest < 0.5


def test_the_model_is_given_what_is_expected_and_the_resting_face_what_was_read(simulated, monkeypatch):
    node, learned, times_s = simulated, [], []

    def ahead(features, landmarks, t_s):
        times_s.append(t_s)
        return features + np.float32(0.1), landmarks

    monkeypatch.setattr(node.predictor, "ahead", ahead)
    monkeypatch.setattr(node.resting, "observe", lambda features, t_s: learned.append(features))
    for i in range(30):
        reading = JointState(name=list(READING_NAMES), position=[0.3] * 52 + [0.0] * 3)
        reading.header.stamp.sec, reading.header.stamp.nanosec = 1000 + i // 10, i % 10 * 100_000_000
        node.intake.on_reading(reading)
        for _ in range(5):
            node.on_tick()
    np.testing.assert_allclose(ROBOT.goals(np.array(node.commands[-1].position)), 0.4, atol=1e-6)
    np.testing.assert_allclose(learned[-1], [0.3] * 52 + [0.0] * 3, atol=1e-6)
    assert times_s[-1] == pytest.approx(1002.9)


def test_prediction_and_blinks_forget_a_person_who_has_left(simulated, monkeypatch):
    node, forgotten = simulated, []
    monkeypatch.setattr(node.predictor, "reset", lambda: forgotten.append("prediction"))
    monkeypatch.setattr(node._blinks, "reset", lambda: forgotten.append("blinks"))
    reading = JointState(name=list(READING_NAMES), position=[0.1] * 52 + [0.0] * 3)
    for away_s in (0.1, node.new_person_after_s - 0.1, node.new_person_after_s + 0.1):
        reading.header.stamp.nanosec += 100_000_000
        node.intake.on_reading(reading)
        assert forgotten == []
        CLOCK.now_s += away_s
    reading.header.stamp.nanosec += 100_000_000
    node.intake.on_reading(reading)
    assert sorted(forgotten) == ["blinks", "prediction"]
