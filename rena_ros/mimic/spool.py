"""Spool files: records on disk in order of arrival, one file per stream, from which the film is made after the run.

A record is its stamp (int64 nanoseconds), its length (uint32) and its bytes. Memory stays bounded however long the run
takes. A run that is cut off leaves complete records and at most one incomplete record, which the reader ignores.
"""

import struct
from collections.abc import Iterator
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


class SpoolReader:
    """The records of ``directory/STREAM.spool``, sorted by stamp; none when the stream was never written.

    ``stamps_ns``: int64 (n,), rising.
    """

    def __init__(self, directory: Path, stream: str, span_ns: tuple[int, int] | None = None):
        """``span_ns``: only records stamped within it, both ends included."""
        self._path = directory / f"{stream}.spool"
        rows = list(_index(self._path)) if self._path.exists() else []
        table = np.array(rows, np.int64).reshape(-1, 3)
        if span_ns is not None:
            table = table[(table[:, 0] >= span_ns[0]) & (table[:, 0] <= span_ns[1])]
        self._table = table[np.argsort(table[:, 0], kind="stable")]
        self.stamps_ns = self._table[:, 0]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, i: int) -> bytes:
        _, offset, length = self._table[i].tolist()
        with open(self._path, "rb") as file:
            file.seek(offset)
            return file.read(length)


def _index(path: Path) -> Iterator[tuple[int, int, int]]:
    """Stamp, offset of the data and their length, for every complete record."""
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
