"""Console scripts of the nodes.

Importing ROS, MediaPipe or numba takes a second; Ctrl-C during that time ends the process without a traceback.
"""

import os
import signal
import sys
from functools import partial
from importlib import import_module

from rena_ros.base.missing import missing_package


def start(name: str) -> int:
    """Import ``rena_ros.nodes.NAME`` and run its ``main``; returns its exit code, 2 where a package is missing.

    Ctrl-C during the import ends the process at once with exit code 0, as it does later: nothing is held yet.
    """
    default = signal.getsignal(signal.SIGINT) == signal.default_int_handler  # else it is ignored, and stays so
    if default:
        signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    try:
        node = import_module(f"rena_ros.nodes.{name}")
    except ModuleNotFoundError as error:
        if (missing := missing_package(error)) is None:
            raise
        print(f"{name}: {missing}", file=sys.stderr)
        return 2
    if default:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return node.main()


# setup.py makes a console script NAME_node of each.
camera = partial(start, "camera")
blendshapes = partial(start, "blendshapes")
policy = partial(start, "policy")
chain = partial(start, "chain")
servos = partial(start, "servos")
twin = partial(start, "twin")
emulator = partial(start, "emulator")
babble = partial(start, "babble")
recorder = partial(start, "recorder")
play = partial(start, "play")
