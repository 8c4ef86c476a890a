"""`rena sequences …`: a model of sequences, from its data to its figures; a module is imported when it is called."""

import argparse

from rena_ros.base.subcommands import add_subcommands

COMMANDS = {
    "collect": (
        "rena_ros.collecting.sequences_command",
        "let drawn people act natural sequences, keep the readings",
    ),
    "train": ("rena_ros.learning.sequence_training", "learn to predict a reading from those of the last half second"),
    "evaluate": ("rena_ros.learning.sequence_evaluation", "error, lag and false starts of predictors, side by side"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    add_subcommands(parser, COMMANDS)
