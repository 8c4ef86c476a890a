"""Console scripts of the nodes.

Importing ROS, MediaPipe or numba takes a second; Ctrl-C during that time ends the process without a traceback.
"""

import os
import signal
from functools import partial
from importlib import import_module


def start(name: str) -> int:
    """Import ``rena_ros.nodes.NAME`` and run its ``main``; returns its exit code.

    Ctrl-C during the import ends the process at once with exit code 0, as it does later: nothing is held yet.
    """
    default = signal.getsignal(signal.SIGINT) == signal.default_int_handler  # else it is ignored, and stays so
    if default:
        signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    node = import_module(f"rena_ros.nodes.{name}")
    if default:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return node.main()


# setup.py makes a console script NAME_node of each.
camera = partial(start, "camera")
blendshapes = partial(start, "blendshapes")
policy = partial(start, "policy")
servos = partial(start, "servos")
twin = partial(start, "twin")
emulator = partial(start, "emulator")
