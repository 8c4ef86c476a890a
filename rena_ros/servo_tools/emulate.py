"""`rena servo emulate`: emulate servos in the foreground, without hardware; the other tools reach them at a link."""

import argparse
import sys
from pathlib import Path

from rena_ros.emulator import emulator

LINK = Path("/tmp/rena-servos")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the emulator's options."""
    emulator.add_arguments(parser, link=LINK)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Returns 0."""
    args.commands = args.commands or sys.stdin.isatty()
    servos = emulator.make_emulator(args)
    what = "one new servo" if args.factory else f"{len(servos.bank.attached)} servos"
    print(f"Emulating {what} at {args.link}. Try in another terminal:")
    print(f"  rena servo {'setup' if args.factory else 'monitor'} --port {args.link}")
    print(f"{'Type `help` to list the commands. ' if args.commands else ''}Ctrl-C ends.", flush=True)
    emulator.serve(servos, args.report)
    report = servos.report()
    print(
        f"\n{report['packets']} requests, {report['bad_checksums']} of them corrupt, {report['collisions']} too early."
    )
    print(f"{report['goal_writes']} goals, {report['limit_violations']} outside the robot's limits.")
    print(f"Torque on at the end: {', '.join(report['torque_on']) or 'no servo'}.")
    return 0
