"""Every architecture: it exports what it computes, and is read back; its inputs against scikit-learn and NumPy."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from rena_ros.base.errors import RenaError
from rena_ros.learning.export import export_onnx, run_exported
from rena_ros.learning.inputs import Components, Inputs, Readings
from rena_ros.learning.network import ARCHITECTURES, Network, NetworkConfig
from rena_ros.learning.settings import RECIPES, settings_with
from rena_ros.learning.source import load_source
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
LABELS = {"servo_names": ROBOT.names, "feature_names": READING_NAMES, "robot_rest": [0.0] * 55}
LABELS["robot_rest_landmarks"] = np.zeros((478, 3)).tolist()
SHAPES = [(name, rest) for name, one in ARCHITECTURES.items() for rest in ((False, True) if one.may_rest else (False,))]


def readings(rows: int, seed: int = 0) -> Readings:
    rng = np.random.default_rng(seed)
    made = [rng.random((rows, 55)), rng.normal(0, 1, (rows, 478, 3))]
    made += [rng.random((1, 55)).repeat(rows, 0), rng.normal(0, 1, (3, 478, 3))[rng.integers(0, 3, rows)]]
    return Readings(*(torch.from_numpy(array.astype(np.float32)) for array in made))


def test_the_components_are_those_of_scikit_learn():
    for rows in (40, 1500):  # fewer than coordinates, and more
        landmarks = readings(rows).landmarks * torch.linspace(0.01, 1, 478)[:, None]
        ours, theirs = Components(5), PCA(5, svd_solver="full")
        ours.fit(landmarks)
        expected = theirs.fit_transform(landmarks.flatten(1).double().numpy())
        found = ours(landmarks).numpy()
        np.testing.assert_allclose(found * np.sign((found * expected).sum(0)), expected, atol=2e-3)


def test_components_that_the_data_does_not_have_are_zero():
    """Three neutral faces differ in two directions; a new face must not appear in directions drawn at random."""
    components = Components(10)
    components.fit(readings(50).rest_landmarks)
    new = components(readings(20, seed=3).landmarks)
    assert (new[:, :2].std(dim=0) > 0.1).all()
    assert not new[:, 2:].any()
    components.fit(torch.ones(4, 478, 3))  # one face only
    assert not components(readings(20).landmarks).any()


def test_the_inputs_are_log_odds_components_and_their_changes_since_the_neutral_face():
    given, floor = readings(300), 0.003
    inputs = Inputs(52, 3, floor, components=4, identity_components=2, rest=True)
    inputs.fit(given)
    features, landmarks, rest_features, rest_landmarks = (array.numpy().astype(float) for array in vars(given).values())

    def odds(values):
        return np.log((values[:, :52] + floor) / (1 - values[:, :52] + floor))

    def scores(rows, components):
        rows = rows.reshape(len(rows), -1)
        return PCA(components, svd_solver="full").fit_transform(rows)

    expected = [odds(features), features[:, 52:], scores(landmarks, 4), odds(features) - odds(rest_features)]
    expected += [features[:, 52:] - rest_features[:, 52:], scores(landmarks - rest_landmarks, 4)]
    expected = np.concatenate([*expected, scores(rest_landmarks, 2)], axis=1)
    low, high = np.percentile(expected, [0.5, 99.5], axis=0)
    expected = (expected - (low + high) / 2) / np.maximum((high - low) / 2, 1e-9)
    found = inputs(given).numpy()
    assert found.shape == (300, inputs.size) == (300, 52 + 3 + 4 + 52 + 3 + 4 + 2)
    found *= np.sign((found * expected).sum(0))  # the sign of a component is free
    constant = np.ptp(expected, axis=0) == 0
    np.testing.assert_allclose(found[:, ~constant], expected[:, ~constant], atol=5e-3)
    assert inputs.pose_columns == [52, 53, 54]


@pytest.mark.parametrize(("architecture", "rest"), SHAPES)
def test_an_exported_model_computes_what_was_trained_and_is_read_back(tmp_path, architecture, rest):
    config = NetworkConfig(architecture=architecture, rest=rest, hidden=8, token=4, components=6, identity_components=2)
    torch.manual_seed(3)
    network, given = Network(config).eval(), readings(60)
    network.fit_inputs(given)
    path, settings = tmp_path / "model.onnx", {"settings": {"network": vars(config)}}
    export_onnx(network, path, {**LABELS, "provenance": settings})
    wanted = Readings(**{name: getattr(given, name) for name in config.reads})
    with torch.no_grad():
        expected = network.goals(network.inputs(given)).clamp(0, 1).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(run_exported(path, wanted), expected, atol=2e-5)
    source = load_source(path, ROBOT)
    assert source.config == config
    assert source.weights.keys() == network.state_dict().keys()
    assert all(torch.equal(weights, source.weights[name]) for name, weights in network.state_dict().items())


def test_the_recipe_of_an_architecture_is_what_is_not_asked_otherwise():
    for name, recipe in RECIPES.items():
        found = settings_with({"architecture": name, "seed": 4})
        values = {**vars(found), **vars(found.network)}
        assert values | recipe | {"seed": 4, "architecture": name} == values
    assert settings_with({"architecture": "landmark_kan", "epochs": 3}).epochs == 3
    ours = settings_with({"architecture": "landmark_kan"}, rests=True)
    assert ours.network.reads == ("features", "landmarks", "rest_features", "rest_landmarks")
    assert ours.rest_dropout > 0 == settings_with({"architecture": "landmark_kan"}).rest_dropout
    assert settings_with({"architecture": "kan"}, rests=True).network.reads == ("features",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"architecture": "attention_kan", "rest": True}, "--rest is not for attention_kan"),
        ({"architecture": "transformer"}, "--architecture must be one of mlp, "),
        ({"optimiser": "sgd"}, "--optimiser must be one of"),
    ],
)
def test_a_setting_that_the_architecture_cannot_have_is_refused(given, message):
    with pytest.raises(RenaError, match=message):
        settings_with(given)
