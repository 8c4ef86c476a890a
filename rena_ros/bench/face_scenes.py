"""Frames on which engines that read faces are compared: a film, and drawn faces that are hard to follow."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray
from rena_ros.perception.clip import VideoFile
from rena_ros.robot.file import load_robot
from rena_ros.twin.face import TwinFace
from rena_ros.twin.performer import DURATION_S, Performer, performance

Frames = Iterator[ByteArray]
_BACKDROP = 96
_WIDTH, _HEIGHT = 640, 480
_LOOKS = ("performer", "person-3", "person-8")


def scenes(film: Path | None, frames: int) -> dict[str, Callable[[], Frames]]:
    """Return by name what makes at most ``frames`` frames of each scene, uint8 (h, w, 3) RGB.

    ``film``: a video, None for none; its frames are those of a person, the others' of drawn faces.
    """
    of_film = {"film": partial(_film, film, frames)} if film else {}
    return {
        **of_film,
        "performer": partial(_performer, frames),
        "robot": partial(_robot, frames),
        "jumps": partial(_jumps, frames),
        "leaves": partial(_leaves, frames),
        "trio": partial(_trio, frames),
    }


def _film(path: Path, frames: int) -> Frames:
    video = VideoFile(path)
    try:
        for _ in range(frames):
            if (frame := video.read()) is None:
                return
            yield frame.rgb
    finally:
        video.close()


def _performer(frames: int) -> Frames:
    """The built-in performer, over its whole length."""
    drawn = Performer()
    for k in range(frames):
        yield drawn.frame(k * DURATION_S / frames)


def _robot(frames: int) -> Frames:
    """The robot's own face, in the expressions of the performer."""
    robot = load_robot()
    face = TwinFace(robot)
    for k in range(frames):
        yield face.render(performance(k * DURATION_S / frames, robot))


def _jumps(frames: int) -> Frames:
    """One face, in each frame at another place, of another size and turned otherwise: a cut at every frame."""
    rng = np.random.default_rng(1)
    for face in _performer(frames):
        yield _placed(
            [(face, rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65), rng.uniform(0.4, 1.0))], rng.uniform(-60, 60)
        )


def _leaves(frames: int) -> Frames:
    """A face that slides out of the picture and back, with cuts to black."""
    for k, face in enumerate(_performer(frames)):
        across = 0.5 + 0.62 * np.sin(2 * np.pi * k / 60)
        yield np.zeros_like(face) if k % 40 >= 36 else _placed([(face, float(across), 0.5, 0.9)])


def _trio(frames: int) -> Frames:
    """Three faces of different people side by side; each is away for a while."""
    robot = load_robot()
    people = [TwinFace(robot, look=look) for look in _LOOKS]
    for k in range(frames):
        goals = performance(k * DURATION_S / frames, robot)
        present = [one for one in range(3) if (k // 15 + one) % 4]
        sway = 0.02 * np.sin(2 * np.pi * k / 40)
        yield _placed([(people[one].render(goals), 0.2 + 0.3 * one + sway, 0.5, 0.55) for one in present])


def _placed(faces: list[tuple[ByteArray, float, float, float]], turn_deg: float = 0.0) -> ByteArray:
    """Return a picture with faces at places x, y (0..1) and scales; each is turned by ``turn_deg``."""
    picture = np.full((_HEIGHT, _WIDTH, 3), _BACKDROP, np.uint8)
    for face, x, y, scale in faces:
        place = cv2.getRotationMatrix2D((_WIDTH / 2, _HEIGHT / 2), turn_deg, scale)
        place = place + np.array([[0, 0, (x - 0.5) * _WIDTH], [0, 0, (y - 0.5) * _HEIGHT]])
        # Only the middle of a drawn picture: else the backdrop of one would cover the next.
        middle = np.zeros(face.shape[:2], np.uint8)
        middle[20:-20, 150:-150] = 1
        there = cv2.warpAffine(middle, place, (_WIDTH, _HEIGHT)).astype(bool)
        picture[there] = cv2.warpAffine(face, place, (_WIDTH, _HEIGHT))[there]
    return picture
