"""The checkpoint of a training run: tensors as safetensors, everything else as JSON in the same file, no pickle.

The file is written as a whole, so an interruption at any time leaves the state after a whole epoch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from rena_ros.base.errors import RenaError
from rena_ros.base.files import write_bytes

FORMAT = 3  # 3: with the averaged weights; 2: with the state of the learning-rate schedule

Tensors = dict[str, Tensor]


def save(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimiser: Optimizer,
    schedule: LRScheduler,
    best: Tensors,
    progress: dict[str, Any],
) -> None:
    """Write the networks by name, the optimiser, its schedule, the best weights so far and ``progress`` (JSON data).

    Raises RenaError when the file cannot be written; the earlier checkpoint stays.
    """
    tensors = {f"{one}.{name}": tensor for one, net in networks.items() for name, tensor in net.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    optimiser_state = optimiser.state_dict()
    for i, moments in optimiser_state["state"].items():
        tensors |= {f"optimiser.{i}.{name}": tensor for name, tensor in moments.items()}
    state = {
        "format": FORMAT,
        "param_groups": optimiser_state["param_groups"],
        "schedule": schedule.state_dict(),
        "progress": progress,
    }
    data = to_safetensors({name: tensor.contiguous() for name, tensor in tensors.items()}, {"rena": json.dumps(state)})
    try:
        write_bytes(path, data)
    except RenaError as error:
        raise RenaError(f"{error}; make room, then run the same command again") from error


def load(
    path: Path, networks: Mapping[str, nn.Module], optimiser: Optimizer, schedule: LRScheduler
) -> tuple[Tensors, dict[str, Any]]:
    """Restore the networks, the optimiser and its schedule as ``save`` wrote them.

    Returns the best weights and the progress. Raises RenaError as ``read`` does.
    """
    tensors, state = read(path)
    for name, network in networks.items():
        network.load_state_dict(_under(tensors, f"{name}."))
    moments: dict[int, Tensors] = {}
    for name, tensor in _under(tensors, "optimiser.").items():
        i, _, moment = name.partition(".")
        moments.setdefault(int(i), {})[moment] = tensor
    optimiser.load_state_dict({"param_groups": state["param_groups"], "state": moments})
    schedule.load_state_dict(state["schedule"])
    return _under(tensors, "best."), state["progress"]


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors of a checkpoint and its JSON state.

    Raises RenaError when the file is no checkpoint, or one of another format.
    """
    try:
        with safe_open(path, "pt") as file:
            state = dict(json.loads(file.metadata()["rena"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RenaError(f"{path} is not a checkpoint of a training run ({error}); remove it to start again") from error
    if state.get("format") != FORMAT:
        raise RenaError(
            f"{path.parent} holds a run of another version of Rena, whose checkpoint this version cannot continue; "
            "start a new run with another --out"
        )
    return tensors, state


def snapshot(network: nn.Module) -> Tensors:
    """Return a copy of a network's weights."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
