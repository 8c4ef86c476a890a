"""Emulated servos whose horns follow at once: `python -m rena_ros.bench.instant_servos` takes what the emulator takes.

Present position is always the last goal that crossed the wire, so a reading tells when it was taken.
"""

import argparse
import sys

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.emulator.emulator import add_arguments, make_emulator, serve
from rena_ros.emulator.servo_motion import TrapezoidMotion


class InstantMotion(TrapezoidMotion):
    """Without mass."""

    def move(self, which: np.ndarray, targets: np.ndarray, top_speed: np.ndarray, acceleration: np.ndarray) -> None:
        """Be there."""
        self.place(which, targets)


def main(argv: list[str] | None = None) -> int:
    """Run until a signal asks it to end. Returns 0, or 2 for something the user can mend."""
    parser = argparse.ArgumentParser(prog="instant", description=__doc__.splitlines()[0])
    add_arguments(parser)
    try:
        args = parser.parse_args(argv)
        emulator = make_emulator(args, InstantMotion)
    except RenaError as error:
        print(f"instant: {error}", file=sys.stderr)
        return 2
    for name in emulator.bank.robot.names:  # no driver under test has to switch torque on
        emulator.bank.set_register(name, "torque_enable", 1)
    serve(emulator, args.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
