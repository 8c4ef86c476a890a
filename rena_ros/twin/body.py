"""The twin's real body, as opposed to the robot file: another look, and servos that do not move as the file says.

Rena's model learned from the drawn robot as its file describes it. A lab's robot differs: each horn moves a little more
or less than assumed, its neutral is a little off, and a servo may turn the other way than its file says. A body draws
such a robot, so that all of this can be tried without one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from rena_ros.base.arrays import FloatArray
from rena_ros.base.file_model import FileModel, read_model
from rena_ros.base.files import read_text, user_path
from rena_ros.robot.file import ServoName
from rena_ros.robot.model import Robot
from rena_ros.twin.people import person_number

GAIN_SPREAD, OFFSET_SPREAD = 0.15, 0.05  # of a body drawn from a seed


@dataclass(frozen=True)
class Body:
    """How the robot that is drawn differs from its file.

    ``look``: "rena", "performer" or "person-N". ``neutral``: the file's, goals (n,). ``gain``: float64 (n,), drawn
    movement per commanded one; below 0 for a servo that turns the other way than its file says. ``offset``: float64
    (n,), of the neutral, in goals.
    """

    look: str
    neutral: FloatArray
    gain: FloatArray
    offset: FloatArray

    def drawn(self, goals: FloatArray) -> FloatArray:
        """Return the goals (n,) to draw for the goals that the servos report, (n,) in [0, 1] each.

        That is neutral + gain * (goal - neutral) + offset, stopped at 0 and 1. A servo as its file says keeps its goal
        to the bit.
        """
        moved = np.clip(self.neutral + self.gain * (goals - self.neutral) + self.offset, 0, 1)
        return np.where((self.gain == 1) & (self.offset == 0), goals, moved)


def as_filed(robot: Robot, look: str = "rena") -> Body:
    """Return the body that is exactly what the robot file says."""
    n = len(robot.names)
    return Body(look, robot.neutral_goals.astype(np.float64), np.ones(n), np.zeros(n))


def foreign(robot: Robot, seed: int, look: str = "performer") -> Body:
    """Return another robot of the same design, drawn from a seed.

    The gains lie within 1 +- 0.15, the neutrals are off by up to 0.05, and one servo turns the other way than its file
    says. That one has its neutral in the middle: nearer to a stop, a servo turned around would soon stand still.
    """
    rng, plain = np.random.default_rng(seed), as_filed(robot, look)
    n = len(robot.names)
    gain = 1 + rng.uniform(-GAIN_SPREAD, GAIN_SPREAD, n)
    offset = rng.uniform(-OFFSET_SPREAD, OFFSET_SPREAD, n)
    centred = np.flatnonzero(np.abs(plain.neutral - 0.5) < 0.1)
    if centred.size:
        gain[rng.choice(centred)] *= -1
    return Body(look, plain.neutral, gain, offset)


def load_body(path: str | Path | None, robot: Robot) -> Body:
    """Load a body file (YAML); without a path, the body that the robot file describes.

    Raises RenaError that lists every fault of the file by line.
    """
    if not path:
        return as_filed(robot)
    path = user_path(path)
    file = read_model(read_text(path, "body file"), f"the body file {path}", _BodyFile, context=robot.names)
    drawn = as_filed(robot, file.look) if file.seed is None else foreign(robot, file.seed, file.look)
    gain, offset = np.abs(drawn.gain), drawn.offset.copy()
    turned = drawn.gain < 0 if file.reversed is None else np.isin(robot.names, file.reversed)
    for values, given in ((gain, file.gain), (offset, file.offset)):
        for name, value in given.items():
            values[robot.index[name]] = value
    return Body(file.look, drawn.neutral, np.where(turned, -gain, gain), offset)


def _checked_look(look: str) -> str:
    person_number(look)
    return look


Look = Annotated[str, AfterValidator(_checked_look)]


class _BodyFile(FileModel):
    """``seed`` draws all servos as ``foreign`` does; the others set single servos, and take precedence."""

    look: Look = "rena"
    seed: Annotated[int, Field(ge=0)] | None = None
    gain: dict[ServoName, Annotated[float, Field(gt=0, le=4)]] = Field({})
    offset: dict[ServoName, Annotated[float, Field(ge=-1, le=1)]] = Field({})
    reversed: tuple[ServoName, ...] | None = None
