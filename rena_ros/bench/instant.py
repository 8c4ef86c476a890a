"""Emulated servos whose horns follow at once: `python -m rena_ros.bench.instant` takes what the emulator takes.

Present position is always the last goal that crossed the wire, so a reading tells when it was taken.
"""

import sys

import numpy as np

from rena_ros.bus import protocol
from rena_ros.bus.emulator import main
from rena_ros.bus.registers import REGISTERS
from rena_ros.bus.servo_model import ServoBank
from rena_ros.bus.servo_motion import TrapezoidMotion


class InstantMotion(TrapezoidMotion):
    """Without mass."""

    def go(self, which: np.ndarray, targets: np.ndarray, top_speed: np.ndarray, acceleration: np.ndarray) -> None:
        """Be there."""
        self.put(which, targets)


class InstantServos(ServoBank):
    """Torque is on from the beginning: no driver has to see to it."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self._registers.motion = InstantMotion(self.robot.neutral_ticks)
        for servo_id in self.robot.ids.tolist():
            self.receive(protocol.write(servo_id, REGISTERS["torque_enable"].address, b"\1"))


if __name__ == "__main__":
    sys.exit(main(make_bank=InstantServos))
