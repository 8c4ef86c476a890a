"""Emulated servos whose horns follow at once: `python -m rena_ros.bench.instant_servos` takes the emulator's options.

The present position is always the last goal that crossed the wire, so a reading shows in which cycle it was taken.
"""

import argparse
import sys

from rena_ros.base.arrays import Array, FloatArray, IntArray
from rena_ros.emulator.emulator import Emulator, main, make_emulator
from rena_ros.emulator.servo_motion import TrapezoidMotion


class InstantMotion(TrapezoidMotion):
    """The motion of horns without mass: the one thing here that no real servo can do."""

    def move(self, which: IntArray, targets: Array, top_speed: FloatArray, acceleration: FloatArray) -> None:
        """Put some servos (indices (m,)) at their targets at once."""
        self.place(which, targets)


def make_instant_servos(args: argparse.Namespace) -> Emulator:
    """Make the emulator that the options ask for, with torque on: a driver under test need not switch it on."""
    emulator = make_emulator(args, InstantMotion)
    for name in emulator.bank.robot.names:
        emulator.bank.set_register(name, "torque_enable", 1)
    return emulator


if __name__ == "__main__":
    sys.exit(main(program="instant_servos", about=__doc__, make=make_instant_servos))
