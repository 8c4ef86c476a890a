"""A policy node whose model reads landmarks: its callbacks are called, in any order, and its commands kept."""

import json

import numpy as np
import onnx
import pytest
import rclpy
from onnx import TensorProto, helper, numpy_helper
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Header

from rena_ros.base.errors import RenaError
from rena_ros.nodes.blendshapes import _cloud
from rena_ros.nodes.landmark_clouds import landmarks_of
from rena_ros.nodes.messages import nanoseconds
from rena_ros.nodes.policy import PolicyNode
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.landmark_frame import RIGID
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
POINTS = np.random.default_rng(0).uniform(0.2, 0.8, (478, 3)).astype(np.float32)
POINTS[list(RIGID)] = 0.5 + 0.2 * np.array(list(RIGID.values())) / (2, 1, 2)  # a face in place, in a picture of 2 : 1


@pytest.fixture
def node(tmp_path, ros_domain, monkeypatch):
    """A node whose model gives x of point 1 to the first twelve servos, and y to the others."""
    read = helper.make_tensor_value_info
    kinds = {"features": [55], "landmarks": [478, 3], "rest_features": [55]}
    inputs = [read(name, TensorProto.FLOAT, ["n", *shape]) for name, shape in kinds.items()]
    weights = np.zeros((3, 25), np.float32)
    weights[0, :12], weights[1, 12:] = 1, 1
    tensors = [numpy_helper.from_array(np.int64(1), "first"), numpy_helper.from_array(weights, "weights")]
    nodes = [
        helper.make_node("Gather", ["landmarks", "first"], ["point"], axis=1),
        helper.make_node("MatMul", ["point", "weights"], ["goals"]),
    ]
    graph = helper.make_graph(nodes, "point", inputs, [read("goals", TensorProto.FLOAT, ["n", 25])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    labels = {
        "rena.servo_names": ROBOT.names,
        "rena.feature_names": READING_NAMES,
        "rena.robot_rest": [0.1] * 52 + [0.0] * 3,
        "rena.robot_rest_landmarks": np.zeros((478, 3)).tolist(),
        "rena.provenance": {},
    }
    helper.set_model_props(model, {key: json.dumps(value) for key, value in labels.items()})
    onnx.save(model, tmp_path / "model.onnx")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    overrides = [Parameter("model_path", value=str(tmp_path / "model.onnx"))]
    node = PolicyNode(context=context, parameter_overrides=overrides)
    node.commands, node.statuses = [], []
    node._command.publish = node.commands.append
    node._diagnostics.publish = node.statuses.append
    yield node
    node.destroy_node()
    context.try_shutdown()


def reading(stamp_s: int) -> JointState:
    message = JointState(name=list(READING_NAMES), position=[0.1] * 52 + [0.0] * 3)
    message.header.stamp.sec = stamp_s
    return message


def cloud(stamp_s: int, points: np.ndarray = POINTS):
    header = Header()
    header.stamp.sec = stamp_s
    return _cloud(points, header)


def status(node) -> tuple[int, str]:
    node.on_second()
    return node.statuses[-1].status[0].level[0], node.statuses[-1].status[0].message


def test_a_reading_waits_for_the_landmarks_of_its_image_in_either_order(node):
    node.intake.on_info(CameraInfo(width=640, height=320))
    node.intake.on_reading(reading(1))
    assert node.commands == []
    node.intake.on_landmarks(cloud(1))
    node.intake.on_landmarks(cloud(2))
    node.intake.on_reading(reading(2))
    assert [nanoseconds(one.header.stamp) for one in node.commands] == [10**9, 2 * 10**9]
    assert status(node) == (0, "following")
    assert node.person.seen_s.max() > 0.5  # s between the two


def test_a_face_after_a_long_absence_is_another_persons(node):
    node.intake.on_info(CameraInfo(width=640, height=320))
    for stamp_s in (1, 2, 3):
        node.intake.on_reading(reading(stamp_s))
        node.intake.on_landmarks(cloud(stamp_s))
    assert node.person.seen_s.max() > 1.5
    node._seen_s -= 4.0
    node.intake.on_reading(reading(7))
    node.intake.on_landmarks(cloud(7))
    assert node.person.seen_s.max() > 1.5  # the same person, back after four seconds
    node._seen_s -= 6.0
    node.intake.on_reading(reading(14))
    node.intake.on_landmarks(cloud(14))
    assert node.person.seen_s.max() == 0 and len(node.commands) == 5


def test_a_reading_without_landmarks_is_skipped_with_a_warning_that_helps(node):
    node.intake.on_info(CameraInfo(width=640, height=320))
    for stamp_s in (1, 2, 3):
        node.intake.on_reading(reading(stamp_s))
    level, text = status(node)
    assert node.commands == [] and level == 1
    assert text.startswith("2 readings skipped without landmarks") and "face/landmarks" in text
    node.intake.on_landmarks(cloud(3))
    assert len(node.commands) == 1 and status(node)[0] == 0


def test_the_shape_of_the_image_is_needed_and_used(node):
    node.intake.on_reading(reading(1))
    node.intake.on_landmarks(cloud(1))
    assert node.commands == [] and status(node) == (1, "1 readings refused")
    node.intake.on_info(CameraInfo(width=640, height=320))
    given = []
    node.policy.batch = lambda features, landmarks, rest: given.append(landmarks) or np.full((1, 25), 0.5, np.float32)
    node.intake.on_reading(reading(2))
    node.intake.on_landmarks(cloud(2))
    expected = (POINTS * (2, 1, 2) - (1.0, 0.5, 1.0)) / 0.2  # the inverse of how the face was put in place
    np.testing.assert_allclose(given[0][0], expected, atol=1e-4)


def test_another_cloud_is_refused(node):
    with pytest.raises(RenaError, match="478 points"):
        landmarks_of(cloud(1, POINTS[:468]))
    np.testing.assert_array_equal(landmarks_of(cloud(1)), POINTS)
    node.intake.on_landmarks(cloud(1, POINTS[:468]))
    assert status(node)[0] == 1
