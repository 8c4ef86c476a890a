"""Torque of single servos; success is judged by reading back, as in ``access``."""

from rena_ros.bus.access import decode, write_bytes
from rena_ros.bus.line import Line
from rena_ros.bus.protocol import to_word
from rena_ros.bus.registers import REGISTERS, Status
from rena_ros.robot.model import RAD_PER_TICK, Servo

# The servo's own speed limit while goals are streamed to it: a backstop above the limit that the motion keeps.
_SPEED_HEADROOM = 1.2
_SLOW = 0.25  # of that, for a servo that starts outside its limits
_POSITION = REGISTERS["present_position"]
_ACCELERATION = REGISTERS["acceleration"].address
_TORQUE = REGISTERS["torque_enable"].address


def goal_speed(servo: Servo) -> int:
    """Return the value for the servo's goal_speed register, its own speed limit, ticks/s, 1..0x7FFF."""
    return min(max(round(servo.max_speed_rad_s * _SPEED_HEADROOM / RAD_PER_TICK), 1), 0x7FFF)


def switch_on(line: Line, servo: Servo, probably_absent: bool = False) -> str | None:
    """Switch torque on without motion; returns why it failed.

    The order is what keeps the horn still: read the position, write it as the goal together with the speed limit, read
    both back, and only then switch torque on. A servo outside its limits gets the nearer limit as its goal and moves
    there at a quarter of its speed. A servo with an encoder fault gets no torque, because its position is unknown and
    any goal could move it. ``probably_absent``: read the position only once, with a short margin.
    """
    retries, margin_s = (0, line.short_margin_s) if probably_absent else (None, None)
    reply = line.read(servo.id, _POSITION.address, _POSITION.size, retries=retries, margin_s=margin_s)
    if reply is None:
        return line.failure
    if reply.code & Status.ENCODER:
        return f"does not know its position (encoder fault, status {reply.code})"
    present = decode(_POSITION, reply.params)
    goal = min(max(present, servo.min_ticks), servo.max_ticks)
    speed = goal_speed(servo) if goal == present else max(round(goal_speed(servo) * _SLOW), 1)
    # Registers 41..47: acceleration (0: unlimited, the motion limits it), goal position, goal time (0: unused), speed.
    prepared = bytes((0,)) + to_word(goal) + to_word(0) + to_word(speed)
    why = write_bytes(line, servo.id, _ACCELERATION, prepared, "its present position as its goal")
    return why or switch(line, servo.id, True)


def switch(line: Line, servo_id: int, on: bool, margin_s: float | None = None) -> str | None:
    """Write one servo's torque register, also when it holds the value, and read it back; returns why it failed."""
    line.write(servo_id, _TORQUE, bytes((on,)), margin_s=margin_s)
    reply = line.read(servo_id, _TORQUE, 1, margin_s=margin_s)
    if reply is None:
        return line.failure
    if reply.params[0] != on:
        return f"refuses: its torque is still {'off' if on else 'on'} (status {reply.code})"
    return None
