"""Training end to end on an invented face: it learns, it resumes exactly, and it exports the trained network."""

import argparse
import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import Policy
from rena_ros.datasets.dataset import load_dataset
from rena_ros.learning import checkpoint, evaluate_command, train_command
from rena_ros.learning.export import label, run_exported
from rena_ros.learning.network import Network, NetworkConfig
from rena_ros.learning.optimiser import one_cycle
from rena_ros.learning.readings import readings_of
from rena_ros.learning.samples import robot_rest, samples_of, split_validation, with_mirror_images
from rena_ros.learning.scores import held_out_scores
from rena_ros.learning.settings import Settings
from rena_ros.learning.trainer import GRADIENT_NORM, Trainer
from rena_ros.perception.landmark_frame import aligned


def arguments(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def run_words(data, out, epochs: int, test: int = 100) -> tuple:
    """Options of `rena train` for a small run."""
    counts = ("--epochs", epochs, "--test", test, "--validation", 50, "--threads", 1)
    return ("--data", data, "--out", out, *counts)


@pytest.fixture(scope="module")
def trained(dataset_directory, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    words = run_words(dataset_directory, out, 30)
    options = ("--no-mirror", "--batch-size", 64, "--held-out", "--json", out.parent / "figures.json")
    assert train_command.run(arguments(*words, *options)) == 0
    return out


def test_the_model_beats_the_mean_and_its_figures_agree(trained, dataset):
    """The invented face is not symmetric, so mirror images are left out."""
    scores = held_out_scores(Policy(trained / "model.onnx"), dataset, 100)
    assert scores["model"].rmse < 0.7 * scores["training mean"].rmse
    figures = json.loads((trained.parent / "figures.json").read_text())
    assert figures["held_out"]["rmse"] == pytest.approx(scores["model"].rmse, abs=1e-5)
    assert figures["epochs"] == 30 and 1 <= figures["best_epoch"] <= 30
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_prints_and_writes_the_same_scores(trained, dataset, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    words = ("--data", dataset.directory, "--model", trained / "model.onnx", "--test", 100)
    files = ("--json", tmp_path / "scores.json", "--out", tmp_path / "plots")
    assert evaluate_command.run(parser.parse_args([str(word) for word in words + files])) == 0
    figures = json.loads((tmp_path / "scores.json").read_text())
    held_out = dataset.goals[-100:].astype(float)
    error = held_out - dataset.goals[:-100].mean(axis=0)
    assert figures["training mean"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    error = held_out - Policy(trained / "model.onnx").batch(dataset.features[-100:])
    assert figures["model"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    jaw = error[:, dataset.names.index("jaw")]
    assert figures["model"]["rmse_per_servo"]["jaw"] == pytest.approx(np.sqrt((jaw**2).mean()), rel=1e-5)
    overall = next(line for line in capsys.readouterr().out.splitlines() if "overall" in line)
    assert f"{100 * figures['model']['rmse']:.2f}" in overall
    assert f"{100 * figures['training mean']['rmse']:.2f}" in overall
    for name in ("cumulative_errors.png", "servo_errors.png"):
        assert (tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG")


def evaluate(*words: object) -> int:
    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    return evaluate_command.run(parser.parse_args([str(word) for word in words]))


@pytest.mark.parametrize("test", ["all", 500])
def test_evaluate_measures_a_whole_dataset(trained, dataset, tmp_path, capsys, test):
    options = ("--data", dataset.directory, "--model", trained / "model.onnx", "--json", tmp_path / "scores.json")
    assert evaluate(*options, "--test", test) == 0
    figures = json.loads((tmp_path / "scores.json").read_text())
    assert set(figures) == {"held_out", "left_right_gap_of_goals", "model"} and figures["held_out"] == len(dataset)
    error = dataset.goals.astype(float) - Policy(trained / "model.onnx").batch(dataset.features)
    assert figures["model"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    printed = capsys.readouterr().out
    assert "on 500 held-out samples" in " ".join(printed.split())
    assert "without baselines" in printed.splitlines()[-1]


def test_evaluate_refuses_what_a_dataset_cannot_give(dataset):
    with pytest.raises(RenaError, match="has 500 samples, not 501; measure all of it: --test all"):
        evaluate("--data", dataset.directory, "--test", 501)
    with pytest.raises(RenaError, match="--limit"):
        evaluate("--data", dataset.directory, "--test", "all", "--limit", 10)
    for word in ("none", "0", "-3"):
        with pytest.raises(SystemExit):
            evaluate("--data", dataset.directory, f"--test={word}")


def test_evaluate_does_not_import_torch():
    code = "import sys, rena_ros.learning.evaluate_command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_model_file_holds_its_provenance(trained, dataset):
    policy = Policy(trained / "model.onnx")
    assert policy.provenance["seed"] == 0
    assert policy.provenance["data"]["command"] == "invented by a test"
    assert policy.provenance["settings"]["batch_size"] == 64
    assert set(policy.provenance["held_out"]["rmse_per_servo"]) == set(dataset.names)
    np.testing.assert_allclose(policy.robot_rest, dataset.meta["robot_rest"], atol=1e-6)


def test_the_onnx_file_computes_what_torch_trained(trained, dataset):
    network = Network(NetworkConfig()).eval()
    tensors, _ = checkpoint.read(trained / "checkpoint.safetensors")
    network.load_state_dict({name[5:]: tensor for name, tensor in tensors.items() if name.startswith("best.")})
    with torch.no_grad():
        expected = network(torch.from_numpy(dataset.features)).clamp(0, 1).numpy()
    np.testing.assert_allclose(Policy(trained / "model.onnx").batch(dataset.features), expected, atol=2e-5)


def small_trainer(folder, dataset, settings) -> Trainer:
    folder.mkdir(exist_ok=True)
    training, validation = split_validation(dataset.split(100)[0], settings.validation)
    training = with_mirror_images(training, dataset.feature_names, dataset.names)
    trainer = Trainer(folder / "checkpoint.safetensors", settings, dataset.names)
    trainer.begin(training, validation)
    return trainer


def test_the_gradient_of_a_bad_batch_is_clipped(tmp_path, dataset):
    trainer = small_trainer(tmp_path / "run", dataset, Settings(epochs=1, batch_size=128, validation=50))
    trainer.goals = 1000 * trainer.goals  # the gradient grows about as much
    trainer.train_epoch()
    squares = sum(float((parameter.grad**2).sum()) for parameter in trainer.network.parameters())
    assert math.sqrt(squares) <= GRADIENT_NORM * (1 + 1e-4)


def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(tmp_path, dataset):
    settings = Settings(epochs=3, batch_size=128, validation=50, network=NetworkConfig(hidden=16, token=8))
    whole = small_trainer(tmp_path / "whole", dataset, settings)
    while not whole.finished:
        whole.train_epoch()
    first = small_trainer(tmp_path / "parts", dataset, settings)
    first.train_epoch()
    saved = first.checkpoint_path.read_bytes()
    first.train_epoch()
    first.checkpoint_path.write_bytes(saved)  # as if the power failed before the second epoch was saved
    second = small_trainer(tmp_path / "parts", dataset, settings)
    assert len(second.history) == 1
    assert second.schedule.last_epoch == 6  # steps of one epoch: 700 samples in batches of 128
    while not second.finished:
        second.train_epoch()
    assert second.history == whole.history
    assert second.best_epoch == whole.best_epoch
    assert second.schedule.state_dict() == whole.schedule.state_dict()
    assert second.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()  # weights, moments, rate, progress


def test_ctrl_c_keeps_what_is_done(tmp_path, dataset_directory, monkeypatch):
    words = run_words(dataset_directory, tmp_path, 3)
    train_epoch = Trainer.train_epoch

    def interrupted(trainer):
        if len(trainer.history) == 2:
            raise KeyboardInterrupt
        return train_epoch(trainer)

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)
    assert train_command.run(arguments(*words)) == 130
    assert not (tmp_path / "model.onnx").exists()
    monkeypatch.setattr(Trainer, "train_epoch", train_epoch)
    assert train_command.run(arguments(*words, "--json", tmp_path / "figures.json")) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["epochs"] == 3
    provenance = Policy(tmp_path / "model.onnx").provenance
    assert "held_out" not in provenance  # the test part is touched only when asked for


def test_a_checkpoint_without_the_schedule_is_refused(tmp_path, dataset_directory):
    """Version 0.1.0 computed the learning rate from the step and stored no state of it."""
    words = run_words(dataset_directory, tmp_path, 1)
    progress = {"data": "", "history": [], "best_epoch": -1}
    save_file({"network.bias": torch.zeros(1)}, tmp_path / "checkpoint.safetensors", {"rena": json.dumps(progress)})
    with pytest.raises(RenaError, match=f"{tmp_path} holds a run of another version.*another --out"):
        train_command.run(arguments(*words))


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
    for damage in ("{", "3"):
        (tmp_path / "run.json").write_text(damage)
        with pytest.raises(RenaError, match=r"run\.json is damaged"):
            train_command.run(arguments(*words))


OUT_OF_RANGE = {
    "--epochs": [0],
    "--learning-rate": [0, "nan", "inf"],
    "--token": [7],
    "--input-noise": [-1],
    "--average": [1, "nan"],
}


@pytest.mark.parametrize(("option", "values"), OUT_OF_RANGE.items())
def test_settings_out_of_their_range_are_refused(tmp_path, dataset_directory, option, values):
    for value in values:
        with pytest.raises(RenaError, match=option):
            train_command.run(arguments("--data", dataset_directory, "--out", tmp_path, option, value))


def test_training_never_sees_the_test_samples(dataset):
    training, validation = split_validation(dataset.split(100)[0], 50)
    seen = np.concatenate((training.features, validation.features))
    np.testing.assert_array_equal(seen, dataset.features[:400])
    assert len(validation.features) == 50


def test_samples_that_are_not_finite_are_refused(dataset_directory):
    dataset = load_dataset(dataset_directory)
    dataset.features[7, 3] = np.nan
    with pytest.raises(RenaError, match="sample 7"):
        split_validation(dataset.split(100)[0], 50)


def learning_rates(peak: float, steps: int) -> list[float]:
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    schedule, rates = one_cycle(optimiser, peak, steps), []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert optimiser.param_groups[0]["betas"] == (0.9, 0.999)  # the momentum is not cycled
    return rates


@pytest.mark.parametrize("steps", [3, 8, 80, 1920])
def test_the_learning_rate_is_a_cosine_up_and_a_cosine_down(steps):
    """Second implementation: from peak / 25 to the peak in a quarter of the steps, then to peak / 250,000."""
    peak, top = 0.02, steps / 4 - 1
    for step, rate in enumerate(learning_rates(peak, steps)):
        if step <= top:
            start, end, share = peak / 25, peak, step / top
        else:
            start, end, share = peak, peak / 250_000, (step - top) / (steps - 1 - top)
        assert rate == pytest.approx(end + (start - end) * (1 + math.cos(math.pi * share)) / 2, rel=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_the_shortest_runs_have_a_learning_rate(steps):
    assert all(0 < rate <= 0.02 for rate in learning_rates(0.02, steps))


def steps_of(settings, folder, dataset) -> list[dict]:
    """The weights before the training and after each step, seen from outside."""
    trainer = small_trainer(folder, dataset, settings)
    seen = [dict(weights_of(trainer))]
    trainer.optimiser.register_step_post_hook(lambda *_: seen.append(dict(weights_of(trainer))))
    trainer.train_epoch()
    return [trainer, *seen]


def weights_of(trainer):
    return ((name, weights.detach().clone()) for name, weights in trainer.network.named_parameters())


def test_the_average_is_that_of_the_weights_of_all_steps(tmp_path, dataset):
    shape = NetworkConfig(architecture="kan", hidden=4)
    settings = Settings(epochs=1, batch_size=64, validation=50, average=0.5, network=shape)
    trainer, start, *after = steps_of(settings, tmp_path / "run", dataset)
    assert len(after) == 11  # 700 samples
    for name, expected in start.items():
        for step, weights in enumerate(after):
            decay = min(0.5, (1 + step) / (10 + step))
            expected = decay * expected + (1 - decay) * weights[name]
        torch.testing.assert_close(trainer.best[name], expected, rtol=1e-4, atol=1e-6)
        assert (trainer.network.get_parameter(name) - expected).abs().max() > 1e-4


def test_adam_steps_at_a_constant_rate(tmp_path, dataset):
    """Its first steps are as long as the rate, whatever the gradient, and the rate stays."""
    shape = NetworkConfig(architecture="kan", hidden=4)
    settings = Settings(epochs=2, batch_size=256, optimiser="adam", learning_rate=1e-5, validation=50, network=shape)
    trainer, start, first, *_ = steps_of(settings, tmp_path / "run", dataset)
    moved = torch.cat([(first[name] - weights).abs().flatten() for name, weights in start.items()])
    assert float(moved.quantile(0.5)) == pytest.approx(1e-5, rel=0.02)
    assert trainer.optimiser.param_groups[0]["lr"] == 1e-5
    assert trainer.optimiser.param_groups[0]["weight_decay"] == 0


def test_the_robots_rest_stands_in_for_a_share_of_the_persons(tmp_path, dataset):
    """With a share of 1 the persons' own faces have no effect on the training, with less they have."""
    rng, rest = np.random.default_rng(0), robot_rest(dataset)
    shape = NetworkConfig(architecture="kan", rest=True, hidden=4)
    training = replace(samples_of(dataset, shape.reads), rest_features=rng.random((500, 55), np.float32))
    for share in (0.0, 0.5, 1.0):
        settings, losses = Settings(epochs=1, validation=0, rest_dropout=share, input_noise=0, network=shape), []
        for run in ("own", "spoilt"):
            trainer = Trainer(tmp_path / f"{run} {share}.safetensors", settings, dataset.names)
            trainer.begin(training, training.part(slice(0, 0)), rest)
            if run == "spoilt":
                trainer.numbers = torch.zeros_like(trainer.numbers)
            losses.append(trainer.train_epoch().loss)
        assert (losses[0] == losses[1]) == (share == 1)
    inputs, odds = trainer.network.inputs, (dataset.features[:, :52] + 0.003) / (1.003 - dataset.features[:, :52])
    change = np.log(odds) - np.log((rest.features[:52] + 0.003) / (1.003 - rest.features[:52]))
    expected = (change - inputs.centre[55:107].numpy()) / inputs.spread[55:107].numpy()
    np.testing.assert_allclose(trainer.rest_numbers[:, 55:107], expected, atol=1e-4)


def test_the_noise_is_that_of_the_setting_and_less_on_the_pose(tmp_path, dataset, monkeypatch):
    settings = Settings(epochs=1, batch_size=700, validation=50, input_noise=0.2, network=NetworkConfig(hidden=4))
    trainer, seen = small_trainer(tmp_path / "run", dataset, settings), []
    clean, goals = trainer.numbers.clone(), trainer.network.goals
    monkeypatch.setattr(trainer.network, "goals", lambda numbers: seen.append(numbers) or goals(numbers))
    trainer.train_epoch()
    spread = seen[0].sort(dim=0).values.std(dim=0) ** 2 - clean.sort(dim=0).values.std(dim=0) ** 2
    assert float(spread[:52].mean()) == pytest.approx(0.2**2, rel=0.1)
    assert float(spread[52:].mean()) == pytest.approx(0.06**2, abs=0.01)


def test_more_datasets_are_trained_on_whole_and_named_in_the_model(dataset, dataset_directory, tmp_path):
    words = ("--data", dataset_directory, "--more", dataset_directory, "--out", tmp_path, "--epochs", 1, "--test", 100)
    assert train_command.run(arguments(*words, "--validation", 50, "--json", tmp_path / "figures.json")) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["training_samples"] == 350 + 500
    origin = Policy(tmp_path / "model.onnx").provenance
    assert origin["more_data"] == [origin["data"]] and origin["data"]["samples"] == 500


def test_ours_trains_from_landmarks_and_rests_in_two_parts(tmp_path, dataset, monkeypatch):
    """With mirror images and an average: the exported graph takes what the dataset holds, aligned."""
    rng = np.random.default_rng(2)
    face = rng.normal(0.5, 0.1, (478, 3))
    landmarks = (face + 0.02 * np.tensordot(dataset.goals, rng.normal(0, 1, (25, 478, 3)), 1)).astype(np.float32)
    meta = {**dataset.meta, "image": {"width": 640, "height": 480}, "robot_rest_landmarks": face.tolist()}
    rests = {"rest_features": dataset.features[::-1], "rest_landmarks": landmarks[::-1]}
    filmed = replace(dataset, landmarks=landmarks, meta=meta, **rests)
    monkeypatch.setattr(train_command, "load_dataset", lambda _: filmed)
    options = ("--architecture", "landmark_kan", "--components", 8, "--hidden", 16, "--mirror")
    assert train_command.run(arguments(*run_words("-", tmp_path / "whole", 3), *options)) == 0
    train_epoch = Trainer.train_epoch

    def interrupted(trainer):
        if len(trainer.history) == 1:
            raise KeyboardInterrupt
        return train_epoch(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_epoch", interrupted)
        assert train_command.run(arguments(*run_words("-", tmp_path / "parts", 3), *options)) == 130
    assert train_command.run(arguments(*run_words("-", tmp_path / "parts", 3), *options)) == 0
    parts, whole = ((tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("parts", "whole"))
    assert parts == whole
    model = onnx.load(tmp_path / "parts" / "model.onnx")
    names = ["features", "landmarks", "rest_features", "rest_landmarks"]
    assert [one.name for one in model.graph.input] == names
    np.testing.assert_allclose(label(model, "robot_rest_landmarks"), aligned(face[None], 4 / 3)[0], atol=1e-5)
    given = readings_of(samples_of(filmed, names), names)
    answered = run_exported(tmp_path / "parts" / "model.onnx", given)
    for name in names:  # each of them counts
        other = replace(given, **{name: getattr(given, name).flip(0)})
        assert np.abs(run_exported(tmp_path / "parts" / "model.onnx", other) - answered).max() > 0.01
    policy = Policy(tmp_path / "parts" / "model.onnx")
    policy.pose_range = None  # which may hold poses that the graph answers
    expected = np.sqrt(np.mean((answered - filmed.goals)[-100:].astype(float) ** 2))
    assert held_out_scores(policy, filmed, 100)["model"].rmse == pytest.approx(expected, rel=1e-5)
