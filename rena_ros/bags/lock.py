"""The lock of a bag's folder: one writer, and no mending while it writes."""

import fcntl
import os
from pathlib import Path


def lock(directory: Path) -> int:
    """Lock a folder for this process, which leaves no file in it; the lock ends when the returned handle is closed.

    Raises BlockingIOError when another process holds it, and another OSError where the file system has no such locks.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def is_locked(directory: Path) -> bool:
    """Return whether a writer holds the folder's lock."""
    try:
        os.close(lock(directory))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
