"""The blendshapes node and images of other people's cameras: encodings, stamps, losses. Its callbacks are called."""

import cv2
import numpy as np
import pytest
import rclpy
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from rena_ros.nodes.blendshapes import BlendshapesNode
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace

FRAME_NS = 33_333_333


@pytest.fixture(scope="module")
def picture():
    return TwinFace(load_robot()).render(load_robot().neutral_goals)


class Arrivals:
    """The system time of the node: an image is read when it arrives, within no time."""

    now_ns = 1_700_000_000 * 10**9

    def time_ns(self):
        return self.now_ns

    def time(self):
        return self.now_ns * 1e-9

    monotonic = perf_counter = time


class BlendshapesStand:
    """The node in this process; what it publishes is kept."""

    def __init__(self, context, time, **parameters):
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = BlendshapesNode(context=context, namespace="/face1", parameter_overrides=overrides)
        self.readings, self.statuses, self.sequence, self.time = [], [], 0, time
        self.node._topics.update = lambda: False
        self.node._topics.publishers = ("/usb_cam",)
        self.node._readings.publish = self.readings.append
        self.node._diagnostics.publish = lambda message: self.statuses.extend(message.status)

    def show(self, image, stamp_ns=None, missed=0):
        """Show an image that arrives a frame after the last one, or after some that did not arrive."""
        self.sequence += 1 + missed
        stamp_ns = self.sequence * FRAME_NS if stamp_ns is None else stamp_ns
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        self.time.now_ns += (1 + missed) * FRAME_NS
        times = {"source_timestamp": self.time.now_ns - 10**15, "received_timestamp": self.time.now_ns}
        self.node.on_image(image, {"publication_sequence_number": self.sequence, **times})

    def second(self):
        """Let a second end; return its diagnostics."""
        self.time.now_ns += 10**9
        self.node.on_second()
        return self.statuses[-1]


@pytest.fixture
def start(ros_domain, monkeypatch):
    """Start the node in a ROS context of its own."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    arrivals = Arrivals()
    monkeypatch.setattr("rena_ros.nodes.blendshapes.time", arrivals)
    context, stands = rclpy.Context(), []
    rclpy.init(context=context, domain_id=ros_domain)

    def make(**parameters):
        stands.append(BlendshapesStand(context, arrivals, **parameters))
        return stands[-1]

    yield make
    for stand in stands:
        stand.node.leave()
        stand.node.destroy_node()
    context.try_shutdown()


def image_of(rows: np.ndarray, encoding: str, width: int, height: int) -> Image:
    return Image(height=height, width=width, encoding=encoding, step=rows.shape[1], data=rows.tobytes())


def encoded(rgb: np.ndarray, encoding: str) -> Image:
    """OpenCV's conversions where it has them."""
    height, width = rgb.shape[:2]
    alpha = np.dstack([rgb[:, :, ::-1], np.full(rgb.shape[:2], 255, np.uint8)])
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = i420[height:].reshape(2, height // 2, width // 2)
    light, u, v = i420[:height], u.repeat(2, axis=0), v.repeat(2, axis=0)
    y, x = np.indices(rgb.shape[:2])
    rows = {
        "mono8": cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY),
        "bgra8": alpha,
        "rgb16": rgb.astype("<u2") * 257,
        "yuv422_yuy2": np.stack([light[:, ::2], u, light[:, 1::2], v], axis=2),
        "uyvy": np.stack([u, light[:, ::2], v, light[:, 1::2]], axis=2),
        "nv12": np.vstack([light, np.stack([u[::2], v[::2]], axis=2).reshape(height // 2, width)]),
        "bayer_grbg8": np.take_along_axis(rgb, np.array([1, 0, 2, 1])[2 * (y % 2) + x % 2][:, :, None], axis=2),
    }[encoding]
    return image_of(rows.reshape(len(rows), -1).view(np.uint8), encoding, width, height)


def test_the_face_is_found_in_every_encoding_and_what_cannot_be_read_is_refused(start, picture):
    stand = start()
    for encoding in ("mono8", "bgra8", "rgb16", "yuv422_yuy2", "uyvy", "nv12", "bayer_grbg8"):
        stand.show(encoded(picture, encoding))
        assert stand.readings[-1].name, encoding
    assert stand.second().level == b"\x00" and stand.second().name == "face1/blendshapes: perception"
    read = len(stand.readings)
    broken = [
        Image(),
        Image(height=480, width=640, encoding="rgb8"),
        Image(height=9, width=9, encoding="32FC1", step=36),
    ]
    broken += [Image(height=480, width=640, encoding="rgba8", step=4, data=bytes(4 * 480))]
    for image in broken:
        stand.show(image)
    status = stand.second()
    assert status.level == b"\x01" and status.message.startswith("4 images cannot be read: an image from an unnamed")
    assert "640x480 rgba8" in status.message and len(stand.readings) == read
    stand.show(encoded(picture, "bgra8"))
    assert len(stand.readings) == read + 1 and stand.second().level == b"\x00"


@pytest.mark.parametrize("stamp_ns", [0, 7_000_000_000])
def test_the_next_person_is_read_though_stamps_stand_still(start, picture, monkeypatch, stamp_ns):
    stand = start()
    empty = np.full_like(picture, 96)
    left, right = np.hstack([picture, empty]), np.hstack([empty, picture])
    now = iter(range(10**18, 10**19, FRAME_NS))  # of the node's clock
    monkeypatch.setattr(stand.node.get_clock(), "now", lambda: rclpy.time.Time(nanoseconds=next(now)))
    for frame in [left] * 5 + [right] * 40:
        stand.show(image_of(frame.reshape(480, -1), "rgb8", 1280, 480), stamp_ns)
    assert [bool(reading.name) for reading in stand.readings[:6]] == [True] * 5 + [False]
    assert stand.readings[-1].name
    assert 0 <= stand.readings[-1].header.stamp.sec - 10**9 < 10  # the readings carry the time of arrival
    status = stand.second()
    assert status.level == b"\x01" and "the time of their arrival stands in" in status.message
    assert "/face1/camera/image_raw" in status.message


def test_lost_images_are_reported_with_what_helps(start, picture):
    stand = start()
    for _ in range(6):
        stand.show(encoded(picture, "bgra8"), missed=3)
    status = stand.second()
    assert status.level == b"\x01"
    assert status.message.startswith("15 of 21 images are lost on the way from /usb_cam: start it")
    assert "FASTRTPS_DEFAULT_PROFILES_FILE=" in status.message and "CompressedImage" in status.message
    stand.node._topics.publishers = ("/usb_cam", "/another")  # each with sequence numbers of its own
    for _ in range(6):
        stand.show(encoded(picture, "bgra8"), missed=3)
    assert "lost" not in stand.second().message


def test_images_of_two_cameras_in_turn_are_named_with_their_publishers(start, picture):
    stand = start()
    stand.node._topics.publishers = ("/another", "/usb_cam")
    for _ in range(3):
        for begin in (40, 900):  # each has sequence numbers of its own; both have this computer's time
            stand.sequence += begin
            stand.show(encoded(picture, "bgra8"), stand.time.now_ns)
            stand.sequence -= begin
    status = stand.second()
    assert status.level == b"\x01"
    assert status.message == (
        "images of several publishers come in turn on /face1/camera/image_raw, /another, /usb_cam: "
        "let one publish there"
    )


def test_the_clocks_of_a_camera_that_has_left_are_not_logged_as_those_of_the_other(start, picture, capfd):
    stand = start()
    for left in (False, True):
        for stamp_ns in (10**9, 10**18) * (1 if left else 4):
            stand.show(encoded(picture, "bgra8"), stamp_ns)
        stand.node._topics.update = lambda left=left: left
        stand.second()
    for _ in range(60):
        stand.show(encoded(picture, "bgra8"))
    assert "stamps" not in stand.second().message
    assert capfd.readouterr().err.count("carry the stamps of two clocks") == 1


def test_a_simulations_time_that_is_absent_or_set_back_is_followed(start, picture):
    stand = start(use_sim_time=True)
    image = encoded(picture, "bgra8")
    stand.show(image, 0)
    assert stand.readings[-1].name and stand.readings[-1].header.stamp.sec > 10**9  # no /clock: system time
    for begin_s in (100, 50, 100):
        clock = Clock()
        clock.clock.sec = begin_s
        stand.node._time_source.clock_callback(clock)
        for i in range(3):
            stand.show(image, begin_s * 10**9 + i * FRAME_NS)
            assert stand.readings[-1].name and stand.readings[-1].header.stamp.sec == begin_s
    assert "stamps" not in stand.second().message
