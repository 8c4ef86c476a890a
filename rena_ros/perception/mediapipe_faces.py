"""Finds and reads faces with MediaPipe's FaceLandmarker: the reference for every other engine."""

import ctypes
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.perception.startup_log import without_startup_log

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision import FaceLandmarker

# The release whose C structs are read as arrays. Building an object for each of 478 landmarks takes 1 to 3 ms a frame.
_KNOWN_STRUCTS = "0.10.31"


class MediaPipeFaces:
    """The faces in one frame after the other, or in single images. Not thread-safe.

    VIDEO mode keeps faces through frames in which the detector alone would lose them.
    """

    def __init__(self, model: Path, video: bool, max_faces: int) -> None:
        """Load the bundle ``model``; ``video``, ``max_faces`` (at least 2): as for ``LiteRtFaces``.

        Raises ImportError when MediaPipe is not installed.
        """
        # Imported here because MediaPipe takes 0.15 s to import, and only this engine needs it.
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self._video = video
        self._options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
            num_faces=max_faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self._reads_structs = mediapipe.__version__ == _KNOWN_STRUCTS
        self._clock_ms = -1
        self._coefficients: list[FloatArray] = []
        self._matrices: list[FloatArray] = []
        self._open()

    def find(self, frame_rgb: ByteArray, stamp_ms: int) -> list[FloatArray]:
        """Return the landmarks of each face, float32 (478, 3) as ``FaceReading`` has them."""
        from mediapipe import Image, ImageFormat

        image = Image(ImageFormat.SRGB, frame_rgb)
        # MediaPipe refuses a stamp that does not increase, but two frames may share a millisecond.
        self._clock_ms = max(self._clock_ms + 1, stamp_ms)
        found, self._coefficients, self._matrices = (
            self._read_structs(image) if self._reads_structs else self._read_objects(image)
        )
        return found

    def coefficients(self, face: int) -> FloatArray:
        """Return the 52 coefficients, float32, of a face of the last frame."""
        return self._coefficients[face]

    def matrix(self, face: int) -> FloatArray:
        """Return the facial transformation matrix (4, 4) of a face of the last frame."""
        return self._matrices[face]

    def restart(self) -> None:
        """Forget the faces of the frame before."""
        self.close()
        self._open()

    def close(self) -> None:
        """Release MediaPipe. Repeated calls do nothing."""
        self._finalizer()

    def _open(self) -> None:
        from mediapipe.tasks.python.vision import FaceLandmarker

        with without_startup_log():
            self._landmarker: Any = FaceLandmarker.create_from_options(self._options)
        self._finalizer = weakref.finalize(self, _close, self._landmarker)
        self._clock_ms = -1

    def _read_objects(self, image: Any) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
        """Return landmarks, coefficients and matrix of each face by MediaPipe's public interface."""
        landmarker = self._landmarker
        result = landmarker.detect_for_video(image, self._clock_ms) if self._video else landmarker.detect(image)
        return (
            [np.array([(point.x, point.y, point.z) for point in face], np.float32) for face in result.face_landmarks],
            [np.array([category.score for category in face], np.float32) for face in result.face_blendshapes],
            list(result.facial_transformation_matrixes),
        )

    def _read_structs(self, image: Any) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
        """Return the same, bit for bit, from the structs that the public interface turns into objects."""
        from mediapipe.tasks.python.vision import face_landmarker

        landmarker, result = self._landmarker, face_landmarker.FaceLandmarkerResultC()
        given, there = (landmarker._handle, image._image_ptr, None), ctypes.byref(result)
        if self._video:
            landmarker._lib.MpFaceLandmarkerDetectForVideo(*given, self._clock_ms, there)
        else:
            landmarker._lib.MpFaceLandmarkerDetectImage(*given, there)
        try:
            count = result.face_landmarks_count
            return (
                [_columns(result.face_landmarks[i], "landmarks", ("x", "y", "z")) for i in range(count)],
                [_columns(result.face_blendshapes[i], "categories", ("score",))[:, 0] for i in range(count)],
                [result.facial_transformation_matrixes[i].to_numpy() for i in range(count)],
            )
        finally:
            landmarker._lib.MpFaceLandmarkerCloseResult(there)


def _columns(listed: Any, name: str, fields: tuple[str, ...]) -> FloatArray:
    """Return float fields of the structs that a list of MediaPipe's C interface points to, float32 (n, fields)."""
    pointer, count = getattr(listed, name), getattr(listed, f"{name}_count")
    kind = pointer._type_
    offsets = [getattr(kind, field).offset for field in fields]
    record = np.dtype(
        {"names": fields, "formats": ["f4"] * len(fields), "offsets": offsets, "itemsize": ctypes.sizeof(kind)}
    )
    memory = (ctypes.c_char * (record.itemsize * count)).from_address(ctypes.addressof(pointer.contents))
    records = np.frombuffer(memory, record, count)
    return np.column_stack([records[field] for field in fields])


def _close(landmarker: "FaceLandmarker") -> None:
    try:
        landmarker.close()
    except RuntimeError:
        # At the end of the interpreter MediaPipe's thread pool no longer exists. __del__ would close again and print
        # a traceback; the end of the process frees the memory.
        landmarker._handle = None
