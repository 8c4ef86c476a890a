"""Rects of faces: what part of a picture the landmark network sees, and where its landmarks lie in the picture.

MediaPipe's FaceLandmarker, restated: `face_landmarks_detector_graph.cc` and the calculators that it names.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray

CROP = 256  # px, side of the landmark network's input
ENLARGED = 1.5  # of a face's box, so that the rect holds the whole head
SAME_FACE_IOU = 0.5  # rects that overlap by more show one face
_EYES = (33, 263)  # outer corners of the eyes: their line is the face's horizontal
_CORNERS = np.array([(0, CROP), (0, 0), (CROP, 0), (CROP, CROP)], np.float32)


@dataclass(frozen=True, slots=True)
class FaceRect:
    """A turned rect: centre and size in fractions of the picture's width and height, rotation in rad (clockwise)."""

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0

    def overlap(self, other: "FaceRect") -> float:
        """Return the intersection over union, 0..1, of the two rects without their rotation."""
        across = min(self.x + self.width / 2, other.x + other.width / 2) - max(
            self.x - self.width / 2, other.x - other.width / 2
        )
        down = min(self.y + self.height / 2, other.y + other.height / 2) - max(
            self.y - self.height / 2, other.y - other.height / 2
        )
        if across <= 0 or down <= 0:
            return 0.0
        shared = across * down
        return shared / (self.width * self.height + other.width * other.height - shared)


def merged(rects: list[FaceRect], limit: int) -> list[FaceRect]:
    """Return one rect a face, at most ``limit``: a later rect takes the place of earlier ones that it overlaps."""
    kept: list[FaceRect] = []
    for rect in rects:
        kept = [earlier for earlier in kept if earlier.overlap(rect) <= SAME_FACE_IOU]
        kept.append(rect)
    return kept[:limit]


def crop(frame_rgb: ByteArray, rect: FaceRect) -> ByteArray:
    """Return what the rect shows, uint8 (CROP, CROP, 3), stretched to a square; beyond the edges these go on."""
    height, width = frame_rgb.shape[:2]
    box = (rect.x * width, rect.y * height), (rect.width * width, rect.height * height), math.degrees(rect.rotation)
    # An affine warp would do, but OpenCV rounds it otherwise: coefficients would differ by up to .004.
    transform = cv2.getPerspectiveTransform(cv2.boxPoints(box), _CORNERS)
    shown = cv2.warpPerspective(frame_rgb, transform, (CROP, CROP), flags=1, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, np.uint8)


def in_picture(points: FloatArray, rect: FaceRect, width: int, height: int) -> FloatArray:
    """Return landmarks in fractions of the picture, float32 (n, 3), of ``points`` (n, 3), px of the crop.

    x and z count in widths of the picture, y in heights; z is smaller towards the camera.
    """
    cos, sin = math.cos(rect.rotation), math.sin(rect.rotation)
    across, down = rect.width * width / CROP, rect.height * height / CROP  # px of the picture for one of the crop
    # z has the scale of the rect's own x axis, as measured in fractions: not the rect's width once the head rolls.
    depth = math.hypot(rect.width * cos, rect.width * width * sin / height) / CROP
    turned = np.array(
        [[cos * across / width, sin * across / height, 0], [-sin * down / width, cos * down / height, 0], [0, 0, depth]]
    )
    centred = points - np.array((CROP / 2, CROP / 2, 0), np.float32)
    return (centred @ turned.astype(np.float32) + np.array((rect.x, rect.y, 0), np.float32)).astype(np.float32)


def around(landmarks: FloatArray, width: int, height: int) -> FaceRect:
    """Return the rect in which the next frame probably shows the face of these landmarks (478, 3)."""
    low, high = landmarks[:, :2].min(axis=0).tolist(), landmarks[:, :2].max(axis=0).tolist()
    high = [max(value, 0.0) for value in high]  # MediaPipe's maximum begins at the smallest positive number
    side = max((high[0] - low[0]) * width, (high[1] - low[1]) * height) * ENLARGED
    first, second = (landmarks[i, :2].tolist() for i in _EYES)
    rotation = tilt((second[0] - first[0]) * width, (second[1] - first[1]) * height)
    return FaceRect((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, side / width, side / height, rotation)


def tilt(across: float, down: float) -> float:
    """Return the rotation, rad in [-pi, pi), of the line from one eye to the other, given in px."""
    angle = -math.atan2(-down, across)
    return angle - 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
