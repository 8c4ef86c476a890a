"""Sequences of readings: a folder of one file for each sequence, and what they are recorded from.

A file ``0007.npz`` holds ``times_s`` float64 (n,), rising; ``features`` float32 (n, 55), order of READING_NAMES;
``landmarks`` float16 (n, 478, 3), ``landmark_frame.aligned``; and for drawn people ``goals`` float32 (n, 25),
``person`` and ``script``, the numbers of the person and of the script. Frames without a face are left out. A file of
a film's readings, as ``mimic.film_round_trip --cache`` writes it, is a sequence too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rena_ros.base.array_files import read_arrays, write_arrays
from rena_ros.base.arrays import Array, FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import write_json
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.landmark_frame import POINTS

META = "meta.json"
FORMAT = "rena sequences 1"
_ARRAYS, _ACTED = ("times_s", "features", "landmarks"), ("goals", "person", "script")


@dataclass(frozen=True)
class ReadingSequence:
    """Readings of one person over time; arrays as in the module's docstring. ``goals``: None for a film."""

    name: str
    times_s: FloatArray
    features: FloatArray
    landmarks: FloatArray
    goals: FloatArray | None = None
    person: int = 0
    script: int = 0


def sequence_path(folder: Path, number: int) -> Path:
    """Return the file of the sequence with this number."""
    return folder / f"{number:04d}.npz"


def write_sequence(path: Path, sequence: ReadingSequence) -> None:
    """Write one sequence as a whole. Raises RenaError when the disk refuses."""
    arrays: dict[str, Array] = {name: getattr(sequence, name) for name in _ARRAYS}
    arrays["landmarks"] = arrays["landmarks"].astype(np.float16)
    if sequence.goals is not None:
        arrays |= {"goals": sequence.goals, "person": np.array(sequence.person), "script": np.array(sequence.script)}
    write_arrays(path, arrays)


def read_sequence(path: Path) -> ReadingSequence:
    """Return the sequence of a file. Raises RenaError when it is missing, damaged or of another shape."""
    try:
        arrays = read_arrays(path, _ARRAYS, _ACTED)
    except (OSError, ValueError) as error:
        raise RenaError(f"cannot read the sequence {path}: {error}; delete it, and record it again") from error
    times_s, features, landmarks = (arrays[name] for name in _ARRAYS)
    n = len(times_s)
    if features.shape != (n, len(READING_NAMES)) or landmarks.shape != (n, POINTS, 3) or (np.diff(times_s) <= 0).any():
        raise RenaError(f"{path} holds no sequence of readings: delete it, and record it again")
    goals, (person, script) = arrays.get("goals"), (int(arrays.get(name, 0)) for name in _ACTED[1:])
    return ReadingSequence(path.stem, times_s, features.astype(np.float32), landmarks, goals, person, script)


def read_sequences(place: Path) -> Iterator[ReadingSequence]:
    """Yield the sequences of a folder, or that of a single file. Raises RenaError when there is none."""
    paths = [place] if place.is_file() else sorted(place.glob("[0-9]*.npz"))
    if not paths:
        raise RenaError(f"there are no sequences in {place}: record some with `rena sequences collect`")
    for path in paths:
        yield read_sequence(path)


def begin_sequences(folder: Path, recipe: dict[str, Any]) -> bool:
    """Begin a folder, or continue one of the same recipe; return whether it is continued.

    ``recipe``: JSON data, all that the sequences follow from. Raises RenaError when the folder holds another one.
    """
    meta = {"format": FORMAT, **recipe}
    path = folder / META
    if not path.exists():
        write_json(path, meta)
        return False
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RenaError(f"cannot read {path}: {error}; choose another folder") from error
    differ = [key for key in meta if key != "commit" and earlier.get(key) != json.loads(json.dumps(meta[key]))]
    if differ:
        raise RenaError(f"{folder} holds sequences of another recipe ({', '.join(differ)}): choose another folder")
    return True
