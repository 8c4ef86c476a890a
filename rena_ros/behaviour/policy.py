"""An exported model as a function from readings to goals. Runs in onnxruntime, without torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.resources import share_path
from rena_ros.behaviour.model_session import open_session
from rena_ros.behaviour.pose_range import PoseRange, measure_pose_range
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.landmark_frame import POINTS
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot

INPUTS = ("features", "landmarks", "rest_features", "rest_landmarks")


@dataclass(frozen=True)
class RestReading:
    """A face at rest: the reading of it, and its landmarks in the frame of the face where they are known.

    ``features``: float32 (55,), order of READING_NAMES. ``landmarks``: float32 (478, 3), ``aligned``, or None. For a
    batch of several people both may have a row for each reading: (n, 55) and (n, 478, 3).
    """

    features: FloatArray
    landmarks: FloatArray | None = None


class Policy:
    """One exported model, as ``rena train`` writes it, checked against the robot that it will drive.

    ``inputs``: what the model reads, of INPUTS. ``robot_rest``: float32 (55,), the reading of the robot's own face at
    neutral; ``robot_neutral``: the same, with landmarks where the model reads them. ``provenance``: the model's origin:
    seed, commit, data, date, held-out figures. ``pose_range``: the head poses that it answers; a pose beyond holds the
    edge, and leads the neck to its end.
    """

    def __init__(self, model_path: str | Path | None = None, robot: Robot | None = None):
        """Load ``model_path`` (default: the shipped model) for ``robot`` (default: the default robot file).

        Raises RenaError, naming file and mismatch, unless it is a model of exactly these servos and features.
        """
        self.path = user_path(model_path) if model_path else share_path("models/rena.onnx")
        self.robot = robot or load_robot()
        self._session = open_session(self.path)
        self.inputs = _checked_inputs(self.path, self._session)
        metadata = _read_metadata(self.path, self._session, self.needs_landmarks)
        _check_names(self.path, "features", metadata["rena.feature_names"], READING_NAMES, "this version")
        _check_names(self.path, "servos", metadata["rena.servo_names"], self.robot.names, "the robot file")
        self.robot_rest = _checked_rest(self.path, metadata["rena.robot_rest"], (len(READING_NAMES),))
        landmarks = None
        if self.needs_landmarks:
            landmarks = _checked_rest(self.path, metadata["rena.robot_rest_landmarks"], (POINTS, 3))
        self.robot_neutral = RestReading(self.robot_rest, landmarks)
        self.provenance: dict[str, Any] = metadata["rena.provenance"]
        self.pose_range: PoseRange | None = None
        self._check_graph()
        self.pose_range = measure_pose_range(self._at_rest, self.robot_rest, self.robot)

    @property
    def needs_landmarks(self) -> bool:
        """Whether a reading without landmarks is not enough for this model."""
        return "landmarks" in self.inputs or "rest_landmarks" in self.inputs

    @property
    def reads_rest(self) -> bool:
        """Whether the model reads a person's neutral face itself; else a reading is mapped to the robot's before."""
        return "rest_features" in self.inputs or "rest_landmarks" in self.inputs

    def __call__(
        self, features: FloatArray, landmarks: FloatArray | None = None, rest: RestReading | None = None
    ) -> FloatArray:
        """Return goals, float32 (25,) in [0, 1], order of ``robot.names``, for one reading.

        ``features``: (55,), order of READING_NAMES. ``landmarks``: (478, 3), ``landmark_frame.aligned``. ``rest``: the
        neutral face of the person, by default the robot's own. A model ignores what it does not read. Raises
        ValueError, naming the input or the feature, when one is missing, of another shape or not finite.
        """
        rows = None if landmarks is None else np.asarray(landmarks)[None]
        goals: FloatArray = self.batch(np.asarray(features)[None], rows, rest)[0]
        return goals

    def batch(
        self, features: FloatArray, landmarks: FloatArray | None = None, rest: RestReading | None = None
    ) -> FloatArray:
        """Return goals (n, 25) for features (n, 55) and landmarks (n, 478, 3); see ``__call__``."""
        features = np.ascontiguousarray(features, np.float32)
        if features.ndim != 2 or features.shape[1] != len(READING_NAMES):
            raise ValueError(f"expected {len(READING_NAMES)} features a reading, got shape {features.shape}")
        if not np.isfinite(features).all():
            bad = READING_NAMES[int(np.argwhere(~np.isfinite(features))[0, 1])]
            raise ValueError(f"{bad} is not finite: such a reading must not reach a servo")
        held = features if self.pose_range is None else self.pose_range.hold(features)
        rest = rest or self.robot_neutral
        given = {"landmarks": landmarks, "rest_features": rest.features, "rest_landmarks": rest.landmarks}
        feed = {name: _rows(name, given[name], len(features)) for name in self.inputs if name != "features"}
        (goals,) = self._session.run(("goals",), {"features": held, **feed})
        goals = clip_goals(goals)
        return goals if self.pose_range is None else self.pose_range.lead(goals, features)

    def _at_rest(self, features: FloatArray) -> FloatArray:
        """Return goals (n, 25) for features (n, 55) of the robot's own face, whose landmarks stay at rest."""
        rest = self.robot_neutral.landmarks
        return self.batch(features, None if rest is None else np.broadcast_to(rest, (len(features), POINTS, 3)))

    def _check_graph(self) -> None:
        try:
            goals = self._at_rest(self.robot_rest[None])
        except Exception as error:  # onnxruntime raises a different class for each kind of mismatch
            reason = str(error).splitlines()[0]
            raise RenaError(
                f"the model {self.path} does not turn {_listed(self.inputs)} into `goals`: {reason}"
            ) from error
        if goals.shape != (1, len(self.robot.names)) or not np.isfinite(goals).all():
            raise RenaError(
                f"the model {self.path} returns goals of shape {goals.shape}; expected finite goals for "
                f"{len(self.robot.names)} servos"
            )


def clip_goals(goals: FloatArray) -> FloatArray:
    """Clip a model's goals to [0, 1]; no other function does. NaN stays NaN."""
    return np.clip(goals, 0.0, 1.0)


def _checked_inputs(path: Path, session: onnxruntime.InferenceSession) -> tuple[str, ...]:
    found = tuple(one.name for one in session.get_inputs())
    unknown = [name for name in found if name not in INPUTS]
    if unknown or "features" not in found:
        wrong = f"reads {', '.join(unknown)}" if unknown else "does not read `features`"
        raise RenaError(f"the model {path} {wrong}; this version gives a model {_listed(INPUTS)}: train it again")
    return found


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _rows(name: str, values: FloatArray | None, count: int) -> FloatArray:
    """Return one input of the graph, float32 (count, ...); one neutral face stands for all rows."""
    shape = (len(READING_NAMES),) if name == "rest_features" else (POINTS, 3)
    if values is None:
        raise ValueError(f"this model reads {name}, and there are none")
    values = np.asarray(values, np.float32)
    rows = np.broadcast_to(values, (count, *shape)) if values.shape == shape and name != "landmarks" else values
    if rows.shape != (count, *shape):
        raise ValueError(f"expected {name} of shape {(count, *shape)}, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} are not finite: such a reading must not reach a servo")
    return np.ascontiguousarray(rows)


def _read_metadata(path: Path, session: onnxruntime.InferenceSession, landmarks: bool) -> dict[str, Any]:
    found = session.get_modelmeta().custom_metadata_map
    wanted = ["rena.feature_names", "rena.servo_names", "rena.robot_rest", "rena.provenance"]
    wanted += ["rena.robot_rest_landmarks"] if landmarks else []
    missing = [key for key in wanted if key not in found]
    if missing:
        raise RenaError(f"the model {path} lacks the metadata {', '.join(missing)}; was it exported by `rena train`?")
    try:
        return {key: json.loads(found[key]) for key in wanted}
    except json.JSONDecodeError as error:
        raise RenaError(f"the metadata of the model {path} is not JSON: {error}") from error


def _checked_rest(path: Path, values: object, shape: tuple[int, ...]) -> FloatArray:
    try:
        rest: FloatArray = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        rest = np.empty(0, np.float32)
    if rest.shape != shape or not np.isfinite(rest).all():
        raise RenaError(f"the model {path} holds no valid reading of the robot at rest; train it again")
    return rest


def _check_names(path: Path, what: str, found: object, wanted: tuple[str, ...], owner: str) -> None:
    if found == list(wanted):
        return
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise RenaError(f"the model {path} lists its {what} in an unknown form; train it again")
    lacking = ", ".join(name for name in wanted if name not in found)
    unknown = ", ".join(name for name in found if name not in wanted)
    mismatch = [*([f"it lacks {lacking}"] if lacking else []), *([f"it has {unknown} in addition"] if unknown else [])]
    raise RenaError(
        f"the model {path} does not fit: its {what} are not the {len(wanted)} of {owner}: "
        f"{'; '.join(mismatch) or 'their order differs'}. "
        "Train a model for this robot, or use the robot file it was trained for."
    )
