"""`ros2 launch rena collect.launch.py`: the same nodes and the same session folder as `rena collect`.

A node that crashes or is killed is started again; meanwhile the babble node eases the robot to neutral and waits. The
end of the babble node (all samples are there) or of the recorder, whatever its cause, ends all nodes: `resume:=true`
goes on with the session.
"""

import argparse
import contextlib
from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
)
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.launch_texts import typed
from rena_ros.base.resources import share_path
from rena_ros.collecting.opening import opened
from rena_ros.graph import TWIN, overruled, processes_text

SESSION = contextlib.ExitStack()  # holds the session's lock until this process ends
NODES = Path(__file__).with_name("nodes.launch.py")
# argument -> (default, description). "" stands for "not given".
ARGUMENTS = {
    "out": ("", "Folder of the session; no default: it must be given."),
    "robot": (TWIN, "'twin' (a drawn robot behind emulated servos) or the serial port of a real one."),
    "source": ("", "The camera that looks at the robot, by its index (0: /dev/video0); default for the twin: 'robot'."),
    "samples": ("", "How many samples; default: 9000, or those of the session that is resumed."),
    "seed": ("", "Seed of the walk through the expressions; default: 0, or that of the session that is resumed."),
    "resume": ("", "Go on with the session in out; default: false."),
    "strategy": ("", "Strategy file, or 'paper' or 'random'; default: config/strategy.yaml."),
    "robot_file": ("", "The robot as data (servos and limits); default: config/rena.yaml."),
    "autostart": ("", "Switch a real robot's torque on at start; default: false. The twin always does."),
    "measure_delay": ("", "Measure first how late the camera stamps: the neck turns for 20 s; default: false."),
    "perception": ("", "What reads faces: auto, litert or mediapipe; default: auto, litert where it is installed."),
    "rest_every": ("", "Samples between two rests at neutral; 0: no rests; default: 300."),
    "rest_s": ("", "Length of a rest, s; default: 20."),
    "body": ("", "Draw a twin that differs from its robot file, as config/foreign.yaml does; default: none."),
    "robot_delay_s": ("", "For trials: send and stamp the twin's pictures so much later, s; default: 0."),
    "namespace": ("", "ROS namespace for all nodes; default: /."),
    "params_file": (
        str(share_path("config/nodes.yaml")),
        "Parameters of every node. Arguments that are given override it, and so do the twin's port and autostart.",
    ),
}
TRUTHS = ("resume", "autostart", "measure_delay")
KINDS = dict.fromkeys(TRUTHS, bool) | {"samples": int, "seed": int, "rest_every": int}
KINDS |= {"rest_s": float, "robot_delay_s": float}
PATHS = ("out", "robot_file", "body", "params_file")


def generate_launch_description() -> LaunchDescription:
    """The declared arguments and, once they are known, the processes."""
    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_processes)])


def _processes(context) -> list:
    given = typed({name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}, KINDS)
    if "out" not in given:
        raise RenaError("out:= is missing: name the folder of the session, such as out:=sessions/monday")
    given |= {name: user_path(given[name]) for name in PATHS if name in given}
    words = [f"{name}:={value}" for name, value in given.items() if name != "params_file" or _is_own(value)]
    command = " ".join(["ros2 launch rena collect.launch.py", *words])
    opening = SESSION.enter_context(opened(argparse.Namespace(**dict.fromkeys(ARGUMENTS) | given), command))
    if not opening.has_work:
        return [LogInfo(msg=opening.done_text), EmitEvent(event=Shutdown(reason=opening.done_text))]
    notes = [f"{opening.collected} of {opening.session.samples} samples are in {opening.out}"]
    notes += [f"{opening.mended} bag(s) of a run that was cut off are mended"] if opening.mended else []
    own = _is_own(opening.params_file)  # what the shipped file says is the nodes' own default
    notes += overruled(opening.processes, opening.params_file, opening.namespace) if own else ()
    nodes = {
        "processes": processes_text(opening.processes),
        "namespace": opening.namespace,
        "params_file": str(opening.params_file),
        "vital": "babble recorder",
    }
    return [
        *(LogInfo(msg=note) for note in notes),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(NODES)), launch_arguments=list(nodes.items())),
    ]


def _is_own(params_file) -> bool:
    """Whether a parameter file is the user's, not the one that ships."""
    return params_file != Path(ARGUMENTS["params_file"][0])
