"""A training run on disk: tensors as safetensors, everything else as JSON in the same file. No pickle.

One file, replaced in one step, so whatever interrupts a run leaves the state after a whole epoch.
"""

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim

from rena_ros.base.errors import RenaError

Tensors = dict[str, Tensor]


def save(path: Path, network: nn.Module, optimiser: optim.Optimizer, best: Tensors, state: dict) -> None:
    """Write network, optimiser and the best weights so far, with ``state`` (JSON) beside them."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for i, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{i}.{name}": tensor for name, tensor in moments.items()}
    temporary = path.with_suffix(".tmp")
    try:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, {"rena": json.dumps(state)}
        )
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        raise RenaError(f"cannot write {path}: {error}; make room, then run the same command again") from error


def load(path: Path, network: nn.Module, optimiser: optim.Optimizer) -> tuple[Tensors, dict]:
    """Put network and optimiser back to where ``save`` left them. Returns the best weights and the state."""
    tensors, state = read(path)
    network.load_state_dict(_under(tensors, "network."))
    moments: dict[int, Tensors] = {}
    for name, tensor in _under(tensors, "optimiser.").items():
        i, _, moment = name.partition(".")
        moments.setdefault(int(i), {})[moment] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    return _under(tensors, "best."), state


def read(path: Path) -> tuple[Tensors, dict]:
    """All tensors of a checkpoint, and its state. Raises RenaError when the file is not one."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["rena"])  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RenaError(f"{path} is not a checkpoint of a training run ({error}); remove it to begin anew") from error


def snapshot(network: nn.Module) -> Tensors:
    """A copy of a network's weights."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
