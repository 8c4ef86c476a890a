"""Image messages both ways, against OpenCV and against hand-made rows."""

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from rena_ros.base.errors import RenaError
from rena_ros.nodes.images import from_image_msg, to_image_msg

STAMP = Time(sec=12, nanosec=34)
FRAMES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def message(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    rows = np.pad(pixels.reshape(len(pixels), -1), ((0, 0), (0, padding)), constant_values=77)
    image = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, step=rows.shape[1])
    image.data = rows.tobytes()
    return image


@given(FRAMES)
def test_there_and_back_through_the_wire_format(rgb):
    sent = to_image_msg(rgb, STAMP, "here")
    received = deserialize_message(serialize_message(sent), Image)
    np.testing.assert_array_equal(from_image_msg(received), rgb)
    assert (received.header.stamp, received.header.frame_id, received.encoding) == (STAMP, "here", "rgb8")
    assert (received.step, len(received.data)) == (3 * rgb.shape[1], rgb.size)


def test_a_view_of_another_array_is_sent_in_its_own_order():
    rgb = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(from_image_msg(to_image_msg(rgb[:, ::-1], STAMP, "")), rgb[:, ::-1])


@given(FRAMES, st.integers(0, 5))
def test_encodings_agree_with_opencv_with_and_without_padding(pixels, padding):
    bgr = from_image_msg(message(pixels, "bgr8", padding))
    np.testing.assert_array_equal(bgr, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    np.testing.assert_array_equal(from_image_msg(message(pixels, "rgb8", padding)), pixels)
    grey = np.ascontiguousarray(pixels[:, :, 0])
    np.testing.assert_array_equal(
        from_image_msg(message(grey, "mono8", padding)), cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    )


def test_an_unreadable_image_is_a_clear_error():
    pixels = np.zeros((4, 6, 3), np.uint8)
    short = message(pixels, "rgb8")
    short.header.frame_id, short.data = "left_eye", bytes(40)
    with pytest.raises(RenaError, match=r"left_eye cannot be read: 6x4 rgb8 with a step of 18 bytes .* holds 40"):
        from_image_msg(short)
    with pytest.raises(RenaError, match="unnamed camera cannot be read: 0x0 without an encoding"):
        from_image_msg(Image())
    with pytest.raises(RenaError, match=r"unnamed camera cannot be read: compressed \(jpeg\).*empty"):
        from_image_msg(CompressedImage(format="jpeg"))
    for wrong in (np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.float32)):
        with pytest.raises(ValueError, match="expected a frame"):
            to_image_msg(wrong, STAMP, "")


def test_the_order_of_the_bytes_is_taken_from_the_message():
    values = np.array([[[10, 20, 30]]], np.uint8)
    for big_endian in (False, True):
        wide = np.stack([values, np.full_like(values, 99)] if big_endian else [np.full_like(values, 99), values], -1)
        image = message(wide.reshape(1, 1, 6), "bgr16")
        image.is_bigendian = int(big_endian)
        np.testing.assert_array_equal(from_image_msg(image), values[:, :, ::-1])


def test_a_compressed_image_is_read():
    bgr = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    image = CompressedImage(format="bgr8; png compressed bgr8", data=cv2.imencode(".png", bgr)[1].tobytes())
    np.testing.assert_array_equal(from_image_msg(image), bgr[:, :, ::-1])
