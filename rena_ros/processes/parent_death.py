"""Run a command that ends when its parent dies: `python -I -S parent_death.py PARENT_PID COMMAND…`.

A program of its own, because code between fork and exec is unsafe in a process with threads. It asks the kernel for a
SIGTERM at the parent's death (the request survives exec), restores Ctrl-C where it was inherited as ignored, and
becomes the command. Started with -I -S it takes about 10 ms and imports nothing of this package.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Become ``argv[1:]``; exit at once when the parent, process id ``argv[0]``, has already ended."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(argv[0]):
        sys.exit("the parent has already ended")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(argv[1], argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
