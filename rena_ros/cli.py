"""The `rena` command: one line per subcommand; each is imported only when it is called."""

import argparse
import importlib
import sys

from rena_ros import __doc__ as rena_doc
from rena_ros import __version__
from rena_ros.errors import RenaError

# subcommand -> (module with add_arguments(parser) and run(args) -> exit code, what it does)
COMMANDS = {
    "mimic": ("rena_ros.mimic.command", "mirror a person's face on the robot or its twin, live"),
    "collect": ("rena_ros.recording.collect", "let the robot babble expressions and record what it sees"),
    "train": ("rena_ros.learning.train", "learn coefficients -> goals from collected samples"),
    "evaluate": ("rena_ros.learning.evaluate", "held-out error of a model beside its baselines"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand. Returns its exit code: 0 done, 1 failed, 2 something for the user to mend, 130 Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="rena", description=rena_doc)
    parser.add_argument("--version", action="version", version=f"rena {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, help_text) in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        if argv and argv[0] == name:
            importlib.import_module(module_name).add_arguments(command)
    args = parser.parse_args(argv)
    try:
        return importlib.import_module(COMMANDS[args.command][0]).run(args) or 0
    except RenaError as error:
        print(f"rena {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"rena {args.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
