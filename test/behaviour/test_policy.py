"""Policy: what a model file must hold to drive this robot. The models are built with onnx, without torch."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy, RestReading
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
WEIGHTS = np.random.default_rng(0).normal(size=(55, 25)).astype(np.float32)


def write_model(path, servos=ROBOT.names, features=READING_NAMES, rest=None, weights=WEIGHTS, omit=None):
    """A linear model: goals = features @ weights."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weights"], ["goals"])],
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", weights.shape[0]])],
        [helper.make_tensor_value_info("goals", TensorProto.FLOAT, ["n", weights.shape[1]])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    labels = {
        "rena.servo_names": list(servos),
        "rena.feature_names": list(features),
        "rena.robot_rest": [0.1] * len(features) if rest is None else rest,
        "rena.provenance": {"seed": 3},
    }
    helper.set_model_props(model, {key: json.dumps(value) for key, value in labels.items() if key != omit})
    onnx.save(model, path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def test_goals_are_the_output_of_the_graph_clipped_to_the_unit_range(path):
    policy = Policy(write_model(path), ROBOT)
    features = np.random.default_rng(1).random((6, 55)).astype(np.float32)
    features[:, 52:] *= 0.2  # a head within the reach of the neck
    expected = np.clip(features @ WEIGHTS, 0, 1)
    assert ((expected == 0) | (expected == 1)).any() and ((expected > 0) & (expected < 1)).any()
    np.testing.assert_allclose(policy.batch(features), expected, atol=1e-5)
    goals = policy(features[2])
    assert goals.shape == (25,) and goals.dtype == np.float32
    np.testing.assert_allclose(goals, expected[2], atol=1e-5)


def test_a_model_carries_the_robots_rest_and_its_own_origin(path):
    policy = Policy(write_model(path), ROBOT)
    np.testing.assert_allclose(policy.robot_rest, np.full(55, 0.1), rtol=1e-6)
    assert policy.provenance == {"seed": 3}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_is_refused_by_name(path, value):
    policy = Policy(write_model(path), ROBOT)
    features = np.zeros(55, np.float32)
    features[READING_NAMES.index("jawOpen")] = value
    with pytest.raises(ValueError, match="jawOpen"):
        policy(features)


def test_features_of_another_length_are_refused(path):
    with pytest.raises(ValueError, match="55"):
        Policy(write_model(path), ROBOT)(np.zeros(52, np.float32))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"servos": (*ROBOT.names[:-1], "tail")}, "lacks neck_roll; it has tail in addition"),
        ({"servos": ROBOT.names[::-1]}, "order differs"),
        ({"features": READING_NAMES[:-1]}, "lacks head_roll"),
        ({"servos": [1, 2]}, "lists its servos in an unknown form"),
        ({"rest": [0.0] * 54}, "at rest"),
        ({"rest": ["low"] * 55}, "at rest"),
        ({"rest": [float("nan")] * 55}, "at rest"),
        ({"weights": WEIGHTS[:, :24]}, r"shape \(1, 24\)"),
        ({"weights": WEIGHTS[:52]}, "does not turn `features` into `goals`"),
        ({"weights": WEIGHTS * np.nan}, "finite"),
        ({"omit": "rena.servo_names"}, "lacks the metadata rena.servo_names"),
        ({"omit": "rena.provenance"}, "lacks the metadata rena.provenance"),
    ],
)
def test_models_that_do_not_fit_are_refused(path, changes, complaint):
    with pytest.raises(RenaError, match=complaint) as refusal:
        Policy(write_model(path, **changes), ROBOT)
    assert str(path) in str(refusal.value)


def test_missing_and_unreadable_model_files_are_refused(path):
    with pytest.raises(RenaError, match="there is no model"):
        Policy(path, ROBOT)
    path.write_bytes(b"not an onnx file")
    with pytest.raises(RenaError, match="onnxruntime can load"):
        Policy(path, ROBOT)


def write_rest_model(path, omit=None, change=None):
    """goals = features + landmark 7 - its rest, of each kind the first 25 or 3 numbers, so that each input shows."""
    read = helper.make_tensor_value_info
    inputs = [read("features", TensorProto.FLOAT, ["n", 55]), read("landmarks", TensorProto.FLOAT, ["n", 478, 3])]
    inputs += [read("rest_features", TensorProto.FLOAT, ["n", 55])]
    inputs += [read("rest_landmarks", TensorProto.FLOAT, ["n", 478, 3])]
    weights = np.zeros((3, 25), np.float32)
    weights[[0, 1, 2], [0, 1, 2]] = 1
    nodes = [
        helper.make_node("Sub", ["features", "rest_features"], ["change"]),
        helper.make_node("MatMul", ["change", "first"], ["some"]),
        helper.make_node("Sub", ["landmarks", "rest_landmarks"], ["moved"]),
        helper.make_node("Gather", ["moved", "seventh"], ["point"], axis=1),
        helper.make_node("MatMul", ["point", "weights"], ["more"]),
        helper.make_node("Add", ["some", "more"], ["goals"]),
    ]
    constants = {"first": np.eye(55, 25, dtype=np.float32), "weights": weights, "seventh": np.int64(7)}
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    out = [read("goals", TensorProto.FLOAT, ["n", 25])]
    model = helper.make_model(
        helper.make_graph(nodes, "rest", inputs, out, tensors),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    labels = {
        "rena.servo_names": list(ROBOT.names),
        "rena.feature_names": list(READING_NAMES),
        "rena.robot_rest": [0.1] * 55,
        "rena.robot_rest_landmarks": np.full((478, 3), 0.25).tolist(),
        "rena.provenance": {},
    }
    labels |= change or {}
    helper.set_model_props(model, {key: json.dumps(value) for key, value in labels.items() if key != omit})
    onnx.save(model, path)
    return path


def test_a_model_may_read_landmarks_and_a_persons_rest(path):
    policy = Policy(write_rest_model(path), ROBOT)
    assert policy.needs_landmarks and policy.reads_rest
    rng = np.random.default_rng(2)
    features, landmarks = (rng.random(shape).astype(np.float32) for shape in ((4, 55), (4, 478, 3)))
    features[:, -3:] = 0.1
    rest = RestReading(rng.random((4, 55)).astype(np.float32) * 0.1, rng.random((4, 478, 3)).astype(np.float32) * 0.1)
    expected = features[:, :25] - rest.features[:, :25]
    expected[:, :3] += landmarks[:, 7] - rest.landmarks[:, 7]
    np.testing.assert_allclose(policy.batch(features, landmarks, rest), np.clip(expected, 0, 1), atol=1e-6)
    one = RestReading(rest.features[2], rest.landmarks[2])
    np.testing.assert_allclose(policy(features[2], landmarks[2], one), np.clip(expected[2], 0, 1), atol=1e-6)
    own = features[:, :25] - 0.1
    own[:, :3] += landmarks[:, 7] - 0.25
    np.testing.assert_allclose(policy.batch(features, landmarks), np.clip(own, 0, 1), atol=1e-6)


def test_a_model_of_features_alone_ignores_the_rest(path):
    policy = Policy(write_model(path), ROBOT)
    assert not policy.needs_landmarks and not policy.reads_rest
    features = np.random.default_rng(1).random(55).astype(np.float32)
    rest = RestReading(np.ones(55, np.float32), None)
    np.testing.assert_array_equal(policy(features, np.zeros((478, 3)), rest), policy(features))


def test_inputs_that_are_missing_or_broken_are_refused_by_name(path):
    policy, features = Policy(write_rest_model(path), ROBOT), np.full(55, 0.1, np.float32)
    landmarks = np.zeros((478, 3), np.float32)
    with pytest.raises(ValueError, match="reads landmarks"):
        policy(features)
    with pytest.raises(ValueError, match="landmarks of shape"):
        policy(features, landmarks[:468])
    with pytest.raises(ValueError, match="reads rest_landmarks"):
        policy(features, landmarks, RestReading(features))
    with pytest.raises(ValueError, match="rest_features are not finite"):
        policy(features, landmarks, RestReading(features * np.nan, landmarks))


def test_models_with_unknown_inputs_or_without_rest_landmarks_are_refused(path):
    with pytest.raises(RenaError, match=r"lacks the metadata rena\.robot_rest_landmarks"):
        Policy(write_rest_model(path, omit="rena.robot_rest_landmarks"), ROBOT)
    with pytest.raises(RenaError, match="at rest"):
        Policy(write_rest_model(path, change={"rena.robot_rest_landmarks": [0.0]}), ROBOT)
    model = onnx.load(write_model(path))
    model.graph.input[0].name = model.graph.node[0].input[0] = "audio"
    onnx.save(model, path)
    with pytest.raises(RenaError, match="reads audio"):
        Policy(path, ROBOT)
