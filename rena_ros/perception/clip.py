"""A video file as a clip: its frames in order, each at its time, from 0 on and without holes."""

from collections.abc import Callable
from pathlib import Path

import av

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable
from rena_ros.perception.container import OpenVideo
from rena_ros.perception.display import Display
from rena_ros.perception.frame import Frame

# A frame that is stamped this much later than expected does not wait for its time.
_LONGEST_GAP_S = 1.0


def _say_nothing(_text: str) -> None: ...


class ClipTimes:
    """Makes a clip's own time, s, from the time stamps of its file: it begins at 0, always rises, and has no holes.

    A stamp more than ``_LONGEST_GAP_S`` later than expected, one that is not later than the one before, and none at
    all count as one nominal period later; the stamps after it follow on. ``period_s``: the shortest time between two
    frames so far. ``next_s``: when the next frame may come. ``jump``: of the last frame, (stamp before, stamp), s, if
    it leapt ahead or fell back by more than ``_LONGEST_GAP_S``, otherwise None.
    """

    def __init__(self, period_s: float) -> None:
        """``period_s``: the nominal one."""
        self._nominal_s = self.period_s = period_s
        self.next_s = 0.0
        self.jump: tuple[float, float] | None = None
        self._beginning_s: float | None = None  # the stamp that is the clip's 0
        self._last_s = -period_s

    def add(self, stamp_s: float | None) -> float:
        """Return the time of the next frame, which is stamped ``stamp_s``; None: not stamped."""
        following_s = self._last_s + self._nominal_s
        if self._beginning_s is None and stamp_s is not None:
            self._beginning_s = stamp_s - following_s
        self.jump, t_s = None, following_s
        if stamp_s is not None and self._beginning_s is not None:
            given_s = stamp_s - self._beginning_s
            if abs(given_s - following_s) > _LONGEST_GAP_S:
                self.jump = (self._beginning_s + self._last_s, stamp_s)
                self._beginning_s = stamp_s - following_s
            elif given_s > self._last_s:
                t_s = given_s
        self.period_s = min(self.period_s, t_s - self._last_s)
        self._last_s, self.next_s = t_s, t_s + self.period_s
        return t_s


class VideoFile:
    """A video file, frame by frame, as a player shows it; large frames are scaled down.

    ``next_s``: expected time of the next frame. ``drawn``: False, see ``DrawnPerformer``. ``faults``: what was wrong
    with the file so far, name -> count, over all passes.
    """

    drawn = False

    def __init__(self, path: str | Path, longest_side: int = 640, warn: Callable[[str], None] = _say_nothing) -> None:
        """Open the file; ``longest_side``: largest width or height of a frame, pixels.

        ``warn``: told once of each kind of fault in the file. Raises RenaError when the file does not exist or is not
        a video.
        """
        self._path, self._display, self._warn = Path(path), Display(longest_side), warn
        self.faults: dict[str, int] = {}
        self._open()

    @property
    def next_s(self) -> float:
        """The expected time of the next frame, s: not later than it comes."""
        return self._times.next_s

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end. Raises RenaError when its pixels cannot be converted."""
        frame = next(self._frames, None)
        self._note_broken()
        if frame is None:
            return None
        t_s = self._times.add(frame.time)
        if self._times.jump is not None:
            before_s, after_s = self._times.jump
            jump = f"its time stamps jump from {before_s:.2f} s to {after_s:.2f} s"
            self._note("time_jumps", 1, f"{jump}; it goes on without a gap")
        try:
            return Frame(self._display.picture(frame, self._video.aspect), t_s)
        except av.error.FFmpegError as error:
            raise RenaError(
                f"{printable(self._path)}: the pixels of the frame at {t_s:.2f} s ({frame.format.name}) cannot be "
                f"converted ({error.strerror}); convert the file to H.264 in an MP4 file"
            ) from error

    def rewind(self) -> None:
        """Start again. Reopens the file, because seeking to frame 0 is not exact with every container."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._video.close()

    def _open(self) -> None:
        self._video = OpenVideo(self._path)
        self._frames = self._video.frames()
        self._times = ClipTimes(self._video.period_s)
        self._seen_broken = 0

    def _note_broken(self) -> None:
        if more := self._video.broken - self._seen_broken:
            self._seen_broken = self._video.broken
            self._note("broken_frames", more, f"a frame near {self.next_s:.2f} s cannot be decoded; it is left out")

    def _note(self, fault: str, more: int, text: str) -> None:
        if fault not in self.faults:
            self._warn(f"{printable(self._path)}: {text}")
        self.faults[fault] = self.faults.get(fault, 0) + more
