"""The nodes of a run; mimic.launch.py and collect.launch.py include it, and nothing else is to be started with it.

A node that crashes or is killed is started again, unless it is one of ``vital``. A node that ends in any other way
ends all nodes.
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
from launch_ros.parameter_descriptions import ParameterValue

from rena_ros.graph import environment_defaults, processes_from

STEADY_S = 5.0  # a node that is killed sooner after its start is not started again: it would be killed again
# argument -> (default, description)
ARGUMENTS = {
    "processes": (None, "The nodes, as graph.processes_text writes them."),
    "namespace": ("", "ROS namespace of all nodes."),
    "params_file": (None, "Parameters of every node but those that its process gives."),
    "vital": ("", "Names, separated by spaces, of nodes that are not started again when they are killed."),
}


def generate_launch_description() -> LaunchDescription:
    """The environment and, once the arguments are known, the processes."""
    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in ARGUMENTS.items()
    ]
    environment = [SetEnvironmentVariable(name, value) for name, value in environment_defaults().items()]
    return LaunchDescription([*declared, *environment, OpaqueFunction(function=_processes)])


def _processes(context) -> list:
    text, namespace, params_file, vital = (LaunchConfiguration(name).perform(context) for name in ARGUMENTS)
    return [
        action
        for process in processes_from(text)
        for action in _watched(process, namespace, params_file, vital.split())
    ]


def _watched(process, namespace: str, params_file: str, vital: list[str]) -> list:
    """The action that starts a node, and the handler of its end."""
    action, started_s = _node(process, namespace, params_file), time.monotonic()

    def after(event, context) -> list:
        steady = time.monotonic() - started_s > STEADY_S
        killed = event.returncode < 0  # a crash, the kernel out of memory, or `kill -9`
        if killed and steady and process.name not in vital and not context.is_shutdown:
            notice = LogInfo(msg=f"{process.name} was killed by signal {-event.returncode}: starting it again")
            return [notice, *_watched(process, namespace, params_file, vital)]
        # The nodes are of no use without each other.
        return [EmitEvent(event=Shutdown(reason=f"{process.name} has ended"))]

    return [action, RegisterEventHandler(OnProcessExit(target_action=action, on_exit=after))]


def _node(process, namespace: str, params_file: str) -> Node:
    # Without its type launch_ros reads a text as YAML: a file called 'a: b' would be a mapping.
    given = {name: ParameterValue(value, value_type=type(value)) for name, value in process.parameters.items()}
    return Node(
        package="rena",
        executable=process.executable,
        name=None if process.several else process.name,  # it would rename every node of the process
        namespace=namespace,
        parameters=[params_file, *([given] if given else [])],
        arguments=list(process.arguments),
        output="screen",
        sigterm_timeout="15",  # on a busy machine a node may take longer than the usual 5 s to leave
        sigkill_timeout="10",
    )
