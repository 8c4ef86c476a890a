"""`rena dataset …`: one line per job; a job's module is imported only when the job is called."""

import argparse

from rena_ros.base.subcommands import add_subcommands

COMMANDS = {
    "build": ("rena_ros.datasets.build", "make a dataset from the bags of a session, or from any bags"),
    "check": ("rena_ros.datasets.check", "list every fault of a dataset, with its file and row"),
    "show": ("rena_ros.datasets.show", "write a page: coverage, dead channels, correlations, symmetry, drift"),
    "import": ("rena_ros.datasets.table_import", "make a dataset of a table of servo commands and its pictures"),
    "export": ("rena_ros.datasets.export_command", "write a dataset as LeRobotDataset, or as Parquet and pictures"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the jobs."""
    add_subcommands(parser, COMMANDS)
