"""Pixels as cameras send them -> RGB. No ROS: bytes and the names of sensor_msgs/image_encodings go in.

Of 16 bits a channel the high byte is kept. YUV is BT.601 with limited range, as OpenCV converts it. 8UC1, 8UC3 and
8UC4 name no colours; they count as mono, BGR and BGRA, as in OpenCV.
"""

import re
from typing import Any

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray
from rena_ros.base.errors import RenaError

JPEG_QUALITY = 90
# Channels, and where red, green and blue are among them.
_ORDERS = {"mono": (1, (0, 0, 0)), "rgb": (3, (0, 1, 2)), "bgr": (3, (2, 1, 0)), "rgba": (4, (0, 1, 2))}
_ORDERS |= {"bgra": (4, (2, 1, 0)), "UC1": _ORDERS["mono"], "UC3": _ORDERS["bgr"], "UC4": (4, (2, 1, 0))}
# ROS names the pattern from the first row on, OpenCV by the second and third pixel of the second row.
_BAYER = {
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}
_PACKED = {f"{name}{bits}": (name, bits // 8) for name in (*_ORDERS, *_BAYER) for bits in (8, 16) if "UC" not in name}
_PACKED |= {f"{bits}{name}": (name, bits // 8) for name in _ORDERS for bits in (8, 16) if "UC" in name}
_YUV422 = {
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
}
# Brightness first, then the colours of 2x2 pixels (nv24: of each pixel), so the data has this many rows per 2 rows.
_PLANES = {"nv12": 3, "nv21": 3, "nv24": 6}
READABLE = (*_PACKED, *_YUV422, *_PLANES)
_REMEDY = "set the camera to rgb8, bgr8, mono8 or yuv422_yuy2, or let it publish a CompressedImage"


def to_rgb(data: Any, encoding: str, width: int, height: int, step: int, *, big_endian: bool = False) -> ByteArray:
    """Return the picture, uint8 (h, w, 3) RGB; of rgb8 a view of ``data``.

    ``data``: a buffer of bytes; ``encoding``: one of READABLE; ``step``: bytes from one row to the next, padding
    included; ``big_endian``: of 16-bit channels. Raises RenaError, with encoding, size and what to do, for an encoding
    that holds no picture or is unknown, no pixels at all, odd sizes where two pixels share a colour, and fewer bytes
    than the size needs.
    """
    what = f"{width}x{height} {encoding or 'without an encoding'}"
    if not width or not height:
        raise RenaError(f"{what}: it holds no pixel; check the camera's driver")
    if encoding not in READABLE:
        numbers = re.fullmatch(r"(\d+[SF]C|32UC|64UC)\d*", encoding)
        reason = "depth and other numbers are no picture" if numbers else "this encoding is unknown"
        raise RenaError(f"{what}: {reason}; {_REMEDY}")
    if encoding.startswith("bayer") and min(width, height) < 3:
        raise RenaError(f"{what}: it is too small for a mosaic; check the camera's driver")
    if (encoding in _YUV422 and width % 2) or (encoding in _PLANES and (width % 2 or height % 2)):
        raise RenaError(f"{what}: pixels share their colours in pairs, so the size must be even; {_REMEDY}")
    if (channels_bytes := _pixel_bytes(encoding)) * width > step:
        raise RenaError(f"{what}: a step of {step} bytes is too short for {width} pixels; check the camera's driver")
    rows_wanted = height * _PLANES[encoding] // 2 if encoding in _PLANES else height
    flat = np.frombuffer(data, np.uint8)
    if flat.size < step * rows_wanted:
        raise RenaError(
            f"{what} with a step of {step} bytes needs {step * rows_wanted} bytes and holds {flat.size}; "
            "check the camera's driver"
        )
    rows = flat[: step * rows_wanted].reshape(rows_wanted, step)
    if encoding in _PLANES:
        return _from_planes(rows, encoding, width, height)
    used = rows[:, : channels_bytes * width]
    if encoding in _YUV422:
        return np.asarray(cv2.cvtColor(used.reshape(height, width, 2), _YUV422[encoding]), np.uint8)
    name, depth = _PACKED[encoding]
    if depth == 2:
        used = used[:, 0 if big_endian else 1 :: 2]
    return _demosaiced(used, name) if name in _BAYER else _ordered(used.reshape(height, width, -1), name)


def _demosaiced(mosaic: ByteArray, pattern: str) -> ByteArray:
    """Return the picture of a colour mosaic, uint8 (h, w), at least 3x3; ``pattern``: bayer_rggb and the like."""
    return np.asarray(cv2.cvtColor(mosaic, _BAYER[pattern]), np.uint8)


def decompressed(data: Any, form: str) -> ByteArray:
    """Return the picture of a compressed file, uint8 (h, w, 3) RGB.

    ``data``: a buffer with a JPEG or PNG of 8 or 16 bits (or what else OpenCV reads). ``form``: the format of a
    sensor_msgs/CompressedImage: "jpeg", or as image_transport writes it, "bayer_rggb8; jpeg compressed bgr8". Raises
    RenaError, with the format and what to do, for data that is empty, cut off or no picture.
    """
    flat = np.frombuffer(data, np.uint8)
    if not flat.size:
        raise RenaError(f"compressed ({form}): it is empty; check the camera's driver")
    _, _, compressed = form.partition("compressed")
    original = form.partition(";")[0].strip()
    pattern = original.rstrip("0123456789")
    mosaic = pattern in _BAYER and "compressed" in form  # image_transport leaves a mosaic as it is
    try:
        # OpenCV fills what is missing of a JPEG with grey.
        whole = not _is_cut_off(flat.tobytes())
        picture = cv2.imdecode(flat, cv2.IMREAD_GRAYSCALE if mosaic else cv2.IMREAD_COLOR) if whole else None
    except cv2.error:
        picture = None
    if picture is None or min(picture.shape[:2]) < (3 if mosaic else 1):
        raise RenaError(
            f"compressed ({form}), {flat.size} bytes: cut off or no JPEG or PNG; let the camera publish one of these"
        )
    if mosaic:
        return _demosaiced(np.asarray(picture, np.uint8), pattern)
    # A publisher that compressed RGB as if it was BGR says so.
    swapped = compressed.strip().startswith("rgb")
    return np.asarray(picture if swapped else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def to_jpeg(rgb: ByteArray, quality: int = JPEG_QUALITY) -> bytes:
    """Return a picture, uint8 (h, w, 3) RGB, as a JPEG file; ``quality``: 1 to 100."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode a picture as JPEG")
    return data.tobytes()


def _is_cut_off(data: bytes) -> bool:
    if data.startswith(b"\xff\xd8"):  # JPEG: neither marker can occur within compressed pixels
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(b"\x89PNG") and b"IEND" not in data[-64:]


def _pixel_bytes(encoding: str) -> int:
    """Bytes of one pixel in a row; of the planar encodings, in a row of brightness."""
    if encoding in _PACKED:
        name, depth = _PACKED[encoding]
        return depth * (1 if name in _BAYER else _ORDERS[name][0])
    return 2 if encoding in _YUV422 else 1


def _ordered(pixels: ByteArray, name: str) -> ByteArray:
    _, order = _ORDERS[name]
    if order == (0, 1, 2):
        return pixels[:, :, :3]
    return pixels[:, :, 2::-1] if order == (2, 1, 0) else np.repeat(pixels, 3, axis=2)


def _from_planes(rows: ByteArray, encoding: str, width: int, height: int) -> ByteArray:
    brightness, colours = rows[:height, :width], rows[height:]
    if encoding == "nv24":  # a row of colours is twice as long; every second one of every second row makes it nv12
        colours = colours.reshape(height, -1)[:, : 2 * width].reshape(height, width, 2)[::2, ::2]
    code = cv2.COLOR_YUV2RGB_NV21 if encoding == "nv21" else cv2.COLOR_YUV2RGB_NV12
    colours = colours.reshape(height // 2, -1)[:, :width] if encoding == "nv24" else colours[:, :width]
    return np.asarray(cv2.cvtColor(np.vstack([brightness, colours]), code), np.uint8)
