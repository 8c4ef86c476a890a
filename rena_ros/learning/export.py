"""Export of a trained network to one ONNX file that names its inputs, its outputs and its provenance."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from rena_ros.base.arrays import FloatArray
from rena_ros.base.files import replacing, write_bytes
from rena_ros.behaviour.policy import RestReading
from rena_ros.datasets.dataset import Dataset
from rena_ros.learning.inputs import LANDMARKS, Readings
from rena_ros.learning.network import Network

OPSET = 17


def export_onnx(network: Network, path: Path, labels: Mapping[str, Any]) -> None:
    """Write ``network`` to ``path`` as a whole: "features" (n, 55) -> "goals" (n, 25), float32.

    Beside "features" the graph has the inputs that the network reads: "landmarks" and "rest_landmarks" (n, 478, 3),
    both aligned, and "rest_features" (n, 55). ``labels``: the metadata that ``Policy`` reads, as JSON data: see
    ``labels_of``. Raises RenaError when the file cannot be written.
    """
    with replacing(path) as fresh:
        _export_graph(network, fresh)
        model = onnx.load(fresh)
        weights = {one.name for one in model.graph.initializer}
        inputs = [one for one in model.graph.input if one.name not in weights]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        onnx.helper.set_model_props(model, {f"rena.{name}": json.dumps(value) for name, value in labels.items()})
        onnx.checker.check_model(model)
        fresh.write_bytes(model.SerializeToString())


def labels_of(dataset: Dataset, rest: RestReading, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels of a model trained on a dataset; ``rest``: with the landmarks, if the network reads them."""
    labels: dict[str, Any] = {
        "servo_names": dataset.names,
        "feature_names": dataset.feature_names,
        "robot_rest": rest.features.astype(float).round(6).tolist(),
        "provenance": provenance,
    }
    if rest.landmarks is not None:
        labels["robot_rest_landmarks"] = rest.landmarks.astype(float).round(6).tolist()
    return labels


def label(model: onnx.ModelProto, name: str) -> Any:
    """Return one of the labels of a model that ``export_onnx`` wrote. Raises KeyError and ValueError."""
    return json.loads({entry.key: entry.value for entry in model.metadata_props}[f"rena.{name}"])


def replace_provenance(path: Path, provenance: dict[str, Any]) -> None:
    """Replace the provenance in a model file; the graph and the other labels stay. Raises RenaError."""
    model = onnx.load(path)
    labels = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**labels, "rena.provenance": json.dumps(provenance)})
    write_bytes(path, model.SerializeToString())


def run_exported(path: Path, readings: Readings) -> FloatArray:
    """Return the goals (n, 25), clipped to [0, 1], that the graph of a model file gives for readings.

    Only the graph: without the pose range, the hold and the adaptation of ``Policy``.
    """
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    wanted = {one.name: getattr(readings, one.name).numpy() for one in session.get_inputs()}
    return np.clip(session.run(("goals",), wanted)[0], 0, 1)


def _export_graph(network: Network, path: Path) -> None:
    shapes = {"features": (2, network.config.coefficients + network.config.pose), "landmarks": (2, LANDMARKS, 3)}
    names = network.config.reads
    with warnings.catch_warnings():
        # torch's newer exporter needs a further package and gains nothing for a graph of this size.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            tuple(torch.zeros(shapes[name.removeprefix("rest_")]) for name in names),
            path,
            input_names=list(names),
            output_names=["goals"],
            dynamic_axes={name: {0: "n"} for name in (*names, "goals")},
            opset_version=OPSET,
            # All weights keep their names, by which ``source`` reads them back; onnxruntime folds them when it loads.
            do_constant_folding=False,
            keep_initializers_as_inputs=True,  # otherwise of equal weights, such as new biases, only one is written
            dynamo=False,
        )
