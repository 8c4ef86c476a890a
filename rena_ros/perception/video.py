"""Where frames come from: a video file, the drawn performer, or a V4L2 camera. No ROS, no pacing."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rena_ros.base.errors import RenaError

# How old a driver's own capture time may be and still be believed.
_OLDEST_CAPTURE_S = 1.0


@dataclass(frozen=True)
class Frame:
    """One frame, uint8 (h, w, 3) RGB, C-contiguous. ``t_s``: its time in the clip; a camera's ``time.monotonic()``."""

    rgb: np.ndarray
    t_s: float


class VideoFile:
    """A video file, frame by frame, timed by its own time stamps; frames that are too large are scaled down.

    ``longest_side``: largest width or height, in pixels, that is handed on.
    Raises RenaError when the file cannot be read as a video.
    """

    drawn = False

    def __init__(self, path: str | Path, longest_side: int = 640) -> None:
        if not Path(path).is_file():
            raise RenaError(f"there is no video file {path}; give a file, a camera's number, or performer")
        self._path, self._longest_side = Path(path), longest_side
        self._open()

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(str(self._path))
        if not self._capture.isOpened():
            raise RenaError(f"{self._path} is not a video that can be read (is the copy complete, or is it audio?)")
        rate_hz = self._capture.get(cv2.CAP_PROP_FPS)
        self.period_s = 1 / rate_hz if 1 <= rate_hz <= 1000 else 1 / 30
        self.next_s = 0.0
        self._beginning_s: float | None = None
        self._last_s = -self.period_s

    def read(self) -> Frame | None:
        """The next frame, or None at the end. ``next_s`` then says when the following one is expected."""
        if not self._capture.grab():
            return None
        # Only after grab() does the position belong to this frame; it also holds for variable frame rates.
        position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._beginning_s is None:
            self._beginning_s = position_s
        t_s = position_s - self._beginning_s
        if t_s <= self._last_s:
            # A container without usable time stamps.
            t_s = self.next_s
        # With a variable frame rate the nominal rate is a mean: expect a frame no later than after the shortest gap.
        self.period_s, self._last_s = min(self.period_s, t_s - self._last_s), t_s
        good, bgr = self._capture.retrieve()
        if not good:
            raise RenaError(f"{self._path}: the frame at {t_s:.2f} s cannot be decoded")
        self.next_s = t_s + self.period_s
        scale = self._longest_side / max(bgr.shape[:2])
        if scale < 1:
            bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), t_s)

    def rewind(self) -> None:
        """Begin again. Reopens the file: seeking to frame 0 is not exact with every container."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class DrawnPerformer:
    """The built-in performer, drawn at ``rate_hz`` frames per second, once through."""

    drawn = True  # before it is due: drawing stands for the world in front of a camera, not for work on its picture

    def __init__(self, rate_hz: float = 30.0) -> None:
        from rena_ros.twin.performer import DURATION_S, Performer

        self._performer, self._duration_s = Performer(), DURATION_S
        self.period_s = 1 / rate_hz
        self.rewind()

    def read(self) -> Frame | None:
        """The next frame, or None at the end. ``next_s`` says when the following one is due."""
        t_s = self.next_s
        if t_s >= self._duration_s:
            return None
        self._count += 1
        self.next_s = self._count * self.period_s
        return Frame(self._performer.frame(t_s), t_s)

    def rewind(self) -> None:
        """Begin again."""
        self._count, self.next_s = 0, 0.0

    def close(self) -> None:
        """Nothing is held that needs closing."""


class Camera:
    """A V4L2 camera that may be unplugged and plugged in again at any time.

    ``open_device``: makes the capture device (an object like ``cv2.VideoCapture``) or returns None.
    """

    def __init__(
        self,
        path: str,
        width: int = 640,
        height: int = 480,
        rate_hz: float = 30.0,
        open_device: Callable[[str, int, int, float], Any] | None = None,
    ) -> None:
        self.path = path
        self._wanted = (width, height, rate_hz)
        self._open_device = open_device or _open_v4l2
        self._device: Any = None

    def read(self) -> Frame | None:
        """The next frame the camera delivers, or None when there is none: then wait a little and ask again."""
        if self._device is None:
            self._device = self._open_device(self.path, *self._wanted)
        if self._device is None:
            return None
        if not self._device.grab():
            self.close()
            return None
        t_s = self._captured_s()
        good, bgr = self._device.retrieve()
        # A broken JPEG is one lost frame; a device that has gone fails in the next grab().
        return Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), t_s) if good else None

    @property
    def is_open(self) -> bool:
        """Whether the device is held; a lost frame of an open camera needs no waiting."""
        return self._device is not None

    @property
    def problem(self) -> str:
        """Why there is no picture and what to do, for a person to read."""
        if not os.path.exists(self.path):
            return f"camera {self.path} is not there: plug it in, or choose another (ls /dev/video*)"
        if not os.access(self.path, os.R_OK | os.W_OK):
            return f"no permission to use camera {self.path}: add this user to the group video"
        return f"camera {self.path} gives no picture: is another program using it?"

    def close(self) -> None:
        """Release the device; the next ``read`` opens it again."""
        if self._device is not None:
            self._device.release()
            self._device = None

    def _captured_s(self) -> float:
        """When the frame was taken: the driver's own monotonic time where it is believable, else now."""
        now_s = time.monotonic()
        driver_s = self._device.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return driver_s if 0 <= now_s - driver_s < _OLDEST_CAPTURE_S else now_s


def _open_v4l2(path: str, width: int, height: int, rate_hz: float) -> cv2.VideoCapture | None:
    # OpenCV prints three lines for every attempt on a missing device.
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
    """What ``source`` names: "performer", a camera's number or /dev path, or a video file.

    Raises RenaError when it is a file that cannot be read.
    """
    if source == "performer":
        return DrawnPerformer(rate_hz)
    if source.isdigit():
        source = f"/dev/video{source}"
    if source.startswith("/dev/"):
        return Camera(source, width, height, rate_hz)
    return VideoFile(Path(source).expanduser(), max(width, height))
