"""The nodes' console scripts. Importing ROS, MediaPipe or numba takes a second: Ctrl-C then ends it without a word."""

import os
import signal
from importlib import import_module


def start(name: str) -> int:
    """Import ``rena_ros.nodes.NAME`` and run its ``main``; returns its exit code.

    Ctrl-C during the import leaves at once, with 0 as a running node does: there is nothing to release yet.
    """
    asks = signal.getsignal(signal.SIGINT) == signal.default_int_handler  # else it is ignored, and that stays
    if asks:
        signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    node = import_module(f"rena_ros.nodes.{name}")
    if asks:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return node.main()


def camera() -> int:
    """Console script ``camera_node``."""
    return start("camera")


def blendshapes() -> int:
    """Console script ``blendshapes_node``."""
    return start("blendshapes")


def policy() -> int:
    """Console script ``policy_node``."""
    return start("policy")


def servos() -> int:
    """Console script ``servos_node``."""
    return start("servos")


def twin() -> int:
    """Console script ``twin_node``."""
    return start("twin")


def emulator() -> int:
    """Console script ``emulator_node``."""
    return start("emulator")
