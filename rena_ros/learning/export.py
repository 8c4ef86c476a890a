"""A trained network -> one ONNX file that says by itself what goes in, what comes out, and where it comes from."""

import json
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

OPSET = 17


@dataclass(frozen=True)
class Labels:
    """What a model file says of itself. ``robot_rest``: (55,), the robot's own reading at neutral."""

    servo_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    robot_rest: np.ndarray
    provenance: dict


def export_onnx(network: nn.Module, path: Path, labels: Labels) -> None:
    """Write ``network`` as ONNX: "features" (n, 55) -> "goals" (n, 25), float32, labels as metadata, in one step."""
    example = torch.zeros(2, len(labels.feature_names))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        file = Path(folder) / path.name
        with warnings.catch_warnings():
            # torch's newer exporter needs a further package and gains nothing for a graph of this size.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                network.eval(),
                (example,),
                str(file),
                input_names=["features"],
                output_names=["goals"],
                dynamic_axes={"features": {0: "n"}, "goals": {0: "n"}},
                opset_version=OPSET,
                dynamo=False,
            )
        model = onnx.load(file)
        onnx.helper.set_model_props(
            model,
            {
                "rena.servo_names": json.dumps(labels.servo_names),
                "rena.feature_names": json.dumps(labels.feature_names),
                "rena.robot_rest": json.dumps([round(float(value), 6) for value in labels.robot_rest]),
                "rena.provenance": json.dumps(labels.provenance),
            },
        )
        onnx.checker.check_model(model)
        onnx.save(model, file)
        os.replace(file, path)


def relabel(path: Path, provenance: dict) -> None:
    """Replace the provenance of a model file, leaving all else as it is."""
    model = onnx.load(path)
    props = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**props, "rena.provenance": json.dumps(provenance)})
    temporary = path.with_suffix(".tmp")
    onnx.save(model, temporary)
    os.replace(temporary, path)
