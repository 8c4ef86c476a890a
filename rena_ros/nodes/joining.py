"""How a node joins ROS, however it was started: the environment, its arguments, and its name on this machine."""

import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence

import rclpy
from rclpy.logging import LoggingSeverity, set_logger_level
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from rena_ros.base.claims import claim
from rena_ros.base.errors import RenaError
from rena_ros.base.files import ros_path, user_path
from rena_ros.graph import claim_of, environment_defaults, ros_domain, ros_namespace, yaml_value

PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
DISCOVERY_S = 3.0  # nodes of other machines are known by then, in a network that works
_ON_THIS_MACHINE = {"LOCALHOST", "OFF"}
_RULE = re.compile(r"(?:([^:]*):)?(__node|__name|__ns):=(.*)", re.DOTALL)


def join_ros(name: str, *, pictures: bool = True, arguments: Sequence[str] | None = None) -> socket.socket:
    """Initialise rclpy for the node ``name``, without its signal handlers, and claim the node's full name.

    Returns the claim, which lasts while the returned object lives. What ``environment_defaults`` says is set first,
    but without ``pictures`` the default shared memory is used: that leaves more of it to the other nodes.
    ``arguments``: those of the process. Raises RenaError, before anything is on the network, when a node of that name
    runs on this machine, or for a domain, an argument or a parameter file that ROS does not accept.
    """
    defaults = environment_defaults()
    os.environ.update(defaults)
    if not pictures and os.environ.get(PROFILE) == environment_defaults({})[PROFILE]:
        del os.environ[PROFILE]
    _, given = split_arguments(sys.argv[1:] if arguments is None else arguments)
    full = resolved_name(name, given)
    held = claim_name(name, arguments)
    set_logger_level("rcl", LoggingSeverity.FATAL)  # it would write a line of its own before the error below
    try:
        rclpy.init(args=[_plain(*pair) for pair in _pairs(given)], signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, UnicodeEncodeError) as error:  # rclpy's own errors are RuntimeErrors
        raise RenaError(f"ROS does not start {full}: {_without_source(error)}; correct it and start again") from error
    finally:
        set_logger_level("rcl", LoggingSeverity.UNSET)
    return held


def claim_name(name: str, arguments: Sequence[str] | None = None) -> socket.socket:
    """Claim the full name of the node ``name`` on this machine; as for ``join_ros``, which does so for its own."""
    domain = ros_domain()
    full = resolved_name(name, split_arguments(sys.argv[1:] if arguments is None else arguments)[1])
    held = claim(claim_of(full, domain))
    if held is None:
        raise RenaError(
            f"a node {full} runs on this machine in ROS domain {domain} already: end it, or give this one a domain or "
            "a namespace of its own (ROS_DOMAIN_ID=…, or -r __ns:=/NAME)"
        )
    return held


def split_arguments(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the process's own arguments and those for ROS, which stand between ``--ros-args`` and ``--`` or the end.

    rclpy.utilities.remove_ros_args does the same, but fails where an argument is no UTF-8.
    """
    own: list[str] = []
    ros: list[str] = []
    inside = False
    for argument in arguments:
        starts, ends = not inside and argument == "--ros-args", inside and argument == "--"
        (ros if inside or starts else own).append(argument)
        inside = (inside or starts) and not ends
    return own, ros


def resolved_name(name: str, ros_arguments: Sequence[str]) -> str:
    """Return the full name that a node called ``name`` will have, such as "/lab/servos".

    As in rcl: the first rule that fits counts, that of the name before that of the namespace. Raises RenaError for a
    namespace that is no ROS name.
    """
    rules = [_RULE.fullmatch(rule) for flag, rule in _pairs(ros_arguments) if flag in ("-r", "--remap")]
    found = [(match[1], match[2] == "__ns", match[3]) for match in rules if match]
    name = next((to for node, is_space, to in found if not is_space and node in (None, name)), name)
    space = next((to for node, is_space, to in found if is_space and node in (None, name)), "/")
    return f"{ros_namespace(space).rstrip('/')}/{name}"


def hosts_of(node: Node, topic: str, name: str) -> set[bytes]:
    """Return marks of the machines on which a node ``name``, in the namespace of ``node``, publishes ``topic``.

    A mark is the beginning of the publisher's identifier: RTPS puts the vendor there, and Fast DDS the machine. On one
    machine claims decide; the graph would show a killed node for up to 20 s, beside the one that replaces it.
    """
    ends = node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
    same = (end for end in ends if (end.node_name, end.node_namespace) == (name, node.get_namespace()))
    return {bytes(end.endpoint_gid[:4]) for end in same}


def refuse_namesake(node: Node, topic: str) -> None:
    """Raise RenaError when a node of the same full name publishes ``topic``, as this one does, on another machine.

    To be called ``discovery_s`` after the start or later: then such a node is known.
    """
    if len(hosts_of(node, topic, node.get_name())) > 1:
        raise RenaError(
            f"another machine runs {node.get_fully_qualified_name()} in ROS domain {ros_domain()}, so torque stays "
            "off: end it, or give this one a domain or a namespace of its own (ROS_DOMAIN_ID=…, or -r __ns:=/NAME)"
        )


def discovery_s(environment: Mapping[str, str] = os.environ) -> float:
    """Return how long nodes of other machines may stay unknown after a start, s; 0 where none can be seen."""
    alone = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper() in _ON_THIS_MACHINE
    return 0.0 if alone and not environment.get("ROS_STATIC_PEERS") else DISCOVERY_S


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Each argument with the one before it ("" before the first)."""
    return list(zip(["", *arguments], arguments, strict=False))


def _plain(flag: str, argument: str) -> str:
    """Return an argument as rcl takes it: valid UTF-8, and a path that it opens itself."""
    if flag == "--params-file":
        text = ros_path(user_path(argument))
        # rcl takes no file: URI; the number of an open file names the same.
        return f"/proc/self/fd/{_opened(user_path(text))}" if text.startswith("file:") else text
    if flag in ("-p", "--param") and not argument.isascii():
        parameter, _, value = argument.partition(":=")
        return argument if _is_text(argument) else f"{parameter}:={yaml_value(ros_path(value))}"
    return argument


def _opened(path: os.PathLike[str]) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise RenaError(f"cannot read the parameter file {path}: {error.strerror}; check its name") from error


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_source(error: Exception) -> str:
    """Return rcl's message without the lines of its source code."""
    if isinstance(error, UnicodeEncodeError):
        return f"the argument {error.object} is not valid UTF-8"
    text = re.sub(r", at /\S+:\d+|\.? ?Error: ?", lambda found: "" if found[0][0] == "," else ": ", str(error))
    return " ".join(text.removeprefix("failed to initialize rcl: ").split())
