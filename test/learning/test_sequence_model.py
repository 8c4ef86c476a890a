"""From recorded sequences to a model that the Predictor accepts."""

import argparse

import numpy as np
import pytest
import torch

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.prediction import Predictor
from rena_ros.datasets.sequences import ReadingSequence, read_sequence, sequence_path, write_sequence
from rena_ros.learning.sequence_export import confident, in_motion
from rena_ros.learning.sequence_networks import ENCODERS, SequenceNetwork
from rena_ros.learning.sequence_training import add_arguments, run
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.landmark_frame import POINTS

C = len(READING_NAMES) + 24


def sequence(seed, seconds=2.0):
    rng = np.random.default_rng(seed)
    times_s = np.arange(0, seconds, 1 / 30)
    waves = 0.5 + 0.4 * np.sin(times_s[:, None] * rng.uniform(1, 6, 55) + rng.uniform(0, 6, 55))
    landmarks = rng.normal(0, 0.3, (1, POINTS, 3)) + 0.02 * rng.standard_normal((len(times_s), POINTS, 3))
    return ReadingSequence("", times_s, waves.astype(np.float32), landmarks.astype(np.float16), None, seed, seed)


@pytest.mark.parametrize("architecture", ENCODERS)
def test_a_trained_model_is_accepted(architecture, tmp_path):
    for seed in range(2):
        write_sequence(sequence_path(tmp_path, seed), sequence(seed))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    out = str(tmp_path / "model.onnx")
    assert run(parser.parse_args([str(tmp_path), out, "--architecture", architecture, "--epochs", "1"])) == 0
    predictor = Predictor(out)
    assert predictor.provenance["architecture"] == architecture and predictor.provenance["persons"] == [0]
    one = sequence(9)
    led = [predictor.ahead(f, m.astype(np.float32), t) for t, f, m in zip(*vars_of(one), strict=True)]
    assert np.isfinite([pair[0] for pair in led]).all()


def vars_of(one):
    return one.times_s, one.features, one.landmarks


@pytest.mark.parametrize("architecture", ENCODERS)
def test_the_network_sees_every_step_of_the_history(architecture):
    torch.manual_seed(0)
    network = SequenceNetwork(architecture, torch.ones(C)).eval()
    history = torch.randn(1, 16, C, requires_grad=True)
    change, sigma = network(history, torch.zeros(1, 55), torch.full((1, 1), 0.08))
    change.sum().backward()
    assert (history.grad.abs().sum(dim=2) > 0).all() and (sigma > 0).all()


def test_doubt_makes_a_change_small():
    change, sigma = torch.tensor([[1.0, 1.0, -0.2]]), torch.tensor([[0.0, 1.0, 0.2]])
    assert confident(change, sigma, 1.0)[0].tolist() == pytest.approx([1.0, 0.5, -0.1])


def test_no_movement_is_held_back():
    change, scale = torch.tensor([[0.5, -0.5, 0.5, 0.5]]), torch.ones(4)
    led = in_motion(change, torch.tensor([[10.0, 10.0, -10.0, 0.0]]), scale)[0]
    assert led.tolist() == pytest.approx([0.5, -0.05, 0.05, 0.0], abs=1e-3)


def test_a_sequence_comes_back_from_its_file(tmp_path):
    one = sequence(1)
    path = sequence_path(tmp_path, 7)
    write_sequence(path, one)
    back = read_sequence(path)
    assert back.name == "0007" and (back.features == one.features).all() and (back.landmarks == one.landmarks).all()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RenaError, match="record it again"):
        read_sequence(path)


def test_data_of_one_person_is_refused(tmp_path):
    write_sequence(sequence_path(tmp_path, 0), sequence(0))
    args = argparse.Namespace(data=tmp_path, out="x", architecture="gru", epochs=1, caution=0.1, seed=0)
    with pytest.raises(RenaError, match="two persons"):
        run(args)
