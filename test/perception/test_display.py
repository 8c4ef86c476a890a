"""Frames as a player shows them: upright, square pixels, right colours; checked against numpy and the standards."""

from fractions import Fraction
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from rena_ros.perception import hdr
from rena_ros.perception.clip import VideoFile
from rena_ros.perception.display import Display, display_matrix, shown_size, turned

WIDTH, HEIGHT = 64, 48
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
# Different in every corner and along every side.
PICTURE = np.stack([2 * COLUMNS + ROWS, 3 * ROWS, 255 - 2 * COLUMNS], axis=2).astype(np.uint8)
# a, b, c, d of a display matrix, by geometry: the pixel (p, q) is shown at (a p + c q, b p + d q).
SHOWN = {
    (1, 0, 0, 1): lambda picture: picture,
    (0, 1, -1, 0): lambda picture: np.rot90(picture, -1),  # clockwise, as telephones held upright
    (-1, 0, 0, -1): lambda picture: np.rot90(picture, 2),
    (0, -1, 1, 0): lambda picture: np.rot90(picture),
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (0, 1, 1, 0): lambda picture: picture.transpose(1, 0, 2),
    (0, -1, -1, 0): lambda picture: np.rot90(picture, 2).transpose(1, 0, 2),
}


def written(path, frames, codec="png", pix_fmt="rgb24", **attributes):
    """Write frames losslessly; ``attributes`` are set on the encoder."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, pix_fmt
        for name, value in attributes.items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rgb_frame(picture=PICTURE):
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")


def tag(path, matrix):
    """Write a display matrix into the track header of a QuickTime file (ISO/IEC 14496-12, 8.3.2)."""
    a, b, c, d = matrix
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    entries = np.array([a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30], ">i4")
    data[place : place + 36] = entries.tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize("matrix", SHOWN)
def test_a_file_lying_down_or_flipped_is_shown_upright(tmp_path, matrix):
    path = written(tmp_path / "phone.mov", [rgb_frame()] * 2)
    tag(path, matrix)
    rgb = VideoFile(path).read().rgb
    np.testing.assert_array_equal(rgb, SHOWN[matrix](PICTURE))
    assert rgb.flags.c_contiguous and rgb.dtype == np.uint8


def test_a_slightly_slanting_matrix_is_the_nearest_quarter_turn():
    for degrees in (80, 90, 100):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        np.testing.assert_array_equal(turned(PICTURE, (c, s, -s, c)), np.rot90(PICTURE, -1))


def test_side_data_that_pyav_does_not_know_leaves_the_rotation():
    class Frame(SimpleNamespace):
        @property
        def side_data(self):
            raise ValueError("31 is not a valid Type")

    assert display_matrix(Frame(rotation=-90)) == pytest.approx((0, 1, -1, 0), abs=1e-6)
    assert display_matrix(Frame(rotation=0)) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    ("size", "aspect", "longest", "shown"),
    [
        ((480, 480), Fraction(4, 3), 640, (640, 480)),
        ((1440, 1080), Fraction(4, 3), 640, (640, 360)),
        ((720, 576), Fraction(16, 15), 1000, (768, 576)),
        ((704, 480), Fraction(10, 11), 640, (640, 480)),
        ((480, 640), Fraction(3, 4), 640, (360, 640)),
        ((63, 47), None, 640, (63, 47)),
        ((64, 48), Fraction(0), 640, (64, 48)),
        ((64, 48), Fraction(1, 1000), 640, (64, 48)),  # no camera has such pixels
        ((8000, 2), None, 640, (640, 1)),
    ],
)
def test_pixels_become_square(size, aspect, longest, shown):
    assert shown_size(*size, aspect, longest) == shown


def test_wide_pixels_of_a_file_and_a_turn_work_together(tmp_path):
    path = written(tmp_path / "wide.mov", [rgb_frame()] * 2, sample_aspect_ratio=Fraction(3, 2))
    tag(path, (0, 1, -1, 0))
    expected = np.rot90(cv2.resize(PICTURE, (96, 48), interpolation=cv2.INTER_CUBIC), -1)
    rgb = VideoFile(path).read().rgb
    assert rgb.shape == expected.shape == (96, 48, 3)
    assert np.abs(rgb.astype(int) - expected).mean() < 1.5


# Kr and Kb of ITU-T H.273's matrices, by number.
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
YUV = np.array([150, 100, 170])


def yuv_frame(levels, pix_fmt="yuv444p", width=WIDTH, height=HEIGHT, **tags):
    """A frame of one colour; levels as they are stored."""
    frame = av.VideoFrame(width, height, pix_fmt)
    kind = np.uint8 if max(levels) < 256 else np.uint16
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, level, kind).tobytes())
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame


def rgb_of(levels, matrix, full, bits=8):
    """ITU-T H.273, equations of YCbCr, in plain numpy."""
    kr, kb = WEIGHTS[matrix]
    unit = 1 << (bits - 8)
    offset, luma, chroma = (0, 256 * unit - 1, 256 * unit - 1) if full else (16 * unit, 219 * unit, 224 * unit)
    y, cb, cr = (levels[0] - offset) / luma, (levels[1] - 128 * unit) / chroma, (levels[2] - 128 * unit) / chroma
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return np.clip(255 * np.array([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue]), 0, 255)


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv420p"])
@pytest.mark.parametrize("longest", [64, 32])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_matrix_and_range_are_the_files_own(matrix, full, longest, pix_fmt):
    frame = yuv_frame(YUV, pix_fmt, colorspace=matrix, color_range=2 if full else 1)
    rgb = Display(longest).picture(frame)
    assert max(rgb.shape) == longest
    np.testing.assert_allclose(rgb[5, 5], rgb_of(YUV, matrix, full), atol=2.5)


@pytest.mark.parametrize(("size", "matrix"), [((640, 480), 6), ((1280, 720), 1)])
def test_without_a_tag_the_size_tells_the_matrix_as_in_players(size, matrix):
    rgb = Display(640).picture(yuv_frame(YUV, "yuv420p", *size))
    np.testing.assert_allclose(rgb[5, 5], rgb_of(YUV, matrix, full=False), atol=2.5)


@pytest.mark.parametrize(("pix_fmt", "bits"), [("yuv420p10le", 10), ("yuv422p10le", 10), ("yuv420p12le", 12)])
def test_ten_and_twelve_bits(pix_fmt, bits):
    levels = YUV << (bits - 8)
    frame = yuv_frame(levels, pix_fmt, colorspace=9, color_range=1)
    np.testing.assert_allclose(Display(64).picture(frame)[5, 5], rgb_of(levels, 9, False, bits), atol=2.5)


@pytest.mark.parametrize("pix_fmt", ["rgba", "bgra", "gray", "gbrp", "pal8", "yuvj420p", "nv12", "yuva420p"])
def test_every_pixel_format_gives_rgb(pix_fmt):
    frame = rgb_frame() if pix_fmt == "pal8" else rgb_frame().reformat(format=pix_fmt)
    rgb = Display(640).picture(frame)
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    if pix_fmt != "gray":
        assert np.abs(rgb.astype(int) - PICTURE).mean() < 6


# ITU-R BT.2408, table 1: signal of a grey card of 18 % (26 cd/m2) and of diffuse white (203 cd/m2).
@pytest.mark.parametrize(("transfer", "grey", "white"), [(hdr.PQ, 0.38, 0.58), (hdr.HLG, 0.38, 0.75)])
def test_high_dynamic_range_is_neither_black_nor_washed_out(tmp_path, transfer, grey, white):
    levels = [round(64 + 876 * signal) for signal in (0.0, grey, white, 0.75 if transfer == hdr.PQ else 1.0)]
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    frames = [yuv_frame((level, 512, 512), "yuv420p10le", **tags) for level in levels]
    video = VideoFile(written(tmp_path / "hdr.mkv", frames, "ffv1", "yuv420p10le", **tags))
    black, grey, white, bright = (frame.rgb.mean() for frame in iter(video.read, None))
    assert black == 0
    assert grey == pytest.approx(255 * (1.055 * (26 / 203) ** (1 / 2.4) - 0.055), abs=4)  # as sRGB shows it
    assert 205 < white < 235 < 250 < bright  # white leaves room for what is brighter


def pq_signal(light_cdm2):
    """The inverse EOTF of SMPTE ST 2084."""
    power = (light_cdm2 / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def test_colours_of_bt2020_become_those_of_srgb():
    red_in_2020 = np.array([0.6274, 0.0691, 0.0164])  # ITU-R BT.2087: linear BT.709 red in BT.2020
    coded = np.rint(65535 * pq_signal(50 * red_in_2020)).astype(np.uint16).reshape(1, 1, 3)
    red, green, blue = hdr.to_srgb(coded, hdr.PQ)[0, 0].tolist()
    assert red == pytest.approx(255 * (1.055 * (50 / 203) ** (1 / 2.4) - 0.055), abs=3)
    assert max(green, blue) <= 6
