"""What servos report: the state block of some servos, and the states of all servos of a robot.

The state block is registers 56..70, present position to present current; it is decoded here and nowhere else. Arrays
(n,) of a robot's servos are in the order of ``Robot.names``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rena_ros.base.arrays import BoolArray, ByteArray, FloatArray, IntArray
from rena_ros.bus.protocol import from_words
from rena_ros.bus.registers import CURRENT_MA, REGISTERS, Status

_SIGN_BITS = np.array([REGISTERS[f"present_{name}"].sign_bit for name in ("position", "speed", "load")])
_CURRENT = REGISTERS["present_current"]
STATE_ADDRESS, STATE_BYTES = REGISTERS["present_position"].address, 8  # 56..63: position to temperature
MOTION_ADDRESS, MOTION_BYTES = REGISTERS["moving"].address, 5  # 66..70: moving, two unused bytes, current
BLOCK_BYTES = MOTION_ADDRESS + MOTION_BYTES - STATE_ADDRESS  # 56..70, both of them


@dataclass(frozen=True)
class ServoState:
    """Registers 56..63 of one servo or of n: ``speed`` in ticks/s, ``load`` as a signed fraction of full torque."""

    ticks: IntArray
    speed: IntArray
    load: FloatArray
    voltage_v: FloatArray
    temperature_c: IntArray


@dataclass(frozen=True)
class ServoMotion:
    """Registers 66..70 of one servo or of n: whether it moves, and the current it draws."""

    moving: BoolArray
    current_a: FloatArray


def decode_state(data: ByteArray) -> ServoState:
    """Decode registers from 56 on, uint8 (..., size) with ``size`` at least 8; later bytes are ignored."""
    words = from_words(data[..., :6].reshape(*data.shape[:-1], 3, 2), _SIGN_BITS)
    ticks, speed, load = words[..., 0], words[..., 1], words[..., 2] / 1000
    return ServoState(ticks, speed, load, voltage_v=data[..., 6] / 10, temperature_c=data[..., 7].astype(np.int64))


def decode_motion(data: ByteArray) -> ServoMotion:
    """Decode registers 66..70, the last five bytes of ``data``, uint8 (..., size)."""
    current = from_words(data[..., -_CURRENT.size :], _CURRENT.sign_bit)
    return ServoMotion(moving=data[..., -MOTION_BYTES] != 0, current_a=current * (CURRENT_MA / 1000))


@dataclass(frozen=True)
class BusState(ServoState):
    """The state of every servo after one read.

    ``fresh``: the servo has replied to this read. Where it has not, the other arrays hold its last reply, and zeros
    before the first one. ``status``: bits as in ``registers.Status``. ``seen_s``: time of each servo's last reply
    (``now`` of the port, time.monotonic() for a serial port), -inf before the first one; ``stamp_s``: when this read
    ended; ``middle_s``: the middle between the start of the request to all servos and the last byte of their replies,
    the time for which the values stand.
    """

    fresh: BoolArray
    status: IntArray
    seen_s: FloatArray
    stamp_s: float
    middle_s: float

    @property
    def age_s(self) -> FloatArray:
        """The age of each servo's values, s, (n,); inf before its first reply."""
        return self.stamp_s - self.seen_s

    def reports(self, condition: Status) -> BoolArray:
        """Return which servos reported a condition in their last reply, bool (n,)."""
        return np.bitwise_and(self.status, int(condition)).astype(bool)

    @property
    def position_known(self) -> BoolArray:
        """Which servos have replied to this read and reported no encoder fault, bool (n,)."""
        return self.fresh & ~self.reports(Status.ENCODER)


@dataclass(frozen=True)
class HealthState(ServoMotion):
    """What is read about once a second.

    ``torque``: int8, the torque register, -1 where it is unknown. Where it is known, ``lost_speed_limit`` says that the
    goal speed register holds 0, as after a loss of power. ``current_a`` and ``moving`` are valid where ``fresh``.
    """

    torque: IntArray
    lost_speed_limit: BoolArray
    fresh: BoolArray


@dataclass(frozen=True)
class ServoErrors:
    """Errors per servo in reads of all states since the bus was opened, int (n,) each.

    ``missed``: no reply; ``rejected``: the servo rejected the request; ``corrupt``: the reply was corrupt and its
    sender is known (otherwise it counts as missed).
    """

    missed: NDArray[np.int64]
    rejected: NDArray[np.int64]
    corrupt: NDArray[np.int64]
