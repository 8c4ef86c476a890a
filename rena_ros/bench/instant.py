"""Emulated servos whose horns follow at once: `python -m rena_ros.bench.instant` takes what the emulator takes.

Present position is always the last goal that crossed the wire, so a reading tells when it was taken.
"""

import argparse
import sys

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.bus.registers import REGISTERS
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.emulator import add_arguments, make_emulator, serve
from rena_ros.emulator.servo_motion import TrapezoidMotion

_TORQUE = REGISTERS["torque_enable"].address


class InstantMotion(TrapezoidMotion):
    """Without mass."""

    def go(self, which: np.ndarray, targets: np.ndarray, top_speed: np.ndarray, acceleration: np.ndarray) -> None:
        """Be there."""
        self.put(which, targets)


def make_instant(bank: ServoBank) -> None:
    """Exchange the horns, and switch torque on, so that no driver has to see to it."""
    bank._registers.motion = InstantMotion(bank.positions)  # the one thing here that no real servo can do
    for i in range(len(bank.robot.servos)):
        bank._registers.store(i, _TORQUE, b"\1")


def main(argv: list[str] | None = None) -> int:
    """Run until a signal asks it to end. Returns 0, or 2 for something the user can mend."""
    parser = argparse.ArgumentParser(prog="instant", description=__doc__.splitlines()[0])
    add_arguments(parser)
    try:
        args = parser.parse_args(argv)
        emulator = make_emulator(args)
    except RenaError as error:
        print(f"instant: {error}", file=sys.stderr)
        return 2
    make_instant(emulator.bank)
    serve(emulator, args.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
