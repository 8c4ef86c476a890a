"""The processes of a run as data, without ROS; the command line and the launch files both read it."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rena_ros.base.resources import share_path

TWIN = "twin"
# node -> (a topic it publishes, a topic it subscribes to). All of them must be on the graph before a clip begins;
# otherwise its first frames have no subscriber.
TOPICS = {
    "blendshapes": ("face/blendshapes", "camera/image_raw"),
    "policy": ("servos/command/mimic", "face/blendshapes"),
    "servos": ("joint_states", "servos/command/mimic"),
    "twin": ("robot/image_raw", "joint_states"),
}


@dataclass(frozen=True)
class Process:
    """One operating-system process of a run: a ROS node.

    ``module`` is what `python -m` starts and ``executable`` the same as a console script of this package.
    """

    name: str
    module: str
    executable: str
    parameters: Mapping[str, str | bool | int | float] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    def command(self, *, params_file: Path | None = None, namespace: str = "") -> tuple[str, ...]:
        """Return the command line that starts this process with the running Python, without any ROS tool."""
        ros = ["--ros-args", "-r", f"__node:={self.name}"]
        if namespace:
            ros += ["-r", f"__ns:=/{namespace.strip('/')}"]
        if params_file is not None:
            ros += ["--params-file", str(params_file)]
        for name, value in self.parameters.items():
            # JSON is YAML: a quoted "0" stays a text, where a bare 0 would arrive as an integer.
            ros += ["-p", f"{name}:={json.dumps(value)}"]
        return (sys.executable, "-m", self.module, *self.arguments, *ros)


def mimic_graph(
    source: str = "performer",
    robot: str = TWIN,
    *,
    model: str = "",
    mirror: bool = False,
    robot_file: str = "",
    autostart: bool = False,
    loop: bool = False,
    realtime: bool = True,
    link: str = "/tmp/rena-servos",
    report: str = "",
    listeners: int = 1,
) -> tuple[Process, ...]:
    """Return the processes of `mimic`, in the order in which to start them.

    ``source``: ``performer``, a video file or a camera's index. ``robot``: ``twin``, or the serial port of
    a real face. Only the twin has an emulator (its port is ``link``, which the emulator creates; it writes its
    counts to ``report``) and switches torque on by itself; a real robot does so with ``autostart``. ``mirror``
    flips the camera's picture left to right, so that the robot moves as a mirror image. A clip begins when its
    images have ``listeners`` subscribers.
    """
    is_twin = robot == TWIN
    emulator = ["--link", link]
    if robot_file:
        emulator += ["--robot-file", robot_file]
    if report:
        emulator += ["--report", report]
    servos = {"port": link if is_twin else robot, "robot_file": robot_file, "autostart": autostart or is_twin}
    camera = {"source": source, "loop": loop, "realtime": realtime, "mirror": mirror, "listeners": listeners}
    processes = (
        _node("emulator", {}, *emulator),
        _node("servos", servos),
        _node("twin", {"robot_file": robot_file}),
        _node("policy", {"model_path": model, "robot_file": robot_file}),
        _node("blendshapes", {}),
        _node("camera", camera),
    )
    return tuple(process for process in processes if is_twin or process.name not in ("emulator", TWIN))


def environment_defaults(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that every process of a run needs and that ``environment`` does not set.

    Raw images need the shared-memory profile (Fast DDS loses most of them without it). In a shared network the
    robot neither sends to other machines nor receives from them unless ``environment`` permits it.
    """
    defaults = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    if "FASTDDS_DEFAULT_PROFILES_FILE" not in environment:
        defaults["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(share_path("config/fastdds.xml"))
    return {name: value for name, value in defaults.items() if name not in environment}


def _node(name: str, parameters: dict, *arguments: str) -> Process:
    return Process(name, f"rena_ros.nodes.{name}", f"{name}_node", parameters, arguments)
