"""Readings of many picture files, kept on disk as they come: an interrupted run does not read a picture twice."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rena_ros.base.array_files import read_arrays, write_arrays
from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.datasets.jpeg_header import is_cut_off, jpeg_header
from rena_ros.perception.engines import engine_version
from rena_ros.perception.face_reader import FaceReader
from rena_ros.perception.model_file import SHA256
from rena_ros.perception.pixels import to_jpeg
from rena_ros.perception.still import StillPicture

LONGEST_SIDE = 1280  # pixels; larger pictures are scaled down to it
JPEG_QUALITY = 95
_AT_ONCE = 100  # readings in one file
NO_FACE = "no face is found; the picture must show the whole face, upright, lit and sharp: replace it"


@dataclass(frozen=True)
class PictureReading:
    """What was read in one picture. ``features``: float32 (55,); ``landmarks``: float32 (478, 3); NaN with a problem.

    ``problem``: why there is no reading and what to do, else "". ``size``: width and height as stored, pixels, (2,).
    """

    features: FloatArray
    landmarks: FloatArray
    problem: str
    size: tuple[int, int]


def read_pictures(
    pictures: Sequence[Path], kept_in: Path, read_one: Callable[[], None] = lambda: None
) -> list[PictureReading]:
    """Return the reading of each picture; those of earlier runs come from ``kept_in``, a folder that is created.

    ``read_one`` is called after each picture. A picture that has changed since is read again. Raises RenaError when
    the face model is missing, or ``kept_in`` cannot be written.
    """
    keys = [_key(picture) for picture in pictures]
    known = _kept(kept_in)
    for key in keys:
        if key in known:
            read_one()
    todo = [(key, picture) for key, picture in zip(keys, pictures, strict=True) if key not in known]
    if todo:
        with FaceReader(video=False) as reader:
            for first in range(0, len(todo), _AT_ONCE):
                fresh = dict[str, PictureReading]()
                try:
                    for key, picture in todo[first : first + _AT_ONCE]:
                        fresh[key] = _read(reader, picture)
                        read_one()
                finally:  # also on Ctrl-C
                    _keep(kept_in, fresh)
                known |= fresh
    return [known[key] for key in keys]


def as_jpeg(picture: Path) -> bytes:
    """Return a picture as a dataset stores it: JPEG, RGB, upright, at most 1280 pixels on its longest side.

    A file that is one is copied as it is. Raises RenaError when it cannot be read.
    """
    data = _bytes_of(picture)
    return data if _is_plain_jpeg(data) else to_jpeg(_upright(picture), JPEG_QUALITY)


def _read(reader: FaceReader, picture: Path) -> PictureReading:
    nothing = np.full(55, np.nan, np.float32), np.full((478, 3), np.nan, np.float32)
    try:
        if is_cut_off(_bytes_of(picture)):
            raise RenaError(f"{picture} is cut off")
        rgb = _upright(picture)
    except RenaError as error:
        return PictureReading(*nothing, f"{error}; replace it", (0, 0))
    size = (rgb.shape[1], rgb.shape[0])
    reading = reader.read(rgb)
    if reading is None:
        return PictureReading(*nothing, NO_FACE, size)
    return PictureReading(reading.features, reading.landmarks.astype(np.float32), "", size)


def _bytes_of(picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except OSError as error:
        raise RenaError(f"cannot read {picture}: {error.strerror}") from error


def _upright(picture: Path) -> ByteArray:
    return StillPicture(picture, LONGEST_SIDE).read().rgb


def _is_plain_jpeg(data: bytes) -> bool:
    if (header := jpeg_header(data)) is None or header.app1 or header.colours != 3:
        return False
    return max(header.width, header.height) <= LONGEST_SIDE


def _key(picture: Path) -> str:
    """Return a text that changes when the picture or what reads it does."""
    about = picture.stat()
    parts = (picture.resolve(), about.st_size, about.st_mtime_ns, LONGEST_SIDE, SHA256)
    text = "\0".join(map(repr, (*parts, engine_version())))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _kept(folder: Path) -> dict[str, PictureReading]:
    """Return the readings of all files in a folder; what cannot be read is read again from the pictures."""
    known = dict[str, PictureReading]()
    for path in sorted(folder.glob("*.npz")):
        try:
            columns = read_arrays(path, ("keys", "features", "landmarks", "problems", "sizes")).values()
        except (FileNotFoundError, ValueError):
            continue
        for key, features, landmarks, problem, size in zip(*columns, strict=True):
            known[str(key)] = PictureReading(features, landmarks, str(problem), (int(size[0]), int(size[1])))
    return known


def _keep(folder: Path, readings: dict[str, PictureReading]) -> None:
    if not readings:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenaError(f"cannot write into {folder}: {error.strerror}") from error
    values = readings.values()
    arrays = {
        "keys": np.array(list(readings)),
        "features": np.stack([one.features for one in values]),
        "landmarks": np.stack([one.landmarks for one in values]),
        "problems": np.array([one.problem for one in values]),
        "sizes": np.array([one.size for one in values], int),
    }
    write_arrays(folder / f"{len(list(folder.glob('*.npz'))):05d}.npz", arrays)
