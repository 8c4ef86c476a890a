"""Still pictures as sources: every usual format, by content, upright by EXIF; animations and telephones' previews."""

import io
import struct

import av
import cv2
import numpy as np
import pytest

from rena_ros.perception.still import StillPicture
from rena_ros.perception.video import open_source

PICTURE = np.zeros((48, 64, 3), np.uint8)  # RGB; every quarter has its own colour
PICTURE[:24, :32], PICTURE[:24, 32:] = (250, 0, 0), (0, 250, 0)
PICTURE[24:, :32], PICTURE[24:, 32:] = (0, 0, 250), (250, 250, 0)
# The orientations of EXIF 2.3 (tag 274): what has to be done to the stored picture.
UPRIGHT = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: np.rot90,
}


def encoded(suffix, picture=PICTURE):
    return cv2.imencode(suffix, picture[..., ::-1] if picture.ndim == 3 else picture)[1].tobytes()


def with_orientation(jpeg, orientation):
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 274, 3, 1, orientation, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def webp_with_orientation(webp, orientation):
    """The same picture in the extended format with an EXIF chunk (WebP container specification)."""
    exif = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 274, 3, 1, orientation, 0)
    size = (PICTURE.shape[1] - 1).to_bytes(3, "little") + (PICTURE.shape[0] - 1).to_bytes(3, "little")
    header = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + size
    chunks = header + webp[12:] + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def shown(path, content, longest=640):
    path.write_bytes(content)
    source = open_source(str(path), longest, longest, 10.0, print)
    assert isinstance(source, StillPicture)
    return source


def single_frame(format, codec, pix_fmt):
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        container.mux(stream.encode(av.VideoFrame.from_ndarray(PICTURE, format="rgb24").reformat(format=pix_fmt)))
        container.mux(stream.encode())
    return file.getvalue()


MPF = b"\xff\xe2\x00\x08MPF\0\0\0"  # the mark of several pictures in one JPEG (CIPA DC-007)
CONTENTS = {
    "png": encoded(".png"),
    "jpeg": encoded(".jpg"),
    "webp": encoded(".webp"),
    "bmp": encoded(".bmp"),
    "tiff": encoded(".tiff"),
    "grey, 16 bits": encoded(".png", PICTURE[..., 0].astype(np.uint16) * 257),
    "jpeg with a preview behind it": encoded(".jpg")[:2] + MPF + encoded(".jpg")[2:] + encoded(".jpg"),
    "gif": single_frame("gif", "gif", "rgb8"),
    "video with one frame": single_frame("mp4", "mpeg4", "yuv420p"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_picture_is_held(tmp_path, kind):
    source = shown(tmp_path / "misleading.mp4", CONTENTS[kind])
    frames = [source.read() for _ in range(4)]
    assert [frame.t_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert frames[-1].rgb.shape == (48, 64, 3) and frames[-1].rgb.flags.c_contiguous
    if "grey" in kind:
        np.testing.assert_array_equal(frames[0].rgb[0, [0, -1]], [[250] * 3, [0] * 3])
    else:
        assert np.abs(frames[0].rgb[4:20, 4:28].astype(int) - (250, 0, 0)).mean() < 25


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_photograph_is_shown_upright(tmp_path, orientation):
    source = shown(tmp_path / "photo.jpg", with_orientation(encoded(".jpg"), orientation))
    expected = UPRIGHT[orientation](PICTURE)
    rgb = source.read().rgb
    assert rgb.shape == expected.shape
    assert np.abs(rgb.astype(int) - expected).mean() < 6


def test_a_large_picture_is_scaled_down(tmp_path):
    assert shown(tmp_path / "large.png", encoded(".png", np.zeros((300, 401, 3), np.uint8)), 200).read().rgb.shape == (
        150, 200, 3,
    )  # fmt: skip


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])  # the four ways to hold a telephone
def test_a_webp_is_turned_as_its_exif_says(tmp_path, orientation):
    source = shown(tmp_path / "photo.webp", webp_with_orientation(encoded(".webp"), orientation))
    upright = UPRIGHT[orientation](PICTURE)
    picture = source.read().rgb
    assert picture.shape == upright.shape
    assert np.abs(picture.astype(int) - upright).mean() < 25
