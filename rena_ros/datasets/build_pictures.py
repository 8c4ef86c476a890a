"""Looking at pictures, in several processes: size, sharpness and, where wanted, a fresh reading."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray
from rena_ros.base.errors import RenaError
from rena_ros.perception.face_reader import FaceReader, FaceReading
from rena_ros.perception.pixels import decompressed

_CHUNK = 8


@dataclass(frozen=True)
class PictureLook:
    """What one picture shows.

    ``size``: width, height, pixels; ``sharpness``: see ``sharpness``; ``damage``: why it cannot be decoded, else "".
    ``reading``: None without a face, or where none is wanted.
    """

    size: tuple[int, int] = (0, 0)
    sharpness: float = 0.0
    damage: str = ""
    reading: FaceReading | None = None


def look_at(pictures: Sequence[Path], *, read: bool, workers: int) -> Iterator[PictureLook]:
    """Yield a look at each picture, in order; ``read``: read the face in each, each picture by itself.

    The result does not depend on ``workers``, the number of processes. Raises RenaError when the face model is missing.
    """
    if workers == 1 or len(pictures) <= _CHUNK:
        looker = _Looker(read)
        try:
            yield from map(looker.look, pictures)
        finally:
            looker.close()
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (read,))
    try:
        yield from pool.map(_look, pictures, chunksize=_CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


def usable_workers(wanted: int | None) -> int:
    """Return the number of processes: ``wanted``, or one per usable core, at most 8. Raises RenaError below 1."""
    if wanted is not None and wanted < 1:
        raise RenaError(f"--workers must be at least 1, not {wanted}")
    return wanted or min(8, len(os.sched_getaffinity(0)))


def sharpness(rgb: ByteArray) -> float:
    """Return the variance of the Laplacian of a picture's brightness: it falls where edges are blurred."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return float(np.var(cv2.Laplacian(grey, cv2.CV_32F)))


class _Looker:
    def __init__(self, read: bool) -> None:
        self._reader = FaceReader(video=False) if read else None

    def look(self, path: Path) -> PictureLook:
        try:
            rgb = decompressed(path.read_bytes(), "jpeg")
        except RenaError as error:
            return PictureLook(damage=str(error))
        reading = self._reader.read(rgb) if self._reader else None
        return PictureLook((rgb.shape[1], rgb.shape[0]), sharpness(rgb), "", reading)

    def close(self) -> None:
        if self._reader:
            self._reader.close()


_looker: _Looker | None = None  # of a worker process


def _begin(read: bool) -> None:
    global _looker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent ends this process
    _looker = _Looker(read)


def _look(path: Path) -> PictureLook:
    assert _looker is not None  # _begin has run in this process
    return _looker.look(path)
