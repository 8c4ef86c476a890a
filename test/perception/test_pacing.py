"""The frames of a clip at their times, with a clock that stands still unless something waits."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.perception.clip import VideoFile
from rena_ros.perception.frame import Frame
from rena_ros.perception.pacing import paced
from rena_ros.perception.still import StillPicture
from rena_ros.perception.video import DrawnPerformer


@pytest.mark.parametrize(
    ("kind", "order"), [(DrawnPerformer, ["read", "wait", "publish"]), (VideoFile, ["wait", "read", "publish"])]
)
def test_latency_contains_decoding_but_not_drawing(kind, order, monkeypatch):
    """A drawn frame is made before it is due; a file's frame is taken when it is due, as from a camera."""
    happened, captured_s, now_s = [], [], [100.0]
    monkeypatch.setattr("rena_ros.perception.pacing.time", SimpleNamespace(monotonic=lambda: now_s[0]))

    class Clip:
        drawn, next_s = kind.drawn, 0.0

        def read(self):
            happened.append("read")
            now_s[0] += 0.01
            t_s, self.next_s = self.next_s, self.next_s + 0.3
            return Frame(np.zeros((2, 2, 3), np.uint8), t_s) if t_s < 0.4 else None

    class Leaving(threading.Event):
        def wait(self, timeout=None):
            now_s[0] += timeout
            if timeout > 0.001:  # what is left after the first wait for a frame is a rounding error
                happened.append("wait")
            return False

    for _, taken_s in paced(Clip(), Leaving(), realtime=True, loop=lambda: False):
        happened.append("publish")
        captured_s.append(taken_s)
    second = happened.index("publish") + 1
    assert happened[second : second + 3] == order
    assert captured_s == pytest.approx([100.0, 100.3])


class Clip:
    """Frames at these times, as a file gives them."""

    drawn, next_s, period_s = False, 0.0, 0.04

    def __init__(self, *times_s):
        self.left = list(times_s)

    def read(self):
        return Frame(np.zeros((2, 2, 3), np.uint8), self.left.pop(0)) if self.left else None


class Ending(threading.Event):
    """Ctrl-C comes while something waits for ``moment_s`` or longer; waiting takes no time."""

    def __init__(self, moment_s):
        super().__init__()
        self.moment_s = moment_s

    def wait(self, timeout=None):
        if timeout >= self.moment_s:
            self.set()
        return self.is_set()


def test_leaving_while_a_frame_is_awaited_does_not_publish_it():
    assert [taken for _, taken in paced(Clip(0.0, 900.0), Ending(100), realtime=True, loop=lambda: False)][1:] == []


def test_a_still_picture_goes_on_until_it_is_ended(tmp_path):
    path = tmp_path / "x.pgm"
    path.write_bytes(b"P5 2 2 255 " + bytes(4))
    frames = paced(StillPicture(path), Ending(1e9), realtime=False, loop=lambda: False)
    assert len([next(frames) for _ in range(100)]) == 100


def test_a_clip_without_a_frame_is_an_error():
    with pytest.raises(RenaError, match="no frame"):
        list(paced(Clip(), Ending(1e9), realtime=True, loop=lambda: True))
