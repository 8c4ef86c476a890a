"""FaceReader: reads one person's 52 coefficients, head pose and landmarks from an image.

Two engines run the networks of MediaPipe's model bundle, in the same order of operations and with the same readings:
``litert`` (LiteRT alone, in four fifths of the time, also on ARM) and ``mediapipe`` (FaceLandmarker, the reference).

Each always looks for at least two faces. When MediaPipe looks for one, it smooths over time: coefficients lag by 0.2 to
1.2 frames (10 to 50 ms at 24 fps), and a bystander that it has found once is kept. When it looks for two or more, it
does not smooth, and a single face gives the same reading as in a single image. This costs 1 ms per frame.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.perception.engines import AUTO, chosen_engine
from rena_ros.perception.litert_faces import LiteRtFaces
from rena_ros.perception.mediapipe_faces import MediaPipeFaces
from rena_ros.perception.model_file import find_face_model

# MediaPipe's blendshapes in its own order; left and right are the subject's own.
# fmt: off
COEFFICIENT_NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft",
    "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)
# fmt: on
READING_NAMES = (*COEFFICIENT_NAMES, "head_yaw", "head_pitch", "head_roll")

MAX_FACES = 3
# While the followed person is unseen for less than this, no other person is read.
FOLLOWED_FOR_MS = 500
# A face that differs from the followed one by less than this is the same person's; see _difference.
_SAME_PERSON = 1.0

_CLASSES: dict[str, type[LiteRtFaces] | type[MediaPipeFaces]] = {"litert": LiteRtFaces, "mediapipe": MediaPipeFaces}


@dataclass(frozen=True)
class FaceReading:
    """The reading of one person in one frame.

    ``coefficients``: float32 (52,) in [0, 1], order of COEFFICIENT_NAMES. Head pose: rad, REP 103 from the subject's
    view: yaw + to the subject's left, pitch + nose down, roll + towards the subject's right shoulder; 0 faces the
    camera. ``landmarks``: float32 (478, 3) in the frame as given: x right and y down in fractions of its width and
    height, z in fractions of its width. ``faces``: number of faces found.
    """

    coefficients: FloatArray
    head_yaw: float
    head_pitch: float
    head_roll: float
    landmarks: FloatArray
    faces: int

    @property
    def features(self) -> FloatArray:
        """Coefficients and head pose, float32 (55,), order of READING_NAMES."""
        return np.append(self.coefficients, [self.head_yaw, self.head_pitch, self.head_roll]).astype(np.float32)


class FaceReader:
    """Reads the face of one person: the followed person, otherwise the largest face. Not thread-safe.

    ``faces``: number of faces in the last frame. ``engine``: which one runs, litert or mediapipe.
    """

    def __init__(
        self,
        model_path: str | Path | None = None,
        *,
        video: bool = True,
        max_faces: int = MAX_FACES,
        mirror: bool = False,
        engine: str = AUTO,
    ) -> None:
        """Load the face model, from ``model_path`` or as ``find_face_model`` finds it.

        ``video``: follow a person through a sequence of frames; False: read the largest face of each single image.
        ``max_faces``: number of faces that are found at most; each present face costs about 6 ms per frame, an absent
        one nothing. ``mirror``: read the flipped image, so that the person's left moves the robot's right; it may be
        changed between two frames. ``engine``: one of ENGINES; auto: litert where it is installed. Raises RenaError
        when the face model or the engine is missing, ValueError when ``max_faces`` is less than 1.
        """
        if max_faces < 1:
            raise ValueError(f"max_faces must be at least 1, not {max_faces}")
        self.mirror = mirror
        self._video = video
        self.engine = chosen_engine(engine)
        self._faces = _CLASSES[self.engine](find_face_model(model_path), video, max(2, max_faces))
        self.faces = 0
        self._followed: tuple[float, float, float] | None = None
        self._followed_ms = self._stamp_ms = -1
        self._closed = False

    def __enter__(self) -> "FaceReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, frame_rgb: ByteArray, stamp_ms: int = 0) -> FaceReading | None:
        """Read one frame, uint8 (h, w, 3) RGB, taken at ``stamp_ms``; return None while the followed person is unseen.

        A stamp before the previous one means that a clip or bag has started again: the followed person is forgotten.
        Raises ValueError for another array, and after ``close``.
        """
        if frame_rgb.ndim != 3 or frame_rgb.shape[2] != 3 or frame_rgb.dtype != np.uint8 or not frame_rgb.size:
            raise ValueError(f"expected a frame uint8 (h, w, 3), got {frame_rgb.dtype} {frame_rgb.shape}")
        if self._closed:
            raise ValueError("this FaceReader is closed")
        frame: ByteArray = np.ascontiguousarray(cv2.flip(frame_rgb, 1) if self.mirror else frame_rgb, np.uint8)
        if self._video and stamp_ms < self._stamp_ms:
            self._faces.restart()
            self._followed, self._followed_ms = None, -1
        self._stamp_ms = stamp_ms
        landmarks = self._faces.find(frame, stamp_ms)
        self.faces = len(landmarks)
        chosen = self._choose(landmarks, frame.shape[1] / frame.shape[0], stamp_ms)
        if chosen is None:
            return None
        yaw, pitch, roll = head_angles(self._faces.matrix(chosen))
        coefficients, points = self._faces.coefficients(chosen), landmarks[chosen]
        if self.mirror:
            points = points * np.array((-1, 1, 1), np.float32) + np.array((1, 0, 0), np.float32)
        return FaceReading(coefficients, yaw, pitch, roll, points, self.faces)

    def close(self) -> None:
        """Release the engine. Repeated calls do nothing."""
        self._closed = True
        self._faces.close()

    def _choose(self, faces: list[FloatArray], aspect: float, stamp_ms: int) -> int | None:
        """Return the index of the face to read, or None while the followed person is unseen."""
        places = [_place(face, aspect) for face in faces]
        chosen = None
        if self._followed is not None and self._video:
            distances = [_difference(place, self._followed) for place in places]
            if distances and min(distances) < _SAME_PERSON:
                chosen = distances.index(min(distances))
            elif stamp_ms - self._followed_ms < FOLLOWED_FOR_MS:
                return None
        if chosen is None and places:
            chosen = max(range(len(places)), key=lambda face: places[face][2])
        self._followed, self._followed_ms = None if chosen is None else places[chosen], stamp_ms
        return chosen


def head_angles(matrix: FloatArray) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in rad of MediaPipe's facial transformation matrix (4, 4).

    The matrix maps the canonical face to the camera's axes: x to the image's right (the subject's left), y up,
    z towards the camera (the subject's direction of view). REP 103's axes, x forward, y left, z up, are a cyclic
    permutation of these; its intrinsic yaw, pitch and roll, in this order, give the expressions below.
    """
    yaw = np.arctan2(matrix[0, 2], matrix[2, 2])
    pitch = np.arcsin(np.clip(-matrix[1, 2], -1, 1))
    roll = np.arctan2(matrix[1, 0], matrix[1, 1])
    return float(yaw), float(pitch), float(roll)


def _place(face: FloatArray, aspect: float) -> tuple[float, float, float]:
    """Return centre x, centre y and size of a face, in image heights."""
    (left, top), (right, bottom) = face[:, :2].min(axis=0).tolist(), face[:, :2].max(axis=0).tolist()
    return (left + right) / 2 * aspect, (top + bottom) / 2, math.sqrt((right - left) * aspect * (bottom - top))


def _difference(place: tuple[float, float, float], before: tuple[float, float, float]) -> float:
    """Return how far two places are apart: shift in x and y, in earlier sizes, and logarithm of the sizes' ratio."""
    across, down = ((place[i] - before[i]) / before[2] for i in (0, 1))
    return math.hypot(across, down, math.log(place[2] / before[2]))
