"""What the numbers of a collection may be, checked before anything is written or started."""

import argparse

from rena_ros.base.errors import RenaError

# Those of the nodes' parameters equal their tables, which cannot be imported without ROS; a test compares them.
RANGES = {
    "samples": (0, 1_000_000),
    "seed": (0, 2**53),
    "rest_every": (0, 1_000_000),
    "rest_s": (0, 3600),
    "robot_delay_s": (0, 5),
    "duration": (1, 10**8),
}


def check_numbers(args: argparse.Namespace) -> None:
    """Check the numbers among the options of `rena collect`; None: not given. Raises RenaError with what is allowed."""
    for name, (low, high) in RANGES.items():
        value = getattr(args, name, None)
        if value is None:
            continue
        option = "--" + name.replace("_", "-")
        if type(value) not in (int, float) or not low <= value <= high:  # not in a range: NaN
            raise RenaError(f"{option} must be a number from {low} to {high}, not {value}")
        if name == "samples" and not value and not args.measure_delay:
            raise RenaError(f"{option} must be at least 1, not 0; with --measure-delay, 0 only measures the delay")
