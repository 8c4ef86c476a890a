"""What the driver knows of all servos of a robot, as arrays (n,) in the order of ``Robot.names``."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rena_ros.base.arrays import BoolArray, FloatArray, IntArray
from rena_ros.bus.registers import Status
from rena_ros.bus.state_block import ServoState


@dataclass(frozen=True)
class BusState(ServoState):
    """The state of every servo after one read.

    ``fresh``: the servo has replied to this read. Where it has not, the other arrays hold its last reply, and zeros
    before the first one. ``status``: bits as in ``registers.Status``. ``seen_s``: time of each servo's last reply
    (``now`` of the port, time.monotonic() for a serial port), -inf before the first one; ``stamp_s``: when this read
    ended.
    """

    fresh: BoolArray
    status: IntArray
    seen_s: FloatArray
    stamp_s: float

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
class HealthState:
    """What is read about once a second.

    ``torque``: int8, the torque register, -1 where it is unknown. Where it is known, ``lost_speed_limit`` (bool) says
    that the goal speed register holds 0, as after a loss of power. ``current_a`` and ``moving`` (bool) are valid where
    ``fresh``.
    """

    torque: IntArray
    lost_speed_limit: BoolArray
    current_a: FloatArray
    moving: BoolArray
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
