"""`rena bench …`: one subcommand for each benchmark; a benchmark's module is imported only when it is called."""

import argparse

from rena_ros.base.subcommands import add_subcommands

COMMANDS = {
    "twin": ("rena_ros.bench.twin_frames", "what drawing a face costs, stage by stage, beside reading it"),
    "model": ("rena_ros.bench.model", "one answer of the shipped models, beside eager torch, an MLP and efficient-kan"),
    "mimic": ("rena_ros.bench.mimic_latency", "from a picture to the bus, hop by hop, beside FaceLandmarker alone"),
    "lag": ("rena_ros.bench.lag", "where the lag between a face and the robot's is, part by part, on known signals"),
    "perception": ("rena_ros.bench.face_engines", "what reading a face costs, and how close the engines are"),
    "bus": ("rena_ros.bench.cycle", "time and CPU of one cycle with all servos, beside the wire and the vendor's SDK"),
    "faults": ("rena_ros.bench.fault_table", "what drivers report when replies are missing, corrupt or late"),
    "soak": ("rena_ros.bench.soak", "hours with random faults: does memory, do files, does the cycle time grow?"),
    "fuzz": ("rena_ros.bench.fuzz_command", "random commands through the servos node: does a bad goal get through?"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmarks."""
    add_subcommands(parser, COMMANDS)
