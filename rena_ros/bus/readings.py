"""What is known of all servos of a robot, as arrays: readings with their age, and what was lost."""

from dataclasses import dataclass

import numpy as np

from rena_ros.bus.registers import ENCODER_FAULT


@dataclass(frozen=True)
class BusState:
    """What is known of every servo, arrays (n,) in the order of ``Robot.names``.

    ``fresh``: answered just now. Where it did not, the other arrays hold its last answer (zeros before
    the first). ``ticks`` int64, ``speed`` ticks/s, ``load`` fraction of full torque (signed), ``voltage_v``,
    ``temperature_c``, ``status`` bits as in registers.STATUS_BITS; ``seen_s``: when (``Port.now``, that is
    time.monotonic()) each servo answered last (-inf before the first time); ``stamp_s``: when this read ended.
    """

    ticks: np.ndarray
    fresh: np.ndarray
    speed: np.ndarray
    load: np.ndarray
    voltage_v: np.ndarray
    temperature_c: np.ndarray
    status: np.ndarray
    seen_s: np.ndarray
    stamp_s: float

    @property
    def age_s(self) -> np.ndarray:
        """How old each servo's values are, s, (n,); inf where it has never answered."""
        return self.stamp_s - self.seen_s

    @property
    def placed(self) -> np.ndarray:
        """Who answered just now and knows where it is (no encoder fault), bool (n,)."""
        return self.fresh & ((self.status & ENCODER_FAULT) == 0)


@dataclass(frozen=True)
class HealthState:
    """What is read about once a second, arrays (n,).

    ``torque``: int8, the torque register, -1 unknown. Where it is known, ``lost_speed_limit``: bool, the register of
    the goal speed holds 0, as after a loss of power. Where ``fresh``, ``current_a`` and ``moving`` (bool).
    """

    torque: np.ndarray
    lost_speed_limit: np.ndarray
    current_a: np.ndarray
    moving: np.ndarray
    fresh: np.ndarray


@dataclass(frozen=True)
class ServoErrors:
    """Since the bus was opened, int (n,) each: answers to reads of all states that did not come, that were
    rejections, that came corrupt (where it is known whose they were; the others count as missed).
    """

    missed: np.ndarray
    rejected: np.ndarray
    corrupt: np.ndarray
