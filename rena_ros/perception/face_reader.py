"""FaceReader: an image in, one person's 52 coefficients, head pose and landmarks out.

MediaPipe's FaceLandmarker with two deliberate choices, measured on 472 frames of one person (24 fps):

- At least two faces are always looked for. With one, MediaPipe smooths over time: coefficients then lag
  by 0.2 to 1.2 frames (10 to 50 ms), and it keeps a bystander once it has caught one. With two or more
  it does not smooth, a lone face reads exactly as in a single image, and that costs 1 ms a frame.
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
from typing import TYPE_CHECKING

import cv2
import numpy as np

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
# How long the followed person may be unseen before another one is taken instead.
PATIENCE_MS = 500
# How far, in face sizes and factors of e in size, a face may have moved and still be the same person's.
_SAME_PERSON = 1.0
# What MediaPipe 0.10 and TensorFlow Lite write to stderr at every start; no environment variable stops it.
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|INFO: Created TensorFlow Lite XNNPACK delegate"
    rb"|[IW]\d{4} .*(face_landmarker_graph|inference_feedback_manager)\.cc"
)


@dataclass(frozen=True)
class FaceReading:
    """What was seen of one person in one frame.

    ``coefficients`` float32 (52,) in [0, 1], order of COEFFICIENT_NAMES. Head pose in rad, REP 103 seen
    from the subject: yaw + to the subject's left, pitch + nose down, roll + towards the subject's right
    shoulder; 0 faces the camera. ``landmarks`` float32 (478, 3) on the frame as it was given: x right and
    y down in fractions of its width and height, z in fractions of its width. ``faces``: people seen.
    """

    coefficients: np.ndarray
    head_yaw: float
    head_pitch: float
    head_roll: float
    landmarks: np.ndarray
    faces: int

    @property
    def features(self) -> np.ndarray:
        """Coefficients and head pose, float32 (55,), order of READING_NAMES."""
        return np.append(self.coefficients, [self.head_yaw, self.head_pitch, self.head_roll]).astype(np.float32)


class FaceReader:
    """Reads faces and keeps to one person: the one it has been following, else the largest.

    ``video=False`` treats every frame as a picture of its own and always reads the largest face.
    ``max_faces``: how many people may be in the picture before some are overlooked; each one present
    costs about 8 ms a frame, absent ones nothing. ``mirror``: read the picture flipped, so that the
    person's left moves the robot's right, as a mirror would.
    Raises RenaError when the face model is missing. Not for use from several threads at once.
    """

    def __init__(
        self,
        model_path: str | Path | None = None,
        *,
        video: bool = True,
        max_faces: int = MAX_FACES,
        mirror: bool = False,
    ) -> None:
        if max_faces < 1:
            raise ValueError(f"max_faces must be at least 1, not {max_faces}")
        # Here, not above: others import only the names from this module, and MediaPipe takes 0.15 s to import.
        from mediapipe.tasks.python import BaseOptions, vision

        self._mirror = mirror
        self._video = video
        self._options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(find_face_model(model_path))),
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
            num_faces=max(2, max_faces),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self.faces = 0
        self._open()

    def __enter__(self) -> "FaceReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, frame_rgb: np.ndarray, stamp_ms: int = 0) -> FaceReading | None:
        """Read one frame, uint8 (h, w, 3) RGB, stamped in ms; None when the followed person is not seen.

        A stamp before the previous one means that a clip or bag has begun again: then everything known
        is forgotten. ``faces`` afterwards says how many people were seen, also when the answer is None.
        Raises ValueError for any other array.
        """
        if frame_rgb.ndim != 3 or frame_rgb.shape[2] != 3 or frame_rgb.dtype != np.uint8:
            raise ValueError(f"expected a frame uint8 (h, w, 3), got {frame_rgb.dtype} {frame_rgb.shape}")
        if self._finalizer.alive is False:
            raise ValueError("this FaceReader is closed")
        from mediapipe import Image, ImageFormat

        frame = np.ascontiguousarray(cv2.flip(frame_rgb, 1) if self._mirror else frame_rgb)
        image = Image(ImageFormat.SRGB, frame)
        if self._video:
            if stamp_ms < self._stamp_ms:
                self.close()
                self._open()
            # MediaPipe refuses stamps that do not rise; two frames within one millisecond are legitimate.
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
        if self._mirror:
            points[:, 0] = 1 - points[:, 0]
        scores = [category.score for category in result.face_blendshapes[chosen]]
        return FaceReading(np.array(scores, np.float32), yaw, pitch, roll, points, self.faces)

    def close(self) -> None:
        """Let go of MediaPipe. Harmless when repeated."""
        self._finalizer()

    def _open(self) -> None:
        from mediapipe.tasks.python.vision import FaceLandmarker

        with _without_chatter():
            self._landmarker = FaceLandmarker.create_from_options(self._options)
        self._finalizer = weakref.finalize(self, _close, self._landmarker)
        self._followed: np.ndarray | None = None
        self._followed_ms = self._stamp_ms = self._clock_ms = -1

    def _choose(self, faces: list[np.ndarray], aspect: float, stamp_ms: int) -> int | None:
        """Index of the person to read, or None when that person is not there."""
        places = [_place(face, aspect) for face in faces]
        if self._followed is not None and self._video:
            distances = [float(np.linalg.norm(_moved(place, self._followed))) for place in places]
            if distances and min(distances) < _SAME_PERSON:
                chosen = int(np.argmin(distances))
                self._followed, self._followed_ms = places[chosen], stamp_ms
                return chosen
            if stamp_ms - self._followed_ms < PATIENCE_MS:
                return None
        if not places:
            self._followed = None
            return None
        chosen = int(np.argmax([place[2] for place in places]))
        self._followed, self._followed_ms = places[chosen], stamp_ms
        return chosen


def head_angles(matrix: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in rad of MediaPipe's facial transformation matrix (4, 4).

    The matrix takes the canonical face to the camera: x to the image's right (the subject's left), y up,
    z towards the camera (the way the subject looks). REP 103's x forward, y left, z up is a cyclic
    permutation of these axes; its intrinsic yaw, then pitch, then roll give the expressions below.
    """
    yaw = np.arctan2(matrix[0, 2], matrix[2, 2])
    pitch = np.arcsin(np.clip(-matrix[1, 2], -1, 1))
    roll = np.arctan2(matrix[1, 0], matrix[1, 1])
    return float(yaw), float(pitch), float(roll)


def _landmarks(face: list) -> np.ndarray:
    return np.array([(point.x, point.y, point.z) for point in face], np.float32)


def _place(face: np.ndarray, aspect: float) -> np.ndarray:
    """Centre x and y and size of a face, all in image heights, (3,)."""
    low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
    width, height = (high - low) * (aspect, 1)
    return np.array([(low[0] + high[0]) / 2 * aspect, (low[1] + high[1]) / 2, np.sqrt(width * height)])


def _moved(place: np.ndarray, before: np.ndarray) -> np.ndarray:
    """How a face differs from an earlier one: shift in face sizes, and logarithm of the growth, (3,)."""
    return np.append((place[:2] - before[:2]) / before[2], np.log(place[2] / before[2]))


def _close(landmarker: "FaceLandmarker") -> None:
    try:
        landmarker.close()
    except RuntimeError:
        # The interpreter is leaving and MediaPipe's thread pool has gone. Its __del__ would try once more
        # and print a traceback; the process's end frees the rest.
        landmarker._handle = None


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep back the known lines of chatter that MediaPipe's C++ writes to stderr; pass every other line on."""
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
                if not _CHATTER.match(line):
                    os.write(2, line)
