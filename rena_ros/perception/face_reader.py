"""FaceReader: reads one person's 52 coefficients, head pose and landmarks from an image.

It uses MediaPipe's FaceLandmarker with two deliberate settings, measured on 472 frames of one person (24 fps):

- It always looks for at least two faces. When MediaPipe looks for one, it smooths over time: coefficients lag by 0.2
  to 1.2 frames (10 to 50 ms), and a bystander that it has found once is kept. When it looks for two or more, it does
  not smooth, and a single face gives the same reading as in a single image. This costs 1 ms per frame.
- VIDEO mode, because it keeps faces through frames in which the detector alone would lose them.
"""

import contextlib
import os
import re
import sys
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.perception.model_file import find_face_model

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision import FaceLandmarker

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
# MediaPipe 0.10 and TensorFlow Lite write these lines to stderr at every start; no environment variable stops them.
_STARTUP_LOG = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|INFO: Created TensorFlow Lite XNNPACK delegate"
    rb"|[IW]\d{4} .*(face_landmarker_graph|inference_feedback_manager)\.cc"
)


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

    ``faces``: number of faces in the last frame.
    """

    def __init__(
        self,
        model_path: str | Path | None = None,
        *,
        video: bool = True,
        max_faces: int = MAX_FACES,
        mirror: bool = False,
    ) -> None:
        """Load the face model, from ``model_path`` or as ``find_face_model`` finds it.

        ``video``: follow a person through a sequence of frames; False: read the largest face of each single image.
        ``max_faces``: number of faces that are found at most; each present face costs about 8 ms per frame, an absent
        one nothing. ``mirror``: read the flipped image, so that the person's left moves the robot's right; it may be
        changed between two frames. Raises RenaError when the face model is missing, ValueError when ``max_faces`` is
        less than 1.
        """
        if max_faces < 1:
            raise ValueError(f"max_faces must be at least 1, not {max_faces}")
        # Imported here because MediaPipe takes 0.15 s to import, and some modules import only names from this one.
        from mediapipe.tasks.python import BaseOptions, vision

        self.mirror = mirror
        self._video = video
        self._options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=find_face_model(model_path).read_bytes()),
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
            num_faces=max(2, max_faces),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self.faces = 0
        self._stamp_ms = self._clock_ms = -1
        self._open()

    def __enter__(self) -> "FaceReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, frame_rgb: ByteArray, stamp_ms: int = 0) -> FaceReading | None:
        """Read one frame, uint8 (h, w, 3) RGB, taken at ``stamp_ms``; return None while the followed person is unseen.

        A stamp before the previous one means that a clip or bag has started again: the followed person is forgotten.
        Raises ValueError for another array, and after ``close``.
        """
        if frame_rgb.ndim != 3 or frame_rgb.shape[2] != 3 or frame_rgb.dtype != np.uint8:
            raise ValueError(f"expected a frame uint8 (h, w, 3), got {frame_rgb.dtype} {frame_rgb.shape}")
        if not self._finalizer.alive:
            raise ValueError("this FaceReader is closed")
        from mediapipe import Image, ImageFormat

        frame = np.ascontiguousarray(cv2.flip(frame_rgb, 1) if self.mirror else frame_rgb)
        image = Image(ImageFormat.SRGB, frame)
        if self._video:
            if stamp_ms < self._stamp_ms:
                self.close()
                self._open()
            # MediaPipe refuses a stamp that does not increase, but two frames may share a millisecond.
            self._clock_ms = max(self._clock_ms + 1, stamp_ms)
            self._stamp_ms = stamp_ms
            result = self._landmarker.detect_for_video(image, self._clock_ms)
        else:
            result = self._landmarker.detect(image)
        self.faces = len(result.face_landmarks)
        landmarks = [_landmarks(face) for face in result.face_landmarks]
        chosen = self._choose(landmarks, frame.shape[1] / frame.shape[0], stamp_ms)
        if chosen is None:
            return None
        yaw, pitch, roll = head_angles(result.facial_transformation_matrixes[chosen])
        points = landmarks[chosen]
        if self.mirror:
            points[:, 0] = 1 - points[:, 0]
        scores = [category.score for category in result.face_blendshapes[chosen]]
        return FaceReading(np.array(scores, np.float32), yaw, pitch, roll, points, self.faces)

    def close(self) -> None:
        """Release MediaPipe. Repeated calls do nothing."""
        self._finalizer()

    def _open(self) -> None:
        from mediapipe.tasks.python.vision import FaceLandmarker

        with without_startup_log():
            self._landmarker = FaceLandmarker.create_from_options(self._options)
        self._finalizer = weakref.finalize(self, _close, self._landmarker)
        self._followed: FloatArray | None = None
        self._followed_ms = self._stamp_ms = self._clock_ms = -1

    def _choose(self, faces: list[FloatArray], aspect: float, stamp_ms: int) -> int | None:
        """Return the index of the face to read, or None while the followed person is unseen."""
        places = [_place(face, aspect) for face in faces]
        chosen = None
        if self._followed is not None and self._video:
            distances = [float(np.linalg.norm(_difference(place, self._followed))) for place in places]
            if distances and min(distances) < _SAME_PERSON:
                chosen = int(np.argmin(distances))
            elif stamp_ms - self._followed_ms < FOLLOWED_FOR_MS:
                return None
        if chosen is None and places:
            chosen = int(np.argmax([place[2] for place in places]))
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


def _landmarks(face: list[Any]) -> FloatArray:
    return np.array([(point.x, point.y, point.z) for point in face], np.float32)


def _place(face: FloatArray, aspect: float) -> FloatArray:
    """Return centre x, centre y and size of a face, in image heights, (3,)."""
    low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
    width, height = (high - low) * (aspect, 1)
    return np.array([(low[0] + high[0]) / 2 * aspect, (low[1] + high[1]) / 2, np.sqrt(width * height)])


def _difference(place: FloatArray, before: FloatArray) -> FloatArray:
    """Return shift in x and y, in sizes of the earlier face, and the natural logarithm of the ratio of sizes, (3,)."""
    return np.append((place[:2] - before[:2]) / before[2], np.log(place[2] / before[2]))


def _close(landmarker: "FaceLandmarker") -> None:
    try:
        landmarker.close()
    except RuntimeError:
        # At the end of the interpreter MediaPipe's thread pool no longer exists. __del__ would close again and print
        # a traceback; the end of the process frees the memory.
        landmarker._handle = None


@contextlib.contextmanager
def without_startup_log() -> Iterator[None]:
    """Drop the known lines that MediaPipe's C++ code writes to stderr at every start; pass on all other lines."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            for line in caught:
                if not _STARTUP_LOG.match(line):
                    os.write(2, line)
