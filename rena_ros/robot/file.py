"""Reading a robot file (config/rena.yaml): validated whole, all faults in one error, each with its line."""

from collections.abc import Iterator
from dataclasses import fields
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, create_model, field_validator

from rena_ros.base.file_model import FileModel, Finding, did_you_mean, read_model
from rena_ros.base.files import read_text, user_path
from rena_ros.base.resources import share_path
from rena_ros.robot.model import Band, Robot, Servo, Thresholds

_MAX_SERVOS = 83  # as many goals fit into one frame of the bus
_Ticks = Annotated[int, Field(ge=0, le=4095)]


def load_robot(path: str | Path | None = None) -> Robot:
    """Load a robot file; without a path, the Rena that ships with the package.

    Raises RenaError that lists every fault, each with the servo's name and the line to change.
    """
    path = user_path(path) if path else share_path("config/rena.yaml")
    return parse_robot(read_text(path, "robot file"), path)


def parse_robot(text: str, path: Path) -> Robot:
    """Return the robot that a text describes; ``path``: where it came from. Raises RenaError as ``load_robot`` does."""
    file = read_model(text, f"the robot file {path}", _RobotFile, rules=_rules_between_servos)
    bands = {name: Band(**band) for name, band in file.thresholds.model_dump(exclude_unset=True).items()}
    servos = tuple(Servo(**row.model_dump()) for row in file.servos)
    return Robot(servos, source=path, thresholds=Thresholds(**bands))


def _of_this_robot(name: str, info: ValidationInfo) -> str:
    if info.context is not None and name not in info.context:
        raise ValueError(f"no servo is called {name}{did_you_mean(name, info.context)}")
    return name


# The name of a servo; the context of the validation is the robot's names (without a context, any text will do).
ServoName = Annotated[str, AfterValidator(_of_this_robot)]


# Servo itself stays a plain dataclass: the driver uses it, and does not import pydantic.
class _ServoRow(FileModel):
    name: str
    id: int = Field(ge=0, le=253)
    region: Literal["brows", "eyes", "lids", "mouth", "head"]
    min_ticks: _Ticks
    max_ticks: _Ticks
    neutral_ticks: _Ticks
    reversed: bool = False
    # Far beyond any servo on both sides: outside, a degree was taken for a radian, or no motion can be planned.
    max_speed_rad_s: float = Field(ge=0.01, le=50)
    max_acceleration_rad_s2: float = Field(ge=0.1, le=10_000)
    antagonists: tuple[str, ...] = ()

    @field_validator("name")
    @classmethod
    def _can_be_told_apart(cls, name: str) -> str:
        if not name.strip():
            raise ValueError(f"name {name!r} cannot be read; give the servo another one")
        if name == "bus":
            raise ValueError("no servo can have the name bus: in /diagnostics that is the bus")
        return name

    @field_validator("max_ticks")
    @classmethod
    def _above_min_ticks(cls, high: int, info: ValidationInfo) -> int:
        if (low := info.data.get("min_ticks", 0)) >= high:
            raise ValueError(f"min_ticks {low} must be below max_ticks {high}")
        return high

    @field_validator("neutral_ticks")
    @classmethod
    def _within_the_range(cls, neutral: int, info: ValidationInfo) -> int:
        low, high = info.data.get("min_ticks", 0), info.data.get("max_ticks")
        if high is not None and not low <= neutral <= high:
            raise ValueError(f"neutral_ticks {neutral} is outside {low}..{high}, min_ticks..max_ticks")
        return neutral


_Threshold = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Band(FileModel):
    warn: _Threshold = inf
    error: _Threshold = inf


class _Bands(FileModel):
    """The base of a model with one band per field of Thresholds."""

    @field_validator("*")
    @classmethod
    def _warn_before_the_error(cls, band: _Band, info: ValidationInfo) -> _Band:
        if not band.model_fields_set:
            raise ValueError("give `warn`, `error` or both")
        falls = info.field_name == "voltage_low_v"
        if len(band.model_fields_set) == 2 and (band.warn > band.error) != falls:
            raise ValueError(f"warn {band.warn:g} must come before error {band.error:g}")
        return band


_FIELDS: dict[str, Any] = {field.name: (_Band, None) for field in fields(Thresholds)}
_ThresholdsOfFile: Any = create_model("_ThresholdsOfFile", __base__=_Bands, **_FIELDS)


class _RobotFile(FileModel, extra="ignore"):  # such as an entry that only holds an anchor
    thresholds: _ThresholdsOfFile = _ThresholdsOfFile()
    servos: tuple[_ServoRow, ...] = Field(min_length=1)


def _rules_between_servos(file: _RobotFile) -> Iterator[Finding]:
    names = [servo.name for servo in file.servos]
    ids = [servo.id for servo in file.servos]
    if len(names) > _MAX_SERVOS:
        yield ("servos", _MAX_SERVOS), f"{len(names)} servos are more than the {_MAX_SERVOS} that one bus can drive"
    for i, servo in enumerate(file.servos):
        if names.index(servo.name) < i:
            yield ("servos", i, "name"), "another servo has this name already; give each its own"
        if (first := ids.index(servo.id)) < i:
            yield ("servos", i, "id"), f"id {servo.id} is that of {names[first]} already; give each servo its own"
        for j, other in enumerate(servo.antagonists):
            if other not in names or other == servo.name:
                near = did_you_mean(other, names)
                yield ("servos", i, "antagonists", j), f"antagonist {other!r} is no other servo of this file{near}"
