"""One servo under torque: held where it is, moved slowly inside its limits, let go at the end whatever happens."""

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
from rena_ros.bus.state_block import BLOCK_BYTES, STATE_ADDRESS, decode_motion, decode_state
from rena_ros.robot.model import RAD_PER_TICK, Robot, Servo
from rena_ros.servo_tools.dialogue import Dialogue, label
from rena_ros.servo_tools.interrupts import deferred_interrupts

SLOW = 0.1  # of the servo's own speed limit
ARRIVED_TICKS = 8  # a servo under load rests a little beside its goal


@dataclass(frozen=True)
class Reading:
    """What one servo said just now: ``load`` is a fraction of full torque, signed; ``status`` bits as in
    registers.Status.
    """

    ticks: int
    load: float
    voltage_v: float
    temperature_c: int
    current_a: float
    moving: bool
    status: int

    @property
    def conditions(self) -> str:
        """Its complaints in words, or an empty text."""
        return ", ".join(condition_names(self.status))


def read_servo(line: Line, servo: Servo) -> Reading | None:
    """One servo's state, or None when it does not answer."""
    packet = line.read(servo.id, STATE_ADDRESS, BLOCK_BYTES)
    if packet is None:
        return None
    data = np.frombuffer(packet.params, np.uint8)
    state, motion = decode_state(data), decode_motion(data)
    return Reading(
        ticks=int(state.ticks),
        load=float(state.load),
        voltage_v=float(state.voltage_v),
        temperature_c=int(state.temperature_c),
        current_a=float(motion.current_a),
        moving=bool(motion.moving),
        status=packet.code,
    )


def slow_speed_ticks_s(servo: Servo) -> int:
    """A speed to move one servo by hand with, ticks/s, 1..0x7FFF."""
    return min(max(round(SLOW * servo.max_speed_rad_s / RAD_PER_TICK), 1), 0x7FFF)


def limit_ticks(robot: Robot, servo: Servo, ticks: int) -> int:
    """The nearest goal, in ticks, that THE limiter lets this servo have while all others rest at neutral."""
    place = robot.index[servo.name]
    position = float(robot.from_ticks(np.full(len(robot.names), ticks))[place])
    return int(robot.to_ticks(robot.limit([servo.name], [position], np.zeros(len(robot.names))).positions)[place])


@contextlib.contextmanager
def hold_torque(line: Line, servo: Servo, speed: int) -> Iterator[None]:
    """Hold ``servo`` where it is, with ``speed`` (ticks/s) for what follows; torque is off again at the end.

    A servo outside its limits creeps to the nearer one. Raises RenaError when the servo does not answer or
    does not take torque, and at the end when it does not let go.
    """
    try:
        if why := torque.switch_on(line, servo):
            raise RenaError(f"torque does not go on: {label(servo)} {why}")
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
    """Torque off. Raises RenaError when the servo keeps it on or nobody can tell."""
    try:
        if torque.switch(line, servo.id, False) is None:
            return
        # An overloaded servo may refuse until a new goal, here where it is, clears the overload.
        here = read_register(line, servo.id, "present_position")
        if here is not None:
            write_register(line, servo.id, "goal_position", here)
        why = torque.switch(line, servo.id, False)
    except PortLost as error:
        lost = f"{error} {label(servo)} may still hold its torque: cut its power if it must let go"
        raise RenaError(lost) from error
    if why:
        raise RenaError(f"{label(servo)} may still hold its torque: it {why}. Cut its power if it must let go")


def confirm_torque_off(line: Line, servos: Sequence[Servo], dialogue: Dialogue) -> bool:
    """EEPROM is written, and horns are turned by hand, only while the torque is off: ask, then switch it off.

    Returns False when the answer is no. Raises RenaError naming the servos that refuse.
    """
    holding = [servo for servo in servos if read_register(line, servo.id, "torque_enable")]
    if not holding:
        return True
    names = ", ".join(servo.name for servo in holding)
    dialogue.say(f"Torque is on: {names}.")
    if not dialogue.confirm("It has to be switched off; hold whatever would fall. Switch it off?"):
        return False
    refusing = {servo.name: write_register(line, servo.id, "torque_enable", 0) for servo in holding}
    if whys := [f"{name}: {why}" for name, why in refusing.items() if why]:
        raise RenaError(f"torque stays on; cut the servos' power and start again. {'; '.join(whys)}")
    return True
