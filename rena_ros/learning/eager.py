"""A network as a file that eager torch runs; imports nothing that inference does not need.

The file holds the weights as safetensors and, beside them, the network's shape as JSON.
"""

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from rena_ros.base.arrays import FloatArray
from rena_ros.learning.inputs import LANDMARKS
from rena_ros.learning.network import Network, NetworkConfig

PEER = "efficient_kan"


def head_widths(network: Network) -> tuple[int, ...]:
    """Return the widths of a network's layers: its inputs, the hidden layers, the servos."""
    config, first = network.config, network.inputs.size
    if network.attention is not None:
        first = config.coefficients * config.readout + config.pose
    return (first, *[config.hidden] * config.depth, config.servos)


def peer_head(network: Network) -> nn.Module:
    """Return layers of efficient-kan of the same widths and grid, with random weights.

    Raises ModuleNotFoundError when it is not installed.
    """
    head: nn.Module = importlib.import_module(PEER).KAN(list(head_widths(network)), grid_size=network.config.intervals)
    return head


def save_eager(network: Network, path: Path, *, peer: bool = False) -> None:
    """Write a network to ``path``; ``peer``: its layers are those of ``peer_head``."""
    about = {"config": json.dumps(asdict(network.config)), "peer": json.dumps(peer)}
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path, about)


def load_eager(path: Path, value: float) -> Callable[[], FloatArray]:
    """Return a function that gives the goals (1, 25), not clamped, of readings that are ``value`` throughout.

    One thread. Raises ModuleNotFoundError when the file needs efficient-kan, which is not installed.
    """
    torch.set_num_threads(1)
    with safe_open(path, "pt") as file:
        about = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    network = Network(NetworkConfig(**json.loads(about["config"])))
    if json.loads(about["peer"]):
        network.add_module("head", peer_head(network))
    network.load_state_dict(weights)
    network.eval()
    features = network.config.coefficients + network.config.pose
    shapes = {"features": (1, features), "landmarks": (1, LANDMARKS, 3)}
    readings = [torch.full(shapes[name.removeprefix("rest_")], value) for name in network.config.reads]

    def forward() -> FloatArray:
        with torch.inference_mode():
            goals: FloatArray = network(*readings).numpy()
        return goals

    return forward
