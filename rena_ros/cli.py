"""The `rena` command: one line per subcommand; each is imported only when it is called."""

import argparse
import contextlib
import os
import sys

from rena_ros import __doc__ as rena_doc
from rena_ros import __version__
from rena_ros.base.errors import RenaError
from rena_ros.base.missing import missing_package
from rena_ros.base.subcommands import add_subcommands
from rena_ros.base.terminal import print_anything

COMMANDS = {
    "mimic": ("rena_ros.mimic.command", "mirror a person's face on the robot or its twin, live"),
    "play": ("rena_ros.playing.command", "give a recorded take back on the robot or its twin"),
    "collect": ("rena_ros.collecting.command", "let the robot babble expressions and record what it sees"),
    "dataset": ("rena_ros.datasets.command", "build datasets from bags, check, show and share them"),
    "train": ("rena_ros.learning.train_command", "learn coefficients -> goals from collected samples"),
    "evaluate": ("rena_ros.learning.evaluate_command", "held-out error of a model beside its baselines"),
    "sequences": (
        "rena_ros.learning.sequences_command",
        "a model of what a face does next",
    ),
    "report": ("rena_ros.report.command", "the paper's experiments: train, measure and write up all models"),
    "servo": ("rena_ros.servo_tools.command", "find, watch, move, set up and calibrate servos"),
    "bag": ("rena_ros.bags.command", "look into bags; mend those that were cut off"),
    "bench": ("rena_ros.bench.command", "measure the bus driver: speed, faults, endurance"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand. Returns its exit code: 0 done, 1 failed, 2 an error that the user can correct, 130 Ctrl-C."""
    print_anything()
    parser = argparse.ArgumentParser(prog="rena", description=rena_doc)
    parser.add_argument("--version", action="version", version=f"rena {__version__}")
    add_subcommands(parser, COMMANDS)
    name = parser.prog
    try:
        args = parser.parse_args(argv)  # this imports the command's module
        name = args.prog
        code = args.run(args) or 0
        print(end="", flush=True)  # unlike sys.stdout.flush, also where standard output is closed
        return code
    except BrokenPipeError:
        return 1  # the reader, such as `head`, has closed its end
    except OSError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (missing := missing_package(error)) is None:
            raise
        print(f"{name}: {missing}", file=sys.stderr)
        return 2
    except RenaError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    finally:
        _end_output()


def _end_output() -> None:
    """Discard output that cannot be written; otherwise Python retries at its exit and prints an error."""
    try:
        print(end="", flush=True)
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
