"""The servo's state block: registers 56..70, present position to present current, decoded here and nowhere else.

The functions take the bytes of one servo, uint8 (size,), or of n servos, uint8 (n, size), and return one number or an
array (n,) of each quantity. Addresses, sign bits and units: ``registers``.
"""

from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import BoolArray, ByteArray, FloatArray, IntArray
from rena_ros.bus.protocol import from_words
from rena_ros.bus.registers import CURRENT_MA, REGISTERS

_WORDS = [REGISTERS[f"present_{name}"] for name in ("position", "speed", "load")]
_SIGN_BITS = np.array([register.sign_bit for register in _WORDS])
_CURRENT = REGISTERS["present_current"]
STATE_ADDRESS, STATE_BYTES = REGISTERS["present_position"].address, 8  # 56..63: position to temperature
MOTION_ADDRESS, MOTION_BYTES = REGISTERS["moving"].address, 5  # 66..70: moving, two unused bytes, current
BLOCK_BYTES = MOTION_ADDRESS + MOTION_BYTES - STATE_ADDRESS  # 56..70, both of them


@dataclass(frozen=True)
class ServoState:
    """Registers 56..63: ``speed`` in ticks/s, ``load`` as a signed fraction of full torque."""

    ticks: IntArray
    speed: IntArray
    load: FloatArray
    voltage_v: FloatArray
    temperature_c: IntArray


@dataclass(frozen=True)
class ServoMotion:
    """Registers 66..70: whether the servo moves, and the current it draws."""

    moving: BoolArray
    current_a: FloatArray


def decode_state(data: ByteArray) -> ServoState:
    """Decode registers from 56 on, uint8 (..., size) with ``size`` at least 8; later bytes are ignored."""
    words = from_words(data[..., :6].reshape(*data.shape[:-1], 3, 2), _SIGN_BITS)
    return ServoState(
        ticks=words[..., 0],
        speed=words[..., 1],
        load=words[..., 2] / 1000,
        voltage_v=data[..., 6] / 10,
        temperature_c=data[..., 7].astype(np.int64),
    )


def decode_motion(data: ByteArray) -> ServoMotion:
    """Decode registers 66..70, the last five bytes of ``data``, uint8 (..., size)."""
    current = from_words(data[..., -_CURRENT.size :], _CURRENT.sign_bit)
    return ServoMotion(moving=data[..., -MOTION_BYTES] != 0, current_a=current * (CURRENT_MA / 1000))
