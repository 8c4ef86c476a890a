"""Export of a trained network to one ONNX file that names its inputs, its outputs and its provenance."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from rena_ros.base.files import replacing, write_bytes

OPSET = 17


def export_onnx(network: nn.Module, path: Path, labels: Mapping[str, Any]) -> None:
    """Write ``network`` to ``path`` as a whole: "features" (n, 55) -> "goals" (n, 25), float32.

    ``labels``: the metadata that ``Policy`` reads, as JSON data: "servo_names", "feature_names", "robot_rest" (55,) and
    "provenance". Raises RenaError when the file cannot be written.
    """
    with replacing(path) as fresh:
        _export_graph(network, fresh, len(labels["feature_names"]))
        model = onnx.load(fresh)
        onnx.helper.set_model_props(model, {f"rena.{name}": json.dumps(value) for name, value in labels.items()})
        onnx.checker.check_model(model)
        fresh.write_bytes(model.SerializeToString())


def replace_provenance(path: Path, provenance: dict[str, Any]) -> None:
    """Replace the provenance in a model file; the graph and the other labels stay. Raises RenaError."""
    model = onnx.load(path)
    labels = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**labels, "rena.provenance": json.dumps(provenance)})
    write_bytes(path, model.SerializeToString())


def _export_graph(network: nn.Module, path: Path, features: int) -> None:
    with warnings.catch_warnings():
        # torch's newer exporter needs a further package and gains nothing for a graph of this size.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, features),),
            path,
            input_names=["features"],
            output_names=["goals"],
            dynamic_axes={"features": {0: "n"}, "goals": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
