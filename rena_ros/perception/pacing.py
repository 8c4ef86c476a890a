"""The frames of a clip, each at its time."""

import threading
import time
from collections.abc import Callable, Iterator

from rena_ros.base.arrays import ByteArray
from rena_ros.base.errors import RenaError
from rena_ros.perception.video import Clip

BEHIND_S = 0.1  # how far a clip may fall behind its own time before it goes on from where it is


def paced(
    clip: Clip, leaving: threading.Event, *, realtime: bool, loop: Callable[[], bool]
) -> Iterator[tuple[ByteArray, float]]:
    """The frames of a clip, each when it is due: (uint8 (h, w, 3) RGB, capture time in s of time.monotonic()).

    ``realtime``: by the clip's own time, else as fast as they are taken; ``loop``: asked at the clip's end whether it
    begins again. Ends early when ``leaving`` is set. Raises RenaError for a clip without a single frame.
    """
    begin_s, count = time.monotonic(), 0
    while not leaving.is_set():
        if realtime and not clip.drawn:
            leaving.wait(max(0.0, begin_s + clip.next_s - time.monotonic()))
        captured_s = time.monotonic()
        frame = clip.read()
        if frame is None and loop() and count:
            begin_s, count = begin_s + clip.next_s, 0
            clip.rewind()
            continue
        if frame is None:
            break
        count += 1
        if realtime:
            due_s = begin_s + frame.t_s
            # With a variable frame rate the frame may be due only later than expected.
            leaving.wait(max(0.0, due_s - time.monotonic()))
            if leaving.is_set():  # the wait ended before the frame is due
                break
            if captured_s - due_s > BEHIND_S:  # too slow for the clip's time: go on from here
                begin_s, due_s = begin_s + captured_s - due_s, captured_s
            captured_s = due_s
        yield frame.rgb, captured_s
    if count == 0 and not leaving.is_set():
        raise RenaError("the clip contains no frame")
