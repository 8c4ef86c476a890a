"""`rena dataset …`: one line per job; a job's module is imported only when the job is called."""

import argparse

from rena_ros.base.subcommands import add_subcommands

COMMANDS = {
    "build": ("rena_ros.datasets.build", "make a dataset from the bags of a session, or from any bags"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the jobs."""
    add_subcommands(parser, COMMANDS)
