"""A still picture (PNG, JPEG, WebP, BMP and others) as a source that does not end."""

from pathlib import Path

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable
from rena_ros.perception.clip import VideoFile
from rena_ros.perception.frame import Frame


class StillPicture:
    """A picture that is shown ``rate_hz`` times per second without end; upright as its EXIF orientation says.

    ``next_s``: time of the next frame. ``drawn``: False, see ``DrawnPerformer``.
    """

    drawn = False

    def __init__(self, path: Path, longest_side: int = 640, rate_hz: float = 30.0) -> None:
        """Load it; ``longest_side``: largest width or height, pixels. Raises RenaError when it cannot be read."""
        self._rgb = _load(path, longest_side)
        self.period_s = 1 / rate_hz
        self._count, self.next_s = 0, 0.0

    def read(self) -> Frame:
        """Return the picture with the time of its next showing."""
        t_s = self.next_s
        self._count += 1
        self.next_s = self._count * self.period_s
        return Frame(self._rgb, t_s)

    def rewind(self) -> None:
        """Start again."""
        self._count, self.next_s = 0, 0.0

    def close(self) -> None:
        """Do nothing; the picture is in memory."""


def _load(path: Path, longest_side: int) -> ByteArray:
    # OpenCV reads EXIF orientation and 16 bits; it is given bytes, for not every name is one that it can open.
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise RenaError(f"cannot read {printable(path)}: {error.strerror}") from error
    is_webp = data[:4].tobytes() == b"RIFF" and data[8:12].tobytes() == b"WEBP"  # OpenCV does not turn these
    bgr = None if is_webp else cv2.imdecode(data, cv2.IMREAD_COLOR)
    if bgr is None:
        return _first_frame(path, longest_side)
    if (scale := longest_side / max(bgr.shape[:2])) < 1:
        height, width = (max(1, round(scale * side)) for side in bgr.shape[:2])
        bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _first_frame(path: Path, longest_side: int) -> ByteArray:
    """The picture as FFmpeg reads it: WebP (turned by its EXIF, not flipped), AVIF, videos with a single frame."""
    video = VideoFile(path, longest_side)
    try:
        frame = video.read()
    finally:
        video.close()
    if frame is None:
        raise RenaError(f"no picture of {printable(path)} can be decoded: is the file complete?")
    return frame.rgb
