"""NumPy's .npz files, without pickles: read, however damaged they are, and written as a whole."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rena_ros.base.arrays import Array
from rena_ros.base.files import write_bytes


def read_arrays(path: Path, names: Sequence[str] | None = None, optional: Sequence[str] = ()) -> dict[str, Array]:
    """Return the arrays ``names`` of a file and those of ``optional`` that it holds, or all arrays.

    Raises FileNotFoundError; and ValueError, in one line, when the file is damaged or has no such array.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            there = [name for name in optional if name in file.files]
            return {name: file[name] for name in (file.files if names is None else (*names, *there))}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file raises nearly anything: NumPy's, zipfile's and zlib's errors, TypeError
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(said[0]) from error


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to a file as a whole, uncompressed. Raises RenaError when the disk refuses; the old file stays."""
    packed = io.BytesIO()  # in memory first: NumPy's zip file fails a second time when it is closed on a full disk
    np.savez(packed, **dict(arrays))
    write_bytes(path, packed.getvalue())
