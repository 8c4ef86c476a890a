"""Training end to end on a made-up face: it learns, it resumes exactly, and what it exports is what it trained."""

import argparse
import json
import math

import numpy as np
import pytest
import torch

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.learning import checkpoint, train_command
from rena_ros.learning.network import Network, NetworkConfig
from rena_ros.learning.samples import split_validation, training_part, with_mirror_images
from rena_ros.learning.schedule import one_cycle
from rena_ros.learning.scores import held_out_scores
from rena_ros.learning.trainer import GRADIENT_NORM, Settings, Trainer
from rena_ros.recording.dataset import load_dataset


def arguments(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def run_words(data, out, epochs: int, test: int = 100) -> tuple:
    """The command line of a small run, without `rena train`."""
    counts = ("--epochs", epochs, "--test", test, "--validation", 50, "--threads", 1)
    return ("--data", data, "--out", out, *counts)


@pytest.fixture(scope="module")
def trained(dataset_directory, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    words = run_words(dataset_directory, out, 30)
    options = ("--no-mirror", "--batch-size", 64, "--held-out", "--json", out.parent / "figures.json")
    assert train_command.run(arguments(*words, *options)) == 0
    return out


def test_it_beats_the_mean_and_says_so(trained, dataset):
    """The made-up face is not symmetric, so mirror images are left out."""
    scores = held_out_scores(Policy(trained / "model.onnx"), dataset, 100)
    assert scores["model"].rmse < 0.7 * scores["training mean"].rmse
    figures = json.loads((trained.parent / "figures.json").read_text())
    assert figures["held_out"]["rmse"] == pytest.approx(scores["model"].rmse, abs=1e-5)
    assert figures["epochs"] == 30 and 1 <= figures["best_epoch"] <= 30
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_file_says_where_it_comes_from(trained, dataset):
    policy = Policy(trained / "model.onnx")
    assert policy.provenance["seed"] == 0
    assert policy.provenance["data"]["command"] == "made up by a test"
    assert set(policy.provenance["held_out"]["rmse_per_servo"]) == set(dataset.names)
    np.testing.assert_allclose(policy.robot_rest, dataset.meta["robot_rest"], atol=1e-6)


def test_onnx_is_what_torch_trained(trained, dataset):
    network = Network(NetworkConfig()).eval()
    tensors, _ = checkpoint.read(trained / "checkpoint.safetensors")
    network.load_state_dict({name[5:]: tensor for name, tensor in tensors.items() if name.startswith("best.")})
    with torch.no_grad():
        expected = network(torch.from_numpy(dataset.features)).clamp(0, 1).numpy()
    np.testing.assert_allclose(Policy(trained / "model.onnx").batch(dataset.features), expected, atol=2e-5)


def small_trainer(folder, dataset, settings) -> Trainer:
    folder.mkdir(exist_ok=True)
    training, validation = split_validation(training_part(dataset, 100), settings.validation)
    training = with_mirror_images(training, dataset.feature_names, dataset.names)
    trainer = Trainer(folder / "checkpoint.safetensors", settings, dataset.names, "data")
    trainer.begin(training, validation)
    return trainer


def test_a_bad_batch_cannot_throw_a_run_off(tmp_path, dataset):
    trainer = small_trainer(tmp_path / "run", dataset, Settings(epochs=1, batch_size=128, validation=50))
    trainer.goals = 1000 * trainer.goals  # makes a gradient about as many times too large
    trainer.step()
    squares = sum(float((parameter.grad**2).sum()) for parameter in trainer.network.parameters())
    assert math.sqrt(squares) <= GRADIENT_NORM * (1 + 1e-4)


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(tmp_path, dataset):
    settings = Settings(epochs=3, batch_size=128, validation=50, network=NetworkConfig(hidden=16, token=8))
    whole = small_trainer(tmp_path / "whole", dataset, settings)
    while not whole.finished:
        whole.step()
    first = small_trainer(tmp_path / "parts", dataset, settings)
    first.step()
    first._train()  # an epoch that was under way when the power failed
    second = small_trainer(tmp_path / "parts", dataset, settings)
    assert len(second.history) == 1
    while not second.finished:
        second.step()
    assert second.history == whole.history
    assert second.best_epoch == whole.best_epoch
    for name, tensor in whole.network.state_dict().items():
        torch.testing.assert_close(second.network.state_dict()[name], tensor, rtol=0, atol=0)


def test_ctrl_c_keeps_what_is_done(tmp_path, dataset_directory, monkeypatch):
    words = run_words(dataset_directory, tmp_path, 3)
    step = Trainer.step

    def interrupted(trainer):
        if len(trainer.history) == 2:
            raise KeyboardInterrupt
        return step(trainer)

    monkeypatch.setattr(Trainer, "step", interrupted)
    assert train_command.run(arguments(*words)) == 130
    assert not (tmp_path / "model.onnx").exists()
    monkeypatch.setattr(Trainer, "step", step)
    assert train_command.run(arguments(*words, "--json", tmp_path / "figures.json")) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["epochs"] == 3
    provenance = Policy(tmp_path / "model.onnx").provenance
    assert "held_out" not in provenance  # the test part is touched only when asked for


def test_a_run_refuses_other_settings_and_other_data(tmp_path, dataset_directory):
    words = run_words(dataset_directory, tmp_path, 1)
    assert train_command.run(arguments(*words)) == 0
    with pytest.raises(RenaError, match=r"other settings.*seed: 0 there, 4 now"):
        train_command.run(arguments(*words, "--seed", 4))
    with pytest.raises(RenaError, match="other data"):
        train_command.run(arguments(*run_words(dataset_directory, tmp_path, 1, test=150)))
    (tmp_path / "checkpoint.safetensors").write_bytes(b"torn")
    with pytest.raises(RenaError, match="not a checkpoint"):
        train_command.run(arguments(*words))


@pytest.mark.parametrize(
    "words", [("--epochs", 0), ("--learning-rate", 0), ("--learning-rate", "nan"), ("--token", 7), ("--noise", -1)]
)
def test_settings_that_make_no_sense_are_refused(tmp_path, dataset_directory, words):
    with pytest.raises(RenaError, match=words[0]):
        train_command.run(arguments("--data", dataset_directory, "--out", tmp_path, *words))


def test_training_never_sees_the_test_samples(dataset):
    training, validation = split_validation(training_part(dataset, 100), 50)
    seen = np.concatenate((training.features, validation.features))
    np.testing.assert_array_equal(seen, dataset.features[:400])
    assert len(validation.features) == 50


def test_samples_that_are_no_numbers_are_refused(dataset_directory):
    dataset = load_dataset(dataset_directory)
    dataset.features[7, 3] = np.nan
    with pytest.raises(RenaError, match="sample 7"):
        split_validation(training_part(dataset, 100), 50)


def test_one_cycle_is_torchs():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.02, total_steps=80, pct_start=0.25)
    for step in range(80):
        assert math.isclose(one_cycle(step, 80, 0.02), cycle.get_last_lr()[0], rel_tol=1e-9)
        optimiser.step()
        if step < 79:
            cycle.step()
