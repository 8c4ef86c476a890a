"""Checks before any process is started; each error is one line with the remedy."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.base.files import ros_path, user_path
from rena_ros.base.resources import share_path
from rena_ros.behaviour.policy import Policy
from rena_ros.perception.camera import absence, camera_path
from rena_ros.perception.container import examine
from rena_ros.perception.video import PERFORMER
from rena_ros.robot.model import Robot

NEEDED_BYTES = 100_000_000
STILL_S = 10.0  # how long a still picture is shown when no duration is asked for


@dataclass(frozen=True)
class Source:
    """What the camera node shows: ``name`` as it takes it, and the duration of one pass (None: no end, or not known).

    ``still``, ``camera``: whether it is a still picture or a camera, which have no end.
    """

    name: str
    duration_s: float | None
    still: bool = False
    camera: bool = False


def check_source(text: str) -> Source:
    """Resolve `--source`: ``performer``, a camera's number or device, or a video or picture file. Raises RenaError."""
    if text == PERFORMER:
        from rena_ros.twin import performer  # slow to import: only when it is needed

        return Source(text, float(performer.DURATION_S))
    if (camera := camera_path(text)) is not None:
        if (reason := absence(camera)) is not None:
            raise RenaError(f"{reason}; --source performer needs none")
        return Source(ros_path(camera), None, camera=True)
    path = Path(os.path.abspath(user_path(text)))
    facts = examine(path)
    return Source(ros_path(path), facts.duration_s, still=facts.still)


def check_model(text: str, robot: Robot) -> Path:
    """Return the model file to use. Raises RenaError when it is missing or does not fit the robot."""
    path = user_path(text) if text else share_path("models/rena.onnx")
    if not path.is_file():
        raise RenaError(f"there is no model {path}; give --model FILE, or train one with `rena train`")
    Policy(path, robot)
    return path.resolve()


def prepare_out(out: Path) -> int:
    """Make DIR with its folders for logs and spool, and delete the results of an earlier run.

    Returns a file descriptor that holds a lock on DIR: two runs must not write to the same folder. Raises RenaError
    when DIR cannot be written, is locked by another run, or its disk is nearly full.
    """
    try:
        for directory in (out, out / "log", out / ".spool"):
            directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / ".spool" / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise RenaError(f"another `rena mimic` is writing to {out}; give this one its own --out DIR") from error
        for name in ("mimic.mp4", "summary.json"):
            (out / name).unlink(missing_ok=True)
        free = shutil.disk_usage(out).free
        (out / ".spool" / "servos").unlink(missing_ok=True)  # a run that was killed leaves a port that leads nowhere
    except OSError as error:
        raise RenaError(f"cannot write to {out}: {error.strerror}; choose another --out DIR") from error
    if free < NEEDED_BYTES:
        os.close(lock)
        raise RenaError(
            f"only {free // 1_000_000} MB are free in {out}; a run needs about 300 MB per minute until its film is made"
        )
    return lock
