"""Sources of frames: a video file, the drawn performer, a V4L2 camera. No ROS, no waiting for frame times."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray
from rena_ros.base.errors import RenaError

# The capture time of a driver counts only when it is at most this old.
_OLDEST_CAPTURE_S = 1.0


@dataclass(frozen=True)
class Frame:
    """One frame, ``rgb``: uint8 (h, w, 3), C-contiguous.

    ``t_s``: its time in the clip; for a camera, its capture time as ``time.monotonic()``.
    """

    rgb: ByteArray
    t_s: float


class VideoFile:
    """A video file, frame by frame, with the time stamps of the file; large frames are scaled down.

    ``next_s``: expected time of the next frame. ``drawn``: False, see ``DrawnPerformer``.
    """

    drawn = False

    def __init__(self, path: str | Path, longest_side: int = 640) -> None:
        """Open the file; ``longest_side``: largest width or height of a frame, pixels.

        Raises RenaError when the file does not exist or is not a video.
        """
        if not Path(path).is_file():
            raise RenaError(f"there is no video file {path}; use a video file, the number of a camera, or performer")
        self._path, self._longest_side = Path(path), longest_side
        self._open()

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(str(self._path))
        if not self._capture.isOpened():
            raise RenaError(
                f"{self._path} is not a video that OpenCV can read (is the file complete? is it audio only?)"
            )
        rate_hz = self._capture.get(cv2.CAP_PROP_FPS)
        self.period_s = 1 / rate_hz if 1 <= rate_hz <= 1000 else 1 / 30
        self.next_s = 0.0
        self._beginning_s: float | None = None
        self._last_s = -self.period_s

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end. Raises RenaError when a frame cannot be decoded."""
        if not self._capture.grab():
            return None
        # The position belongs to this frame only after grab(); it also holds for variable frame rates.
        position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._beginning_s is None:
            self._beginning_s = position_s
        t_s = position_s - self._beginning_s
        if t_s <= self._last_s:
            t_s = self.next_s  # the container has no valid time stamps
        # With a variable frame rate the nominal rate is a mean; the next frame may come after the shortest gap so far.
        self.period_s, self._last_s = min(self.period_s, t_s - self._last_s), t_s
        good, bgr = self._capture.retrieve()
        if not good:
            raise RenaError(f"{self._path}: the frame at {t_s:.2f} s cannot be decoded")
        self.next_s = t_s + self.period_s
        scale = self._longest_side / max(bgr.shape[:2])
        if scale < 1:
            bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return Frame(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), t_s)

    def rewind(self) -> None:
        """Start again. Reopens the file, because seeking to frame 0 is not exact with every container."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class DrawnPerformer:
    """The built-in performer, drawn at ``rate_hz`` frames per second, from start to end.

    ``drawn``: True: a frame may be drawn before its time, because drawing takes the place of the scene, not of the
    camera. ``next_s``: time of the next frame.
    """

    drawn = True

    def __init__(self, rate_hz: float = 30.0) -> None:
        """Load the drawn face; the first frame of a machine waits some seconds for the kernels to compile."""
        from rena_ros.twin.performer import DURATION_S, Performer

        self._performer, self._duration_s = Performer(), DURATION_S
        self.period_s = 1 / rate_hz
        self.rewind()

    def rewind(self) -> None:
        """Start again."""
        self._count = 0
        self.next_s = 0.0

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end."""
        t_s = self.next_s
        if t_s >= self._duration_s:
            return None
        self._count += 1
        self.next_s = self._count * self.period_s
        return Frame(self._performer.frame(t_s), t_s)

    def close(self) -> None:
        """Do nothing; a drawn performer holds no resource."""


class Camera:
    """A V4L2 camera that may be unplugged and plugged in again at any time."""

    def __init__(
        self,
        path: str,
        width: int = 640,
        height: int = 480,
        rate_hz: float = 30.0,
        open_device: Callable[[str, int, int, float], Any] | None = None,
    ) -> None:
        """Note the requested format; the first ``read`` opens the device.

        ``open_device(path, width, height, rate_hz)``: returns an object like ``cv2.VideoCapture``, or None when the
        device cannot be opened.
        """
        self.path = path
        self._wanted = (width, height, rate_hz)
        self._open_device = open_device or _open_v4l2
        self._device: Any = None

    def read(self) -> Frame | None:
        """Return the next frame, or None when there is none; after None wait a little while ``is_open`` is False."""
        if self._device is None:
            self._device = self._open_device(self.path, *self._wanted)
        if self._device is None:
            return None
        if not self._device.grab():
            self.close()
            return None
        t_s = self._captured_s()
        good, bgr = self._device.retrieve()
        # A broken JPEG is one lost frame; an unplugged device fails in the next grab().
        return Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), t_s) if good else None

    @property
    def is_open(self) -> bool:
        """Whether the device is open. A lost frame does not close it."""
        return self._device is not None

    @property
    def problem(self) -> str:
        """Why there is no picture, and what the user can do."""
        if not os.path.exists(self.path):
            return f"camera {self.path} is not there: plug it in, or choose another one (ls /dev/video*)"
        if not os.access(self.path, os.R_OK | os.W_OK):
            return f"no permission for camera {self.path}: add yourself to its group (`sudo usermod -aG video $USER`)"
        return f"camera {self.path} delivers no picture: does another program use it?"

    def close(self) -> None:
        """Release the device; the next ``read`` opens it again."""
        if self._device is not None:
            self._device.release()
            self._device = None

    def _captured_s(self) -> float:
        """Return the capture time of the frame: the driver's monotonic time where it is plausible, otherwise now."""
        now_s = time.monotonic()
        driver_s = self._device.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return driver_s if 0 <= now_s - driver_s < _OLDEST_CAPTURE_S else now_s


def _open_v4l2(path: str, width: int, height: int, rate_hz: float) -> cv2.VideoCapture | None:
    # Checked first, because OpenCV prints three lines for every attempt to open a missing device.
    if not os.access(path, os.R_OK | os.W_OK):
        return None
    device = cv2.VideoCapture(path, cv2.CAP_V4L2)
    if not device.isOpened():
        return None
    # MJPG: uncompressed 640x480 at 30 Hz leaves no room for a second device on USB 2. One buffer: no old frames.
    device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    device.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    device.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    device.set(cv2.CAP_PROP_FPS, rate_hz)
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return device


def open_source(source: str, width: int, height: int, rate_hz: float) -> VideoFile | DrawnPerformer | Camera:
    """Open ``source``: "performer", the number or /dev path of a camera, or a video file.

    ``width``, ``height``: pixels; of a video file only the larger one counts, as its longest side. ``rate_hz``: frame
    rate of performer and camera. Raises RenaError when a video file cannot be read.
    """
    if source == "performer":
        return DrawnPerformer(rate_hz)
    if source.isdigit():
        source = f"/dev/video{source}"
    if source.startswith("/dev/"):
        return Camera(source, width, height, rate_hz)
    return VideoFile(Path(source).expanduser(), max(width, height))
