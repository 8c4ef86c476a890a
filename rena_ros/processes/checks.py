"""Checks before the processes of a run start; each error is one line with the remedy."""

import os
import socket
from collections.abc import Iterable
from pathlib import Path

from rena_ros.base.claims import claim, is_claimed
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.graph import claim_of


def check_robot(text: str) -> None:
    """Check `--robot`: ``twin``, or a serial port that exists and may be opened. Raises RenaError."""
    if text == "twin":
        return
    port = user_path(text)
    if not port.exists():
        raise RenaError(f"there is no serial port {text}; plug the robot in (ls /dev/ttyUSB* /dev/ttyACM*) or use twin")
    if not os.access(port, os.R_OK | os.W_OK):
        raise RenaError(f"may not open {text}; add yourself to the group `dialout` (sudo usermod -aG dialout $USER)")


def check_names(names: Iterable[str], domain: int, namespace: str, command: str) -> socket.socket:
    """Claim this domain and namespace on this machine for one run.

    ``names``: the full names of its nodes; ``command``: what started it, such as "rena mimic", for errors.
    Returns the claim, which lasts until it is closed. Raises RenaError when another run, or one of the nodes however it
    was started, has them.
    """
    where = f"ROS domain {domain}, namespace {namespace}"
    remedy = f"end it, or give this run its own: ROS_DOMAIN_ID=… {command}, or --namespace NAME"
    held = claim(f"run {claim_of(namespace, domain)}")
    if held is None:
        raise RenaError(f"another run of Rena runs on this machine in {where}: {remedy}")
    if taken := [name for name in names if is_claimed(claim_of(name, domain))]:
        held.close()
        runs = "runs" if len(taken) == 1 else "run"
        raise RenaError(f"{', '.join(taken)} {runs} on this machine in {where} already: {remedy}")
    return held


def check_json(path: Path | None) -> None:
    """Check `--json FILE`. Raises RenaError when its folder is missing: before the run, not after it."""
    if path is not None and not path.resolve().parent.is_dir():
        raise RenaError(f"cannot write {path}: there is no folder {path.resolve().parent}")
