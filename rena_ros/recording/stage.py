"""The twin on a stage: shows an expression, waits in virtual time until it stands, and reads the drawn picture.

Goals take the path of a live robot, but nothing waits in real time: limiter -> driver (``Bus``) -> emulated servos,
until they rest -> positions from the driver -> the twin's picture -> the face reader.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.bus.bus import Bus
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.perception.face_reader import FaceReader, FaceReading
from rena_ros.robot.model import Robot
from rena_ros.twin.face import TwinFace

STEP_S = 0.05
SETTLED_WITHIN_S = 10.0


@dataclass(frozen=True)
class Sight:
    """What one expression led to.

    ``positions``: float64 (n,) rad, as the servos report them at rest. ``picture``: uint8 (h, w, 3) RGB. ``reading``:
    None when no face is found in the picture.
    """

    positions: FloatArray
    picture: ByteArray
    reading: FaceReading | None


class Stage:
    """One twin, its servos in virtual time and one face reader; a context manager."""

    def __init__(self, robot: Robot, width: int, height: int) -> None:
        """``width``, ``height``: of the picture, pixels. Raises RenaError when the face model is missing."""
        self.robot = robot
        self._face = TwinFace(robot, width=width, height=height)
        try:
            self._reader = FaceReader(video=False)
        except BaseException:
            self._face.close()
            raise
        self.reset()

    def reset(self) -> None:
        """Start with fresh servos at neutral, torque on: later samples depend only on the expressions shown since."""
        self._bank = ServoBank(self.robot)
        self._bus = Bus(VirtualPort(self._bank), self.robot)
        if failures := self._bus.set_torque(True):
            raise RuntimeError(f"emulated servos refuse torque: {failures}")
        self._target = np.zeros(len(self.robot.names))
        self.move(self._target)

    def show(self, goals: FloatArray) -> Sight:
        """Show one expression, goals (n,) in [0, 1], wait in virtual time until it stands, and read the picture.

        Raises ValueError when the limiter would change the goals.
        """
        positions = self.move(self.robot.positions(goals))
        picture = self._face.render(np.clip(self.robot.goals(positions), 0, 1))
        return Sight(positions, picture, self._reader.read(picture, 0))

    def move(self, positions: FloatArray) -> FloatArray:
        """Drive all servos to positions (n,) rad; return the positions they report at rest, float64 (n,) rad.

        Raises ValueError when the limiter would change the command, RuntimeError when a servo does not come to rest.
        """
        limited = self.robot.limit(list(self.robot.names), positions.tolist(), self._target)
        if limited.refusal or limited.clamped:
            raise ValueError(f"not an expression of this robot: {limited.refusal or limited.clamped}")
        self._target = limited.positions
        self._bus.write_goals(self.robot.to_ticks(self._target))
        for _ in range(round(SETTLED_WITHIN_S / STEP_S)):
            self._bank.advance(STEP_S)
            if not self._bank.moving.any():
                return self._read_positions()
        still = [name for name, moving in zip(self.robot.names, self._bank.moving, strict=True) if moving]
        raise RuntimeError(f"{', '.join(still)} did not come to rest within {SETTLED_WITHIN_S:g} s of virtual time")

    def _read_positions(self) -> FloatArray:
        state = self._bus.read_state()
        if not state.fresh.all():
            raise RuntimeError(f"only {int(state.fresh.sum())} of {len(state.fresh)} emulated servos replied")
        return self.robot.from_ticks(state.ticks)

    def close(self) -> None:
        """Release the picture and the reader."""
        self._reader.close()
        self._face.close()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
