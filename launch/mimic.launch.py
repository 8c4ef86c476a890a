"""`ros2 launch rena mimic.launch.py`: the same nodes as `rena mimic`, without its film and summary.

A node that crashes or is killed is started again; meanwhile the servos node eases the robot to neutral or, when it is
the servos node itself, the servos hold their positions. A node that ends in any other way ends all nodes.
"""

import time
from pathlib import Path

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

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.base.parameter_file import parameters_in
from rena_ros.base.resources import share_path
from rena_ros.graph import (
    default_link,
    environment_defaults,
    full_name,
    mimic_graph,
    overruled,
    ros_domain,
    ros_namespace,
)

STEADY_S = 5.0  # a node that is killed sooner after its start is not started again: it would be killed again
# argument -> (default, description). "" stands for "not given": then the parameter file decides, and without one the
# node's own default, which the description names.
ARGUMENTS = {
    "source": (
        "",
        "The face to mirror: 'performer' (the default), a video file, or a camera's index (0: /dev/video0).",
    ),
    "robot": ("twin", "'twin' (a drawn robot behind emulated servos) or the serial port of a real one."),
    "model": ("", "ONNX model, coefficients to goals; default: the one that ships with Rena."),
    "mirror": ("", "Flip the camera's picture left to right, as a mirror does; default: false."),
    "robot_file": ("", "The robot as data (servos and limits); default: config/rena.yaml."),
    "autostart": ("", "Switch a real robot's torque on at start; default: false. The twin always does."),
    "loop": ("", "Begin the clip or the performer again at its end; default: false."),
    "realtime": ("", "Play a video file at its own speed; false: as fast as it can be read; default: true."),
    "namespace": ("", "ROS namespace for all nodes; default: /."),
    "params_file": (
        str(share_path("config/nodes.yaml")),
        "Parameters of every node. Arguments that are given override it, and so do the twin's port and autostart.",
    ),
    "link": ("", "Path of the emulator's serial port (twin only); default: /tmp/rena-servos-DOMAIN-NAMESPACE."),
    "report": ("", "JSON file for the emulator's counters (twin only); default: none."),
}
TRUTHS = ("mirror", "autostart", "loop", "realtime")
WORDS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


def generate_launch_description() -> LaunchDescription:
    """The declared arguments, the environment and, once the arguments are known, the processes."""
    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in ARGUMENTS.items()
    ]
    environment = [SetEnvironmentVariable(name, value) for name, value in environment_defaults().items()]
    return LaunchDescription([*declared, *environment, OpaqueFunction(function=_processes)])


def _processes(context) -> list:
    texts = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    namespace, params_file = ros_namespace(texts.pop("namespace")), user_path(texts.pop("params_file"))
    given = {name: _truth(name, text) if name in TRUTHS else text for name, text in texts.items() if text}
    given.setdefault("link", default_link(ros_domain(), namespace))
    if "robot_file" not in given:
        # The emulator, no part of which reads parameters so early, must have the servos of the servos node.
        given["robot_file"] = str(parameters_in(params_file, full_name("servos", namespace)).get("robot_file", ""))
    processes = mimic_graph(**given)
    own = params_file != Path(ARGUMENTS["params_file"][0])  # what the shipped file says is the nodes' own default
    notes = [LogInfo(msg=line) for line in (overruled(processes, params_file, namespace) if own else ())]
    return [*notes, *(action for process in processes for action in _watched(process, namespace, str(params_file)))]


def _truth(name: str, text: str) -> bool:
    if text.lower() not in WORDS:
        raise RenaError(f"{name}:={text} is neither true nor false")
    return WORDS[text.lower()]


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
    # Without its type launch_ros reads a text as YAML: a file called 'a: b' would be a mapping.
    given = {name: ParameterValue(value, value_type=type(value)) for name, value in process.parameters.items()}
    return Node(
        package="rena",
        executable=process.executable,
        name=process.name,
        namespace=namespace,
        parameters=[params_file, *([given] if given else [])],
        arguments=list(process.arguments),
        output="screen",
        sigterm_timeout="15",  # on a busy machine a node may take longer than the usual 5 s to leave
        sigkill_timeout="10",
    )
