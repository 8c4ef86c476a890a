"""Export of a network of sequences to one ONNX file, as ``behaviour.prediction.Predictor`` reads it."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from rena_ros.base.files import replacing
from rena_ros.behaviour.prediction import INPUTS, OUTPUTS
from rena_ros.learning.export import OPSET
from rena_ros.learning.sequence_networks import SequenceNetwork
from rena_ros.learning.sequence_windows import FEATURES, HORIZONS_S, STEP_S, STEPS
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.landmark_frame import POINTS

UNDER_WAY = -4  # the step of the history from which on a movement is under way: a tenth of a second
OPPOSED = 0.05  # the most by which a change opposes it, in usual changes
AT_REST = 0.2  # a movement of this size, in usual changes, halves the lead


class SequenceGraph(nn.Module):
    """What the Predictor runs: from resampled readings to the change, made small where the network is unsure.

    ``caution``: a change is multiplied by change² / (change² + (caution sigma)²).
    """

    rows: Tensor

    def __init__(self, network: SequenceNetwork, rows: Tensor, caution: float) -> None:
        super().__init__()
        self.network, self.caution = network, caution
        self.register_buffer("rows", rows)

    def forward(
        self, features: Tensor, landmarks: Tensor, horizon_s: Tensor, trust: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the change (n, c), the newest channels (n, c) and what landmarks lead by, (n, 478, 3)."""
        components = landmarks.reshape(-1, STEPS, 3 * POINTS) @ self.rows.T
        history = torch.cat([features, components], dim=2)
        newest = history[:, -1]
        change, sigma = self.network(history - newest[:, None], newest[:, :FEATURES], horizon_s)
        change = in_motion(confident(change, sigma, self.caution), newest - history[:, UNDER_WAY], self.network.scale)
        lead = ((trust * change)[:, FEATURES:] @ self.rows).reshape(-1, POINTS, 3)
        return change, newest, lead


def confident(change: Tensor, sigma: Tensor, caution: float) -> Tensor:
    """Return the change, less where its size is small beside its standard deviation."""
    energy = change.square()
    return change * energy / (energy + (caution * sigma).square() + 1e-12)


def in_motion(change: Tensor, movement: Tensor, scale: Tensor) -> Tensor:
    """Return the change, less where no ``movement`` is under way, and hardly against one: noise alone is smoothed.

    Else noise at rest would be led, and a sudden change, which may be noise, or a blink would be held back.
    """
    energy = movement.square()
    supported = change * energy / (energy + (AT_REST * scale).square())
    bound = OPPOSED * scale
    return torch.where(change * movement < 0, torch.maximum(torch.minimum(change, bound), -bound), supported)


def export_sequence(graph: SequenceGraph, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write the graph as a whole, with its labels. Raises RenaError when the file cannot be written."""
    shapes = ((1, STEPS, FEATURES), (1, STEPS, POINTS, 3), (1, 1), (1, len(graph.network.scale)))
    labels = {
        "feature_names": list(READING_NAMES),
        "horizon_s": list(HORIZONS_S),
        "steps": STEPS,
        "step_s": STEP_S,
        "scale": [round(float(value), 6) for value in graph.network.scale],
        "provenance": dict(provenance),
    }
    with replacing(path) as fresh:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of GRUs at batch sizes other than 1, and of its own age
            torch.onnx.export(
                graph.eval(),
                tuple(torch.zeros(shape) for shape in shapes),
                fresh,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                dynamo=False,
            )
        model = onnx.load(fresh)
        onnx.helper.set_model_props(model, {f"rena.{name}": json.dumps(value) for name, value in labels.items()})
        onnx.checker.check_model(model)
        fresh.write_bytes(model.SerializeToString())
