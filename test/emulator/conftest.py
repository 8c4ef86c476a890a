"""The fixture of the emulator's tests."""

import pytest
from servo_stand import ROBOT

from rena_ros.emulator.bank import ServoBank


@pytest.fixture
def bank():
    """The servos of the Rena that ships."""
    return ServoBank(ROBOT)
