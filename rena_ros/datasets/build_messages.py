"""What messages of a bag say, as plain data: positions in rad, readings, pictures."""

from typing import Any

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.pixels import decompressed, to_jpeg, to_rgb
from rena_ros.robot.model import Robot

LANDMARKS = (478, 3)
JPEG_QUALITY = 95


def joint_positions(message: Any, robot: Robot) -> FloatArray | None:
    """Return the positions of a JointState in the robot's order, float64 (n,), NaN where unknown; None: of no joint."""
    names = tuple(message.name)
    positions = np.asarray(message.position, np.float64)
    if names == robot.names and len(positions) == len(names):
        return positions
    known = [(robot.index[name], place) for place, name in enumerate(names) if name in robot.index]
    if not known or len(names) != len(positions):
        return None
    ordered = np.full(len(robot.names), np.nan)
    ordered[[i for i, _ in known]] = positions[[place for _, place in known]]
    return ordered


def features_of(message: Any) -> FloatArray | None:
    """Return the reading in a message of ``face/blendshapes``, float32 (55,); None: no face, or other names."""
    if tuple(message.name) != READING_NAMES:
        return None
    return np.asarray(message.position, np.float32)


def landmarks_of(message: Any) -> FloatArray | None:
    """Return the points of a message of ``face/landmarks``, float32 (478, 3); None where it holds others."""
    points = np.frombuffer(bytes(message.data), np.float32)
    return points.reshape(LANDMARKS).copy() if points.size == LANDMARKS[0] * LANDMARKS[1] else None


def jpeg_of(message: Any) -> bytes:
    """Return an Image or CompressedImage as JPEG; the bytes of one that is JPEG already are unchanged.

    A JPEG whose publisher mistook RGB for BGR, or kept a colour mosaic, is one only after it is encoded anew. Raises
    RenaError when there is no picture in it.
    """
    if not hasattr(message, "format"):
        step, big = message.step, bool(message.is_bigendian)
        rgb = to_rgb(message.data, message.encoding, message.width, message.height, step, big_endian=big)
        return to_jpeg(rgb, JPEG_QUALITY)
    data, form = bytes(message.data), message.format
    as_it_is = not form.partition("compressed")[2].strip().startswith("rgb") and "bayer" not in form
    if data.startswith(b"\xff\xd8") and as_it_is:
        return data
    return to_jpeg(decompressed(data, form), JPEG_QUALITY)
