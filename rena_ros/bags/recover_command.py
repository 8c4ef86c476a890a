"""`rena bag recover DIR`: mend one bag, or all bags of a session."""

import argparse
import sys

from rena_ros.bags.finished import bags_in
from rena_ros.bags.recovery import Recovery, recover
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the argument of `rena bag recover`."""
    parser.add_argument("directory", type=user_path, metavar="DIR", help="the folder of a bag, or that of a session")


def run(args: argparse.Namespace) -> int:
    """Mend and say what was done, a line per bag. Returns 0, or 2 when a bag could not be mended."""
    code = 0
    for bag in bags_in(args.directory):
        try:
            print(f"{bag}: {_said(recover(bag))}")
        except RenaError as error:  # the other bags of the session are mended all the same
            print(f"{args.prog}: {error}", file=sys.stderr)
            code = 2
    return code


def _said(done: Recovery) -> str:
    held = f"{done.messages:,} messages in {done.files} file(s)"
    if not done.mended:
        return f"is finished, {held}"
    cut = f"; {done.cut_bytes:,} bytes were torn or damaged and are cut out" if done.cut_bytes else ""
    gone = f"; {', '.join(done.missing)} is missing: its messages are not in the bag" if done.missing else ""
    return f"mended, {held}{cut}{gone}"
