"""Fine-tuning: a run starts from exactly the model it is given, records it, and refuses one that does not fit."""

import argparse
import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of
from rena_ros.base.resources import share_path
from rena_ros.behaviour.policy import Policy
from rena_ros.learning import checkpoint, train_command
from rena_ros.learning.export import replace_provenance
from rena_ros.learning.samples import samples_of, split_validation, training_part
from rena_ros.learning.scores import held_out_scores
from rena_ros.learning.settings import FINE_TUNING, settings_from
from rena_ros.learning.source import load_source
from rena_ros.learning.teachers import load_teacher, taught
from rena_ros.learning.trainer import Trainer
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot, parse_robot

ROBOT = load_robot()
SMALL = ("--hidden", 16, "--token", 8, "--batch-size", 128, "--test", 100)


def arguments(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def train(data, out, *words: object) -> int:
    return train_command.run(arguments("--data", data, "--out", out, *words))


@pytest.fixture(scope="module")
def first(dataset_directory, tmp_path_factory):
    """The folder of a run from scratch on 300 samples."""
    out = tmp_path_factory.mktemp("first") / "run"
    assert train(dataset_directory, out, *SMALL, "--epochs", 20, "--validation", 50, "--limit", 300) == 0
    return out


def test_the_exported_file_gives_back_the_weights_that_were_trained(first):
    source = load_source(first, ROBOT)
    tensors, _ = checkpoint.read(first / "checkpoint.safetensors")
    best = {name[5:]: tensor for name, tensor in tensors.items() if name.startswith("best.")}
    assert source.weights.keys() == best.keys()
    for name, tensor in best.items():
        assert torch.equal(source.weights[name], tensor), name
    assert source.config.hidden == 16
    assert source.sha256 == sha256_of(first / "model.onnx") == load_source(first / "model.onnx", ROBOT).sha256


@pytest.fixture
def filmed(dataset, monkeypatch):
    """The dataset with landmarks as in pictures, which the shipped model reads; `rena train` loads it."""
    points = np.random.default_rng(4).normal(0, 0.05, (len(dataset), 478, 3)) + Policy().robot_neutral.landmarks
    meta = {**dataset.meta, "image": {"width": 640, "height": 480}}
    seen = replace(dataset, landmarks=points.astype(np.float32), meta=meta)
    monkeypatch.setattr(train_command, "load_dataset", lambda _: seen)
    return seen


def test_the_model_that_ships_can_be_fine_tuned(tmp_path, filmed, dataset):
    """A learning rate of nothing leaves what the run starts from: the goals are those of the shipped file."""
    words = ("--from", share_path("models/rena.onnx"), "--learning-rate", 1e-9, "--epochs", 1, "--test", 100)
    assert train(dataset.directory, tmp_path / "run", *words) == 0
    shipped, tuned = Policy(), Policy(tmp_path / "run" / "model.onnx")
    features = dataset.features * (np.arange(55) < 52)  # a head that looks ahead is within any model's pose range
    points = np.repeat(shipped.robot_neutral.landmarks[None], len(features), axis=0)
    rest = shipped.robot_neutral
    np.testing.assert_allclose(tuned.batch(features, points, rest), shipped.batch(features, points, rest), atol=1e-5)
    np.testing.assert_allclose(tuned.robot_rest, dataset.meta["robot_rest"], atol=1e-6)  # the new robot's, not Rena's


def test_a_few_samples_of_a_tilted_camera_give_a_model(filmed, dataset, tmp_path):
    """Samples may have poses beyond those that their model answers; its file is no other model for it."""
    features = filmed.features.copy()
    features[:, -3:] = 2 * features[:, -3:] + [0.0, 0.9, 0.0]  # beyond what the neck itself reaches
    rest = [*dataset.meta["robot_rest"][:-2], dataset.meta["robot_rest"][-2] + 0.9, dataset.meta["robot_rest"][-1]]
    tilted = replace(filmed, features=features, meta={**filmed.meta, "robot_rest": rest})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_command, "load_dataset", lambda _: tilted)
        words = ("--from", share_path("models/rena.onnx"), "--test", 100, "--limit", 25, "--epochs", 2)
        assert train(dataset.directory, tmp_path / "run", *words) == 0
    assert load_source(tmp_path / "run", ROBOT).path == tmp_path / "run" / "model.onnx"


def test_a_run_records_what_it_was_fine_tuned_from(first, dataset_directory, tmp_path):
    words = ("--from", first, "--epochs", 2, "--test", 100)
    assert train(dataset_directory, tmp_path / "run", *words) == 0
    sha256 = sha256_of(first / "model.onnx")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["source"] == sha256
    provenance = Policy(tmp_path / "run" / "model.onnx").provenance
    assert provenance["source"]["sha256"] == provenance["settings"]["source"] == sha256
    assert provenance["source"]["data"]["command"] == "invented by a test"
    assert "source" not in Policy(first / "model.onnx").provenance
    with pytest.raises(RenaError, match=rf"other settings.*source: {sha256} there, None now"):
        train(dataset_directory, tmp_path / "run", *SMALL, "--epochs", 2, "--validation", 0)
    with pytest.raises(RenaError, match=rf"source: {sha256} there, \w+ now"):
        train(dataset_directory, tmp_path / "run", "--from", tmp_path / "run", *words[2:])


def test_an_interrupted_fine_tuning_ends_with_the_bits_of_an_uninterrupted_one(
    first, dataset_directory, tmp_path, monkeypatch
):
    words = ("--from", first, "--epochs", 3, "--test", 100, "--limit", 100, "--validation", 10)
    assert train(dataset_directory, tmp_path / "whole", *words) == 0
    train_epoch = Trainer.train_epoch

    def interrupted(trainer):
        if len(trainer.history) == 1:
            raise KeyboardInterrupt
        return train_epoch(trainer)

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)
    assert train(dataset_directory, tmp_path / "parts", *words) == 130
    monkeypatch.setattr(Trainer, "train_epoch", train_epoch)
    assert train(dataset_directory, tmp_path / "parts", *words) == 0
    whole, parts = (tmp_path / name / "checkpoint.safetensors" for name in ("whole", "parts"))
    assert parts.read_bytes() == whole.read_bytes()


def test_options_take_precedence_over_the_defaults_of_fine_tuning(first):
    source = load_source(first, ROBOT)
    settings = settings_from(arguments("--data", "-", "--out", "-", "--epochs", 7), source)
    assert settings.epochs == 7
    assert {name: getattr(settings, name) for name in FINE_TUNING if name != "epochs"} == {
        name: value for name, value in FINE_TUNING.items() if name != "epochs"
    }
    assert settings.network == source.config
    assert settings_from(arguments("--data", "-", "--out", "-")).epochs == 60


def test_the_shape_of_the_network_is_the_models(first):
    source = load_source(first, ROBOT)
    assert settings_from(arguments("--data", "-", "--out", "-", "--hidden", 16), source).network.hidden == 16
    with pytest.raises(RenaError, match=r"--hidden cannot change: .* has 16"):
        settings_from(arguments("--data", "-", "--out", "-", "--hidden", 128), source)


def test_a_limit_takes_the_first_samples(first, dataset):
    part = training_part(dataset, 100, 60)
    training, validation = split_validation(part, 6)
    np.testing.assert_array_equal(training.features, dataset.features[:54])
    np.testing.assert_array_equal(validation.goals, dataset.goals[54:60])
    scores = held_out_scores(Policy(first / "model.onnx"), dataset, 100, limit=60)
    error = dataset.goals[-100:].astype(float) - dataset.goals[:60].mean(axis=0)
    assert scores["training mean"].rmse == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    for limit in (0, -1, 401):
        with pytest.raises(RenaError, match=f"--limit must be from 1 to the 400 training samples .* not {limit}"):
            training_part(dataset, 100, limit)


def test_models_that_do_not_fit_are_refused_in_one_line(first, tmp_path):
    text = ROBOT.source.read_text()
    other = parse_robot(text.replace("name: jaw,", "name: chin,"), tmp_path / "robot.yaml")
    with pytest.raises(RenaError, match="it lacks chin; it has jaw in addition"):
        load_source(first, other)
    with pytest.raises(RenaError, match=r"holds no model\.onnx: finish that run first"):
        load_source(tmp_path, ROBOT)
    with pytest.raises(RenaError, match="give the folder of its run"):
        load_source(first / "checkpoint.safetensors", ROBOT)
    with pytest.raises(RenaError, match="there is no model"):
        load_source(tmp_path / "none.onnx", ROBOT)


@pytest.mark.parametrize("damage", ["floor", "provenance", "graph"])
def test_another_network_is_refused(first, tmp_path, damage):
    """Such as one of a later version: it must not be taken for what it is not."""
    path, model = tmp_path / "model.onnx", onnx.load(first / "model.onnx")
    provenance = Policy(first / "model.onnx").provenance
    if damage == "floor":
        provenance["settings"]["network"]["floor"] = 0.01
    if damage == "provenance":
        del provenance["settings"]
    if damage == "graph":
        for node in model.graph.node:
            node.input[:] = [name.replace(".readout.", ".other.") for name in node.input]
        for weights in model.graph.initializer:
            weights.name = weights.name.replace(".readout.", ".other.")
    onnx.save(model, path)
    replace_provenance(path, provenance)
    with pytest.raises(RenaError, match="holds another network") as error:
        load_source(path, ROBOT)
    assert "\n" not in str(error.value)


def test_data_of_another_robot_is_refused_before_the_training(dataset_directory, tmp_path):
    robot = tmp_path / "robot.yaml"
    robot.write_text(ROBOT.source.read_text().replace("name: jaw,", "name: chin,"))
    with pytest.raises(RenaError, match=r"collected with other servos than those of .*robot\.yaml"):
        train(dataset_directory, tmp_path / "run", "--robot-file", robot)
    assert not (tmp_path / "run").exists()


def test_data_of_other_features_is_refused_before_the_training(first, dataset_directory, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(dataset_directory, data)
    meta = (data / "meta.json").read_text()
    (data / "meta.json").write_text(meta.replace('"jawOpen"', '"jawAjar"'))
    with pytest.raises(RenaError, match=r"data holds other features than those that .*model\.onnx reads"):
        train(data, tmp_path / "run", "--from", first)
    assert not (tmp_path / "run").exists()


def test_a_model_learns_from_the_mean_of_its_teachers_and_the_truth(first, dataset, tmp_path):
    """A student of a share s is trained on (1 - s) * truth + s * mean of what the teachers answer."""
    words = ("--from", first, "--epochs", 2, "--test", 100, "--limit", 100)
    assert train(dataset.directory, tmp_path / "second", *words) == 0
    paths = [first / "model.onnx", tmp_path / "second" / "model.onnx"]
    teachers = [load_teacher(path, ROBOT.names, READING_NAMES) for path in paths]
    part = dataset.part(slice(0, 90))
    graphs = [onnxruntime.InferenceSession(path.read_bytes()) for path in paths]
    answers = [graph.run(None, {"features": part.features})[0].clip(0, 1) for graph in graphs]
    expected = 0.3 * part.goals + 0.7 * (answers[0] + answers[1]) / 2
    np.testing.assert_allclose(taught(samples_of(part), teachers, 0.7).goals, expected, atol=1e-6)
    words = ("--teacher", *paths, "--teacher-share", 1, "--epochs", 1, *SMALL, "--validation", 40)
    assert train(dataset.directory, tmp_path / "student", *words) == 0
    provenance = Policy(tmp_path / "student" / "model.onnx").provenance
    assert provenance["settings"]["teachers"] == [sha256_of(path) for path in paths]
    with pytest.raises(RenaError, match=r"other settings.*teachers"):
        train(dataset.directory, tmp_path / "student", *words[:2], *words[3:])


def test_a_teacher_that_is_none_is_refused_before_the_training(first, dataset_directory, tmp_path):
    (tmp_path / "torn.onnx").write_bytes(b"torn")
    for name, message in (("none.onnx", "there is no model"), ("torn.onnx", "is no model that `rena train` exports")):
        with pytest.raises(RenaError, match=message):
            train(dataset_directory, tmp_path / "run", "--teacher", tmp_path / name)
    with pytest.raises(RenaError, match="has other servos or features"):
        load_teacher(first / "model.onnx", ROBOT.names[::-1], READING_NAMES)
    assert not (tmp_path / "run").exists()
