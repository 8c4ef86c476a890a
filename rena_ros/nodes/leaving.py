"""How a node leaves the ROS graph, and how its process ends.

Fast DDS as the wheels contain it (2.14) can hang for ever, while it holds Python's lock, when a participant closes and
a thread of it still handles the news of another one: DomainParticipantImpl::set_listener then spins on the lock that
this thread waits for. Nodes that end at the same time therefore close one after another, each once its own threads have
handled the news of those before it. A watchdog that needs no lock of Python's ends a process that hangs all the same.
"""

import contextlib
import ctypes
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from rena_ros.base.claims import claim
from rena_ros.base.signals import ignore_end

CLOSING_S = 5.0
TURN_S = 12.0  # longer than two closings that hang
QUIET_S = 2.0
POLL_S = 0.002
_CLOCK_MONOTONIC, _SIGEV_THREAD = 1, 2  # Linux: time.h, signal.h


def end_process(nodes: Sequence[Node], code: int) -> NoReturn:
    """Let the nodes leave (by their method ``leave``, if any), close them, and end this process with ``code``.

    Signals that ask for the end have no effect from now on: `ros2 launch` may deliver Ctrl-C twice. Nothing is left to
    the interpreter, which takes down numba, MediaPipe and their like for seconds on a busy machine.
    """
    ignore_end()
    try:
        for node in nodes:
            if hasattr(node, "leave"):
                node.leave()
        with _turn():
            _end_after(CLOSING_S, code)
            _close(nodes, None)
    except Exception:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the reader of a pipe may be gone
            stream.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(code)


def close_node(node: Node | None, context: Context | None = None) -> None:
    """Remove the node from the ROS graph and shut its context down, in turn with the other nodes of this domain."""
    with _turn():
        _close((node,) if node is not None else (), context)


def _close(nodes: Sequence[Node], context: Context | None) -> None:
    _wait_for_quiet()
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Hold the turn of this ROS domain on this machine; after ``TURN_S`` go on without. It ends with the process."""
    name, give_up_s = f"leaving {os.environ.get('ROS_DOMAIN_ID', '')}", time.monotonic() + TURN_S
    with contextlib.ExitStack() as held:
        while time.monotonic() < give_up_s:
            if (turn := claim(name)) is not None:
                held.enter_context(turn)
                break
            time.sleep(POLL_S)
        yield


def _wait_for_quiet() -> None:
    """Wait until every other thread of this process sleeps, twice in a row, so that no news is being handled."""
    give_up_s, calm = time.monotonic() + QUIET_S, 0
    while calm < 2 and time.monotonic() < give_up_s:
        calm = 0 if is_busy() else calm + 1
        time.sleep(POLL_S)


def is_busy() -> bool:
    """Whether any other thread of this process works, or waits for the processor or the disk."""
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state = (thread / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            if state in "RD" and thread.name != str(threading.get_native_id()):
                return True
    return False


class _Event(ctypes.Structure):
    """Linux's struct sigevent."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("unused", ctypes.c_char * 32),
    )


def _end_after(limit_s: float, code: int) -> None:
    """Let a thread of the C library's end this process with ``code`` when it still exists after ``limit_s``."""
    library, timer = ctypes.CDLL(None), ctypes.c_void_p()
    function = ctypes.cast(library._exit, ctypes.c_void_p)
    event = _Event(value=code, notify=_SIGEV_THREAD, function=function)
    library.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer))
    seconds, rest = divmod(limit_s, 1)
    once = (ctypes.c_long * 4)(0, 0, int(seconds), int(rest * 1e9))  # struct itimerspec: no period, then the time
    library.timer_settime(timer, 0, once, None)
