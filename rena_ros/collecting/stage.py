"""Shows one expression on the emulated robot, waits until its servos have settled, and reads the rendered face.

As on a live robot, goals pass the limiter and the driver, but not the gate or its motion planning; time is virtual:
limiter -> driver (``Bus``) -> emulated servos -> positions from the driver -> the twin's picture -> the face reader.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.bus.bus import Bus
from rena_ros.collecting import nuisance
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.perception.engines import AUTO
from rena_ros.perception.face_reader import FaceReader, FaceReading
from rena_ros.robot.model import Robot
from rena_ros.twin.body import Body, as_filed
from rena_ros.twin.face import TwinFace
from rena_ros.twin.people import scene_for

STEP_S = 0.05
SETTLE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Observation:
    """What is seen of one expression.

    ``positions``: float64 (n,) rad, as the servos report them at rest. ``picture``: uint8 (h, w, 3) RGB. ``reading``:
    None when no face is found in the picture.
    """

    positions: FloatArray
    picture: ByteArray
    reading: FaceReading | None


class Stage:
    """One twin, its servos in virtual time and one face reader; a context manager."""

    def __init__(self, robot: Robot, width: int, height: int, body: Body | None = None, engine: str = AUTO) -> None:
        """``width``, ``height``: of the picture, pixels. ``body``: the one to draw; default: as the robot file says.

        ``engine``: see ``FaceReader``. Raises RenaError when the face model or the engine is missing.
        """
        self.robot = robot
        self._filed = self._body = body or as_filed(robot)
        self._face = TwinFace(robot, width, height, self._body.look)
        self._look, self._view = self._body.look, self._face.view
        self._reader = FaceReader(video=False, engine=engine)
        self.reset()

    def reset(self) -> None:
        """Start with new servos at neutral, torque on: later samples depend only on the expressions shown since."""
        self._servos = ServoBank(self.robot)
        self._bus = Bus(VirtualPort(self._servos), self.robot)
        if failures := self._bus.set_torque(True):
            raise RuntimeError(f"emulated servos refuse torque: {failures}")
        self._target = np.zeros(len(self.robot.names))
        self.move(self._target)

    def dress(self, look: str | None, rng: np.random.Generator | None) -> None:
        """Show another face from now on (None: the body's own), and with ``rng`` another unit and another mount.

        Raises ValueError for an unknown look.
        """
        look = look or self._filed.look
        if look != self._look:
            self._face, self._look = TwinFace(self.robot, self._face.width, self._face.height, look), look
        plain = scene_for(look).view
        self._view = plain if rng is None else nuisance.moved_view(plain, rng)
        self._body = self._filed if rng is None else nuisance.unit_body(self._filed, rng)

    def show(self, goals: FloatArray, rng: np.random.Generator | None = None) -> Observation:
        """Show one expression, goals (n,) in [0, 1], wait in virtual time until it is settled, and read the picture.

        ``rng``: of this sample's nuisance, None for none. Raises ValueError when the limiter would change the goals.
        """
        positions = self.move(self.robot.positions(goals))
        shown = np.clip(self.robot.goals(positions), 0, 1)
        if rng is not None:
            shown = nuisance.with_backlash(shown, rng)
            self._face.view = nuisance.moved_view(self._view, rng, nuisance.SHAKE)
        else:
            self._face.view = self._view
        picture = self._face.render(self._body.drawn(shown))
        if rng is not None:
            picture = nuisance.through_camera(picture, rng)
        return Observation(positions, picture, self._reader.read(picture))

    def move(self, positions: FloatArray) -> FloatArray:
        """Drive all servos to positions (n,) rad; return the positions they report at rest, float64 (n,) rad.

        Raises ValueError when the limiter would change the command, RuntimeError when a servo does not come to rest.
        """
        limited = self.robot.limit(list(self.robot.names), positions.tolist(), self._target)
        if limited.refusal or limited.clamped:
            raise ValueError(f"not an expression of this robot: {limited.refusal or limited.clamped}")
        self._target = limited.positions
        self._bus.write_goals(self.robot.to_ticks(self._target))
        for _ in range(round(SETTLE_TIMEOUT_S / STEP_S)):
            self._servos.advance(STEP_S)
            if not self._servos.moving.any():
                return self._read_positions()
        unsettled = [name for name, moving in zip(self.robot.names, self._servos.moving, strict=True) if moving]
        raise RuntimeError(f"{', '.join(unsettled)} did not come to rest within {SETTLE_TIMEOUT_S:g} s of virtual time")

    def _read_positions(self) -> FloatArray:
        state = self._bus.read_state()
        if not state.fresh.all():
            raise RuntimeError(f"only {int(state.fresh.sum())} of {len(state.fresh)} emulated servos replied")
        return self.robot.from_ticks(state.ticks)

    def close(self) -> None:
        """Release the reader."""
        self._reader.close()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
