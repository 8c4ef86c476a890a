"""What `rena bench model` runs beside a model: `python -m rena_ros.learning.peers --model FILE --out DIR`.

Writes the same network for eager torch, with the weights of the model file; an MLP with as many parameters, exported in
the same way; and efficient-kan of the same widths, for eager torch and exported, where it is installed. The weights of
the last two are random: they cost the same.
"""

import argparse
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.learning.eager import PEER, head_widths, peer_head, save_eager
from rena_ros.learning.export import export_onnx
from rena_ros.learning.network import Network, perceptron
from rena_ros.learning.source import load_source
from rena_ros.robot.file import load_robot

WIDEST = 8192


def parameters(module: nn.Module) -> int:
    """Return how many numbers of a network are learned."""
    return sum(one.numel() for one in module.parameters())


def hidden_width(first: int, last: int, depth: int, wanted: int) -> int:
    """Return the width of the ``depth`` hidden layers with which an MLP comes closest to ``wanted`` parameters."""

    def count(width: int) -> int:
        widths = (first, *[width] * depth, last)
        return sum((one + 1) * other for one, other in pairwise(widths))

    return min(range(1, WIDEST), key=lambda width: abs(count(width) - wanted))


def write_peers(model: Path, robot_file: str | None, folder: Path) -> None:
    """Write the files and, as peers.json, the parameters of each. Raises RenaError when it is no model of Rena's."""
    torch.manual_seed(0)
    source = load_source(model, load_robot(robot_file))
    network = Network(source.config)
    network.load_state_dict(source.weights)
    save_eager(network, folder / "eager.safetensors")
    counts = {"eager": parameters(network)}

    first, *_, last = head_widths(network)
    width = hidden_width(first, last, source.config.depth, parameters(network.head))
    mlp = Network(replace(source.config, hidden=width))
    mlp.head = perceptron(head_widths(mlp))
    counts["mlp"] = _export(mlp, network, folder / "mlp.onnx")

    if find_spec(PEER) is not None:
        peer = Network(source.config)
        peer.add_module("head", peer_head(peer))
        counts["peer"] = _export(peer, network, folder / "peer.onnx")
        save_eager(peer, folder / "peer.safetensors", peer=True)
    write_json(folder / "peers.json", counts)


def _export(network: Network, original: Network, path: Path) -> int:
    """Export a network that reads as the original does; return its parameters."""
    network.inputs.load_state_dict(original.inputs.state_dict())
    export_onnx(network, path, {})
    return parameters(network)


def main() -> int:
    """Write the peers of one model. Returns 0, or 2 for what the user can correct."""
    parser = argparse.ArgumentParser(prog="peers", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=user_path, required=True)
    parser.add_argument("--robot-file")
    parser.add_argument("--out", type=user_path, required=True)
    args = parser.parse_args()
    try:
        write_peers(args.model, args.robot_file, args.out)
    except RenaError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
