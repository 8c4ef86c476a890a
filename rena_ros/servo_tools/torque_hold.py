"""One servo under torque: read its state, hold it at its position, move it within its limits, and release it.

``confirm_torque_off`` asks the operator before a tool switches torque off.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.bus import torque
from rena_ros.bus.access import read_register, write_register
from rena_ros.bus.line import Line
from rena_ros.bus.port import PortLost
from rena_ros.bus.registers import condition_names
from rena_ros.bus.states import BLOCK_BYTES, STATE_ADDRESS, decode_state
from rena_ros.robot.model import RAD_PER_TICK, Robot, Servo
from rena_ros.servo_tools.dialogue import Dialogue, label
from rena_ros.servo_tools.interrupts import deferred_interrupts

SLOW = 0.1  # of the servo's own speed limit
ARRIVED_TICKS = 8  # a servo under load rests a little beside its goal
MAX_SPEED_TICKS_S = 0x7FFF  # bit 15 of the goal_speed register is its sign


@dataclass(frozen=True)
class ServoSnapshot:
    """One servo's state in one reply: ``load`` as a signed fraction of full torque, ``status`` as registers.Status."""

    ticks: int
    load: float
    voltage_v: float
    temperature_c: int
    status: int

    @property
    def conditions(self) -> str:
        """The conditions that its status byte reports, by name; an empty text when there are none."""
        return ", ".join(condition_names(self.status))


def read_servo(line: Line, servo: Servo) -> ServoSnapshot | None:
    """Read one servo's state; None when it does not reply."""
    packet = line.read(servo.id, STATE_ADDRESS, BLOCK_BYTES)
    if packet is None:
        return None
    state = decode_state(np.frombuffer(packet.params, np.uint8))
    return ServoSnapshot(
        ticks=int(state.ticks),
        load=float(state.load),
        voltage_v=float(state.voltage_v),
        temperature_c=int(state.temperature_c),
        status=packet.code,
    )


def slow_speed_ticks_s(servo: Servo) -> int:
    """Return the speed at which a tool moves this servo: a tenth of its limit, ticks/s, 1..0x7FFF."""
    return min(max(round(SLOW * servo.max_speed_rad_s / RAD_PER_TICK), 1), MAX_SPEED_TICKS_S)


def limit_ticks(robot: Robot, servo: Servo, ticks: int) -> int:
    """Return the nearest goal, in ticks, that THE limiter permits while all other servos are at neutral."""
    place = robot.index[servo.name]
    position = float(robot.from_ticks(np.full(len(robot.names), ticks))[place])
    return int(robot.to_ticks(robot.limit([servo.name], [position], np.zeros(len(robot.names))).positions)[place])


@contextlib.contextmanager
def hold_torque(line: Line, servo: Servo, speed: int) -> Iterator[None]:
    """Hold a servo under torque at its present position during a `with` block; release torque at the end.

    Goals written in the block are approached at ``speed``, ticks/s. A servo outside its limits moves slowly to the
    nearer limit. Raises RenaError when the servo does not reply or refuses torque, and at the end when its torque may
    still be on.
    """
    try:
        if why := torque.switch_on(line, servo):
            raise RenaError(f"torque cannot be switched on: {label(servo)} {why}")
        set_register(line, servo, "goal_speed", speed)
        yield
    finally:
        with deferred_interrupts():
            release_torque(line, servo)


def set_register(line: Line, servo: Servo, name: str, value: int) -> None:
    """Write a RAM register. Raises RenaError when the servo does not take the value."""
    if why := write_register(line, servo.id, name, value):
        raise RenaError(f"{label(servo)} {why}")


def release_torque(line: Line, servo: Servo) -> None:
    """Switch torque off and read it back. Raises RenaError when torque is still on, or when it cannot be read."""
    try:
        if torque.switch(line, servo.id, False) is None:
            return
        # An overloaded servo may refuse until a new goal, here its position, clears the overload.
        present = read_register(line, servo.id, "present_position")
        if present is not None:
            write_register(line, servo.id, "goal_position", present)
        why = torque.switch(line, servo.id, False)
    except PortLost as error:
        raise RenaError(f"{error} {_may_be_on(servo)}") from error
    if why:
        raise RenaError(f"{_may_be_on(servo)}; the servo {why}")


def confirm_torque_off(line: Line, servos: Sequence[Servo], dialogue: Dialogue) -> bool:
    """Ask, then switch torque off where it is on, before EEPROM is written or horns are turned by hand.

    Returns False when the operator says no. Raises RenaError that names the servos that refuse.
    """
    under_torque = [servo for servo in servos if read_register(line, servo.id, "torque_enable")]
    if not under_torque:
        return True
    dialogue.say(f"Torque is on: {', '.join(servo.name for servo in under_torque)}.")
    if not dialogue.confirm("It must be switched off first; support any part that would fall. Switch torque off?"):
        return False
    outcomes = {servo.name: write_register(line, servo.id, "torque_enable", 0) for servo in under_torque}
    if refusals := [f"{name}: {why}" for name, why in outcomes.items() if why]:
        raise RenaError(f"torque stays on; switch the servos' power off and on, then retry. {'; '.join(refusals)}")
    return True


def _may_be_on(servo: Servo) -> str:
    return f"{label(servo)} may still be under torque: switch its power off to release it"
