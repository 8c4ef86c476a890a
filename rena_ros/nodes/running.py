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
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from rena_ros.base.errors import RenaError
from rena_ros.base.priority import be_nice
from rena_ros.base.signals import HOLDING, ignore_end, on_end

CLOSING_S = 1.5
WAKE_S = 0.1
STEADY = Clock(clock_type=ClockType.STEADY_TIME)  # of all timers: ROS time may be set back, or be a simulation's


class _Signals:
    """The signals that ask a node to end: noted, and looked at between two callbacks.

    rclpy's own handlers are not installed. They end the context in the middle of whatever runs, and a KeyboardInterrupt
    that strikes while rclpy turns a message into Python objects comes out as another error. So a callback always
    ends: no frame on the bus is cut, and what it publishes arrives. Only while the node is being made (a model loads,
    a camera opens) they interrupt.
    """

    def __init__(self) -> None:
        self.came = False
        self._interrupt = True
        on_end(self._note, HOLDING)

    def _note(self, _number: int, _frame: object) -> None:
        first, self.came = not self.came, True
        if first and self._interrupt:
            raise KeyboardInterrupt

    def made(self) -> None:
        """From now on nothing is interrupted."""
        self._interrupt = False


def run_node(make_node: Callable[[], Node], niceness: int = 0) -> int:
    """Run one node until a signal asks it to end (``ending.HOLDING``) or it ends itself, then call its ``leave``.

    Returns 0 after a clean end and 2 when a RenaError ended it (logged as one fatal line).

    ``niceness``: the way from a picture to the servos comes first (below 0, where the system permits it), what
    only shows comes last (above 0). On two cores this takes a quarter off the latency.
    """
    node = signals = None
    try:
        signals = _Signals()
        with contextlib.suppress(OSError):
            be_nice(niceness)  # before any thread exists: they inherit it
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
        node = make_node()
        signals.made()
        _spin(node, signals)
    except RenaError as error:
        logger = node.get_logger() if node else rclpy.logging.get_logger("rena")
        logger.fatal(str(error))
        return 2
    except KeyboardInterrupt:
        pass
    except Exception:
        if node is not None or not (signals and signals.came):  # else an interrupt that C++ passed on in disguise
            raise
    finally:
        ignore_end()  # under `ros2 launch` Ctrl-C may arrive twice: once more must not interrupt the leaving
        if hasattr(node, "leave"):
            node.leave()
        close_node(node)
    return 0


def _spin(node: Node, signals: _Signals) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    # Python sees a signal when a callback, this one at the latest, ends the wait in C++.
    node.create_timer(WAKE_S, lambda: None, clock=STEADY)
    with contextlib.suppress(ExternalShutdownException):  # a node may end itself: see the camera
        while not signals.came and rclpy.ok():
            executor.spin_once()


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
