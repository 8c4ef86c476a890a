"""The messages that several nodes publish: timing, diagnostics and joint states, each made in one place."""

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import JointState, TimeReference

from rena_ros.bus.states import BusState
from rena_ros.control.goal_writer import SentGoals
from rena_ros.recording.marker import SampleMarker, marker_from
from rena_ros.robot.model import Robot


def timing_msg(stage: str, image_stamp: Time, finished: Time) -> TimeReference:
    """``stage`` finished its work on the image stamped ``image_stamp`` at the time ``finished``."""
    message = TimeReference(time_ref=image_stamp, source=stage)
    message.header.stamp = finished
    return message


def diagnostics_msg(statuses: Sequence[DiagnosticStatus], stamp: Time) -> DiagnosticArray:
    """The statuses of one node, for ``/diagnostics``."""
    message = DiagnosticArray(status=statuses)
    message.header.stamp = stamp
    return message


def status_msg(
    name: str, level: int, text: str, values: Mapping[str, object], hardware_id: str = ""
) -> DiagnosticStatus:
    """One status; ``level`` 0 good, 1 warning, 2 error, 3 stale. Booleans among the values become true and false."""
    return DiagnosticStatus(
        level=bytes((level,)),
        name=name,
        hardware_id=hardware_id,
        message=text,
        values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
    )


def joint_state_msg(names: Sequence[str], positions: Sequence[float], stamp: Time) -> JointState:
    """Names and as many positions: rad of servos, or the features of a reading."""
    message = JointState(name=list(names), position=positions)
    message.header.stamp = stamp
    return message


def servo_states_msg(robot: Robot, state: BusState, stamp: Time) -> JointState:
    """All servos in the robot's order: position rad, velocity rad/s; NaN for a servo whose position is not known now.

    Effort stays empty: it is a torque in N m, and servos report a fraction of their full torque.
    """
    position, velocity = robot.from_ticks(state.ticks), robot.from_ticks(robot.neutral_ticks + state.speed)
    known = state.position_known
    message = JointState(name=robot.names, position=_doubles(position, known), velocity=_doubles(velocity, known))
    message.header.stamp = stamp
    return message


def goals_msg(robot: Robot, sent: SentGoals, stamp: Time) -> JointState:
    """All servos in the robot's order: the goals on the wire, rad, with the planned velocity there, rad/s.

    NaN for a servo that got none.
    """
    message = JointState(
        name=robot.names,
        position=_doubles(robot.from_ticks(sent.ticks), sent.selected),
        velocity=_doubles(sent.velocity, sent.selected),
    )
    message.header.stamp = stamp
    return message


def sample_marker(message: DiagnosticArray) -> SampleMarker | None:
    """The marker that a message on the topic ``sample`` holds; None for one about something else. Raises RenaError."""
    statuses = {status.name: status for status in message.status}
    if "sample" not in statuses or "goals" not in statuses:
        return None
    values, goals = ({one.key: one.value for one in statuses[name].values} for name in ("sample", "goals"))
    return marker_from(statuses["sample"].message, values, goals)


def nanoseconds(stamp: Time) -> int:
    """A stamp in nanoseconds since its clock's epoch."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def _doubles(values: np.ndarray, valid: np.ndarray) -> array:
    """Return float64 with NaN where not ``valid``; an array is not checked value by value, as a list is."""
    return array("d", np.where(valid, values, np.nan).tobytes())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
