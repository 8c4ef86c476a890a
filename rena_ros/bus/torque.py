"""Torque of single servos: on from where the horn is, off in any case. What the register says counts."""

from rena_ros.bus.access import decode, write_bytes
from rena_ros.bus.line import Line
from rena_ros.bus.protocol import to_word
from rena_ros.bus.registers import REGISTERS, Status
from rena_ros.robot.model import RAD_PER_TICK, Servo

# The servo's own speed limit while goals are streamed to it: a backstop above the limit that the motion keeps.
_SPEED_HEADROOM = 1.2
_SLOWLY = 0.25  # of that, while a servo is brought in from outside its limits
_POSITION = REGISTERS["present_position"]
_ACCELERATION = REGISTERS["acceleration"].address
_TORQUE = REGISTERS["torque_enable"].address


def goal_speed(servo: Servo) -> int:
    """What belongs into the goal_speed register, ticks/s."""
    return min(max(round(servo.max_speed_rad_s * _SPEED_HEADROOM / RAD_PER_TICK), 1), 0x7FFF)


def switch_on(line: Line, servo: Servo, brief: bool = False) -> str | None:
    """Torque on with the present position as the goal, so that nothing moves; returns why it failed.

    A servo outside its limits is brought to the nearer one, at a quarter of its speed. One whose encoder is at
    fault gets no torque: wherever it were sent, it would come from an unknown place. ``brief``: ask only once, and
    not for long, whether it is there.
    """
    patience = {"retries": 0, "margin_s": line.short_margin_s} if brief else {}
    answer = line.read(servo.id, _POSITION.address, _POSITION.size, **patience)
    if answer is None:
        return line.failure
    if answer.code & Status.ENCODER:
        return f"does not know where it is (encoder fault, status {answer.code})"
    present = decode(_POSITION, answer.params)
    goal = min(max(present, servo.min_ticks), servo.max_ticks)
    speed = goal_speed(servo) if goal == present else max(round(goal_speed(servo) * _SLOWLY), 1)
    # From `acceleration` on: as fast as it can (the motion limits it), goal, no goal time, speed limit.
    prepared = bytes((0,)) + to_word(goal) + to_word(0) + to_word(speed)
    why = write_bytes(line, servo.id, _ACCELERATION, prepared, "its present position as its goal")
    return why or switch(line, servo.id, True)


def switch(line: Line, servo_id: int, on: bool, margin_s: float | None = None) -> str | None:
    """Write one servo's torque register, whatever it held; returns why it failed."""
    line.write(servo_id, _TORQUE, bytes((on,)), margin_s=margin_s)
    answer = line.read(servo_id, _TORQUE, 1, margin_s=margin_s)
    if answer is None:
        return line.failure
    if answer.params[0] != on:
        return f"refuses: its torque is still {'off' if on else 'on'} (status {answer.code})"
    return None
