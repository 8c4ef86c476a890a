"""`rena servo …`: one line per tool; a tool's module is imported only when the tool is called."""

import argparse

from rena_ros.base.subcommands import add_subcommands

COMMANDS = {
    "scan": ("rena_ros.servo_tools.scan", "find the servos on the bus and explain which of them are missing"),
    "monitor": ("rena_ros.servo_tools.monitor", "show a live table of what every servo reports"),
    "jog": ("rena_ros.servo_tools.jog", "move one servo by hand, slowly and within its limits"),
    "setup": ("rena_ros.servo_tools.setup", "give new servos their ids, one at a time"),
    "calibrate": ("rena_ros.servo_tools.calibrate", "record each servo's range and neutral in the robot file"),
    "set-return-delay": ("rena_ros.servo_tools.return_delay", "set how long servos wait before they reply"),
    "export": ("rena_ros.servo_tools.export", "save all registers of all servos to a file"),
    "restore": ("rena_ros.servo_tools.restore", "write saved registers back to the servos, where they differ"),
    "emulate": ("rena_ros.servo_tools.emulate", "emulate servos behind a serial port, without hardware"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tools."""
    add_subcommands(parser, COMMANDS)
