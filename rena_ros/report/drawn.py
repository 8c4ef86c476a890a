"""The twin as a screen and a mirror: goals are drawn, and the picture is read as the robot's camera would read it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.perception.clip import VideoFile
from rena_ros.perception.face_reader import READING_NAMES, FaceReader, FaceReading
from rena_ros.perception.landmark_frame import POINTS, aligned
from rena_ros.robot.model import Robot
from rena_ros.twin.face import TwinFace

WIDTH, HEIGHT = 640, 480
RATE_HZ = 30.0  # of the sequences of drawn persons
FIRST_PERSON = 20001  # their looks are person-20001 and so on; give none of them to a training


@dataclass(frozen=True)
class FaceTrack:
    """What was read of t successive pictures; NaN in those without a face.

    times_s: (t,); features: float32 (t, 55); landmarks: float32 (t, 478, 3), aligned
    """

    times_s: FloatArray
    features: FloatArray
    landmarks: FloatArray

    @property
    def rate_hz(self) -> float:
        """Return the frames per second."""
        return 1 / float(np.median(np.diff(self.times_s)))


class Mirror:
    """Draws goals as the twin of one robot and reads its face; both are loaded with the first picture."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self._acted: dict[bytes, tuple[FaceTrack, ...]] = {}

    @cached_property
    def _face(self) -> TwinFace:
        return TwinFace(self.robot, WIDTH, HEIGHT)

    @cached_property
    def _reader(self) -> FaceReader:
        return FaceReader(video=False)

    def pictures(self, goals: FloatArray) -> list[ByteArray]:
        """Return the pictures of goals (n, 25) as the limiter lets them through, uint8 (480, 640, 3) each."""
        return [self._face.render(one) for one in limited(goals, self.robot)]

    def landmarks(self, pictures: list[ByteArray]) -> FloatArray:
        """Return the aligned landmarks (n, 478, 3) of single pictures, NaN where no face is found."""
        return self.read(pictures).landmarks

    def read(self, pictures: list[ByteArray]) -> FaceTrack:
        """Return what is read of single pictures, numbered in place of times."""
        readings = [self._reader.read(picture) for picture in pictures]
        return _track(np.arange(len(pictures), dtype=float), readings, WIDTH / HEIGHT)

    def film(self, times_s: FloatArray, goals: FloatArray) -> FaceTrack:
        """Return what is read of the twin that shows goals (t, 25), each at its time."""
        with FaceReader() as reader:
            pairs = zip(times_s, limited(goals, self.robot), strict=True)
            readings = [reader.read(self._face.render(one), int(t_s * 1000)) for t_s, one in pairs]
        return _track(times_s, readings, WIDTH / HEIGHT)

    def acted(self, peaks: FloatArray, frames: int) -> tuple[FaceTrack, ...]:
        """Return what is read of drawn persons, a new one for each of the goals ``peaks`` (n, 25), FIRST_PERSON first.

        Each goes from its neutral face to that of its peak and back within ``frames`` frames at RATE_HZ.
        """
        key = np.ascontiguousarray(peaks).tobytes() + bytes(str(frames), "ascii")
        if key not in self._acted:
            self._acted[key] = tuple(self._acted_by(FIRST_PERSON + i, peak, frames) for i, peak in enumerate(peaks))
        return self._acted[key]

    def _acted_by(self, person: int, peak: FloatArray, frames: int) -> FaceTrack:
        neutral, share = self.robot.neutral_goals, 0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, frames))
        face, times_s = TwinFace(self.robot, WIDTH, HEIGHT, look=f"person-{person}"), np.arange(frames) / RATE_HZ
        with FaceReader() as reader:
            goals = neutral + share[:, None] * (peak - neutral)
            readings = [reader.read(face.render(one), int(t * 1000)) for one, t in zip(goals, times_s, strict=True)]
        return _track(times_s, readings, WIDTH / HEIGHT)


def limited(goals: FloatArray, robot: Robot) -> FloatArray:
    """Return goals (n, 25), one after the other, as the limiter lets them through, float64 (n, 25) in [0, 1]."""
    target, passed = np.zeros(len(robot.names)), []
    for one in robot.positions(np.asarray(goals, np.float64)):
        target = robot.limit(list(robot.names), one.tolist(), target).positions
        passed.append(robot.goals(target))
    return np.clip(passed, 0, 1)


def read_film(path: Path) -> FaceTrack:
    """Read the person in every frame of a film. Raises RenaError when it has no frames, or shows no face."""
    clip, readings, times_s, aspect = VideoFile(path), [], [], 1.0
    try:
        with FaceReader() as reader:
            while (frame := clip.read()) is not None:
                times_s.append(frame.t_s)
                readings.append(reader.read(frame.rgb, int(frame.t_s * 1000)))
                aspect = frame.rgb.shape[1] / frame.rgb.shape[0]
    finally:
        clip.close()
    if sum(reading is not None for reading in readings) < 3:
        raise RenaError(f"{path} shows a face in fewer than three frames; give --film a film of one person's face")
    return _track(np.array(times_s), readings, aspect)


def _track(times_s: FloatArray, readings: list[FaceReading | None], aspect: float) -> FaceTrack:
    features = np.full((len(readings), len(READING_NAMES)), np.nan, np.float32)
    landmarks = np.full((len(readings), POINTS, 3), np.nan, np.float32)
    for i, reading in enumerate(readings):
        if reading is not None:
            features[i], landmarks[i] = reading.features, reading.landmarks
    return FaceTrack(times_s, features, aligned(landmarks, aspect))
