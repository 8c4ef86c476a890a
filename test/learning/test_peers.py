"""The networks that `rena bench model` runs beside a model."""

from dataclasses import replace

import pytest
import torch

from rena_ros.learning.eager import head_widths, load_eager, save_eager
from rena_ros.learning.network import ARCHITECTURES, Network, NetworkConfig, perceptron
from rena_ros.learning.peers import hidden_width, parameters

CONFIG = NetworkConfig(hidden=8)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_widths_are_those_of_the_layers(architecture):
    network = Network(replace(CONFIG, architecture=architecture))
    numbers = torch.zeros(1, head_widths(network)[0])
    assert network.head(numbers).shape == (1, head_widths(network)[-1]) == (1, 25)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_mlp_of_equal_size_is_the_nearest(depth):
    wanted = 100_000
    found = hidden_width(240, 25, depth, wanted)
    sizes = [parameters(perceptron((240, *[width] * depth, 25))) for width in (found - 1, found, found + 1)]
    assert min(sizes, key=lambda size: abs(size - wanted)) == sizes[1]


def test_a_saved_network_gives_the_same_goals(tmp_path):
    config = replace(CONFIG, architecture="landmark_kan", rest=True)
    network = Network(config)
    save_eager(network, tmp_path / "network.safetensors")
    threads = torch.get_num_threads()
    goals = torch.from_numpy(load_eager(tmp_path / "network.safetensors", 0.1)())
    torch.set_num_threads(threads)
    faces = torch.full((1, 55), 0.1), torch.full((1, 478, 3), 0.1)
    assert config.reads == ("features", "landmarks", "rest_features", "rest_landmarks")
    with torch.no_grad():
        assert torch.allclose(goals, network.eval()(*faces, *faces), atol=1e-6)
