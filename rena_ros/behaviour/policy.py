"""An exported model as a function from features to goals. Runs in onnxruntime, without torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.resources import share_path
from rena_ros.behaviour.pose_range import PoseRange, measure_pose_range
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot


class Policy:
    """One exported model, as ``rena train`` writes it, checked against the robot that it will drive.

    ``robot_rest``: float32 (55,), the reading of the robot's own face at neutral. ``provenance``: the model's origin:
    seed, commit, data, date, held-out figures. ``pose_range``: the head poses that it answers; a pose beyond holds the
    edge. None while the neck follows the head as far as it turns.
    """

    def __init__(self, model_path: str | Path | None = None, robot: Robot | None = None):
        """Load ``model_path`` (default: the shipped model) for ``robot`` (default: the default robot file).

        Raises RenaError, naming file and mismatch, unless it is a model of exactly these servos and features.
        """
        self.path = user_path(model_path) if model_path else share_path("models/rena.onnx")
        self.robot = robot or load_robot()
        self._session = open_session(self.path)
        metadata = _read_metadata(self.path, self._session)
        _check_names(self.path, "features", metadata["rena.feature_names"], READING_NAMES, "this version")
        _check_names(self.path, "servos", metadata["rena.servo_names"], self.robot.names, "the robot file")
        self.robot_rest = _checked_rest(self.path, metadata["rena.robot_rest"])
        self.provenance: dict[str, Any] = metadata["rena.provenance"]
        self.pose_range: PoseRange | None = None
        self._check_graph()
        self.pose_range = measure_pose_range(self.batch, self.robot_rest, self.robot)

    def __call__(self, features: FloatArray) -> FloatArray:
        """Return goals, float32 (25,) in [0, 1], order of ``robot.names``, for features (55,), order of READING_NAMES.

        Raises ValueError, naming the feature, when one is not finite.
        """
        goals: FloatArray = self.batch(np.asarray(features)[None])[0]
        return goals

    def batch(self, features: FloatArray) -> FloatArray:
        """Return goals (n, 25) for features (n, 55); see ``__call__``."""
        features = np.ascontiguousarray(features, np.float32)
        if features.ndim != 2 or features.shape[1] != len(READING_NAMES):
            raise ValueError(f"expected {len(READING_NAMES)} features a reading, got shape {features.shape}")
        if not np.isfinite(features).all():
            bad = READING_NAMES[int(np.argwhere(~np.isfinite(features))[0, 1])]
            raise ValueError(f"{bad} is not finite: such a reading must not reach a servo")
        held = features if self.pose_range is None else self.pose_range.hold(features)
        (goals,) = self._session.run(("goals",), {"features": held})
        goals = clip_goals(goals)
        return goals if self.pose_range is None else self.pose_range.lead(goals, features)

    def _check_graph(self) -> None:
        try:
            goals = self.batch(self.robot_rest[None])
        except Exception as error:  # onnxruntime raises a different class for each kind of mismatch
            reason = str(error).splitlines()[0]
            raise RenaError(f"the model {self.path} does not turn `features` into `goals`: {reason}") from error
        if goals.shape != (1, len(self.robot.names)) or not np.isfinite(goals).all():
            raise RenaError(
                f"the model {self.path} returns goals of shape {goals.shape}; expected finite goals for "
                f"{len(self.robot.names)} servos"
            )


def clip_goals(goals: FloatArray) -> FloatArray:
    """Clip a model's goals to [0, 1]; no other function does. NaN stays NaN."""
    return np.clip(goals, 0.0, 1.0)


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Return a model file ready to run on one thread. Raises RenaError when there is none, or it cannot be loaded."""
    if not path.is_file():
        raise RenaError(f"there is no model {path}; `rena train` writes a model to RUN/model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a second thread is no faster at batch 1, and at times 20 to 50 ms slower
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise RenaError(f"cannot read the model {path}: {error.strerror}") from error
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise RenaError(f"{path} is not a model that onnxruntime can load: {str(error).splitlines()[0]}") from error


def _read_metadata(path: Path, session: onnxruntime.InferenceSession) -> dict[str, Any]:
    found = session.get_modelmeta().custom_metadata_map
    wanted = ("rena.feature_names", "rena.servo_names", "rena.robot_rest", "rena.provenance")
    missing = [key for key in wanted if key not in found]
    if missing:
        raise RenaError(f"the model {path} lacks the metadata {', '.join(missing)}; was it exported by `rena train`?")
    try:
        return {key: json.loads(found[key]) for key in wanted}
    except json.JSONDecodeError as error:
        raise RenaError(f"the metadata of the model {path} is not JSON: {error}") from error


def _checked_rest(path: Path, values: object) -> FloatArray:
    try:
        rest: FloatArray = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        rest = np.empty(0, np.float32)
    if rest.shape != (len(READING_NAMES),) or not np.isfinite(rest).all():
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
