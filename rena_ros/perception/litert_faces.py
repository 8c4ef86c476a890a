"""Finds and reads faces with the three networks of MediaPipe's model bundle, run by LiteRT: no MediaPipe needed.

The order of operations is that of MediaPipe's FaceLandmarker with at least two faces, which does not smooth. On the
same frames the readings are MediaPipe's but for rounding (see test/perception/test_face_parity.py), in four fifths of
its time. Coefficients and pose are computed for the person that is read only.
"""

import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rena_ros.base.arrays import Array, ByteArray, FloatArray
from rena_ros.perception.face_detection import SIDE, face_rects
from rena_ros.perception.face_rect import FaceRect, around, crop, in_picture, merged
from rena_ros.perception.head_matrix import CanonicalFace, head_matrix
from rena_ros.perception.startup_log import without_startup_log

_DETECTOR, _LANDMARKS, _BLENDSHAPES = (
    "face_detector.tflite",
    "face_landmarks_detector.tflite",
    "face_blendshapes.tflite",
)
_GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"
# The landmarks that the blendshape network reads, in its order (MediaPipe, face_blendshapes_graph.cc).
# fmt: off
_BLENDSHAPE_LANDMARKS = np.array((
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
))
# fmt: on


class LiteRtFaces:
    """The faces in one frame after the other, or in single images. Not thread-safe."""

    def __init__(self, model: Path, video: bool, max_faces: int) -> None:
        """Load the networks of the bundle ``model``.

        ``video``: look for known faces where the frame before showed them; ``max_faces``: of a frame, at least 2.
        Raises ImportError when LiteRT is not installed.
        """
        self._video, self._max_faces = video, max_faces
        with zipfile.ZipFile(model) as bundle, without_startup_log():
            self._detector, self._landmarker, self._blendshaper = (
                _Network(bundle.read(name)) for name in (_DETECTOR, _LANDMARKS, _BLENDSHAPES)
            )
            self._canonical = CanonicalFace.parse(bundle.read(_GEOMETRY))
        self._rects: list[FaceRect] = []
        self._found: list[FloatArray] = []
        self._size = (0, 0)

    def find(self, frame_rgb: ByteArray, stamp_ms: int) -> list[FloatArray]:
        """Return the landmarks of each face, float32 (478, 3) as ``FaceReading`` has them; ``stamp_ms`` is not used."""
        height, width = frame_rgb.shape[:2]
        rects = self._rects
        if len(rects) < self._max_faces:
            rects = merged([*rects, *self._detect(frame_rgb)], self._max_faces)
        found = (self._landmarks(frame_rgb, rect) for rect in rects)
        self._found = [landmarks for landmarks in found if landmarks is not None]
        self._size = width, height
        self._rects = [around(landmarks, width, height) for landmarks in self._found] if self._video else []
        return self._found

    def coefficients(self, face: int) -> FloatArray:
        """Return the 52 coefficients, float32, of a face of the last frame."""
        points = self._found[face][_BLENDSHAPE_LANDMARKS, :2] * np.array(self._size, np.float32)
        return self._blendshaper.run(points)[0]

    def matrix(self, face: int) -> FloatArray:
        """Return the facial transformation matrix (4, 4) of a face of the last frame."""
        return head_matrix(self._canonical, self._found[face], *self._size)

    def restart(self) -> None:
        """Forget the faces of the frame before."""
        self._rects, self._found = [], []

    def close(self) -> None:
        """Release the networks."""
        self._detector.close()
        self._landmarker.close()
        self._blendshaper.close()

    def _detect(self, frame_rgb: ByteArray) -> list[FaceRect]:
        height, width = frame_rgb.shape[:2]
        longer = max(width, height)
        left, top = (width - longer) / 2, (height - longer) / 2
        corners = [(left, top + longer), (left, top), (left + longer, top), (left + longer, top + longer)]
        input_corners = [(0, SIDE), (0, 0), (SIDE, 0), (SIDE, SIDE)]
        transform = cv2.getPerspectiveTransform(np.array(corners, np.float32), np.array(input_corners, np.float32))
        square = cv2.warpPerspective(frame_rgb, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        boxes, scores = self._detector.run(square * np.float32(2 / 255) - np.float32(1))
        return face_rects(boxes[0], scores[0, :, 0], self._max_faces, width, height)

    def _landmarks(self, frame_rgb: ByteArray, rect: FaceRect) -> FloatArray | None:
        """Return the landmarks of the face in a rect, or None where there is none."""
        points, presence, _ = self._landmarker.run(crop(frame_rgb, rect), 1 / 255)
        if presence.item() <= 0:  # raw: the sigmoid of 0 is .5
            return None
        return in_picture(points.reshape(-1, 3), rect, frame_rgb.shape[1], frame_rgb.shape[0])


class _Network:
    """One network: an array in, copies of its outputs in their order. One thread: the second core is another node's."""

    def __init__(self, content: bytes) -> None:
        # Imported here because only this engine needs it.
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def run(self, values: Array, scale: float = 1.0) -> list[FloatArray]:
        """Return the outputs for ``scale`` times one input, of the network's own shape without its batch."""
        # The view is let go at once: the interpreter refuses to run while one is kept.
        np.multiply(values, np.float32(scale), out=self._interpreter.tensor(self._input)()[0])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def close(self) -> None:
        """Free the network."""
        self._interpreter = None
