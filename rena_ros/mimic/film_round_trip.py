"""Does the robot show what a person in a film shows? Without ROS, servos or waiting: a model is judged on people.

Film -> FaceReader -> adaptation -> Policy -> limiter -> drawn robot -> FaceReader; then the two faces are compared over
time, channel by channel: ``python -m rena_ros.mimic.film_round_trip FILM --model FILE``.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rena_ros.base.array_files import read_arrays, write_arrays
from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.behaviour.person import PersonFace
from rena_ros.behaviour.policy import Policy
from rena_ros.behaviour.prediction import Predictor
from rena_ros.behaviour.resting_face import RestingFace
from rena_ros.mimic.round_trip import RoundTrip, Track, compare
from rena_ros.perception.camera import Camera
from rena_ros.perception.face_reader import READING_NAMES, FaceReader
from rena_ros.perception.landmark_frame import POINTS, aligned
from rena_ros.perception.still import StillPicture
from rena_ros.perception.video import open_source
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot
from rena_ros.twin.face import TwinFace

MOVES = 0.03  # standard deviation from which on a channel moves
AT_END = 1e-6
LAGS_MS = tuple(range(-150, 155, 5))  # nothing takes time here: what lags behind is the model, and it may lead
ADAPTATIONS = ("none", "resting", "person", "range")
_ARRAYS = ("times_s", "features", "landmarks")


@dataclass(frozen=True)
class FilmReadings:
    """A person in a film. ``times_s`` float64 (n,) rising; ``features`` float32 (n, 55), order of READING_NAMES.

    ``landmarks``: float32 (n, 478, 3), ``landmark_frame.aligned``. Frames without a face are left out.
    """

    times_s: FloatArray
    features: FloatArray
    landmarks: FloatArray


@dataclass(frozen=True)
class FilmScore:
    """What a model makes of a film. ``goals``: float32 (n, 25) in [0, 1], after the limiter.

    ``trip``: the comparison of both faces. ``moving``: bool (55,), the person's channels with a standard deviation of
    at least MOVES. ``saturated``: share of the goals at 0 or 1, less those of servos whose neutral goal lies there.
    ``jitter``: root mean square of the second differences of the goals, in goals a frame squared.
    """

    trip: RoundTrip
    moving: np.ndarray
    goals: FloatArray
    saturated: float
    jitter: float

    @property
    def mean_r(self) -> float:
        """Mean correlation over the channels that move; NaN when none does."""
        r = self.trip.r[self.moving]
        return float(np.nanmean(r)) if np.isfinite(r).any() else float("nan")

    @property
    def mean_r_zero_lag(self) -> float:
        """Mean correlation over the channels that move, at equal times; NaN when none does."""
        r = self.trip.r_zero_lag[self.moving]
        return float(np.nanmean(r)) if np.isfinite(r).any() else float("nan")

    def as_dict(self) -> dict:
        """For a JSON file: the figures, then the moving channels from the worst on."""
        order = [int(i) for i in np.argsort(self.trip.r) if self.moving[i]]
        return {
            "mean_r": None if np.isnan(self.mean_r) else round(self.mean_r, 4),
            "mean_r_zero_lag": None if np.isnan(self.mean_r_zero_lag) else round(self.mean_r_zero_lag, 4),
            "moving": len(order),
            "saturated": round(self.saturated, 4),
            "jitter": round(self.jitter, 5),
            "lag_ms": self.trip.lag_ms,
            "frames": len(self.goals),
            "channels": {
                READING_NAMES[i]: {
                    "r": None if np.isnan(self.trip.r[i]) else round(float(self.trip.r[i]), 4),
                    "std": round(float(self.trip.std[i]), 4),
                }
                for i in order
            },
        }


def read_film(source: str) -> FilmReadings:
    """Read a film, or "performer", the drawn one, as a live camera is read. About 10 ms a frame.

    Raises RenaError when it cannot be opened, is no film, or shows no face.
    """
    clip = open_source(source, 640, 640, 30.0, lambda text: print(text, file=sys.stderr))
    if isinstance(clip, StillPicture | Camera):
        clip.close()
        raise RenaError(f"{source} is not a film: give a video file")
    times_s, features, landmarks = [], [], []
    try:
        with FaceReader() as reader:
            while (frame := clip.read()) is not None:
                reading = reader.read(frame.rgb, round(frame.t_s * 1e3))
                if reading is not None:
                    times_s.append(frame.t_s)
                    features.append(reading.features)
                    aspect = frame.rgb.shape[1] / frame.rgb.shape[0]
                    landmarks.append(aligned(reading.landmarks[None], aspect)[0])
    finally:
        clip.close()
    if not times_s:
        raise RenaError(f"no face is found in {source}")
    return FilmReadings(np.array(times_s), np.array(features, np.float32), np.array(landmarks, np.float32))


def cached_film(source: str, cache: Path | None) -> FilmReadings:
    """Return the readings that ``cache`` holds, or read the film and write them there.

    A cache is of one film: it is not compared with ``source``. Raises RenaError when it is damaged.
    """
    if cache is None or not cache.exists():
        film = read_film(source)
        if cache is not None:
            write_arrays(cache, {name: getattr(film, name) for name in _ARRAYS})
        return film
    try:
        return FilmReadings(**read_arrays(cache, _ARRAYS))
    except ValueError as error:
        raise RenaError(f"cannot read the readings {cache}: {error}; delete it") from error


def film_goals(film: FilmReadings, policy: Policy, adaptation: str, predictor: Predictor | None = None) -> FloatArray:
    """Return the goals of each reading as the robot would get them, float32 (n, 25); ``adaptation``: of ADAPTATIONS.

    ``predictor`` leads each reading before the adaptation; the person's face is learned from what was read. The limiter
    clips and lets no antagonists pull; speed and acceleration of the servos are left out.
    """
    resting, person = RestingFace(policy.robot_rest), PersonFace(policy.robot_neutral)
    robot, position, rows = policy.robot, policy.robot.positions(policy.robot.neutral_goals), []
    for t_s, read, read_landmarks in zip(film.times_s, film.features, film.landmarks, strict=True):
        features, landmarks = read, read_landmarks
        if predictor is not None:
            features, landmarks = predictor.ahead(read, read_landmarks, float(t_s))
        if adaptation == "none":
            goals = policy(features, landmarks)
        elif adaptation in ("person", "range"):
            wanted = person.strengthen(features) if adaptation == "range" else features
            adapted = wanted if policy.reads_rest else person.adapt(wanted)
            goals = policy(adapted, landmarks, person.rest)
            person.observe(read, float(t_s), read_landmarks)
        elif policy.reads_rest:
            raise RenaError("a model that reads a person's neutral face needs no resting face: --adapt person")
        else:
            goals = policy(resting.adapt(features), landmarks)
            resting.observe(read, float(t_s))
        position = robot.limit(robot.names, robot.positions(goals).tolist(), position).positions
        rows.append(robot.goals(position))
    return np.clip(np.array(rows, np.float32), 0, 1)


def shown(goals: FloatArray, times_s: FloatArray, robot: Robot) -> Track:
    """Draw the robot with each row of goals (n, 25) and read its face; frames without a face are left out."""
    seen = drawn_readings(goals, times_s, robot)
    return Track(seen.times_s, seen.features)


def drawn_readings(goals: FloatArray, times_s: FloatArray, robot: Robot) -> FilmReadings:
    """Return the readings of the robot's face, drawn with each row of goals (n, 25); see ``shown``."""
    face, times, features, landmarks = TwinFace(robot), [], [], []
    with FaceReader() as reader:
        for t_s, row in zip(times_s, goals, strict=True):
            reading = reader.read(face.render(row), round(float(t_s) * 1e3))
            if reading is not None:
                times.append(float(t_s))
                features.append(reading.features)
                landmarks.append(aligned(reading.landmarks[None], face.width / face.height)[0])
    found = np.array(features, np.float32).reshape(-1, len(READING_NAMES))
    return FilmReadings(np.array(times), found, np.array(landmarks, np.float32).reshape(-1, POINTS, 3))


def score(film: FilmReadings, goals: FloatArray, robot: Robot) -> FilmScore:
    """Judge the goals (n, 25) of a film by what the drawn robot shows.

    Raises RenaError when too little of the film can be compared.
    """
    trip = compare(Track(film.times_s, film.features), shown(goals, film.times_s, robot), lags_ms=LAGS_MS)
    if trip is None:
        raise RenaError("too few moments show both faces: give a film with a face of more than two seconds")
    saturated, jitter = saturation(goals, robot.neutral_goals), goal_jitter(goals)
    return FilmScore(trip, trip.std >= MOVES, goals, saturated, jitter)


def saturation(goals: FloatArray, neutral: FloatArray) -> float:
    """Return the share of goals (n, k) at an end of [0, 1] at which the servo does not rest; ``neutral``: (k,)."""
    low, high = goals <= AT_END, goals >= 1 - AT_END
    return float(((low & (neutral > AT_END)) | (high & (neutral < 1 - AT_END))).mean())


def goal_jitter(goals: FloatArray) -> float:
    """Return the root mean square of the second differences over time of goals (n, k); 0 for fewer than 3 rows."""
    if len(goals) < 3:
        return 0.0
    return float(np.sqrt(np.mean(np.diff(goals.astype(np.float64), n=2, axis=0) ** 2)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a model on a film, and print its figures."""
    parser = argparse.ArgumentParser(prog="film_round_trip", description="Judge a model on a film of a person.")
    parser.add_argument("film", help='a video file, or "performer": the drawn one')
    parser.add_argument("--model", help="exported model (ONNX); default: the one that ships with Rena")
    parser.add_argument("--adapt", choices=ADAPTATIONS, help="to the person; default: as the policy node does")
    parser.add_argument(
        "--horizon", type=float, default=0.0, metavar="S", help="predict readings so far ahead (0: not)"
    )
    parser.add_argument("--sequence-model", help="model of sequences (ONNX); default: the one that ships with Rena")
    parser.add_argument("--cache", help="keep the person's readings in this file (.npz), or take them from it")
    parser.add_argument("--json", help='write all figures to this file; "-": to standard output')
    args = parser.parse_args(arguments)
    try:
        policy = Policy(args.model, load_robot())
        film = cached_film(args.film, user_path(args.cache) if args.cache else None)
        adaptation = args.adapt or ("person" if policy.reads_rest else "resting")
        predictor = Predictor(args.sequence_model, args.horizon) if args.horizon else None
        found = score(film, film_goals(film, policy, adaptation, predictor), policy.robot)
        figures = {"film": args.film, "model": str(policy.path), "adapt": adaptation, **found.as_dict()}
        figures["horizon_s"] = args.horizon
        if args.json:
            write_json(Path(args.json), figures)
    except (RenaError, ValueError) as error:
        print(f"film_round_trip: {error}", file=sys.stderr)
        return 1
    if args.json != "-":
        _show(found)
    return 0


def _show(found: FilmScore) -> None:
    figures = found.as_dict()
    worst = ", ".join(f"{name} {one['r']}" for name, one in list(figures["channels"].items())[:12])
    print(f"mean r {figures['mean_r']} over {figures['moving']} channels that move, of {figures['frames']} frames")
    print(f"lag {found.trip.lag_ms:g} ms; mean r without a shift {found.mean_r_zero_lag:.4f}")
    print(f"saturated goals {found.saturated:.2%}, jitter {found.jitter:.4f}")
    print(f"worst: {worst}")


if __name__ == "__main__":
    raise SystemExit(main())
