"""The processes of a run as data, without ROS; the command line and the launch files both read it."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rena_ros.base.errors import RenaError
from rena_ros.base.files import printable, ros_path, user_path
from rena_ros.base.parameter_file import parameters_in
from rena_ros.base.resources import share_path

TWIN = "twin"
CHAIN = ("policy", "blendshapes", "camera")  # the nodes between a picture and a command; see nodes.chain
Parameters = dict[str, str | bool | int | float | None]  # None: not given
HIGHEST_DOMAIN = 232  # the ports of higher domains would lie above 65535
# node -> (a topic it publishes, a topic it subscribes to). All of them must be on the graph before a clip begins;
# otherwise its first frames have no subscriber.
TOPICS = {
    "blendshapes": ("face/blendshapes", "camera/image_raw"),
    "policy": ("servos/command/mimic", "face/blendshapes"),
    "servos": ("joint_states", "servos/command/mimic"),
    "twin": ("robot/image_raw", "joint_states"),
    "recorder": ("sample/stored", "camera/image_raw"),
}


@dataclass(frozen=True)
class Process:
    """One operating-system process of a run: a ROS node, or several.

    ``module`` is what `python -m` starts and ``executable`` the same as a console script of this package. ``several``:
    the nodes of a process that has more than one; their parameters are among its ``arguments``.
    """

    name: str
    module: str
    executable: str
    parameters: Mapping[str, str | bool | int | float] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    several: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of its nodes."""
        return self.several or (self.name,)

    def command(self, *, params_file: Path | None = None, namespace: str = "") -> tuple[str, ...]:
        """Return the command line that starts this process with the running Python, without any ROS tool."""
        ros = ["--ros-args", *([] if self.several else ["-r", f"__node:={self.name}"])]
        if (full := ros_namespace(namespace)) != "/":
            ros += ["-r", f"__ns:={full}"]
        if params_file is not None:
            ros += ["--params-file", str(params_file)]
        for name, value in self.parameters.items():
            ros += ["-p", f"{name}:={yaml_value(value)}"]
        return (sys.executable, "-m", self.module, *self.arguments, *ros)


def mimic_graph(
    source: str = "",
    robot: str = TWIN,
    *,
    model: str = "",
    mirror: bool | None = None,
    robot_file: str = "",
    autostart: bool | None = None,
    loop: bool | None = None,
    realtime: bool | None = None,
    link: str = "/tmp/rena-servos",
    report: str = "",
    listeners: int | None = None,
    record: str = "",
    perception: str = "",
    composed: bool | None = None,
    idle: bool | None = None,
) -> tuple[Process, ...]:
    """Return the processes of `mimic`, in the order in which to start them.

    What is not given ("" or None) becomes no parameter: a parameter file or the node's own default decides.

    ``source``: ``performer``, a video or picture file, or a camera's index or device. ``robot``: ``twin``, or the
    serial port of a real face. Only the twin has an emulator (its port is ``link``, which the emulator creates; it
    writes its counts to ``report``) and switches torque on by itself; a real robot does so with ``autostart``.
    ``mirror`` flips the camera's picture left to right, so that the robot moves as a mirror image. A clip begins when
    its images have ``listeners`` subscribers; the blendshapes node is one of them. ``record``: the folder in which to
    record everything. ``perception``: what reads faces. ``composed`` (the default): camera, blendshapes and policy
    share one process. ``idle``: live by itself while no face is present, and close blinks whole. Paths: see
    ``base/files.py``. Raises RenaError for an impossible path.
    """
    camera = {"source": _as_parameter(source), "loop": loop, "realtime": realtime, "mirror": mirror}
    policy = {"model_path": _as_parameter(model), "robot_file": _as_parameter(robot_file)}
    chain = (
        _node("policy", {**policy, "idle": idle, "whole_blinks": idle}),
        _node("blendshapes", {"perception": perception}),
        _node("camera", {**camera, "listeners": listeners}),
    )
    before = (*_robot_processes(robot, robot_file, autostart, link, report), *_recorder(record, robot_file))
    return (*before, *chain) if composed is False else (*before, _composed(chain))


def _composed(chain: Sequence[Process]) -> Process:
    """Return one process for the nodes of the chain."""
    parameters = {process.name: dict(process.parameters) for process in chain}
    # The blendshapes node, which the camera node counts by default, takes pictures without subscribing to them.
    parameters["camera"]["listeners"] = int(parameters["camera"].get("listeners", 1)) - 1
    return Process("chain", "rena_ros.nodes.chain", "chain_node", {}, ("--nodes", json.dumps(parameters)), CHAIN)


def collect_graph(
    session: str,
    robot: str = TWIN,
    source: str = "",
    *,
    samples: int = 9000,
    seed: int = 0,
    todo: str = "",
    strategy: str = "",
    robot_file: str = "",
    autostart: bool | None = None,
    rest_every: int | None = None,
    rest_s: float | None = None,
    capture_delay_s: float | None = None,
    measure_delay: bool | None = None,
    robot_delay_s: float | None = None,
    body_file: str = "",
    perception: str = "",
    link: str = "/tmp/rena-servos",
    report: str = "",
) -> tuple[Process, ...]:
    """Return the processes of a collection session, in the order in which to start them.

    ``session``: its folder, in whose ``bags/`` the recorder writes. ``source``: the camera that looks at the robot, as
    in ``mimic_graph``, or ``robot``, the twin's picture: the twin's default. ``todo``: see the babble node; the other
    arguments are parameters of the nodes of those names, and what is not given becomes none. ``body_file``,
    ``robot_delay_s``: of the twin. Raises RenaError for an impossible path.
    """
    is_twin = robot == TWIN
    robot_path, strategy_path = _as_parameter(robot_file), _as_parameter(strategy)
    recorder: Parameters = {
        "directory": _as_parameter(f"{session}/bags"),
        "kind": "collect",
        "pictures": "samples",
        "seed": seed,
    }
    recorder |= {"robot_file": robot_path, "strategy_file": strategy_path, "camera_delay_s": capture_delay_s}
    babble: Parameters = {
        "samples": samples,
        "seed": seed,
        "todo": todo,
        "strategy_file": strategy_path,
        "robot_file": robot_path,
    }
    babble |= {"rest_every": rest_every, "rest_s": rest_s, "confirm": True, "measure_delay": measure_delay}
    babble |= {"restore_torque": True if is_twin else autostart}  # as the start may, so may a port that is back
    camera = {"source": _as_parameter(source) or ("robot" if is_twin else ""), "robot_delay_s": robot_delay_s}
    return (
        *_robot_processes(robot, robot_file, autostart, link, report, body_file),
        _node("recorder", recorder),
        # One face is enough, but with 1 MediaPipe smooths over time, and a sample would remember the one before.
        _node("blendshapes", {"max_faces": 2, "perception": perception}),
        _node("camera", camera),
        _node("babble", {**babble, "capture_delay_s": capture_delay_s}),
    )


def play_graph(
    bag: str,
    robot: str = TWIN,
    *,
    robot_file: str = "",
    autostart: bool | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    speed: float | None = None,
    loop: bool | None = None,
    pictures: bool | None = None,
    record: str = "",
    link: str = "/tmp/rena-servos",
    report: str = "",
) -> tuple[Process, ...]:
    """Return the processes that give a recorded take back, in the order in which to start them.

    ``bag``: its folder, or one file of it; ``record``: a folder in which to record what the robot does, too. The other
    arguments are parameters of the play node, or as in ``mimic_graph``. Raises RenaError for an impossible path.
    """
    play: Parameters = {"bag": _as_parameter(bag), "robot_file": _as_parameter(robot_file)}
    play |= {"start_s": start_s, "end_s": end_s, "speed": speed, "loop": loop, "pictures": pictures}
    return (
        *_robot_processes(robot, robot_file, autostart, link, report),
        *_recorder(record, robot_file),
        _node("play", play),
    )


def _recorder(directory: str, robot_file: str) -> tuple[Process, ...]:
    """Return the recorder of everything that is shown, where a folder is given."""
    parameters: Parameters = {"directory": _as_parameter(directory), "robot_file": _as_parameter(robot_file)}
    return (_node("recorder", parameters),) if directory else ()


def _robot_processes(
    robot: str, robot_file: str, autostart: bool | None, link: str, report: str, body_file: str = ""
) -> tuple[Process, ...]:
    """Return the servos node and, for the twin, its emulator and its picture."""
    is_twin, robot_path = robot == TWIN, _as_parameter(robot_file)
    emulator = [f"--link={_as_parameter(link)}"]
    emulator += [f"--robot-file={robot_path}"] if robot_file else []
    emulator += [f"--report={_as_parameter(report)}"] if report else []
    servos = {"port": _as_parameter(link if is_twin else robot), "autostart": True if is_twin else autostart}
    processes = (
        _node("emulator", {}, *emulator),
        _node("servos", {**servos, "robot_file": robot_path}),
        _node("twin", {"robot_file": robot_path, "body_file": _as_parameter(body_file)}),
    )
    return tuple(process for process in processes if is_twin or process.name not in ("emulator", TWIN))


def overruled(processes: Sequence[Process], params_file: Path, namespace: str) -> tuple[str, ...]:
    """Return a line for each parameter that is part of the twin and that a parameter file gives otherwise.

    Raises RenaError when it is no parameter file.
    """
    lines = []
    servos = next(process for process in processes if process.name == "servos")
    in_file = parameters_in(params_file, full_name("servos", namespace))
    for name in ("port", "autostart") if any(process.name == TWIN for process in processes) else ():
        if in_file.get(name, servos.parameters[name]) != servos.parameters[name]:
            found = f"{name} {in_file[name]} in {printable(params_file)} has no effect"
            lines.append(f"{found}: the twin's servos have {name} {servos.parameters[name]}")
    return tuple(lines)


def processes_text(processes: Sequence[Process]) -> str:
    """Return processes as JSON, which launch files hand on as an argument."""
    return json.dumps([asdict(process) for process in processes])


def processes_from(text: str) -> tuple[Process, ...]:
    """Return the processes that ``processes_text`` has written."""
    tuples = ("arguments", "several")
    return tuple(Process(**values | {name: tuple(values[name]) for name in tuples}) for values in json.loads(text))


def yaml_value(value: object) -> str:
    """Return a parameter's value as YAML in ASCII: a quoted "0" stays a text, where a bare 0 would become an integer.

    JSON is YAML but for characters above U+FFFF, for which JSON writes two surrogates and libyaml wants one code.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", text)


def environment_defaults(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that every process of a run needs and that ``environment`` does not set.

    Raw images need the shared-memory profile (Fast DDS loses most of them without it). In a shared network the
    robot neither sends to other machines nor receives from them unless ``environment`` permits it.
    """
    defaults = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    if "FASTDDS_DEFAULT_PROFILES_FILE" not in environment:
        defaults["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(share_path("config/fastdds.xml"))
    return {name: value for name, value in defaults.items() if name not in environment}


def ros_domain(environment: Mapping[str, str] = os.environ) -> int:
    """Return the ROS domain, 0 to 232, that ROS_DOMAIN_ID names. Raises RenaError when it names none."""
    text = environment.get("ROS_DOMAIN_ID", "").strip() or "0"
    # ROS itself would take 5x for 5, 010 for 8, and -1 for anything.
    if not re.fullmatch("0|[1-9][0-9]{0,2}", text) or int(text) > HIGHEST_DOMAIN:
        raise RenaError(f"ROS_DOMAIN_ID={text} is no ROS domain: set a whole number up to {HIGHEST_DOMAIN}")
    return int(text)


def ros_namespace(text: str) -> str:
    """Return a namespace as ROS writes it, "/" or "/lab/left", for "", "lab/left" and the like. Raises RenaError."""
    parts = text.strip("/").split("/") if text.strip("/") else []
    if wrong := [part for part in parts if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", part)]:
        remedy = "letters, digits and underscores, the first no digit, such as " + _as_part(wrong[0])
        raise RenaError(f"the namespace {text} is no ROS name: use {remedy}")
    return "/" + "/".join(parts)


def full_name(name: str, namespace: str) -> str:
    """Return a node's name with its namespace, such as "/lab/servos"."""
    return f"{ros_namespace(namespace).rstrip('/')}/{name}"


def claim_of(name: str, domain: int) -> str:
    """Return what the node of a full name claims on its machine: see ``base/claims.py``."""
    return f"{domain}{name}"


def default_link(domain: int, namespace: str) -> str:
    """Return the place of the emulator's port: one for each domain and each namespace, as ``ros_namespace`` gives it.

    No two places are equal, because no name in a namespace contains "-" or begins with a digit.
    """
    parts = ["/tmp/rena-servos", *([str(domain)] if domain else []), *namespace.strip("/").split("/")]
    return "-".join(part for part in parts if part)


def _as_part(text: str) -> str:
    part = re.sub("[^A-Za-z0-9_]", "_", text)
    return part if part[:1].isalpha() or part[:1] == "_" else f"_{part}"


def _node(name: str, parameters: Parameters, *arguments: str) -> Process:
    given = {key: value for key, value in parameters.items() if value is not None and value != ""}
    return Process(name, f"rena_ros.nodes.{name}", f"{name}_node", given, arguments)


def _as_parameter(text: str) -> str:
    """Return what a user gave as a path, or a word such as ``performer``, as a ROS parameter."""
    return ros_path(user_path(text)) if text else ""
