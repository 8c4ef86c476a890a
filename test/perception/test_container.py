"""Files as people have them: names of any kind, broken files and files that are no video; nothing else is opened."""

import io
import os
import socket
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from rena_ros.base.errors import RenaError
from rena_ros.perception.clip import VideoFile
from rena_ros.perception.container import examine
from rena_ros.perception.video import open_source

GREYS = tuple(range(20, 220, 20))
NAMES = (
    b"talk-14:30.mp4", b"http:x.mp4", b"take%03d.png", b"-i.mp4", b"two  words.mp4", b"a\nb.mp4", b"caf\xe9.mp4",
    b"concat:a|b.mp4", b"*.mp4", "😀 ünï.mp4".encode(), b"no suffix", b"0.jpg", b"performer.mp4",
)  # fmt: skip


def clip_bytes(format="mp4", codec="mpeg4", pix_fmt="yuv420p", stamps_ms=None):
    """A clip in memory, 10 frames at 25 Hz or at ``stamps_ms``; frame k is GREYS[k]."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        if stamps_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, grey in enumerate(GREYS):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
            if stamps_ms:
                frame.pts, frame.time_base = stamps_ms[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def greys(video):
    return [20 * round(frame.rgb.mean() / 20) for frame in iter(video.read, None)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_may_be_called_anything(tmp_path, monkeypatch, name, absolute):
    monkeypatch.chdir(tmp_path)
    (tmp_path / os.fsdecode(name)).write_bytes(clip_bytes())
    source = os.path.join(tmp_path if absolute else "", os.fsdecode(name))
    video = open_source(source, 640, 480, 30.0, print)
    assert isinstance(video, VideoFile) and greys(video) == list(GREYS)


def test_home_and_file_uris_are_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(clip_bytes())
    (tmp_path / "x.mp4").write_bytes(clip_bytes())
    for source in ("~/x.mp4", (tmp_path / os.fsdecode(b"caf\xe9.mp4")).as_uri()):
        assert greys(open_source(source, 640, 480, 30.0, print)) == list(GREYS)


def sound():
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(bytes(16000))
    return file.getvalue()


def sound_with_a_cover():
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        sound, cover = (
            container.add_stream("libmp3lame", rate=44100, layout="mono"),
            container.add_stream("png", rate=1),
        )
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.int16), format="s16p", layout="mono")
        silence.sample_rate = 44100
        for stream, frame in ((cover, picture), (sound, silence)):
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"not a video", "is not a video"),
        (bytes(5000), "is not a video"),
        (clip_bytes()[: len(clip_bytes()) // 2], "is the file complete?"),  # MP4's index is at its end
        (sound(), "it is sound only"),
        (sound_with_a_cover(), "it is sound only"),
        (None, "is a folder"),
    ],
)
def test_what_is_no_video_is_one_line(tmp_path, content, part):
    path = tmp_path / "some.mp4"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(RenaError, match=r"some\.mp4") as caught:
        open_source(str(path), 640, 480, 30.0, print)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "some.mp4"
    path.write_bytes(clip_bytes())

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)  # root may read everything
    with pytest.raises(RenaError, match=r"cannot open .*some\.mp4: Permission denied"):
        examine(path)


def test_a_name_that_no_file_system_takes_is_one_line():
    with pytest.raises(RenaError, match=r"cannot open .*too long"):
        open_source("x" * 300, 640, 480, 30.0, print)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(RenaError, match=r"pipe\.mp4 is not a regular file"):
        examine(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("part", [0.0, 0.6])
def test_a_drive_that_is_pulled_out_is_one_line(tmp_path, monkeypatch, part):
    """At once, or in the middle of the clip."""
    data = clip_bytes("mpegts", "mpeg2video")
    path = tmp_path / "clip.ts"
    path.write_bytes(data)

    class Pulled(io.BytesIO):
        def read(self, count=-1):
            if self.tell() > part * len(data):
                raise OSError(5, "Input/output error")
            return super().read(min(count, 4096))

    monkeypatch.setattr("pathlib.Path.open", lambda *_args, **_options: Pulled(data))
    with pytest.raises(RenaError, match=r"clip\.ts cannot be read: Input/output error"):
        greys(VideoFile(path))


PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\n{target}\n#EXT-X-ENDLIST\n"
SESSION = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)


@pytest.mark.parametrize("suffix", ["mp4", "m3u8"])
@pytest.mark.parametrize("text", [PLAYLIST, "ffconcat version 1.0\nfile '{target}'\n", SESSION])
def test_a_file_cannot_make_another_one_or_a_connection_be_opened(tmp_path, monkeypatch, text, suffix):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.ts").write_bytes(clip_bytes("mpegts", "mpeg2video"))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        port = server.getsockname()[1]
        for target in ("secret.ts", f"http://127.0.0.1:{port}/x.ts"):
            (tmp_path / f"list.{suffix}").write_text(text.format(target=target, port=port))
            with pytest.raises(RenaError, match="list"):
                examine(tmp_path / f"list.{suffix}")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_broken_packet_is_one_missing_frame_said_once(tmp_path):
    data = bytearray(clip_bytes("mov", "png", "rgb24"))
    starts = [place for place in range(len(data)) if data.startswith(b"\x89PNG", place)]
    left = [k for k in range(10) if k not in (3, 6)]
    for k in (3, 6):
        data[starts[k] : starts[k] + 60] = bytes(60)
    path, said = tmp_path / "broken.mov", []
    path.write_bytes(data)
    video = VideoFile(path, warn=said.append)
    for _ in range(2):
        frames = list(iter(video.read, None))
        assert [round(frame.rgb.mean()) for frame in frames] == [GREYS[k] for k in left]
        assert [frame.t_s for frame in frames] == pytest.approx([k / 25 for k in left])
        video.rewind()
    assert len(said) == 1 and "broken.mov" in said[0] and "cannot be decoded" in said[0]
    assert video.faults == {"broken_frames": 4}


@pytest.mark.parametrize(
    ("format", "codec", "part"), [("mpegts", "mpeg2video", 0.6), ("avi", "png", 0.9), ("matroska", "ffv1", 0.6)]
)
def test_a_file_that_ends_in_the_middle_of_a_frame_is_read_up_to_there(tmp_path, format, codec, part):
    data = clip_bytes(format, codec, "rgb24" if codec == "png" else "yuv420p")
    path = tmp_path / "cut"
    path.write_bytes(data[: int(part * len(data))])
    seen = greys(VideoFile(path))
    assert 2 <= len(seen) < 10 and seen[:-1] == list(GREYS[: len(seen) - 1])


@pytest.mark.parametrize("format", ["matroska", "mp4"])
def test_a_cut_of_an_hour_does_not_make_a_clip_wait(tmp_path, format):
    stamps_ms = [40 * k + (3_600_000 if k > 4 else 0) for k in range(10)]
    path, said = tmp_path / "cut", []
    path.write_bytes(clip_bytes(format, stamps_ms=stamps_ms))
    video = VideoFile(path, warn=said.append)
    frames = list(iter(video.read, None))
    assert [frame.t_s for frame in frames[:5]] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-3)
    assert max(np.diff([frame.t_s for frame in frames])) <= 1.0
    assert len(said) == 1 and "0.16 s" in said[0] and "3600.20 s" in said[0]


@pytest.mark.parametrize(
    ("format", "codec", "pix_fmt", "duration_s"),
    [
        ("mp4", "mpeg4", "yuv420p", 0.4),
        ("avi", "mpeg4", "yuv420p", 0.4),
        ("matroska", "mpeg4", "yuv420p", 0.4),
        ("mpegts", "mpeg2video", "yuv420p", 0.4),
        ("gif", "gif", "rgb8", 0.4),
        ("apng", "apng", "rgb24", None),
        ("mjpeg", "mjpeg", "yuvj420p", None),
    ],
)
def test_clips_of_all_kinds_have_their_frames_and_duration(tmp_path, format, codec, pix_fmt, duration_s):
    path = tmp_path / "clip"
    path.write_bytes(clip_bytes(format, codec, pix_fmt))
    facts = examine(path)
    assert not facts.still
    assert facts.duration_s == (duration_s if duration_s is None else pytest.approx(duration_s, abs=0.05))
    times = [frame.t_s for frame in iter(VideoFile(path).read, None)]
    assert len(times) == 10 and min(np.diff(times)) > 0.03
