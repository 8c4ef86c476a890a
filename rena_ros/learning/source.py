"""The model that a run starts from: the weights of an exported model, read back into a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from rena_ros.base.arrays import Array, FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of
from rena_ros.behaviour.policy import Policy
from rena_ros.learning.checkpoint import Tensors
from rena_ros.learning.export import label, run_exported
from rena_ros.learning.inputs import LANDMARKS, Readings
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
    _check(network, policy.path, policy.robot_rest)
    features = tuple(label(model, "feature_names"))
    return SourceModel(path, sha256_of(path), config, weights, features, policy.provenance)


def _weights(model: onnx.ModelProto, config: NetworkConfig) -> Tensors:
    """Return the weights of a graph that ``export`` wrote, as in ``Network.state_dict``. Raises KeyError."""
    named = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    if "centre" in named:
        named = _of_earlier_graph(model, named, config)
    return {name: torch.from_numpy(np.array(named[name])) for name in Network(config).state_dict()}


def _of_earlier_graph(model: onnx.ModelProto, named: dict[str, Array], config: NetworkConfig) -> dict[str, Array]:
    """Return the weights of a graph of version 0.1, which had one architecture, under their present names.

    That export kept the names of whatever is not the right side of a matrix product. Those it transposed, or joined
    (spline and base of a layer), under new names; the products themselves are named after the network's parts.
    """
    factors = {node.output[0]: node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    found = {f"inputs.{name}": named[name] for name in ("centre", "spread")}
    found |= {f"attention.{name}": named[name] for name in ("positions", "embedding", "readout.bias")}
    for part in ("attention.query_key_value", "readout"):
        found[f"attention.{part}.weight"] = named[factors[f"/{part.replace('.', '/')}/MatMul_output_0"]].T
    for i in range(3):
        joined = named[factors[f"/layers.{i}/MatMul_output_0"]]
        splines = len(joined) * (config.intervals + 3) // (config.intervals + 4)
        found[f"head.layers.{i}.spline"], found[f"head.layers.{i}.base"] = joined[:splines], joined[splines:]
        found[f"head.layers.{i}.bias"] = named[f"layers.{i}.bias"]
    return found


def _check(network: Network, path: Path, rest: FloatArray) -> None:
    """Raise RenaError unless network and file give the same goals for invented readings."""
    rng = np.random.default_rng(0)
    features = rng.random((2, 64, len(rest)), np.float32) * 0.2
    landmarks = rng.normal(0, 1, (2, 64, LANDMARKS, 3)).astype(np.float32)
    names = network.config.reads
    given = dict(
        zip(("features", "rest_features", "landmarks", "rest_landmarks"), (*features, *landmarks), strict=True)
    )
    readings = Readings(**{name: torch.from_numpy(given[name]) for name in names})
    with torch.no_grad():
        goals = network.eval().goals(network.inputs(readings)).clamp(0, 1).numpy()
    difference = np.abs(goals - run_exported(path, readings)).max()
    if not difference < TOLERANCE:
        raise RenaError(f"{path} holds another network than `rena train` exports; start from another model")
