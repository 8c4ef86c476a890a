"""Sources of frames: video files, still pictures, the drawn performer, cameras. No ROS, no waiting for frame times."""

from collections.abc import Callable

from rena_ros.base.files import user_path
from rena_ros.perception.camera import Camera, camera_path
from rena_ros.perception.clip import VideoFile
from rena_ros.perception.container import examine
from rena_ros.perception.frame import Frame
from rena_ros.perception.still import StillPicture

PERFORMER = "performer"


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


Clip = VideoFile | StillPicture | DrawnPerformer


def open_source(source: str, width: int, height: int, rate_hz: float, warn: Callable[[str], None]) -> Clip | Camera:
    """Open ``source``: "performer", the number or device of a camera, or a file: a video or a still picture.

    ``width``, ``height``: pixels; of a file only the larger one counts, as its longest side. ``rate_hz``: frame rate
    of performer, still picture and camera. ``warn``: see ``VideoFile``. Raises RenaError when a file cannot be read.
    """
    if source == PERFORMER:
        return DrawnPerformer(rate_hz)
    if (camera := camera_path(source)) is not None:
        return Camera(camera, width, height, rate_hz)
    path = user_path(source)
    if examine(path).still:
        return StillPicture(path, max(width, height), rate_hz)
    return VideoFile(path, max(width, height), warn)
