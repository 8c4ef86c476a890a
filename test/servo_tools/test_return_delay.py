"""`rena servo set-return-delay`, and what every EEPROM tool does when it is interrupted, on emulated servos."""

import pytest
from tool_stand import NAMES, ROBOT, ToolStand, ctrl_c

from rena_ros.base.errors import RenaError
from rena_ros.bus.port import PortLost
from rena_ros.servo_tools import return_delay


@pytest.fixture
def stand(monkeypatch):
    return ToolStand(monkeypatch, return_delay_us=500)


def all_locked(stand, names=NAMES):
    return set(stand.now("lock", names).values()) == {1}


def test_all_servos_keep_the_delay_after_a_power_cycle(stand):
    assert stand.run(return_delay, answers=["maybe", "Y"]) == 0
    assert "25 servo(s) wait 500 us" in stand.text and "Please type y or n" in stand.text
    assert all_locked(stand)
    assert set(stand.kept("return_delay").values()) == {0}
    assert stand.run(return_delay) == 0  # no question: nothing differs


def test_some_servos_by_name_and_id(stand):
    assert stand.run(return_delay, "jaw", "7", "--us", "20", "--yes") == 0
    kept = stand.kept("return_delay")
    assert {name: counts for name, counts in kept.items() if counts != 250} == {"jaw": 10, "eye_left_pitch": 10}


def test_a_servo_named_twice_is_one_servo(stand):
    assert stand.run(return_delay, "jaw", "21", "jaw", "--yes") == 0
    assert "of 1 servo(s)?" in stand.text and stand.text.count("return_delay 250 -> 0") == 1


def test_a_mistyped_name_gets_a_suggestion(stand):
    with pytest.raises(RenaError, match=r"jow is no servo of .*; did you mean jaw\?"):
        stand.run(return_delay, "jow")
    names = r"brow_left_raise \(1\), .*neck_roll \(25\)"
    with pytest.raises(RenaError, match=rf"99 is no servo of .*; its servos are {names}"):
        stand.run(return_delay, "99")


@pytest.mark.parametrize("answer", ["n", "", "no"])
def test_nothing_is_written_without_a_yes(stand, answer):
    assert stand.run(return_delay, answers=[answer]) == 1
    assert "Nothing was written" in stand.text
    assert set(stand.now("return_delay").values()) == {250}


def test_a_missing_keyboard_is_no_yes(stand):
    with pytest.raises(RenaError, match="standard input has ended"):
        stand.run(return_delay)
    assert set(stand.now("return_delay").values()) == {250}


@pytest.mark.parametrize("us", ["-2", "3", "502"])
def test_an_invalid_delay_is_refused_before_any_request(stand, us):
    with pytest.raises(RenaError, match=r"0 to 500 us in steps of 2"):
        stand.run(return_delay, f"--us={us}")
    assert stand.requests == 0


def test_torque_is_switched_off_only_after_another_yes(stand):
    stand.bank.set_register("jaw", "torque_enable", 1)
    assert stand.run(return_delay, "jaw", "pucker", answers=["y", "n"]) == 1
    assert "Torque is on: jaw." in stand.text
    assert stand.now("torque_enable", ("jaw",)) == {"jaw": 1} and stand.now("return_delay", ("jaw",)) == {"jaw": 250}
    assert stand.run(return_delay, "jaw", "pucker", answers=["y", "y"]) == 0
    assert stand.now("torque_enable", ("jaw",)) == {"jaw": 0}
    assert stand.kept("return_delay", ("jaw", "pucker")) == {"jaw": 0, "pucker": 0}


def test_a_servo_that_refuses_torque_off_is_named_and_not_written(stand):
    stand.bank.set_register("jaw", "torque_enable", 1)
    stand.bank.inject("overload", "jaw")
    with pytest.raises(RenaError, match=r"torque stays on.*jaw"):
        stand.run(return_delay, "--yes")
    assert set(stand.now("return_delay").values()) == {250}


def test_silent_and_refusing_servos_do_not_stop_the_others(stand):
    stand.bank.inject("dead", "jaw")
    stand.bank.inject("eeprom_locked", "pucker")
    assert stand.run(return_delay, "--yes") == 1
    assert "Silent and unchanged: jaw" in stand.text
    assert "Failed: pucker (id 22): return_delay 250 -> 0" in stand.text
    assert "Written and locked again: 23" in stand.text
    stand.bank.clear()
    kept = stand.kept("return_delay")
    assert {name for name, counts in kept.items() if counts} == {"jaw", "pucker"}


def test_a_bus_without_servos_is_an_error(stand):
    stand.bank.set_attached()
    with pytest.raises(RenaError, match="check their power"):
        stand.run(return_delay, "--yes")


def reported(stand):
    """Return the servos that the tool reports as written, and as not written."""
    written = {line.split()[0] for line in stand.lines if "locked again" in line and line.startswith("  ")}
    not_written = {
        line.split()[2] for text in stand.lines for line in text.split("\n") if line.startswith("Not written")
    }
    return written, not_written


PAIR = ("jaw", "pucker")


def requests_of_a_whole_run(monkeypatch):
    stand = ToolStand(monkeypatch, return_delay_us=500)
    assert stand.run(return_delay, *PAIR, "--yes") == 0
    return stand.requests


def test_ctrl_c_at_any_request_leaves_every_servo_locked_and_reports_what_was_done(monkeypatch):
    said_cut_off = 0
    for at in range(1, requests_of_a_whole_run(monkeypatch) + 1):
        stand = ToolStand(monkeypatch, return_delay_us=500)
        stand.before_request[at] = ctrl_c
        with pytest.raises(KeyboardInterrupt):
            stand.run(return_delay, *PAIR, "--yes")
        assert all_locked(stand)
        _, not_written = reported(stand)
        kept = stand.kept("return_delay", PAIR)
        if "To continue: " in stand.text:
            said_cut_off += 1
            assert {name for name in PAIR if kept[name] == 250} == not_written
        else:  # before the first write, or after the last one
            assert len(set(kept.values())) == 1
        stand.before_request.clear()
        assert stand.run(return_delay, *PAIR, "--yes") == 0
        assert stand.kept("return_delay", PAIR) == {"jaw": 0, "pucker": 0}
    assert said_cut_off > 5


def test_a_cable_pulled_at_any_request_is_reported_and_the_next_run_completes_the_work(monkeypatch):
    unlocked = 0
    for at in range(1, requests_of_a_whole_run(monkeypatch) + 1):
        stand = ToolStand(monkeypatch, return_delay_us=500)
        stand.before_request[at] = lambda stand=stand: stand.bank.inject("unplugged")
        with pytest.raises(PortLost):
            stand.run(return_delay, *PAIR, "--yes")
        stand.bank.clear()
        open_locks = [name for name, lock in stand.now("lock", PAIR).items() if lock == 0]
        unlocked += len(open_locks)
        values = stand.now("return_delay", PAIR)
        written, not_written = reported(stand)
        assert all(values[name] == 0 for name in written) and all(values[name] == 250 for name in not_written)
        if open_locks:
            assert f"Interrupted while writing {open_locks[0]}" in stand.text and "unlocked" in stand.text
        stand.before_request.clear()
        assert stand.run(return_delay, *PAIR, "--yes") == 0
        assert all(f"{name} (id" in stand.text for name in open_locks)
        assert all_locked(stand, PAIR)
        # A value written before the servo lost its line, while unlocked, is now kept, too.
        assert stand.kept("return_delay", PAIR) == {"jaw": 0, "pucker": 0}
    assert unlocked > 2


def test_the_plan_holds_only_delays_that_differ():
    servos = ROBOT.servos[:3]
    read = dict(zip(NAMES, (250, 0, None), strict=False))
    changes = return_delay.plan(servos, read, 0)
    assert [(change.name, change.old, change.new) for change in changes] == [(NAMES[0], 250, 0)]
