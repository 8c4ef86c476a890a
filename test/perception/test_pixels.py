"""Pixels of every encoding, against the definitions: of ROS's names, of BT.601, of a mosaic."""

import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rena_ros.base.errors import RenaError
from rena_ros.perception.pixels import READABLE, decompressed, to_rgb

HEIGHT, WIDTH = 24, 32
PLACES = {"r": 0, "g": 1, "b": 2}


def picture() -> np.ndarray:
    """Smooth colours (a mosaic and shared colours lose edges), each channel with a slope of its own."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / (HEIGHT, WIDTH)[0]
    return np.stack([40 + 70 * x, 200 - 70 * y, 60 + 30 * (x + y)], axis=2).round().astype(np.uint8)


RGB = picture()


def grey(rgb: np.ndarray) -> np.ndarray:
    return rgb[:, :, 1]


def yuv(rgb: np.ndarray) -> np.ndarray:
    """ITU-R BT.601, limited range, from its coefficients."""
    kr, kg, kb = 0.299, 0.587, 0.114
    r, g, b = np.moveaxis(rgb / 255.0, 2, 0)
    luma = kr * r + kg * g + kb * b
    planes = 16 + 219 * luma, 128 + 112 * (b - luma) / (1 - kb), 128 + 112 * (r - luma) / (1 - kr)
    return np.stack(planes, axis=2).round().astype(np.uint8)


def mosaic(rgb: np.ndarray, name: str) -> np.ndarray:
    """ROS: the four letters are the colours of a 2x2 tile, row by row."""
    tile = [PLACES[letter] for letter in name.removeprefix("bayer_")[:4]]
    y, x = np.indices(rgb.shape[:2])
    return np.take_along_axis(rgb, np.array(tile)[2 * (y % 2) + x % 2][:, :, None], axis=2)[:, :, 0]


def channels(rgb: np.ndarray, name: str) -> np.ndarray:
    if name in ("mono", "UC1"):
        return grey(rgb)[:, :, None]
    order = {"UC3": "bgr", "UC4": "bgra"}.get(name, name)
    full = np.dstack([rgb, np.full(rgb.shape[:2], 7, np.uint8)])
    return full[:, :, ["rgba".index(letter) for letter in order]]


def encoded(rgb: np.ndarray, encoding: str, big_endian: bool = False) -> np.ndarray:
    """The rows of bytes of a picture, (rows, bytes)."""
    values = yuv(rgb)
    if encoding in ("yuv422", "uyvy", "yuv422_yuy2", "yuyv"):
        shared = np.where(np.arange(WIDTH)[:, None] % 2, values[:, :, 2:], values[:, :, 1:2])[..., 0]
        pair = (shared, values[:, :, 0])
        return np.stack(pair if encoding in ("yuv422", "uyvy") else pair[::-1], axis=2).reshape(HEIGHT, -1)
    if encoding in ("nv12", "nv21"):
        colours = values[::2, ::2, 1:] if encoding == "nv12" else values[::2, ::2, :0:-1]
        return np.vstack([values[:, :, 0], colours.reshape(HEIGHT // 2, -1)])
    if encoding == "nv24":
        return np.vstack([values[:, :, 0], values[:, :, 1:].reshape(2 * HEIGHT, -1)])
    bits = 16 if "16" in encoding else 8
    name = encoding.replace("16", "").removesuffix("8").removeprefix("8")
    pixels = mosaic(rgb, encoding)[:, :, None] if "bayer" in encoding else channels(rgb, name)
    if bits == 16:
        low = np.full_like(pixels, 201)
        pixels = np.stack([pixels, low] if big_endian else [low, pixels], axis=-1)
    return pixels.reshape(HEIGHT, -1)


def read(rows: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False) -> np.ndarray:
    """Padding lies behind every row of pixels; nv24's rows of colours are twice as long, and so is their padding."""
    if encoding == "nv24":
        light = np.pad(rows[:HEIGHT], ((0, 0), (0, padding)), constant_values=99)
        colours = rows[HEIGHT:].reshape(HEIGHT, -1)
        colours = np.pad(colours, ((0, 0), (0, 2 * padding)), constant_values=99).reshape(2 * HEIGHT, -1)
        rows = np.vstack([light, colours])
    else:
        rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    return to_rgb(rows.tobytes(), encoding, WIDTH, HEIGHT, rows.shape[1], big_endian=big_endian)


@pytest.mark.parametrize("padding", [0, 12])
@pytest.mark.parametrize("encoding", READABLE)
def test_every_encoding_is_read(encoding, padding):
    for big_endian in (False, True):
        seen = read(encoded(RGB, encoding, big_endian), encoding, padding, big_endian)
        assert seen.dtype == np.uint8 and seen.shape == RGB.shape
        exact = not any(kind in encoding for kind in ("yu", "uy", "nv", "bayer"))
        wanted = (
            np.repeat(grey(RGB)[:, :, None], 3, axis=2) if encoding.startswith("mono") or "UC1" in encoding else RGB
        )
        inner = np.s_[:] if exact else np.s_[2:-2, 2:-2]  # a mosaic has no neighbours at the border
        tolerance = 0 if exact else 6  # shared colours
        difference = np.abs(seen[inner].astype(int) - wanted[inner])
        assert difference.max() <= tolerance, encoding


def test_all_names_of_ros_that_cameras_send_are_read():
    """The 8- and 16-bit names of sensor_msgs/image_encodings.hpp (Jazzy), and nv12."""
    names = [f"{order}{bits}" for order in ("rgb", "rgba", "bgr", "bgra", "mono") for bits in (8, 16)]
    names += [f"{bits}UC{count}" for bits in (8, 16) for count in (1, 3, 4)]
    names += [f"bayer_{tile}{bits}" for tile in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)]
    names += ["uyvy", "yuv422", "yuyv", "yuv422_yuy2", "nv21", "nv24", "nv12"]
    assert sorted(names) == sorted(READABLE)


@pytest.mark.parametrize(
    ("data", "encoding", "width", "height", "step", "says"),
    [
        (b"", "rgb8", 0, 0, 0, "no pixel"),
        (b"", "rgb8", 4, 2, 12, "needs 24 bytes and holds 0"),
        (bytes(23), "bgr8", 4, 2, 12, "needs 24 bytes and holds 23"),
        (bytes(99), "bgra8", 4, 2, 15, "a step of 15 bytes is too short for 4 pixels"),
        (bytes(99), "rgb16", 4, 2, 12, "step of 12"),
        (bytes(99), "mono8", 4, 2, 0, "step of 0"),
        (bytes(99), "yuv422", 5, 2, 10, "even"),
        (bytes(99), "nv12", 4, 3, 4, "even"),
        (bytes(11), "nv21", 4, 2, 4, "needs 12 bytes"),
        (bytes(99), "bayer_rggb8", 2, 2, 2, "too small"),
        (bytes(99), "32FC1", 4, 2, 16, "depth"),
        (bytes(99), "16SC1", 4, 2, 16, "depth"),
        (bytes(99), "teletext", 4, 2, 16, "unknown.*set the camera to rgb8"),
        (bytes(99), "", 4, 2, 16, "without an encoding.*unknown"),
    ],
)
def test_what_cannot_be_read_is_refused_with_encoding_size_and_remedy(data, encoding, width, height, step, says):
    with pytest.raises(RenaError, match=says) as error:
        to_rgb(data, encoding, width, height, step)
    assert f"{width}x{height}" in str(error.value) and encoding in str(error.value)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize("form", ["jpeg", "rgb8; jpeg compressed bgr8", "jpg", ""])
def test_a_jpeg_is_read(form):
    data = cv2.imencode(".jpg", RGB[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    for padded in (data, data + bytes(40)):  # some cameras fill up their buffers
        assert np.abs(decompressed(padded, form).astype(int) - RGB).max() <= 8
    with pytest.raises(RenaError, match="cut off"):
        decompressed(data[: len(data) // 2], form)


def test_a_png_is_read_in_8_and_16_bits_in_either_order_and_as_a_mosaic():
    bgr = np.ascontiguousarray(RGB[:, :, ::-1])
    np.testing.assert_array_equal(decompressed(png(bgr), "png"), RGB)
    np.testing.assert_array_equal(decompressed(png(bgr.astype(np.uint16) << 8), "bgr16; png compressed bgr16"), RGB)
    np.testing.assert_array_equal(decompressed(png(RGB), "rgb8; png compressed rgb8"), RGB)
    np.testing.assert_array_equal(decompressed(png(grey(RGB)), "mono8; png compressed ")[:, :, 2], grey(RGB))
    seen = decompressed(png(mosaic(RGB, "bayer_gbrg8")), "bayer_gbrg8; png compressed ")
    assert np.abs(seen[2:-2, 2:-2].astype(int) - RGB[2:-2, 2:-2]).max() <= 6


@pytest.mark.parametrize("data", [b"", b"no picture", png(RGB)[:200], b"\xff\xd8\xff\xd9"])
def test_a_broken_file_is_refused(data):
    with pytest.raises(RenaError, match="png"):
        decompressed(data, "png")


@given(
    encoding=st.sampled_from((*READABLE, "32FC1", "")),
    size=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    step=st.integers(0, 80),
    data=st.binary(max_size=900),
    big_endian=st.booleans(),
)
def test_any_message_is_a_picture_of_its_size_or_a_clear_error(encoding, size, step, data, big_endian):
    width, height = size
    with contextlib.suppress(RenaError):
        seen = to_rgb(data, encoding, width, height, step, big_endian=big_endian)
        assert seen.shape == (height, width, 3) and seen.dtype == np.uint8


@given(
    original=st.sampled_from([png(RGB), cv2.imencode(".jpg", RGB)[1].tobytes()]),
    place=st.floats(0, 1),
    put=st.binary(max_size=6),
    form=st.sampled_from(["jpeg", "rgb8; png compressed rgb8", "bayer_rggb8; jpeg compressed ", "16UC1; png"]),
)
def test_any_damage_to_a_file_gives_a_picture_or_a_clear_error(original, place, put, form):
    at = max(200, round(place * len(original)))  # behind the header: a size of millions would only take long
    with contextlib.suppress(RenaError):
        seen = decompressed(original[:at] + put + original[at + len(put) :], form)
        assert seen.ndim == 3 and seen.shape[2] == 3 and seen.dtype == np.uint8
