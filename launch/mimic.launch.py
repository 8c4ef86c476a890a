"""`ros2 launch rena mimic.launch.py`: the same nodes as `rena mimic`, without its film and summary.

A node that crashes or is killed is started again; meanwhile the servos node eases the robot to neutral or, when it is
the servos node itself, the servos hold their positions. A node that ends in any other way ends all nodes.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from rena_ros.base.files import user_path
from rena_ros.base.launch_texts import typed
from rena_ros.base.parameter_file import parameters_in
from rena_ros.base.resources import share_path
from rena_ros.graph import (
    default_link,
    full_name,
    mimic_graph,
    overruled,
    processes_text,
    ros_domain,
    ros_namespace,
)

NODES = Path(__file__).with_name("nodes.launch.py")
# argument -> (default, description). "" stands for "not given": then the parameter file decides, and without one the
# node's own default, which the description names.
ARGUMENTS = {
    "source": (
        "",
        "The face to mirror: 'performer' (the default), a video file, or a camera's index (0: /dev/video0).",
    ),
    "robot": ("twin", "'twin' (a drawn robot behind emulated servos) or the serial port of a real one."),
    "model": ("", "ONNX model, coefficients to goals; default: the one that ships with Rena."),
    "composed": ("", "Run camera, blendshapes and policy in one process; default: true."),
    "perception": ("", "What reads faces: auto, litert or mediapipe; default: auto, litert where it is installed."),
    "idle": ("", "Blink and look about while no face is seen, and close blinks whole; default: false."),
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
    "record": ("", "Record everything into a bag below record_dir; default: false."),
    "record_dir": ("", "Folder of the bags, 0000, 0001, ...; default: bags, in the present folder."),
    "report": ("", "JSON file for the emulator's counters (twin only); default: none."),
}
KINDS = dict.fromkeys(("mirror", "autostart", "loop", "realtime", "record", "composed", "idle"), bool)


def generate_launch_description() -> LaunchDescription:
    """The declared arguments and, once they are known, the processes."""
    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_processes)])


def _processes(context) -> list:
    texts = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    namespace, params_file = ros_namespace(texts.pop("namespace")), user_path(texts.pop("params_file"))
    given = typed(texts, KINDS)
    directory = given.pop("record_dir", "bags")
    given["record"] = directory if given.get("record") else ""
    given.setdefault("link", default_link(ros_domain(), namespace))
    if "robot_file" not in given:
        # The emulator, no part of which reads parameters so early, must have the servos of the servos node.
        given["robot_file"] = str(parameters_in(params_file, full_name("servos", namespace)).get("robot_file", ""))
    processes = mimic_graph(**given)
    own = params_file != Path(ARGUMENTS["params_file"][0])  # what the shipped file says is the nodes' own default
    notes = [LogInfo(msg=line) for line in (overruled(processes, params_file, namespace) if own else ())]
    nodes = {"processes": processes_text(processes), "namespace": namespace, "params_file": str(params_file)}
    source = PythonLaunchDescriptionSource(str(NODES))
    return [*notes, IncludeLaunchDescription(source, launch_arguments=list(nodes.items()))]
