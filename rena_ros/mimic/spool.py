"""Spool files: records on disk in order of arrival, one file per stream, from which the film is made after the run.

A record is its stamp (int64 nanoseconds), its length (uint32) and its bytes. Memory stays bounded however long the run
takes. A run that is cut off leaves complete records and at most one incomplete record, which the reader ignores.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_HEADER = struct.Struct("<qI")


class SpoolWriter:
    """Appends records to ``directory/STREAM.spool``; after the first ``failure`` it writes nothing more."""

    def __init__(self, directory: Path, streams: tuple[str, ...]):
        directory.mkdir(parents=True, exist_ok=True)
        self._files = {name: open(directory / f"{name}.spool", "wb", buffering=1 << 16) for name in streams}  # noqa: SIM115
        self.failure: str | None = None

    def append(self, stream: str, stamp_ns: int, data: bytes | memoryview) -> None:
        """Append one record; does nothing once writing has failed."""
        if self.failure is not None:
            return
        try:
            file = self._files[stream]
            file.write(_HEADER.pack(stamp_ns, len(data)))
            file.write(data)
        except OSError as error:
            self.failure = error.strerror or str(error)

    def close(self) -> None:
        """Flush the buffers and close the files."""
        for file in self._files.values():
            try:
                file.close()
            except OSError as error:
                self.failure = self.failure or error.strerror or str(error)


@dataclass(frozen=True)
class SpoolReader:
    """The index of one stream: ``stamps_ns`` int64 (n,) rising, ``offsets`` and ``lengths`` int64 (n,) of the data."""

    path: Path
    stamps_ns: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray

    @classmethod
    def open(cls, directory: Path, stream: str) -> "SpoolReader":
        """Index ``directory/STREAM.spool``, sorted by stamp; a stream that was never written is empty."""
        path = directory / f"{stream}.spool"
        rows = list(_index(path)) if path.exists() else []
        table = np.array(rows, np.int64).reshape(-1, 3)
        table = table[np.argsort(table[:, 0], kind="stable")]
        return cls(path, table[:, 0], table[:, 1], table[:, 2])

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def __getitem__(self, i: int) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(int(self.offsets[i]))
            return file.read(int(self.lengths[i]))


def _index(path: Path) -> Iterator[tuple[int, int, int]]:
    size = path.stat().st_size
    with open(path, "rb") as file:
        position = 0
        while position + _HEADER.size <= size:
            file.seek(position)
            stamp_ns, length = _HEADER.unpack(file.read(_HEADER.size))
            position += _HEADER.size
            if position + length > size:
                return
            yield stamp_ns, position, length
            position += length
