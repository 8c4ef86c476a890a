"""How every node starts, declares its parameters and leaves."""

import contextlib
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node

from rena_ros.errors import RenaError
from rena_ros.niceness import be_nice

CLOSING_S = 1.5


def run_node(make_node: Callable[[], Node], niceness: int = 0) -> int:
    """Run one node until Ctrl-C, SIGTERM, a closed terminal or shutdown, then call its ``leave`` if it has one.

    Returns 0 after a clean end and 2 when a RenaError ended it (logged as one fatal line). Under
    `ros2 launch` Ctrl-C may arrive twice: the second must not interrupt the leaving, in which a node
    releases its servos or closes its file.

    ``niceness``: the way from a picture to the servos comes first (below 0, where the system permits it), what
    only shows comes last (above 0). On two cores this takes a quarter off the latency.
    """
    with contextlib.suppress(OSError):
        be_nice(niceness)  # before any thread exists: they inherit it
    signal.signal(signal.SIGINT, _interrupt_once)  # before rclpy's own, which passes signals on to this one
    rclpy.init(args=sys.argv)
    node = None
    executor = SingleThreadedExecutor()
    try:
        node = make_node()
        _end_with_the_terminal(node)
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except _rclpy.RCLError:
        if rclpy.ok():  # a callback that publishes at the very moment of the shutdown is no fault
            raise
    except RenaError as error:
        logger = node.get_logger() if node else rclpy.logging.get_logger("rena")
        logger.fatal(str(error))
        return 2
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if hasattr(node, "leave"):
            node.leave()
        close_node(node)
    return 0


def _interrupt_once(_number: int, _frame: object) -> None:
    """End what runs, but nothing that runs on the way out: a second signal may come at any moment of that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def close_node(node: Node | None) -> None:
    """Take the node out of the ROS graph, in ``CLOSING_S`` at most.

    Fast DDS as the wheels bring it can wait here for ever, and with Python's lock held, when another node leaves
    at the same moment (DomainParticipantImpl::set_listener spins while it holds the lock it waits for). All
    that matters has been done by now, so the system may then end the process (SIGALRM).
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, CLOSING_S)
    if node is not None:
        node.destroy_node()
    rclpy.try_shutdown()
    signal.setitimer(signal.ITIMER_REAL, 0)


def _end_with_the_terminal(node: Node) -> None:
    """Let a closed terminal or a lost connection (SIGHUP) end a node as Ctrl-C does, not kill it."""
    if signal.getsignal(signal.SIGHUP) != signal.SIG_DFL:  # `nohup` has it ignored, and that stays
        return
    signal.signal(signal.SIGHUP, _interrupt_once)
    # rclpy wakes a waiting executor for SIGINT and SIGTERM only; Python sees other signals when it wakes anyway.
    node.create_timer(0.25, lambda: None, clock=Clock(clock_type=ClockType.STEADY_TIME))


def parameter(node: Node, name: str, default: Any, description: str, *, live: bool = False) -> Any:
    """Declare one parameter with its description (units included) and return its value.

    ``live``: it may be set while the node runs; else that is refused, for nobody would take notice.
    Raises RenaError when it was given with another type than that of ``default``.
    """
    descriptor = ParameterDescriptor(description=description, dynamic_typing=default is None, read_only=not live)
    try:
        return node.declare_parameter(name, default, descriptor).value
    except InvalidParameterTypeException as error:
        kind = {float: "a number with a point", int: "a whole number", bool: "true or false", str: "a text"}
        wanted = f"{kind[type(default)]}, such as {json.dumps(default)}"
        raise RenaError(f"{node.get_name()}: the parameter {name} must be {wanted}") from error
