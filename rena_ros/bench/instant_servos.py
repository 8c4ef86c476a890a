"""Emulated servos whose horns follow at once: `python -m rena_ros.bench.instant_servos` takes the emulator's options.

The present position is always the last goal that crossed the wire, so a reading shows in which cycle it was taken.
"""

import argparse
import sys

from rena_ros.base.arrays import Array, FloatArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.emulator.emulator import add_arguments, make_emulator, serve
from rena_ros.emulator.servo_motion import TrapezoidMotion


class InstantMotion(TrapezoidMotion):
    """The motion of horns without mass: the one thing here that no real servo can do."""

    def move(self, which: IntArray, targets: Array, top_speed: FloatArray, acceleration: FloatArray) -> None:
        """Put some servos (indices (m,)) at their targets at once."""
        self.place(which, targets)


def main(argv: list[str] | None = None) -> int:
    """Run until a signal asks it to end. Returns 0, or 2 for what the user can correct."""
    parser = argparse.ArgumentParser(prog="instant_servos", description=__doc__.splitlines()[0])
    add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        emulator = make_emulator(args, InstantMotion)
        for name in emulator.bank.robot.names:  # a driver under test need not switch torque on
            emulator.bank.set_register(name, "torque_enable", 1)
        serve(emulator, args.report)
    except RenaError as error:
        print(f"instant_servos: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
