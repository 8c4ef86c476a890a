"""Niceness that counts against other sessions, read back from the kernel."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, pathlib
from rena_ros.niceness import be_nice
be_nice(7)
autogroup = pathlib.Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), autogroup.read_text().split()[-1] if autogroup.exists() else None)
"""


AUTOGROUP = Path("/proc/self/autogroup")


def autogroup():
    """Niceness of this session; "None" where the kernel has no autogroups."""
    return AUTOGROUP.read_text().split()[-1] if AUTOGROUP.exists() else "None"


@pytest.mark.parametrize("own_session", [True, False])
def test_only_a_session_of_its_own_becomes_as_nice_as_the_process(own_session):
    before = autogroup()
    answer = subprocess.run(
        [sys.executable, "-c", CODE], start_new_session=own_session, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["7", "7" if own_session and AUTOGROUP.exists() else before]
    assert autogroup() == before
