"""`ros2 launch rena mimic.launch.py`: the same nodes as `rena mimic`, without its film and summary.

A node that crashes or is killed is started again; meanwhile the servos node eases the robot to neutral or, when it is
the servos node itself, the servos hold their positions. A node that ends in any other way ends all nodes.
"""

import time

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from rena_ros.base.resources import share_path
from rena_ros.graph import environment_defaults, mimic_graph

STEADY_S = 5.0  # a node that is killed sooner after its start is not started again: it would be killed again
# argument -> (default, description); one whose default is a truth value takes no other text
ARGUMENTS = {
    "source": ("performer", "The face to mirror: 'performer', a video file, or a camera's index (0: /dev/video0)."),
    "robot": ("twin", "'twin' (a drawn robot behind emulated servos) or the serial port of a real one."),
    "model": ("", "ONNX model, coefficients to goals; empty: the one that ships with Rena."),
    "mirror": ("false", "Flip the camera's picture left to right, as a mirror does."),
    "robot_file": ("", "The robot as data (servos and limits); empty: config/rena.yaml."),
    "autostart": ("false", "Switch a real robot's torque on at start; the twin always does."),
    "loop": ("false", "Begin the clip or the performer again at its end."),
    "realtime": ("true", "Play a video file at its own speed; false: as fast as it can be read."),
    "namespace": ("", "ROS namespace for all nodes."),
    "params_file": (str(share_path("config/nodes.yaml")), "Parameters of every node."),
    "link": ("/tmp/rena-servos", "Path of the emulator's serial port (twin only)."),
    "report": ("", "JSON file for the emulator's counters (twin only); empty: none."),
}
TRUTH = ["true", "false"]


def generate_launch_description() -> LaunchDescription:
    """The declared arguments, the environment and, once the arguments are known, the processes."""
    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text, choices=TRUTH if value in TRUTH else None)
        for name, (value, text) in ARGUMENTS.items()
    ]
    environment = [SetEnvironmentVariable(name, value) for name, value in environment_defaults().items()]
    return LaunchDescription([*declared, *environment, OpaqueFunction(function=_processes)])


def _processes(context) -> list:
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    namespace, params_file = given.pop("namespace"), given.pop("params_file")
    given = {name: given[name] == "true" if ARGUMENTS[name][0] in TRUTH else given[name] for name in given}
    return [action for process in mimic_graph(**given) for action in _watched(process, namespace, params_file)]


def _watched(process, namespace: str, params_file: str) -> list:
    """The action that starts a node, and the handler of its end."""
    action, started_s = _node(process, namespace, params_file), time.monotonic()

    def after(event, context) -> list:
        steady = time.monotonic() - started_s > STEADY_S
        killed = event.returncode < 0  # a crash, the kernel out of memory, or `kill -9`
        if killed and steady and not context.is_shutdown:
            notice = LogInfo(msg=f"{process.name} was killed by signal {-event.returncode}: starting it again")
            return [notice, *_watched(process, namespace, params_file)]
        # The nodes are of no use without each other.
        return [EmitEvent(event=Shutdown(reason=f"{process.name} has ended"))]

    return [action, RegisterEventHandler(OnProcessExit(target_action=action, on_exit=after))]


def _node(process, namespace: str, params_file: str) -> Node:
    return Node(
        package="rena",
        executable=process.executable,
        name=process.name,
        namespace=namespace,
        parameters=[params_file, dict(process.parameters)],
        arguments=list(process.arguments),
        output="screen",
    )
