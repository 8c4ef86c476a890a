"""`rena bag …`: one line per tool."""

import argparse

from rena_ros.base.subcommands import add_subcommands

COMMANDS = {
    "recover": ("rena_ros.bags.recover_command", "mend bags that were cut off by a kill, a power cut or a full disk"),
    "info": ("rena_ros.bags.info_command", "show what a bag holds, and whether it is finished"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tools."""
    add_subcommands(parser, COMMANDS)
