"""What one answer costs: the exported model in onnxruntime beside the same network in eager torch, in one run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rena_ros.behaviour.model_session import open_session

BLOCKS, CALLS = 12, 40


@dataclass(frozen=True)
class AnswerCost:
    """Microseconds of one answer at batch 1, one thread: median of the blocks' means. ``ratio``: exported / eager."""

    exported_us: float
    eager_us: float

    @property
    def ratio(self) -> float:
        """Return the cost of the exported model as a share of that in eager torch."""
        return self.exported_us / self.eager_us


def answer_cost(network: torch.nn.Module, model: Path) -> AnswerCost:
    """Measure a network and its exported file. Both take turns, so that a busy machine slows both down."""
    session = open_session(model)
    fed = {one.name: np.full([1, *one.shape[1:]], 0.1, np.float32) for one in session.get_inputs()}
    inputs = [torch.from_numpy(array) for array in fed.values()]
    network.eval()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            ways: tuple[Callable[[], object], ...] = (lambda: session.run(None, fed), lambda: network(*inputs))
            for way in ways:
                _mean_us(way)  # warm up
            exported, eager = zip(*[[_mean_us(way) for way in ways] for _ in range(BLOCKS)], strict=True)
    finally:
        torch.set_num_threads(threads)
    return AnswerCost(float(np.median(exported)), float(np.median(eager)))


def _mean_us(way: Callable[[], object]) -> float:
    start_ns = time.perf_counter_ns()
    for _ in range(CALLS):
        way()
    return (time.perf_counter_ns() - start_ns) / CALLS / 1000
