"""The twin on a stage: told an expression in bytes, waited for in virtual time, drawn, and read.

The way is that of a live robot, only nothing waits: goals -> limiter -> SYNC_WRITE bytes -> the emulator's
servos, advanced until they rest -> positions by SYNC_READ -> the twin's picture -> the face reader.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.bus.protocol import from_words, sync_read, sync_write
from rena_ros.bus.registers import REGISTERS
from rena_ros.bus.replies import match_replies
from rena_ros.emulator.bank import ServoBank
from rena_ros.perception.face_reader import FaceReader, FaceReading
from rena_ros.robot.model import Robot
from rena_ros.twin.face import TwinFace

STEP_S = 0.05
SETTLED_WITHIN_S = 10.0


@dataclass(frozen=True)
class Sight:
    """What one expression came to. ``positions``: float64 (n,) rad; ``picture``: uint8 (h, w, 3) RGB."""

    positions: np.ndarray
    picture: np.ndarray
    reading: FaceReading | None


class Stage:
    """One twin, its 25 servos in virtual time and one reader; a context manager."""

    def __init__(self, robot: Robot, width: int, height: int) -> None:
        self.robot = robot
        self._ids = robot.ids.tolist()
        self._face = TwinFace(robot, width=width, height=height)
        try:
            self._reader = FaceReader(video=False)
        except BaseException:
            self._face.close()
            raise
        self.reset()

    def reset(self) -> None:
        """Begin with fresh servos at neutral, torque on: what follows depends only on what is shown from here on."""
        self._bank = ServoBank(self.robot)
        self._target = np.zeros(len(self._ids))
        torque = np.ones((len(self._ids), 1), np.uint8)
        self._bank.receive(sync_write(self._ids, REGISTERS["torque_enable"].address, torque))
        self.move(self._target)

    def show(self, goals: np.ndarray) -> Sight:
        """Make one expression, goals (n,) in [0, 1], wait in virtual time until it stands, and look at it."""
        positions = self.move(self.robot.positions(goals))
        picture = self._face.render(np.clip(self.robot.goals(positions), 0, 1))
        return Sight(positions, picture, self._reader.read(picture, 0))

    def move(self, positions: np.ndarray) -> np.ndarray:
        """Drive all servos to positions (n,) rad; return where they report to rest, float64 (n,) rad."""
        limited = self.robot.limit(list(self.robot.names), positions.tolist(), self._target)
        if limited.refusal or limited.clamped:
            raise ValueError(f"not an expression of this robot: {limited.refusal or limited.clamped}")
        self._target = limited.positions
        ticks = self.robot.to_ticks(self._target)
        rows = ticks.astype("<u2").view(np.uint8).reshape(-1, 2)
        self._bank.receive(sync_write(self._ids, REGISTERS["goal_position"].address, rows))
        for _ in range(round(SETTLED_WITHIN_S / STEP_S)):
            self._bank.advance(STEP_S)
            if not self._bank.moving.any():
                return self._read_positions()
        still = [name for name, moving in zip(self.robot.names, self._bank.moving, strict=True) if moving]
        raise RuntimeError(f"{', '.join(still)} did not come to rest within {SETTLED_WITHIN_S:g} s of virtual time")

    def _read_positions(self) -> np.ndarray:
        register = REGISTERS["present_position"]
        received = self._bank.receive(sync_read(self._ids, register.address, register.size))
        replies = match_replies(received, self.robot.ids, register.size)
        if not replies.fresh.all():
            raise RuntimeError(f"the emulated bus answered {int(replies.fresh.sum())} of {len(self._ids)} servos")
        return self.robot.from_ticks(from_words(replies.data, register.sign_bit))

    def close(self) -> None:
        """Release the picture and the reader."""
        self._reader.close()
        self._face.close()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_) -> None:
        self.close()
