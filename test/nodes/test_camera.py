"""The camera node as a process: complete clips at their own speed, stamps of the capture, clean ends."""

import time

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, TimeReference

from rena_ros.nodes.images import from_image_msg

NEWEST = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=100)
FRAMES, RATE_HZ = 20, 25


def written(path, frames):
    """Write a clip of these frames at 25 Hz."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def greys(width, height):
    """20 frames; frame k is grey of 12 k."""
    return [np.full((height, width, 3), 12 * k, np.uint8) for k in range(FRAMES)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """640x480, as cameras have it."""
    return written(tmp_path_factory.mktemp("clip") / "steps.avi", greys(640, 480))


@pytest.fixture(scope="module")
def small_clip(tmp_path_factory):
    """160x120: shared memory holds seconds of it, so that a late reader loses nothing."""
    return written(tmp_path_factory.mktemp("clip") / "small.avi", greys(160, 120))


def seconds(stamp) -> float:
    return stamp.sec + stamp.nanosec * 1e-9


def steps(images: list) -> list[int]:
    """The indices of the clip's frames that these images are."""
    return [round(float(from_image_msg(image).mean()) / 12) for image in images]


def test_a_clip_is_played_once_at_its_own_speed(processes, small_clip):
    images = processes.listen(Image, "camera/image_raw", NEWEST)
    infos = processes.listen(CameraInfo, "camera/camera_info", NEWEST)
    timings = processes.listen(TimeReference, "timing", RELIABLE)
    assert processes.ended(processes.start("camera", source=small_clip)) == (0, "")
    assert steps(images) == list(range(FRAMES))
    stamps = [seconds(image.header.stamp) for image in images]
    # The stamps are the times at which frames are due, not the times at which this busy machine sent them.
    assert np.median(np.diff(stamps)) == pytest.approx(1 / RATE_HZ, abs=0.004)
    assert images[0].header.frame_id == infos[0].header.frame_id == "camera_optical_frame"
    assert [timing.time_ref for timing in timings] == [image.header.stamp for image in images]
    assert {timing.source for timing in timings} == {"camera"}
    assert all(seconds(timing.header.stamp) > seconds(timing.time_ref) for timing in timings)
    # All zero K: not calibrated, by the convention of CameraInfo.
    assert (infos[0].width, infos[0].height, infos[0].k.tolist()) == (160, 120, [0.0] * 9)


def test_a_clip_that_is_sent_as_fast_as_it_is_read_loses_nothing(processes, clip):
    """Each frame follows the reading of the one before."""
    timings = processes.peer.create_publisher(TimeReference, "timing", RELIABLE)
    images = []

    def read(image: Image) -> None:
        images.append(image)
        timings.publish(TimeReference(time_ref=image.header.stamp, source="blendshapes"))

    processes.peer.create_subscription(Image, "camera/image_raw", read, NEWEST)
    assert processes.ended(processes.start("camera", source=clip, realtime="false", mirror="true")) == (0, "")
    assert steps(images) == list(range(FRAMES))


def test_a_looped_clip_goes_on_until_a_signal_and_late_listeners_see_it(processes, small_clip):
    first = processes.listen(Image, "camera/image_raw", NEWEST)
    camera = processes.start("camera", source=small_clip, loop="true")
    processes.until(lambda: len(first) > FRAMES + 3)
    late = processes.listen(Image, "camera/image_raw", NEWEST)
    processes.until(lambda: len(late) > 3)
    assert processes.leave(camera) == (0, "")
    assert min(np.diff([seconds(image.header.stamp) for image in first])) > 0
    assert steps(first)[: FRAMES + 1] == [*range(FRAMES), 0]


def test_an_unreadable_file_is_one_line_and_code_2(processes, tmp_path):
    (tmp_path / "broken.mp4").write_text("not a video")
    code, said = processes.ended(processes.start("camera", source=tmp_path / "absent.mp4"))
    assert code == 2 and "absent.mp4" in said and len(said.splitlines()) == 1
    code, said = processes.ended(processes.start("camera", source=tmp_path / "broken.mp4"))
    assert code == 2 and "is not a video" in said and "Traceback" not in said and len(said.splitlines()) == 1


def test_mirror_and_loop_are_set_while_a_clip_plays(processes, tmp_path):
    frame = np.zeros((120, 160, 3), np.uint8)
    frame[:, :80] = 255  # the left half is white
    path = written(tmp_path / "left.avi", [frame] * FRAMES)
    images = processes.listen(Image, "camera/image_raw", NEWEST)
    camera = processes.start("camera", source=path, loop="true")

    def left_is_white() -> bool:
        return from_image_msg(images[-1])[:, :60].mean() > 128

    processes.until(lambda: images and left_is_white())
    assert processes.set_parameter("camera", "mirror", True).successful
    processes.until(lambda: not left_is_white())
    refused = processes.set_parameter("camera", "width", 320)
    assert not refused.successful and "read-only" in refused.reason
    assert processes.set_parameter("camera", "loop", False).successful
    assert processes.ended(camera)[0] == 0


def test_an_absent_camera_is_waited_for_and_diagnosed(processes):
    diagnostics = processes.listen(DiagnosticArray, "/diagnostics", RELIABLE)
    camera = processes.start("camera", source=987)
    assert "/dev/video987 is not there: plug it in" in processes.next_line(camera)
    processes.until(lambda: diagnostics)
    status = diagnostics[0].status[0]
    assert (status.name, status.level) == ("bench/camera: camera", b"\x01")
    assert "/dev/video987 is not there" in status.message
    assert {value.key: value.value for value in status.values}["source"] == "987"
    assert camera.poll() is None
    code, said = processes.leave(camera)
    assert code == 0 and "Traceback" not in said


def test_with_simulated_time_a_clip_waits_for_the_clock_and_is_stamped_with_it(processes, small_clip):
    images = processes.listen(Image, "camera/image_raw", NEWEST)
    camera = processes.start("camera", source=small_clip, use_sim_time="true")
    assert "no /clock has come" in processes.next_line(camera)
    clock = processes.peer.create_publisher(Clock, "/clock", RELIABLE)
    begun_s = time.monotonic()

    def tick() -> bool:
        # The first moments of a simulation: a frame is older than the clock.
        clock.publish(Clock(clock=Time(nanoseconds=1 + int((time.monotonic() - begun_s) * 1e9)).to_msg()))
        return camera.poll() is not None

    processes.until(tick)
    assert processes.ended(camera)[0] == 0
    stamps = [seconds(image.header.stamp) for image in images]
    assert steps(images) == list(range(FRAMES))
    assert min(stamps) > 0 and max(stamps) <= time.monotonic() - begun_s and stamps == sorted(stamps)


def test_a_still_picture_is_held(processes, tmp_path):
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.full((120, 160, 3), 120, np.uint8))
    images = processes.listen(Image, "camera/image_raw", NEWEST)
    diagnostics = processes.listen(DiagnosticArray, "/diagnostics", RELIABLE)
    camera = processes.start("camera", source=path)
    assert "a still picture" in processes.next_line(camera)
    processes.until(lambda: len(images) > 10 and diagnostics and diagnostics[-1].status[0].level == b"\0")
    code, said = processes.leave(camera)
    assert (code, said) == (0, "")
    assert set(steps(images)) == {10}
    values = {value.key: value.value for value in diagnostics[-1].status[0].values}
    assert values["size"] == "160x120" and int(values["frames"]) > 0


@pytest.mark.parametrize("delay_s", [0.0, 0.25])
def test_the_twin_s_pictures_keep_their_stamps_or_are_as_late_as_asked(processes, delay_s):
    robot = processes.peer.create_publisher(Image, "robot/image_raw", NEWEST)
    images = processes.listen(Image, "camera/image_raw", NEWEST)
    camera = processes.start("camera", source="robot", robot_delay_s=delay_s)
    shown = Image(width=2, height=1, encoding="rgb8", step=6, data=[1, 2, 3, 4, 5, 6])
    shown.header.stamp = Time(seconds=100, nanoseconds=900_000_000).to_msg()

    def published() -> bool:
        robot.publish(shown)
        return bool(images)

    processes.until(published)
    assert images[0].data.tolist() == [1, 2, 3, 4, 5, 6]
    assert seconds(images[0].header.stamp) == pytest.approx(100.9 + delay_s, abs=1e-6)
    assert processes.leave(camera)[0] == 0
