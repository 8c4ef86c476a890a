"""Decoding the state block, against the values of FEETECH's memory table."""

import numpy as np
import pytest

from rena_ros.bus.registers import Status, condition_names
from rena_ros.bus.states import BLOCK_BYTES, STATE_ADDRESS, decode_motion, decode_state

# -5 ticks, -10 ticks/s, -50.0 % (sign in bit 10), 6.0 V, 30 C; unused, status, moving, two unused bytes, -100 counts
BLOCK = np.frombuffer(bytes.fromhex("05 80 0A 80 F4 05 3C 1E 00 20 01 00 00 64 80"), np.uint8)
STILL = np.frombuffer(bytes.fromhex("00 08 0A 00 F4 01 4A 46 00 00 00 00 00 C8 00"), np.uint8)


def test_the_block_is_registers_56_to_70():
    assert (STATE_ADDRESS, BLOCK_BYTES) == (56, 15)


def test_the_block_of_one_servo():
    state, motion = decode_state(BLOCK), decode_motion(BLOCK)
    assert (state.ticks, state.speed, state.load) == (-5, -10, -0.5)
    assert (state.voltage_v, state.temperature_c) == (6.0, 30)
    assert motion.moving and motion.current_a == pytest.approx(-0.65)  # 6.5 mA each


def test_the_blocks_of_several_servos():
    data = np.array([BLOCK, STILL])
    state, motion = decode_state(data[:, :8]), decode_motion(data[:, 10:])
    assert state.ticks.tolist() == [-5, 2048] and state.speed.tolist() == [-10, 10]
    assert state.load.tolist() == [-0.5, 0.5] and state.voltage_v.tolist() == [6.0, 7.4]
    assert state.temperature_c.tolist() == [30, 70]
    assert motion.moving.tolist() == [True, False] and motion.current_a == pytest.approx([-0.65, 1.3])


def test_conditions_are_named_and_bits_without_a_name_are_left_out():
    assert condition_names(47) == ("voltage", "encoder", "temperature", "current", "overload")
    assert condition_names(0) == condition_names(16 | 64 | 128) == ()
    assert condition_names(64 | Status.OVERLOAD) == ("overload",)
