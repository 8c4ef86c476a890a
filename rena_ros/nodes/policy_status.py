"""The diagnostics of the policy node: what it has done in the last second."""

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from rena_ros.control.health import Level
from rena_ros.nodes.messages import status_msg


class PolicyCounts:
    """Counts readings between two reports. ``refused``: readings that were not acted upon."""

    def __init__(self) -> None:
        self._skipped = 0  # until the last report
        self._begin()

    def _begin(self) -> None:
        self.refused, self._inference_ms, self._since_s = 0, list[float](), time.monotonic()

    def acted(self, inference_ms: float) -> None:
        """Count a reading that has become a command, and the time that this took, ms."""
        self._inference_ms.append(inference_ms)

    def report(self, name: str, model: str, state: str, skipped: int, values: dict[str, object]) -> DiagnosticStatus:
        """Return the status of the time since the last report, and begin again.

        ``state``: what the node does, in words. ``skipped``: readings without landmarks so far. ``values``: others.
        """
        inference_ms = float(np.median(self._inference_ms)) if self._inference_ms else float("nan")
        new, self._skipped = skipped - self._skipped, skipped
        warnings = [f"{self.refused} readings refused"] if self.refused else []
        if new:
            warnings.append(
                f"{new} readings skipped without landmarks: let face/landmarks, of the same stamps, "
                "reach this node, or use a model that does not read them, as models/rena-coefficients.onnx"
            )
        status = status_msg(
            f"{name}: mimicry",
            Level.WARN if warnings else Level.OK,
            "; ".join(warnings) or state,
            {
                "rate_hz": f"{len(self._inference_ms) / (time.monotonic() - self._since_s):.1f}",
                "inference_ms": f"{inference_ms:.3f}",
                **values,
            },
            hardware_id=model,
        )
        self._begin()
        return status
