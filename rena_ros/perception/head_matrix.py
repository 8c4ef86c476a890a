"""The head pose from landmarks: MediaPipe's facial transformation matrix, from the canonical face to the camera.

Restated from `face_geometry` in MediaPipe's modules. A virtual camera sees the landmarks; three weighted similarity
fits (Procrustes) of the canonical face find first the scale, then the depth, then the pose.
"""

import math

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.base.errors import RenaError

POINTS = 468  # the face mesh without the irises
_TOP = 2 * math.tan(math.radians(63 / 2))  # height of the virtual camera's picture at its near plane, 1 cm away
_VARINT, _BYTES, _FIXED32 = 0, 2, 5  # wire types of protocol buffers


class CanonicalFace:
    """The face to which landmarks are fitted. ``index``: the landmarks that count, int (m,)."""

    def __init__(self, points: FloatArray, index: IntArray, weights: FloatArray) -> None:
        """``points`` (m, 3): x, y, z, cm, of the landmarks ``index`` (m,), which count by ``weights`` (m,)."""
        self.index = index
        self._shares = weights / weights.sum()
        self._middle = self._shares @ points
        self._weighted = (points - self._middle) * self._shares[:, None]
        self._spread = float((self._weighted * points).sum())

    def fit(self, target: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return scale, rotation (3, 3) and translation (3,) that bring this face closest to ``target`` (m, 3)."""
        moments = target.T @ self._weighted
        left, _, right = np.linalg.svd(moments)
        rotation: FloatArray = left @ right
        if np.linalg.det(rotation) < 0:  # a rotation, never a mirror image
            left[:, 2] *= -1
            rotation = left @ right
        scale = float((moments * rotation).sum()) / self._spread
        return scale, rotation, self._shares @ target - scale * rotation @ self._middle

    @classmethod
    def parse(cls, data: bytes) -> "CanonicalFace":
        """Read `geometry_pipeline_metadata_landmarks.binarypb` of a model bundle. Raises RenaError for other bytes."""
        fields = _fields(data)
        mesh = next((value for number, value in fields if number == 1 and isinstance(value, bytes)), b"")
        numbers = [value for number, value in _fields(mesh) if number == 3 and isinstance(value, float)]
        if len(numbers) != POINTS * 5:  # each x, y, z, u, v
            raise RenaError("the face model's canonical face is not the one that Rena reads")
        weights = np.zeros(POINTS)
        for basis in (dict(_fields(value)) for number, value in fields if number == 2 and isinstance(value, bytes)):
            weights[int(basis.get(1, 0))] = basis[2]
        index = np.flatnonzero(weights)
        return cls(np.array(numbers, np.float64).reshape(POINTS, 5)[index, :3], index, weights[index])


def head_matrix(face: CanonicalFace, landmarks: FloatArray, width: int, height: int) -> FloatArray:
    """Return the matrix float64 (4, 4) from the canonical face to the camera's axes: x right, y up, z backwards, cm.

    ``landmarks`` (478, 3): fractions of the picture, which is ``width`` x ``height`` px.
    """
    wide = _TOP * width / height
    mean_z = float(landmarks[:POINTS, 2].mean(dtype=np.float64)) * wide
    x, y, z = landmarks[face.index].astype(np.float64).T
    x, y, z = x * wide - wide / 2, (1 - y) * _TOP - _TOP / 2, z * wide
    scale = face.fit(np.column_stack([x, y, -z]))[0]
    for _ in range(2):
        depth = (z - mean_z + 1) / scale
        fitted = face.fit(np.column_stack([x * depth, y * depth, -depth]))
        scale *= fitted[0]
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = fitted[0] * fitted[1], fitted[2]
    return matrix


def _fields(data: bytes) -> list[tuple[int, int | float | bytes]]:
    """Return the fields of a protocol buffer: number and value. Raises RenaError for what is none of these."""
    fields: list[tuple[int, int | float | bytes]] = []
    at = 0
    try:
        while at < len(data):
            key, at = _varint(data, at)
            if key & 7 == _VARINT:
                value, at = _varint(data, at)
                fields.append((key >> 3, value))
            elif key & 7 == _BYTES:
                size, at = _varint(data, at)
                fields.append((key >> 3, data[at : at + size]))
                at += size
            elif key & 7 == _FIXED32:
                fields.append((key >> 3, float(np.frombuffer(data, "<f4", 1, at)[0])))
                at += 4
            else:
                raise RenaError("the face model's canonical face cannot be read")
    except (IndexError, ValueError) as error:
        raise RenaError("the face model's canonical face is cut off") from error
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place and the place behind it. Raises IndexError at the data's end."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
