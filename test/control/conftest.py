"""The fixture of the gate's tests."""

import pytest
from servo_stand import ServoStand


@pytest.fixture
def stand():
    """A stand with a gate: connected, limp."""
    return ServoStand().with_gate()
