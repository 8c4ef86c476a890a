"""The film of a run: the spooled pictures, paired by time, as H.264 at a constant frame rate that browsers play."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.base.files import replacing
from rena_ros.mimic.picture import Caption, compose, film_size, from_jpeg
from rena_ros.mimic.spool import SpoolReader

RATE_HZ = 30


def make_film(
    path: Path,
    spool: Path,
    finished_ns: Mapping[int, int],
    *,
    with_robot: bool,
    span_ns: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write ``path`` from the streams camera, landmarks and robot in ``spool``; returns the number of pictures.

    ``finished_ns``: image stamp -> time of the last byte of its command, for the latency shown. Each moment of the
    film shows the newest picture of each stream at that time, so the robot's lag is visible. ``span_ns``: the run;
    pictures stamped outside it are left out, so that the film is never longer than the run. After a
    KeyboardInterrupt the film is shorter but complete; the interrupt is raised again. Returns 0, and writes nothing,
    when no picture was spooled. Raises RenaError when the film cannot be written.
    """
    camera = SpoolReader(spool, "camera", span_ns)
    if not len(camera):
        return 0
    robot, landmarks = SpoolReader(spool, "robot"), SpoolReader(spool, "landmarks")
    times_ns = moments(int(camera.stamps_ns[0]), int(camera.stamps_ns[-1]))
    marks_at = {int(stamp): i for i, stamp in enumerate(landmarks.stamps_ns)}
    showing, mirrored = newest_at(camera.stamps_ns, times_ns), newest_at(robot.stamps_ns, times_ns)
    total_s = (times_ns[-1] - times_ns[0]) / 1e9

    def pictures() -> Iterable[np.ndarray]:
        person, twin = _decoder(camera), _decoder(robot)
        for k, (i, j) in enumerate(zip(showing, mirrored, strict=True)):
            stamp_ns = int(camera.stamps_ns[i])
            marks = marks_at.get(stamp_ns)
            points = None if marks is None else np.frombuffer(landmarks[marks], np.float32).reshape(-1, 3)
            end_ns = finished_ns.get(stamp_ns)
            latency_ms = None if end_ns is None else (end_ns - stamp_ns) / 1e6
            caption = Caption((times_ns[k] - times_ns[0]) / 1e9, total_s, latency_ms, face=points is not None)
            yield compose(person(i), points, twin(j), caption, with_robot)
            progress(k + 1, len(times_ns))

    return encode(path, pictures(), film_size(with_robot))


def moments(first_ns: int, last_ns: int) -> np.ndarray:
    """The times of a film's pictures, int64 ns, from ``first_ns`` to at most ``last_ns`` at RATE_HZ."""
    count = (last_ns - first_ns) * RATE_HZ // 1_000_000_000 + 1
    return first_ns + np.arange(count, dtype=np.int64) * 1_000_000_000 // RATE_HZ


def newest_at(stamps_ns: np.ndarray, times_ns: np.ndarray) -> np.ndarray:
    """For each time the index of the newest stamp that is not later, or -1: int64 (n,). ``stamps_ns`` must rise."""
    return np.searchsorted(stamps_ns, times_ns, side="right") - 1


def encode(path: Path, pictures: Iterable[np.ndarray], size: tuple[int, int], rate_hz: int = RATE_HZ) -> int:
    """Encode RGB pictures, uint8 (h, w, 3), as H.264 yuv420p with the index at the front; returns their number.

    The file appears under its name only when it is complete. When ``pictures`` raises KeyboardInterrupt the film ends
    there, complete, and the interrupt is raised again. Raises RenaError when the file cannot be written.
    """
    count, interrupt = 0, None
    try:
        with (
            replacing(path) as fresh,
            av.open(str(fresh), "w", format="mp4", options={"movflags": "faststart"}) as container,
        ):
            stream = container.add_stream("libx264", rate=rate_hz, options={"preset": "veryfast", "crf": "20"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.time_base = Fraction(1, rate_hz)
            try:
                for picture in pictures:
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts, frame.time_base = count, Fraction(1, rate_hz)
                    container.mux(stream.encode(frame))
                    count += 1
            except KeyboardInterrupt as error:
                interrupt = error
            container.mux(stream.encode(None))
            if interrupt is not None and not count:
                raise interrupt
    except av.error.FFmpegError as error:
        raise RenaError(f"cannot write {path}: {error.strerror or error}") from error
    if interrupt is not None:
        raise interrupt
    return count


def _decoder(stream: SpoolReader) -> Callable[[int], np.ndarray | None]:
    """Decode records to RGB, None for -1; a picture that is shown twice in a row is decoded once."""
    return lru_cache(maxsize=1)(lambda i: from_jpeg(stream[i]) if i >= 0 else None)
