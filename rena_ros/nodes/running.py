"""How every node starts, runs and leaves."""

import contextlib
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.timer import Timer

from rena_ros.base.errors import RenaError
from rena_ros.base.missing import missing_package
from rena_ros.base.priority import be_nice
from rena_ros.base.signals import HOLDING, on_end
from rena_ros.base.terminal import print_anything
from rena_ros.nodes.joining import claim_name, join_ros
from rena_ros.nodes.leaving import end_process

WAKE_S = 0.1
# Without rclpy's warnings of topics with two ends that do not fit: for these, two events at each end are part of every
# wait, and take half of its time in a node with eight topics. The other end warns all the same.
NO_PUBLISHER_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
NO_SUBSCRIPTION_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)
STEADY = Clock(clock_type=ClockType.STEADY_TIME)  # of all timers: ROS time may be set back, or be a simulation's


class _Signals:
    """The signals that ask a node to end: recorded when they arrive, acted on between two callbacks.

    rclpy's own handlers are not installed. They end the context in the middle of a callback, and a KeyboardInterrupt
    raised while rclpy converts a message surfaces as another error. Without them every callback runs to its end: no
    frame on the bus is cut, and every message is sent whole. Only the construction of a node (it loads a model or
    opens a camera) is interrupted: until then, ``interrupt`` is True.
    """

    def __init__(self) -> None:
        self.received, self.interrupt = False, True
        on_end(self._receive, HOLDING)

    def _receive(self, _number: int, _frame: object) -> None:
        first, self.received = not self.received, True
        if first and self.interrupt:
            raise KeyboardInterrupt


def run_node(name: str, make_node: Callable[[], Node], niceness: int = 0) -> NoReturn:
    """Run one node until a signal of ``HOLDING`` asks it to end or it ends itself; then see ``end_process``.

    The exit code is 0 after a clean end, 2 when a RenaError or a missing package ended the node (logged as one fatal
    line), 1 after any other error.

    ``name``: the node's own, without namespace, under which it is refused where another one runs: see ``join_ros``.
    ``niceness``: below 0, where the system permits it, for the nodes between a picture and the servos; above 0 for
    those that only show something. On two cores this reduces the latency by a quarter.
    """
    run_nodes((name,), lambda: (make_node(),), niceness)


def run_nodes(names: Sequence[str], make_nodes: Callable[[], Sequence[Node]], niceness: int = 0) -> NoReturn:
    """Run several nodes in one thread as ``run_node`` runs one; when one ends itself, all end."""
    nodes: Sequence[Node] = ()
    signals = None
    code = 1
    try:
        signals = _Signals()
        print_anything()
        with contextlib.suppress(OSError):
            be_nice(niceness)  # before any thread exists: threads inherit it
        _claims = [claim_name(name) for name in names[1:]]  # held as long as the nodes run
        _claim = join_ros(names[0])
        nodes = make_nodes()
        signals.interrupt = False
        _spin(nodes, signals)
        code = 0
    except (RenaError, ModuleNotFoundError) as error:
        shown = missing_package(error) if isinstance(error, ModuleNotFoundError) else error
        if shown is None:
            traceback.print_exc()
        else:
            code = 2
            logger = nodes[0].get_logger() if nodes else rclpy.logging.get_logger("rena")
            logger.fatal(str(shown))
    except KeyboardInterrupt:
        code = 0
    except Exception:
        # C++ code that a signal interrupts passes the KeyboardInterrupt on as another error.
        if not nodes and signals and signals.received:
            code = 0
        else:
            traceback.print_exc()
    finally:
        end_process(nodes, code)


def set_rate(timer: Timer, rate_hz: float) -> None:
    """Change the rate of a timer; it rings next after one new period."""
    timer.timer_period_ns = round(1e9 / rate_hz)
    timer.reset()


def _spin(nodes: Sequence[Node], signals: _Signals) -> None:
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    # Python handles a signal only when a callback, at the latest this one, ends the wait in C++.
    nodes[0].create_timer(WAKE_S, lambda: None, clock=STEADY)
    with contextlib.suppress(ExternalShutdownException):  # a node may end itself: see the camera
        while not signals.received and rclpy.ok():
            executor.spin_once()
