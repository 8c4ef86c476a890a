"""Run a command that must not outlive its parent: `python -I -S leash.py PARENT_PID COMMAND…`.

A program of its own, because code between fork and exec is unsafe in a process with threads. It asks the
kernel for a SIGTERM when the parent dies (the wish survives exec), undoes an inherited "ignore Ctrl-C", and
becomes the command. Started with -I -S it costs about 10 ms and imports nothing of this package.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Become ``argv[1:]``; leave at once when ``argv[0]``, the parent's process id, is already gone."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(argv[0]):
        sys.exit("the parent has already left")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(argv[1], argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
