"""The fixture of the gate's tests."""

import pytest
from servo_stand import ServoStand


@pytest.fixture
def stand():
    """A stand with a gate: torque on, at neutral."""
    stand = ServoStand().with_gate()
    stand.torque_on()
    return stand
