"""A file that is only appended to, and a thread that flushes it to the disk: a power cut loses about a second."""

import contextlib
import os
import threading
from pathlib import Path

_SYNC_S = 0.5  # between two flushes to the disk


class OutputFile:
    """An unbuffered file: what ``write`` has taken survives the end of the process. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._size = 0

    def write(self, data: bytes) -> int:
        """Hand all of ``data`` to the kernel."""
        left = memoryview(data)
        while left:
            taken = os.write(self._handle, left)
            self._size += taken
            left = left[taken:]
        return len(data)

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self._size

    def flush(self) -> None:
        """Do nothing: no byte is held back."""

    def sync(self) -> None:
        """Wait until everything written so far is on the disk."""
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


class DiskSync:
    """A thread that flushes the files of one folder to the disk, so that their writer need not wait for the disk.

    fdatasync gives up the interpreter's lock while it waits. ``error`` is the OSError at which the thread has ended.
    """

    def __init__(self, folder_handle: int) -> None:
        self.error: OSError | None = None
        self._folder = folder_handle
        self._present: OutputFile | None = None
        self._complete: list[OutputFile] = []
        self._changed, self._ended = threading.Event(), threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="bag to disk", daemon=True)
        self._thread.start()

    def changed(self, output: OutputFile) -> None:
        """Flush this file soon."""
        self._present = output
        self._changed.set()

    def complete(self, output: OutputFile) -> None:
        """Flush this file, to which nothing is added any more, and close it."""
        with self._guard:
            self._complete.append(output)
            self._present = None
        self._changed.set()

    def close(self) -> None:
        """Flush what is left and end the thread; the present file stays open. ``error`` says whether it succeeded."""
        self._ended.set()
        self._changed.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._changed.wait()
                self._sync()
                self._ended.wait(_SYNC_S)
            self._sync()
        except OSError as error:
            self.error = error
        finally:
            for output in self._complete:
                with contextlib.suppress(OSError):
                    output.close()

    def _sync(self) -> None:
        self._changed.clear()
        with self._guard:
            complete, present = list(self._complete), self._present
        if present is not None:
            present.sync()
        for output in complete:
            output.sync()
            with self._guard:
                self._complete.remove(output)
            output.close()
        if complete:
            os.fsync(self._folder)
