"""Sources of frames: time stamps of files, unreadable files, and a camera that is unplugged and plugged in."""

import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.perception.camera import Camera, camera_path
from rena_ros.perception.clip import VideoFile
from rena_ros.perception.video import open_source

TIMES_MS = (0, 33, 100, 400, 433, 1000)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of variable frame rate; frame k is grey of 40 k."""
    path = tmp_path_factory.mktemp("clip") / "variable.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for k, time_ms in enumerate(TIMES_MS):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 40 * k, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_file_keeps_its_own_times_and_can_start_again(clip):
    video = VideoFile(clip)
    for _ in range(2):
        frames = list(iter(video.read, None))
        assert [frame.t_s for frame in frames] == pytest.approx([t / 1000 for t in TIMES_MS], abs=1e-3)
        assert [frame.rgb.mean() for frame in frames] == pytest.approx([40 * k for k in range(6)], abs=4)
        assert frames[0].rgb.shape == (64, 96, 3) and frames[0].rgb.flags.c_contiguous
        assert video.next_s == pytest.approx(frames[-1].t_s + 0.033, abs=1e-3)  # the shortest gap
        video.rewind()
    video.close()


def test_large_frames_are_scaled_down_uncropped(clip):
    assert VideoFile(clip, longest_side=48).read().rgb.shape == (32, 48, 3)


def test_red_is_the_first_channel(tmp_path):
    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.full((48, 64, 3), (0, 0, 255), np.uint8))  # OpenCV writes BGR
    writer.release()
    assert VideoFile(path).read().rgb.mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=6)


def test_an_unreadable_or_missing_file_is_named_in_the_error(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video")
    with pytest.raises(RenaError, match=r"broken\.mp4 is not a video"):
        open_source(str(broken), 640, 480, 30.0, print)
    with pytest.raises(RenaError, match=r"no video file .*absent\.mp4"):
        open_source(str(tmp_path / "absent.mp4"), 640, 480, 30.0, print)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("3", "/dev/video3"),
        ("/dev/video3", "/dev/video3"),
        ("/dev/v4l/by-id/usb-A_B-video-index0", "/dev/v4l/by-id/usb-A_B-video-index0"),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",) * 2,
        ("/dev/null", "/dev/null"),  # a device; that it is no camera is said later
    ],
)
def test_a_number_or_a_device_names_a_camera_even_one_that_is_yet_to_come(source, path):
    camera = open_source(source, 640, 480, 30.0, print)
    assert isinstance(camera, Camera) and camera.path == path


def test_a_link_that_leads_to_an_absent_device_is_a_camera_and_a_file_in_shared_memory_is_none(tmp_path):
    (tmp_path / "mycam").symlink_to("/dev/video987")
    assert camera_path(str(tmp_path / "mycam")) == str(tmp_path / "mycam")
    assert camera_path("/dev/shm/absent.mp4") is None
    assert camera_path("²") is None


class Device:
    """OpenCV's object for a camera that delivers ``frames`` frames and is then unplugged."""

    def __init__(self, frames: int, captured_s=lambda: 0.0, broken: tuple[int, ...] = ()):
        self.left, self.captured_s, self.broken, self.released = frames, captured_s, broken, False

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self):
        good = self.left not in self.broken
        return good, np.full((4, 6, 3), (10, 20, 30), np.uint8) if good else None

    def get(self, _property) -> float:
        return self.captured_s() * 1000

    def release(self) -> None:
        self.released = True


def test_a_camera_that_was_unplugged_is_opened_again():
    first, second = Device(2), Device(1)
    devices = iter([None, first, None, None, second])
    camera = Camera("/dev/no-such-camera", open_device=lambda *_: next(devices))
    seen = [camera.read() for _ in range(7)]
    assert [frame is not None for frame in seen] == [False, True, True, False, False, False, True]
    assert first.released and not second.released
    np.testing.assert_array_equal(seen[1].rgb[0, 0], [30, 20, 10])
    assert "/dev/no-such-camera is not there" in camera.problem


def test_one_broken_jpeg_does_not_close_the_camera():
    device = Device(3, broken=(1,))
    camera = Camera("/dev/null", open_device=lambda *_: device)
    assert [camera.read() is not None for _ in range(3)] == [True, False, True]
    assert camera.is_open and not device.released


def test_the_capture_time_of_the_driver_counts_where_it_is_plausible():
    now_s = time.monotonic()
    plausible = Camera("/dev/null", open_device=lambda *_: Device(1, lambda: now_s - 0.02))
    assert plausible.read().t_s == pytest.approx(now_s - 0.02)
    for wrong_s in (0.0, now_s - 50, now_s + 50):
        camera = Camera("/dev/null", open_device=lambda *_, wrong_s=wrong_s: Device(1, lambda: wrong_s))
        assert now_s <= camera.read().t_s <= time.monotonic()
