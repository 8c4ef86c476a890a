"""Niceness that counts against other sessions, read back from the kernel."""

import subprocess
import sys

import pytest

from rena_ros.base import priority as niceness
from rena_ros.base.priority import be_nice, session_niceness

# 19, the highest niceness: tests that run at a niceness of 8 may not be permitted to set 7.
CODE = """
import os
from rena_ros.base.priority import be_nice, session_niceness
before = session_niceness()
be_nice(19)
print(os.getpriority(os.PRIO_PROCESS, 0), before, session_niceness())
"""


@pytest.mark.parametrize("own_session", [True, False])
def test_only_a_session_of_its_own_becomes_as_nice_as_the_process(own_session):
    before = session_niceness()
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, start_new_session=own_session, capture_output=True, text=True, check=True)
    process, had, has = done.stdout.split()
    assert process == "19" and has == ("19" if own_session and had != "None" else had)
    assert session_niceness() == before


class Autogroup:
    """The kernel's autogroup file: its text, and how many writes fail as busy before one succeeds."""

    def __init__(self, text, busy=0):
        self.text, self.busy = text, busy

    def exists(self):
        return self.text is not None

    def read_text(self, encoding):
        return self.text

    def write_text(self, text, encoding):
        if self.busy:
            self.busy -= 1
            raise BlockingIOError("resource temporarily unavailable")
        self.text = f"/autogroup-5 nice {text}\n"


@pytest.fixture
def leads(monkeypatch):
    """Make this process a session leader with the given autogroup file; its real niceness stays as it is."""

    def lead(autogroup):
        monkeypatch.setattr(niceness, "AUTOGROUP", autogroup)
        monkeypatch.setattr(niceness, "_WAIT_S", 0.001)
        monkeypatch.setattr(niceness.os, "getsid", lambda _pid: niceness.os.getpid())
        monkeypatch.setattr(niceness.os, "setpriority", lambda *_: None)
        return autogroup

    return lead


@pytest.mark.parametrize("text", [None, ""])
def test_a_session_in_no_autogroup_is_left_alone(leads, text):
    autogroup = leads(Autogroup(text))
    be_nice(7)
    assert autogroup.text == text and session_niceness() is None


def test_a_kernel_that_changes_one_session_at_a_time_is_waited_for(leads):
    leads(Autogroup("/autogroup-5 nice 0\n", busy=3))
    be_nice(7)
    assert session_niceness() == 7
    leads(Autogroup("/autogroup-5 nice 0\n", busy=1000))
    with pytest.raises(BlockingIOError):
        be_nice(7)
