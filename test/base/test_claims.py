"""Names with one holder on this machine."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from rena_ros.base import claims
from rena_ros.base.claims import claim, is_claimed

HOLDER = """
import subprocess, sys, time
from rena_ros.base.claims import claim
held = claim(sys.argv[1])
child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
print(child.pid if held else "refused", flush=True)
time.sleep(600)
"""


class CannotBind(socket.socket):
    """A socket of a process that only asks."""

    def bind(self, address):
        raise AssertionError(f"asking claims {address}")


@pytest.fixture(params=["{}", "x" * 300 + "{}"], ids=["short", "long"])
def name(request, tmp_path):
    return request.param.format(tmp_path)


def test_a_name_has_one_holder_until_it_is_closed(name):
    held = claim(name)
    assert held is not None and claim(name) is None and is_claimed(name)
    assert not is_claimed(name + "x"), "another name is free"
    held.close()
    assert not is_claimed(name) and not is_claimed(name), "asking holds nothing"


def test_asking_takes_no_name_from_a_process_that_claims_it_meanwhile(name, monkeypatch):
    with monkeypatch.context() as asking:
        asking.setattr(claims.socket, "socket", CannotBind)
        assert not is_claimed(name)


def test_the_kernel_frees_the_name_of_a_killed_process_whose_child_lives_on(name):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, name], stdout=subprocess.PIPE, text=True)
    child = int(holder.stdout.readline())
    try:
        assert is_claimed(name)
        holder.kill()
        holder.wait()
        assert not is_claimed(name)
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()
