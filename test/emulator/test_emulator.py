"""The emulator as a process: its counts, faults injected while it runs, and its end."""

import os
import signal
import subprocess
import sys
import termios
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from servo_stand import ROBOT

from rena_ros.bus import protocol
from rena_ros.bus.bus import Bus
from rena_ros.bus.port import PortLost, PortMissing, SerialPort
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.emulator import Emulator, main
from rena_ros.emulator.wire import TimedReply, Wire

JAW = ROBOT.index["jaw"]


def test_our_bus_and_the_emulator_agree(emulator, until):
    bus = Bus(str(emulator.link), ROBOT, retries=10)
    assert bus.set_torque(True) == {}
    bus.write_goals(ROBOT.min_ticks)
    until(lambda: (bus.read_state().ticks == ROBOT.min_ticks).all())
    assert bus.set_torque(False) == {}
    bus.close()
    report = emulator.end()
    assert report["goal_writes"] >= 25 + 25  # torque on sets each servo's present position as its goal
    assert report["torque_on_writes"] >= 25 and report["torque_on"] == []
    assert report["limit_violations"] == 0


def test_the_emulator_survives_a_baud_rate_of_0(emulator, until):
    with open(emulator.link, "rb+", buffering=0) as client:
        settings = termios.tcgetattr(client)
        settings[4] = settings[5] = termios.B0
        termios.tcsetattr(client, termios.TCSANOW, settings)
        client.write(protocol.read(21, 3, 2))
        assert emulator.command("status").startswith("plugged")
    bus = Bus(str(emulator.link), ROBOT, retries=10)
    assert bus.line.read(21, 3, 2)
    bus.close()


def test_faults_are_typed_while_a_client_reads(emulator, until):
    bus = Bus(str(emulator.link), ROBOT, retries=10)
    bus.set_torque(True)
    status = emulator.command("fault {kind: overload, servo: jaw}")
    assert status == "plugged; 25 servos attached, torque on at 25; faults: overload jaw"
    until(lambda: bus.read_state().status[JAW] == 32)
    assert set(bus.set_torque(False)) == {"jaw"}
    assert emulator.command("clear overload jaw") == "plugged; 25 servos attached, torque on at 1; faults: none"
    assert bus.set_torque(False) == {}
    assert emulator.command("attach jaw") == "plugged; 1 servos attached, torque on at 0; faults: none"
    assert bus.line.read(21, 3, 2) and not bus.line.read(22, 3, 2, retries=1)
    assert emulator.command("attach all").startswith("plugged; 25 servos")
    assert "no servo is called jow" in emulator.command("attach jow")
    emulator.command("fault {kind: dead, servo: jww}")
    assert "did you mean jaw" in emulator.process.stdout.readline()
    assert "unknown command explode" in emulator.command("explode")
    assert "unknown kind of fault everything" in emulator.command("clear everything")
    bus.close()
    assert emulator.end()["faults"] == {"overload": 1}


def test_unplugged_under_a_client_and_plugged_in_again(emulator, until):
    bus = Bus(str(emulator.link), ROBOT, retries=10)
    bus.set_torque(True)
    device = os.readlink(emulator.link)
    assert emulator.command("unplug").startswith("unplugged")
    until(lambda: not emulator.link.is_symlink())
    with pytest.raises(PortLost):
        [bus.read_state() for _ in range(3)]
    with pytest.raises(PortMissing):
        Bus(str(emulator.link), ROBOT)
    assert emulator.command("plug").startswith("plugged")
    until(emulator.link.is_symlink)
    assert os.readlink(emulator.link) != device  # the old one is still open at our end
    bus.close()
    bus = Bus(str(emulator.link), ROBOT, retries=10)
    until(lambda: bus.read_state().fresh.all())
    until(lambda: (bus.read_health().torque == 1).all())  # the servos had kept their power
    emulator.command("power_cycle")
    until(lambda: (bus.read_health().torque == 0).all())
    bus.close()


def test_the_emulator_ends_while_it_is_unplugged(emulator, until):
    emulator.command("unplug")
    until(lambda: not emulator.link.is_symlink())
    assert emulator.end()["faults"] == {"unplugged": 1}


def test_faults_come_from_a_file_and_goals_go_to_one(make_emulator, tmp_path, until):
    (tmp_path / "faults.yaml").write_text("faults:\n  - {kind: overheat, servo: jaw, temperature_c: 90}\n")
    emulator = make_emulator("--faults", tmp_path / "faults.yaml", "--goals", tmp_path / "goals.csv")
    bus = Bus(str(emulator.link), ROBOT, retries=10)
    until(lambda: bus.read_state().status[JAW] == 4)
    assert bus.read_state().temperature_c[JAW] == 90
    bus.write_goals(ROBOT.max_ticks)
    bus.read_state()
    emulator.process.kill()
    emulator.process.wait()
    bus.close()
    head, line = (tmp_path / "goals.csv").read_text().splitlines()
    assert head == ",".join(["time_s", *ROBOT.names])
    assert line.split(",")[1:] == [str(ticks) for ticks in ROBOT.max_ticks]


def test_factory_servos_reply_with_id_1_and_the_slowest_return_delay(make_emulator):
    emulator = make_emulator("--factory")
    port = SerialPort(str(emulator.link), 1_000_000)
    sent_s = port.write(protocol.read(1, 3, 5))
    received = port.read(sent_s, sent_s + 20.0, lambda received: len(received) == 11)
    assert received == protocol.reply(1, 0, bytes([9, 2, 1, 0, 250]))  # model 521, id 1, 1 M, 500 us
    port.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--faults", "faults.yaml"], "line 2: kind must be one of 'dead', 'late'"),
        (["--faults", "none.yaml"], "cannot read the fault file none.yaml"),
        (["--goals", "."], "cannot write the goals"),
        (["--return-delay-us", "501"], "501 is outside 0..500"),
        (["--link", "faults.yaml"], "faults.yaml exists and is not a link; choose another --link"),
    ],
)
def test_an_impossible_option_is_one_clear_message(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faults.yaml").write_text("faults:\n  - {kind: ded}\n")
    assert main(["--link", "link", *options]) == 2
    assert message in capsys.readouterr().err
    (only,) = tmp_path.iterdir()
    assert only.name == "faults.yaml" and not only.is_symlink()


def test_the_emulator_stays_until_its_client_has_closed_the_port(emulator):
    bus = Bus(str(emulator.link), ROBOT, retries=10)
    bus.set_torque(True)
    os.kill(emulator.process.pid, signal.SIGINT)
    assert bus.set_torque(False) == {}
    bus.close()
    assert emulator.process.wait(20) == 0


@pytest.fixture
def serving(tmp_path, monkeypatch):
    """An emulator that runs in a thread, the thread, its client's port, and a function that lets seconds pass."""
    passed = [1000.0]
    monkeypatch.setattr("rena_ros.emulator.emulator.time", SimpleNamespace(monotonic=lambda: sum(passed)))
    emulator = Emulator(ServoBank(ROBOT), tmp_path / "servos")
    thread = threading.Thread(target=emulator.run)
    thread.start()
    assert emulator.call(lambda: os.path.islink(tmp_path / "servos"))
    client = os.open(tmp_path / "servos", os.O_RDWR | os.O_NOCTTY)
    yield emulator, thread, client, passed.append
    emulator.stop()
    passed.append(1e6)
    thread.join()
    emulator.close()
    with pytest.raises(TimeoutError):
        emulator.call(lambda: None)


@pytest.mark.parametrize(
    ("after_s", "again_s", "stays"),
    [(9, None, True), (11, None, False), (0, 1, True), (0, 3, False)],
    ids=["waits", "not for ever", "a doubled Ctrl-C", "a second Ctrl-C"],
)
def test_after_a_signal_the_emulator_waits_10_s_or_until_a_second_one(serving, after_s, again_s, stays):
    emulator, thread, client, pass_time = serving
    emulator.stop()
    pass_time(after_s)
    if again_s is not None:
        pass_time(again_s)
        emulator.stop()
    if stays:
        assert [emulator.call(lambda: len(emulator.bank.attached)) for _ in range(2)] == [25, 25]
        os.close(client)
    thread.join(60)
    assert not thread.is_alive()


def test_the_emulator_ends_as_soon_as_its_client_has_closed_the_port(serving):
    emulator, thread, client, _ = serving
    emulator.stop()
    assert emulator.call(lambda: len(emulator.bank.attached)) == 25
    os.close(client)
    thread.join(60)
    assert not thread.is_alive()


def test_bytes_on_their_way_are_lost_with_the_cable(emulator, until):
    emulator.command("fault {kind: late, servo: jaw, delay_ms: 150}")
    port = SerialPort(str(emulator.link), 1_000_000)
    port.write(protocol.ping(21))
    emulator.command("unplug")
    emulator.command("plug")
    until(emulator.link.is_symlink)
    port.close()
    again = SerialPort(str(emulator.link), 1_000_000)
    assert again.read(0.0, again.now() + 0.3, bool) == b""
    again.close()


@pytest.mark.parametrize("delay_us", [0, 500])
def test_replies_take_as_long_as_on_a_wire_of_1_mbps(delay_us):
    # a request of 33 bytes, then 25 replies of 14 bytes, 10 us a byte, each after its servo's return delay
    wire = Wire(1_000_000)
    wire.request(33, 100.0)
    wire.queue_replies([TimedReply(delay_us * 1e-6, bytes(14))] * 25)
    slot_s = 14e-5 + delay_us * 1e-6
    received = 0
    for now_s in 100.0 + np.arange(0, 0.02, 5e-5):
        received += len(wire.arrived(now_s))
        carried = max(0, min(25, int((now_s - 100.0 - 33e-5 + 1e-9) / slot_s)))
        assert received <= carried * 14  # never earlier than the wire,
        assert received >= (carried - 1e-3 / slot_s - 1) * 14  # and at most one burst of a millisecond later
    assert received == 350 and wire.next_s() == np.inf and wire.collisions == 0


def test_a_request_during_a_reply_is_a_collision():
    wire = Wire(1_000_000)
    wire.request(33, 0.0)
    wire.queue_replies([TimedReply(0.0, bytes(14))])
    wire.request(33, 1e-4)
    assert wire.collisions == 1


def test_the_link_of_a_running_emulator_is_not_taken_away(emulator, capsys):
    device = os.readlink(emulator.link)
    assert main(["--link", str(emulator.link)]) == 2
    message = capsys.readouterr().err
    assert f"(pid {emulator.process.pid}) emulates servos at {emulator.link} already" in message
    assert os.readlink(emulator.link) == device
    emulator.end()


def test_the_link_of_a_killed_emulator_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "servos").symlink_to("/dev/pts/no-more")
    monkeypatch.setattr("rena_ros.emulator.emulator.LINGER_S", 0.0)
    emulator = Emulator(ServoBank(ROBOT), tmp_path / "servos")
    emulator.stop()
    emulator.run()
    assert os.readlink(tmp_path / "servos") != "/dev/pts/no-more"
    emulator.close()


def test_a_report_that_cannot_be_written_is_one_message(tmp_path, until):
    (tmp_path / "file").write_text("")
    link, report = tmp_path / "servos", tmp_path / "file" / "report.json"
    command = [sys.executable, "-m", "rena_ros.emulator.emulator", "--link", link, "--report", report]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(link.is_symlink)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=20)
    assert process.returncode == 2 and message.startswith(f"emulator: cannot write the report to {report}: ")
    assert len(message.splitlines()) == 1
