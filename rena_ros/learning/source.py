"""The model that a run starts from: the weights of an exported model, read back into a network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of
from rena_ros.behaviour.policy import Policy
from rena_ros.learning.checkpoint import Tensors
from rena_ros.learning.network import Network, NetworkConfig
from rena_ros.robot.model import Robot

TOLERANCE = 1e-4  # between the goals of the file and those of the network that was read from it


@dataclass(frozen=True)
class SourceModel:
    """A trained model. ``sha256``: of its file. ``weights``: what ``Network(config)`` loads."""

    path: Path
    sha256: str
    config: NetworkConfig
    weights: Tensors
    feature_names: tuple[str, ...]
    provenance: dict[str, Any]


def load_source(path: Path, robot: Robot) -> SourceModel:
    """Load an exported model, or the one in the folder of a finished run.

    Raises RenaError in one line when it is no model, or one of other servos, features or another form of network.
    """
    if path.is_dir():
        if not (path / "model.onnx").is_file():
            raise RenaError(f"{path} holds no model.onnx: finish that run first, then start from it")
        path = path / "model.onnx"
    elif path.suffix == ".safetensors":
        raise RenaError(f"{path} does not say which servos it is for: give the folder of its run, or its model.onnx")
    policy = Policy(path, robot)
    try:
        config = NetworkConfig(**policy.provenance["settings"]["network"])
        network = Network(config)
        model = onnx.load(path)
        weights = _weights(model, config)
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RenaError(f"{path} holds another network than `rena train` exports; start from another model") from error
    _check(network, policy)
    labels = {entry.key: entry.value for entry in model.metadata_props}
    features = tuple(json.loads(labels["rena.feature_names"]))
    return SourceModel(path, sha256_of(path), config, weights, features, policy.provenance)


def _weights(model: onnx.ModelProto, config: NetworkConfig) -> Tensors:
    """Return the weights of a graph that ``export`` wrote, as in ``Network.state_dict``. Raises KeyError.

    The export keeps the names of whatever is not the right side of a matrix product. Those it transposes, or joins
    (spline and base of a layer), under new names; the products themselves are named after the network's parts.
    """
    named = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    factors = {node.output[0]: node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    kept = [name for name, _ in Network(config).state_dict().items() if name in named]
    weights = {name: named[name] for name in kept}
    for part in ("attention.query_key_value", "readout"):
        weights[f"{part}.weight"] = named[factors[f"/{part.replace('.', '/')}/MatMul_output_0"]].T
    for i in range(3):
        joined = named[factors[f"/layers.{i}/MatMul_output_0"]]
        splines = len(joined) * (config.intervals + 3) // (config.intervals + 4)
        weights[f"layers.{i}.spline"], weights[f"layers.{i}.base"] = joined[:splines], joined[splines:]
    return {name: torch.from_numpy(np.array(values)) for name, values in weights.items()}


def _check(network: Network, policy: Policy) -> None:
    """Raise RenaError unless network and file give the same goals for readings around the robot's rest."""
    readings = np.random.default_rng(0).random((64, len(policy.robot_rest)), np.float32) * 0.2
    readings[:, -3:] = policy.robot_rest[-3:]  # a pose that every model answers as it is
    with torch.no_grad():
        goals = network.eval()(torch.from_numpy(readings)).clamp(0, 1).numpy()
    difference = np.abs(goals - policy.batch(readings)).max()
    if not difference < TOLERANCE:
        raise RenaError(f"{policy.path} holds another network than `rena train` exports; start from another model")
