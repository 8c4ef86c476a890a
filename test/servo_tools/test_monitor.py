"""`rena servo monitor`: what every servo reports, as rows and in a terminal."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from servo_stand import ROBOT, ServoStand

from rena_ros.cli import main
from rena_ros.control.health import Level
from rena_ros.servo_tools.monitor import BusWatch
from rena_ros.servo_tools.monitor_table import MonitorRow, draw_table, monitor_rows

POSITIONS = ROBOT.neutral_ticks + np.arange(25)


@pytest.fixture
def stand():
    return ServoStand(POSITIONS)


@pytest.fixture
def watch(stand):
    return BusWatch(stand.open_bus())


def read_rows(watch, times=1):
    """Return the rows of the last of ``times`` reads, by servo name."""
    for _ in range(times):
        snapshot = watch.look()
    return {row.name: row for row in monitor_rows(ROBOT, snapshot)}


def test_rows_hold_what_the_servos_report(watch):
    found = read_rows(watch)
    assert [row.ticks for row in found.values()] == POSITIONS.tolist()
    values = {(row.voltage_v, row.temperature_c, row.torque, row.age_s) for row in found.values()}
    assert values == {(6.0, 30, False, 0.0)}
    assert {(row.level, row.remark) for row in found.values()} == {(Level.OK, "limp")}


def test_torque_is_shown_and_is_no_fault(stand, watch):
    stand.bank.set_register("jaw", "torque_enable", 1)
    found = read_rows(watch)
    assert (found["jaw"].torque, found["jaw"].level, found["jaw"].remark) == (True, Level.OK, "torque on")


def test_a_servo_without_any_reply_has_no_values(stand):
    stand.bank.inject("dead", "jaw")
    jaw = read_rows(BusWatch(stand.open_bus()), 5)["jaw"]
    assert (jaw.ticks, jaw.load, jaw.voltage_v, jaw.torque, jaw.age_s) == (None,) * 5
    assert jaw.level == Level.STALE and jaw.remark.startswith("has never replied")


def test_only_the_values_of_a_silent_servo_age(stand, watch):
    read_rows(watch)
    stand.bank.inject("dead", "jaw")
    for _ in range(12):
        stand.bank.advance(0.1)
        found = read_rows(watch)
    assert found["jaw"].age_s > 1 and found["jaw"].level == Level.STALE
    assert found["jaw"].ticks == POSITIONS[ROBOT.index["jaw"]]
    assert all(row.age_s < 0.1 and row.level == Level.OK for name, row in found.items() if name != "jaw")


def test_conditions_are_in_the_remark(stand, watch):
    stand.bank.inject("overload", "jaw")
    stand.bank.inject("overheat", "pucker", temperature_c=90)
    found = read_rows(watch)
    assert "reports overload" in found["jaw"].remark and found["jaw"].level == Level.ERROR
    assert "90 C" in found["pucker"].remark and found["pucker"].temperature_c == 90


def drawn(found, width, wrap):
    """Draw the table for a terminal of this width; return its header's words and its lines."""
    console = Console(file=io.StringIO(), width=width, height=100)
    console.print(draw_table(found, width, wrap=wrap))
    header, *lines = console.file.getvalue().splitlines()
    return header.split(), lines


SMALL = MonitorRow(21, "jaw", 8, 0.0, 6.0, 30, 0.0, True, 0.0, Level.OK, "torque on")
LARGE = MonitorRow(
    253, "corner_right_forward", -32766, -1.0, 12.6, 100, -65.53, True, 0.0, Level.ERROR, "reports overload"
)


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("rows", [[SMALL], [SMALL, LARGE]])
@pytest.mark.parametrize("width", [30, 35, 40, 45, 50, 55, 60, 70, 80, 100])
def test_numbers_are_never_cut_off_at_any_width(width, wrap, rows):
    header, lines = drawn(rows, width, wrap)
    assert max(map(len, lines)) <= width
    texts = {"id": "{0.id}", "servo": "{0.name}", "ticks": "{0.ticks}", "load": "{0.load:+.0%}", "V": "{0.voltage_v}"}
    texts |= {"C": "{0.temperature_c}", "A": "{0.current_a:.2f}"}
    shown = [name for name in header if name != "remark"]
    assert set(shown) >= {"servo", "ticks"}
    firsts = [next(line for line in lines if row.name in line) for row in rows]
    wanted = [[texts[name].format(row) for name in shown] for row in rows]
    assert [line.split()[: len(shown)] for line in firsts] == wanted


@pytest.mark.parametrize(
    ("width", "columns"),
    [(80, "id servo ticks load V C A remark"), (60, "id servo ticks load V C A remark"), (40, "id servo ticks remark")],
)
def test_the_least_important_columns_are_left_out_first(watch, width, columns):
    header, lines = drawn(monitor_rows(ROBOT, watch.look()), width, wrap=False)
    assert header == columns.split() and len(lines) == 25
    assert all(str(ticks) in line.split() for ticks, line in zip(POSITIONS, lines, strict=True))


@pytest.mark.parametrize("width", [8, 10, 20])
def test_the_position_fits_even_where_no_name_does(width):
    _, (small, large) = drawn([SMALL, LARGE], width, wrap=False)
    assert small.split()[1] == "8" and large.split()[1] == "-32766"


def test_once_and_json(emulator, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    port = ["--port", str(emulator.link)]
    assert main(["servo", "monitor", *port, "--once", "jaw", "3"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "servo", "ticks", "load", "V", "C", "A", "remark"]
    assert [line.split()[:3] for line in lines] == [["21", "jaw", "2048"], ["3", "brow_left_frown", "2048"]]
    assert main(["servo", "monitor", *port, "--json", str(tmp_path / "look.json")]) == 0
    assert [row["name"] for row in json.loads((tmp_path / "look.json").read_text())] == list(ROBOT.names)
    assert main(["servo", "monitor", *port]) == 2
    assert "use --once or --json FILE" in capsys.readouterr().err


def test_live_table_survives_a_pulled_cable(terminal, tmp_path):
    link = tmp_path / "servos"
    servos = terminal("emulate", "--link", link)
    servos.wait_for("Ctrl-C ends")
    tool = terminal("monitor", "--port", link)
    tool.wait_for("25 of 25 reply")
    tool.wait_for("neck_roll +2048 +[+]0% +6.0 +30")
    servos.press("unplug\n")
    tool.wait_for(r"Waiting\s+until\s+the\s+port\s+is\s+back")
    servos.press("plug\n")
    tool.wait_for("25 of 25 reply")
    tool.press("\x03")
    assert tool.ended() == 0
    assert "Traceback" not in tool.text
    servos.press("\x03")
    assert servos.ended() == 0
    assert "0 outside the robot's limits" in servos.text and "Torque on at the end: no servo." in servos.text
    assert not link.is_symlink()


def test_a_low_window_says_how_many_servos_do_not_fit(terminal, emulator):
    tool = terminal("monitor", "--port", emulator.link, lines=10)
    tool.wait_for("18 servos do not fit in this window +25 of 25 reply")
    tool.wait_for("eye_right_pitch|eye_left_pitch")
    tool.press("\x03")
    assert tool.ended() == 0 and "eye_right_pitch" not in tool.text
