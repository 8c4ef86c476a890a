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


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel has no autogroups")
@pytest.mark.parametrize("own_session", [True, False])
def test_only_a_session_of_its_own_becomes_as_nice_as_the_process(own_session):
    before = Path("/proc/self/autogroup").read_text().split()[-1]
    answer = subprocess.run(
        [sys.executable, "-c", CODE], start_new_session=own_session, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["7", "7" if own_session else before]
    assert Path("/proc/self/autogroup").read_text().split()[-1] == before
