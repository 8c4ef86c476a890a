"""`rena servo emulate`: servos without hardware, in the foreground; whatever speaks to servos finds them at a link."""

import argparse
import sys
from pathlib import Path

from rena_ros.emulator import emulator

LINK = Path("/tmp/rena-servos")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena servo emulate` takes: what the emulator takes."""
    emulator.add_arguments(parser, link=LINK)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Returns 0."""
    args.commands = args.commands or sys.stdin.isatty()
    servos = emulator.make_emulator(args)
    count = len(servos.bank.attached)
    who = "one new servo" if args.factory else f"{count} servos"
    print(f"Emulating {who} at {args.link}. Try in another terminal:")
    print(f"  rena servo {'setup' if args.factory else 'monitor'} --port {args.link}")
    print(f"{'Type `help` for what may go wrong. ' if args.commands else ''}Ctrl-C ends.", flush=True)
    emulator.serve(servos, args.report)
    print(f"\n{summary(servos.report())}")
    return 0


def summary(report: dict) -> str:
    """What crossed the wire, in three lines."""
    on = ", ".join(report["torque_on"]) or "nobody"
    return (
        f"{report['packets']} requests, {report['bad_checksums']} of them corrupt, {report['collisions']} too early.\n"
        f"{report['goal_writes']} goals, {report['limit_violations']} outside the robot's limits.\n"
        f"Torque at the end: {on}."
    )
