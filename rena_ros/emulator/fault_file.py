"""Reading faults from YAML: validated whole, everything wrong in one error, each with its line.

    faults:
      - {kind: dead, servo: jaw, at_s: 5, for_s: 2}
      - {kind: late, servo: [jaw, neck_yaw], delay_ms: 120, hold: true, every: 50}
    random: {seed: 1, rate_per_minute: 10, kinds: [corrupt, unplugged], for_s: [0.5, 3]}

Kinds and their values: ``faults.KINDS``. Times count from the moment when the file is read.
"""

from pathlib import Path

from pydantic import field_validator, model_validator

from rena_ros.base.file_model import FileModel, read_model
from rena_ros.base.files import read_text, user_path
from rena_ros.emulator.fault_schedule import RandomFaults
from rena_ros.emulator.faults import AnyFault
from rena_ros.robot.model import Robot


class FaultScript(FileModel):
    """What a file or a parameter asks for: faults at their times, and faults at random."""

    faults: tuple[AnyFault, ...] = ()
    random: RandomFaults | None = None

    @model_validator(mode="before")
    @classmethod
    def _may_be_the_list_alone(cls, value: object) -> object:
        return {"faults": value} if isinstance(value, tuple) else value

    @field_validator("faults", mode="before")
    @classmethod
    def _may_be_nothing(cls, faults: object) -> object:
        return () if faults is None else faults


def load_faults(path: str | Path, robot: Robot) -> FaultScript:
    """Read a fault file. Raises RenaError that lists every fault of the file itself, each with its line."""
    path = user_path(path)
    return read_faults(read_text(path, "fault file"), robot, f"the fault file {path}")


def read_faults(text: str, robot: Robot, source: str = "the text of faults") -> FaultScript:
    """Read faults from a text: a mapping with `faults` and `random`, or the list of faults alone; empty: none.

    ``source``: where the text came from. Raises RenaError as ``load_faults`` does.
    """
    return read_model(text, source, FaultScript, context=robot.names)
