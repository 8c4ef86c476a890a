"""A finished bag."""

import pytest
from bag_stand import rows, write


@pytest.fixture(name="bag")
def finished_bag(tmp_path):
    """A finished bag of 100 messages, and its rows."""
    return write(tmp_path / "take", rows(100)), rows(100)
