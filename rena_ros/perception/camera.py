"""V4L2 cameras: which sources are cameras, and one that may be unplugged and plugged in again."""

import os
import stat
import time
from collections.abc import Callable
from typing import Any

import cv2

from rena_ros.base.files import printable, user_path
from rena_ros.perception.frame import Frame

_VIDEO4LINUX = 81  # the major number of its devices (Linux, admin-guide/devices.txt)
# The capture time of a driver counts only when it is at most this old.
_OLDEST_CAPTURE_S = 1.0


def camera_path(source: str) -> str | None:
    """Return the absolute path of the camera that ``source`` names, or None when it names none.

    A camera is a number, a device or a link to one wherever it lies (/dev/v4l/by-id/...), and a path that leads below
    /dev and does not exist: a camera to come.
    """
    if source.isascii() and source.isdecimal():
        return f"/dev/video{int(source)}"
    path = os.path.abspath(user_path(source))
    try:
        is_camera = stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        leads_to = os.path.realpath(path)
        is_camera = leads_to.startswith("/dev/") and not leads_to.startswith("/dev/shm/")
    return path if is_camera else None


def absence(path: str) -> str | None:
    """Return why the camera at ``path`` cannot be opened and what to do, in one line, or None when it can."""
    try:
        number = os.stat(path).st_rdev
    except OSError:
        return f"camera {printable(path)} is not there: plug it in, or choose another one (ls /dev/video* /dev/v4l/*/*)"
    if os.major(number) != _VIDEO4LINUX:
        return f"{printable(path)} is not a camera: choose another one (ls /dev/video* /dev/v4l/*/*)"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"no permission for camera {printable(path)}: add yourself to its group (`sudo usermod -aG video $USER`)"
    return None


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
        return absence(self.path) or f"camera {printable(self.path)} delivers no picture: does another program use it?"

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
    if absence(path) is not None:
        return None
    # A link may have any name, and OpenCV crashes on one that is not UTF-8; the device itself is /dev/videoN.
    device = cv2.VideoCapture(os.path.realpath(path), cv2.CAP_V4L2)
    if not device.isOpened():
        return None
    # MJPG: uncompressed 640x480 at 30 Hz leaves no room for a second device on USB 2. One buffer: no old frames.
    device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    device.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    device.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    device.set(cv2.CAP_PROP_FPS, rate_hz)
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return device
