"""A serial port over a pty: one owner, its input buffer, deadlines, a pulled cable."""

import os
import select
import subprocess
import sys
import termios
import threading
import time
import tty

import pytest
import serial

from rena_ros.base.errors import RenaError
from rena_ros.bus import port as port_module
from rena_ros.bus.port import PortLost, PortMissing, SerialPort

BAUD = 1_000_000


class Pty:
    """Both ends of a pty."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def arrive(self, data):
        """Put bytes into the input buffer and wait until they have arrived."""
        os.write(self.master, data)
        assert select.select([self.slave], [], [], 10)[0]

    def pull(self):
        for end in (self.slave, self.master):
            if end >= 0:
                os.close(end)
        self.master = self.slave = -1


@pytest.fixture
def pty():
    pty = Pty()
    yield pty
    pty.pull()


@pytest.fixture
def port(pty):
    port = SerialPort(pty.path, BAUD)
    yield port
    port.close()


def test_opening_sends_nothing_and_the_clock_runs(pty, port):
    assert select.select([pty.master], [], [], 0)[0] == []
    before_s = port.now()
    port.sleep_until(before_s + 0.01)
    assert port.now() >= before_s + 0.01
    port.sleep_until(before_s)  # has passed: no wait, no error


def test_discard_input_discards_all_received_bytes(pty, port):
    pty.arrive(b"old" * 100)
    assert port.discard_input() == 300 and port.discard_input() == 0
    now_s = port.now()
    assert port.read(now_s, now_s, bool) == b""


def test_discard_input_goes_on_until_no_bytes_are_left(port, monkeypatch):
    pieces = [b"a" * 10, b"b" * 20, b"c" * 5]
    monkeypatch.setattr(port_module.os, "read", lambda _fd, _size: pieces.pop(0) if pieces else b"")
    assert port.discard_input() == 35


def test_written_bytes_arrive_and_a_write_returns_the_end_of_their_wire_time(pty, port):
    before_s = port.now()
    first_s = port.write(b"x" * 2000)
    assert os.read(pty.master, 4096) == b"x" * 2000
    assert first_s - before_s >= 2000 * 10 / BAUD
    # A second frame waits for the first one.
    assert port.write(b"y" * 50) - before_s >= 2050 * 10 / BAUD


def test_a_read_collects_bytes_until_they_are_complete(pty, port):
    def send():
        for byte in b"abcde":
            os.write(pty.master, bytes([byte]))
            time.sleep(0.002)

    sender = threading.Thread(target=send)
    sender.start()
    offered = []
    received = port.read(port.now(), port.now() + 20, lambda data: offered.append(data) or len(data) >= 5)
    sender.join()
    assert received == b"abcde" and offered[-1] == received and all(received.startswith(data) for data in offered)


def test_a_read_returns_the_received_bytes_at_its_deadline(pty, port):
    pty.arrive(b"ab")
    deadline_s = port.now() + 0.03
    assert port.read(port.now(), deadline_s, lambda data: False) == b"ab"
    assert port.now() >= deadline_s


def test_a_read_after_its_deadline_still_returns_bytes_that_have_arrived(pty, port):
    pty.arrive(b"ab")
    assert port.read(port.now() - 1, port.now() - 1, lambda data: False) == b"ab"


def waiting_bytes(monkeypatch, *counts):
    """Make the system report these numbers of unsent bytes, the last one for ever."""
    left = list(counts)

    def ioctl(_fd, request, _buffer):
        assert request == termios.TIOCOUTQ
        return (left.pop(0) if len(left) > 1 else left[0]).to_bytes(4, sys.byteorder)

    monkeypatch.setattr(port_module.fcntl, "ioctl", ioctl)
    return left


def test_a_write_ends_when_all_bytes_have_been_sent(pty, port, monkeypatch):
    left = waiting_bytes(monkeypatch, 100, 60, 3, 0)
    port.write(bytes(100))
    assert left == [0]


def test_an_adapter_that_sends_nothing_does_not_block_for_ever(pty, port, monkeypatch):
    waiting_bytes(monkeypatch, 100)
    with pytest.raises(PortLost, match="does not send"):
        port.write(bytes(100))


def test_the_error_of_a_pulled_cable_names_the_port(pty, port):
    pty.pull()
    assert port.discard_input() == 0
    for attempt in (lambda: port.write(b"x"), lambda: port.read(0.0, port.now() + 5, bool)):
        with pytest.raises(PortLost, match=rf"{port.path} is gone"):
            attempt()
    port.close()


def test_the_error_says_why_a_port_cannot_be_opened(tmp_path):
    with pytest.raises(PortMissing, match="there is no port"):
        SerialPort(str(tmp_path / "nothing"), BAUD)
    (tmp_path / "file").write_text("no port")
    with pytest.raises(RenaError, match="file is no serial port"):
        SerialPort(str(tmp_path / "file"), BAUD)


def test_the_error_of_a_forbidden_port_says_how_to_get_permission(monkeypatch):
    def forbid(*_args, **_options):
        raise serial.SerialException(13, "could not open port /dev/ttyUSB0: Permission denied")

    monkeypatch.setattr(serial, "Serial", forbid)
    with pytest.raises(RenaError, match="dialout"):
        SerialPort("/dev/ttyUSB0", BAUD)


# One owner


def test_a_port_has_one_owner(pty, port):
    with pytest.raises(RenaError, match=r"another program has .* open"):
        SerialPort(pty.path, BAUD)
    port.close()
    SerialPort(pty.path, BAUD).close()


@pytest.fixture
def other_program():
    """Start Python with these arguments and wait until the program prints that it is ready."""
    started = []

    def start(*arguments, **options):
        command = [sys.executable, *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options))
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


WAIT = "\nprint('ready', flush=True)\nimport time; time.sleep(60)"
OPEN = "import os, sys; end = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)"
SERVE = "import os, pathlib, sys; ends = os.openpty(); pathlib.Path(sys.argv[1]).symlink_to(os.ttyname(ends[1]))"


def test_another_program_that_has_the_port_open_without_a_lock_is_named(pty, tmp_path, other_program):
    link = tmp_path / "link"
    link.symlink_to(pty.path)
    other = other_program("-c", OPEN + WAIT, link)
    with pytest.raises(RenaError, match=rf"{link} open.* end it first") as caught:
        SerialPort(str(link), BAUD)
    assert f"(pid {other.pid})" in str(caught.value) and "python" in str(caught.value)
    other.kill()
    other.wait()
    SerialPort(str(link), BAUD).close()


def test_an_emulator_that_serves_the_pty_does_not_count_as_another_owner(tmp_path, other_program):
    link = tmp_path / "servos"
    other_program("-c", SERVE + WAIT, link)
    SerialPort(str(link), BAUD).close()
    # A program that serves one pty is another owner of a second one.
    second = tmp_path / "second"
    other_program("-c", SERVE + WAIT, second)
    serve_and_open = f"{SERVE}; end = os.open(sys.argv[2], os.O_RDWR)"
    other = other_program("-c", serve_and_open + WAIT, tmp_path / "third", second)
    with pytest.raises(RenaError, match=f"pid {other.pid}"):
        SerialPort(str(second), BAUD)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_real_device_is_locked_exclusively_but_a_pty_is_not(pty, monkeypatch, exclusive):
    calls = []
    monkeypatch.setattr("fcntl.ioctl", lambda fd, request, *rest: calls.append(request) or 0)
    if exclusive:  # the path leads to /dev/ttyUSB0
        monkeypatch.setattr("os.path.realpath", lambda path: "/dev/ttyUSB0")
    SerialPort(pty.path, BAUD).close()
    assert (0x540C in calls) == exclusive  # TIOCEXCL


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["rena", "servo", "jog", "--port", "x"], "rena servo jog"),
        (["-m", "holder", "-p", "x"], r"python[.\d]* -m holder"),
        (["-c", "import holder"], r"python[.\d]*"),
    ],
)
def test_the_error_names_the_owner_by_what_it_runs(pty, tmp_path, other_program, arguments, name):
    program = f"kept = open({pty.path!r}, 'rb+', 0){WAIT}"
    (tmp_path / "rena").write_text(program)
    (tmp_path / "holder.py").write_text(program)
    other = other_program(*arguments, cwd=tmp_path)
    with pytest.raises(RenaError, match=rf"^{name} \(pid {other.pid}\) has .* open, and a port has one owner"):
        SerialPort(pty.path, BAUD)
