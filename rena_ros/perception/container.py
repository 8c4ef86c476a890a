"""A video file, opened the one way that everything uses: as bytes, by content, whatever it is called.

FFmpeg sees neither the file's name, from which it would take protocols (``talk-14:30.mp4``) and patterns
(``take%03d.png``), nor any other file: a playlist or a session description cannot make it open a file or a connection.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import av
from av.stream import Disposition

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable

_ONE_THREAD_PIXELS = 1280 * 720  # one thread decodes these in less time than two need to agree
# How often reading may fail in a row before the file counts as over.
_READ_FAILURES = 100
_LIKELY_RATES_HZ = (0.1, 1000.0)
_MPF_WITHIN = 1 << 18
# No demuxer may open anything beside the bytes that it is given.
_CLOSED = {"protocol_whitelist": "none"}


class _Bytes:
    """A file without its name; PyAV would pass on the attribute ``name``."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell, self.close = file.read, file.seek, file.tell, file.close


class OpenVideo:
    """An open video file. ``broken``: number of packets that could not be decoded; frames after them are read."""

    def __init__(self, path: Path) -> None:
        """Open the file and find its moving picture. Raises RenaError, one line, when there is none."""
        self._shown = printable(path)
        self.broken = 0
        self._file = _open(path, self._shown)
        try:
            self._container = av.open(_Bytes(self._file), "r", options=_CLOSED, metadata_errors="replace")
            self._stream = self._find_stream()
        except av.error.FFmpegError as error:
            self._file.close()
            raise RenaError(
                f"{self._shown} is not a video that FFmpeg can read ({error.strerror}): is the file complete?"
            ) from error
        except OSError as error:
            self._file.close()
            raise self._unreadable(error) from error
        except RenaError:
            self._file.close()
            raise
        coder = self._stream.codec_context
        small = coder.width * coder.height <= _ONE_THREAD_PIXELS
        coder.thread_type, coder.thread_count = ("NONE", 1) if small else ("AUTO", 2)

    def __enter__(self) -> "OpenVideo":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def duration_s(self) -> float | None:
        """Duration that the file states, s; None when it states none, or one that comes from a jump of its stamps."""
        rate = self._stream.average_rate
        if rate and rate < _LIKELY_RATES_HZ[0]:
            return None
        if self._stream.duration and self._stream.time_base:
            return float(self._stream.duration * self._stream.time_base)
        return self._container.duration / av.time_base if self._container.duration else None

    @property
    def period_s(self) -> float:
        """Nominal time from frame to frame, s; 1/30 when the file states no likely rate."""
        for rate in (self._stream.average_rate, self._stream.guessed_rate):
            if rate and _LIKELY_RATES_HZ[0] <= rate <= _LIKELY_RATES_HZ[1]:
                return float(1 / rate)
        return 1 / 30

    @cached_property
    def aspect(self) -> Fraction | None:
        """Width of a pixel by its height; None when the file does not say it. Known after the first frame."""
        return self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio

    @property
    def is_picture(self) -> bool:
        """Whether the format is that of a single picture, such as PNG or JPEG."""
        name = self._container.format.name
        if name == "mjpeg":  # a row of JPEGs is a clip, but a telephone's photograph may hold previews (CIPA DC-007)
            place = self._file.tell()
            self._file.seek(0)
            found = b"MPF\0" in self._file.read(_MPF_WITHIN)
            self._file.seek(place)
            return found
        return name.endswith("_pipe")

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decode the frames that are left, in the order in which they are shown; broken packets are counted.

        Raises RenaError when the file can no longer be read, such as from a drive that was pulled out.
        """
        failures = 0
        packets = self._container.demux(self._stream)
        while failures < _READ_FAILURES:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self.broken += not failures  # a row of failures is one gap
                failures += 1
                packets = self._container.demux(self._stream)
                continue
            except OSError as error:
                raise self._unreadable(error) from error
            if packet is None:
                return
            failures = 0
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.broken += 1
                continue
            yield from frames

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()

    def _unreadable(self, error: OSError) -> RenaError:
        return RenaError(f"{self._shown} cannot be read: {error.strerror or error}; is its drive still there?")

    def _find_stream(self) -> av.VideoStream:
        moving = [stream for stream in self._container.streams.video if not _is_cover(stream)]
        if not moving:
            if self._container.streams.audio:
                raise RenaError(f"{self._shown} has no picture: it is sound only; use a file with video")
            raise RenaError(f"{self._shown} is not a video that FFmpeg can read (no picture): is the file complete?")
        if any(stream.disposition & Disposition.dependent for stream in moving):
            raise RenaError(f"{self._shown} is a picture in tiles (HEIC), which cannot be read: save it as JPEG")
        best = self._container.streams.best("video")
        stream = best if best in moving else moving[0]
        if stream.codec_context is None:
            raise RenaError(f"{self._shown} is coded in a way that FFmpeg cannot decode; convert it to MP4 (H.264)")
        return stream


@dataclass(frozen=True)
class FileFacts:
    """What a video file is: ``duration_s`` (None: not known), and ``still``: whether it holds a single picture."""

    duration_s: float | None
    still: bool


def examine(path: Path) -> FileFacts:
    """Decode the beginning of a file. Raises RenaError when it holds no picture that can be decoded."""
    with OpenVideo(path) as video:
        frames = video.frames()
        if next(frames, None) is None:
            raise RenaError(
                f"not one picture of {printable(path)} can be decoded: is the file complete? "
                "(`ffprobe` shows what it is; H.264 in an MP4 file always works)"
            )
        still = video.is_picture or next(frames, None) is None
        return FileFacts(None if still else video.duration_s, still)


def _open(path: Path, shown: str) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise RenaError(f"{shown} is a folder, not a video file; name the file in it")
        if not stat.S_ISREG(mode):
            raise RenaError(f"{shown} is not a regular file; use a video or picture file, or the number of a camera")
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RenaError(
            f"there is no video file {shown}; use a video or picture file, the number of a camera, or performer"
        ) from error
    except OSError as error:
        raise RenaError(f"cannot open {shown}: {error.strerror}; may this user read it? (ls -l shows it)") from error
    if not file.read(1):
        file.close()
        raise RenaError(f"{shown} is empty (0 bytes): its recording or copy did not end well")
    file.seek(0)
    return file


def _is_cover(stream: av.VideoStream) -> bool:
    """Whether the stream is the picture of a record, as sound files have it."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))
