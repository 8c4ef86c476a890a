"""Checks before any process is started; each error is one line with the remedy."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2

from rena_ros.base.claims import claim, is_claimed
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.resources import share_path
from rena_ros.behaviour.policy import Policy
from rena_ros.graph import claim_of
from rena_ros.robot.model import Robot

PERFORMER = "performer"
NEEDED_BYTES = 100_000_000


@dataclass(frozen=True)
class Source:
    """What the camera node shows: ``name`` as it takes it, and the duration of one pass (None: no end)."""

    name: str
    duration_s: float | None


def check_source(text: str) -> Source:
    """Resolve `--source`: ``performer``, a camera's index or device, or a video file. Raises RenaError."""
    if text == PERFORMER:
        from rena_ros.twin import performer  # slow to import: only when it is needed

        return Source(text, float(performer.DURATION_S))
    if text.isdecimal() or text.startswith("/dev/video"):
        device = Path(f"/dev/video{text}" if text.isdecimal() else text)
        if not device.exists():
            raise RenaError(
                f"there is no camera {text}: {device} does not exist; plug one in, or use --source performer"
            )
        if not os.access(device, os.R_OK | os.W_OK):
            raise RenaError(f"may not open {device}; add yourself to the group `video` (sudo usermod -aG video $USER)")
        return Source(text, None)
    path = Path(text)
    if not path.is_file():
        raise RenaError(
            f"no such source: {text} is neither a file, nor a camera's index, nor `performer`; check the path"
        )
    return Source(str(path.resolve()), _video_duration_s(path))


def check_robot(text: str) -> None:
    """Check `--robot`: ``twin``, or a serial port that exists and may be opened. Raises RenaError."""
    if text == "twin":
        return
    port = user_path(text)
    if not port.exists():
        raise RenaError(f"there is no serial port {text}; plug the robot in (ls /dev/ttyUSB* /dev/ttyACM*) or use twin")
    if not os.access(port, os.R_OK | os.W_OK):
        raise RenaError(f"may not open {text}; add yourself to the group `dialout` (sudo usermod -aG dialout $USER)")


def check_model(text: str, robot: Robot) -> Path:
    """Return the model file to use. Raises RenaError when it is missing or does not fit the robot."""
    path = user_path(text) if text else share_path("models/rena.onnx")
    if not path.is_file():
        raise RenaError(f"there is no model {path}; give --model FILE, or train one with `rena train`")
    Policy(path, robot)
    return path.resolve()


def check_names(names: Iterable[str], domain: int, namespace: str) -> socket.socket:
    """Claim this domain and namespace on this machine for one run; ``names``: the full names of its nodes.

    Returns the claim, which lasts until it is closed. Raises RenaError when another run, or one of the nodes however
    it was started, has them.
    """
    where = f"ROS domain {domain}, namespace {namespace}"
    remedy = "end it, or give this run its own: ROS_DOMAIN_ID=… rena mimic, or --namespace NAME"
    held = claim(f"run {claim_of(namespace, domain)}")
    if held is None:
        raise RenaError(f"another `rena mimic` runs on this machine in {where}: {remedy}")
    if taken := [name for name in names if is_claimed(claim_of(name, domain))]:
        held.close()
        raise RenaError(f"{', '.join(taken)} runs on this machine in {where} already: {remedy}")
    return held


def check_json(path: Path | None) -> None:
    """Check `--json FILE`. Raises RenaError when its folder is missing: before the run, not after it."""
    if path is not None and not path.resolve().parent.is_dir():
        raise RenaError(f"cannot write {path}: there is no folder {path.resolve().parent}")


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


def _video_duration_s(path: Path) -> float | None:
    capture = cv2.VideoCapture(str(path))
    try:
        readable, _ = capture.read()
        frames, rate_hz = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    finally:
        capture.release()
    if not readable:
        raise RenaError(f"cannot read any picture from {path}; is it a video? (`ffprobe` shows what it is)")
    return frames / rate_hz if frames > 0 and rate_hz > 0 else None
