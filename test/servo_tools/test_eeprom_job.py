"""EEPROM changes as all tools write them: interrupted between two changes, never within one, and reported."""

import signal

import pytest
from tool_stand import ROBOT, ToolStand

from rena_ros.bus.access import write_register
from rena_ros.servo_tools.dialogue import Dialogue
from rena_ros.servo_tools.eeprom_job import Change, EepromJob
from rena_ros.servo_tools.interrupts import deferred_interrupts

JAW, PUCKER = (ROBOT.servos[ROBOT.index[name]] for name in ("jaw", "pucker"))


def carried_out(stand, *changes):
    """Carry out the changes and return the job; what it prints is in ``stand.lines``."""

    def said(text):
        stand.lines.append(text)
        stand.on_text(text)

    job = EepromJob(stand.line(), changes, Dialogue(write=said))
    try:
        job.run()
    finally:
        stand.before_request.clear()
    return job


def change(servo, register, old, new):
    return Change(servo.name, servo.id, register, old, new)


def test_a_signal_to_end_waits_until_the_value_is_written_and_locked(monkeypatch, asking):
    changes = [change(JAW, "max_torque", 1000, 900), change(PUCKER, "max_torque", 1000, 900)]

    whole = ToolStand(monkeypatch)
    assert carried_out(whole, *changes).complete
    for at in range(1, whole.requests + 1):
        stand = ToolStand(monkeypatch)
        stand.before_request[at] = lambda: signal.raise_signal(asking)
        with pytest.raises(KeyboardInterrupt):
            carried_out(stand, *changes)
        written = {"jaw": 900, "pucker": 900 if at > whole.requests / 2 else 1000}
        assert stand.now("lock", written) == {"jaw": 1, "pucker": 1}, f"unlocked at request {at}"
        assert stand.kept("max_torque", written) == written
        assert "Interrupted while writing" not in stand.text


def test_signals_that_arrive_repeatedly_are_raised_once_each_afterwards():
    heard = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: heard.append(number))
    with deferred_interrupts():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        assert heard == []
    assert heard == [signal.SIGTERM, signal.SIGINT]
    signal.raise_signal(signal.SIGTERM)
    assert len(heard) == 3


def test_after_a_failure_only_the_other_servos_are_written(stand):
    stand.bank.inject("eeprom_locked", "jaw")
    # After the failure the jaw would take every value; its other changes are skipped all the same.
    stand.on_text = lambda text: "FAILED" in text and stand.bank.clear()
    first = change(JAW, "max_torque", 1000, 900)
    job = carried_out(stand, first, change(JAW, "position_p", 32, 20), change(PUCKER, "position_p", 32, 20))
    assert not job.complete and [done.name for done in job.done] == ["pucker"]
    assert stand.kept("position_p", ("jaw", "pucker")) == {"jaw": 32, "pucker": 20}
    assert "Failed: jaw (id 21): position_p 32 -> 20: skipped, because max_torque failed." in stand.text


def test_nothing_is_written_under_torque(stand):
    assert write_register(stand.line(), JAW.id, "torque_enable", 1) is None
    assert not carried_out(stand, change(JAW, "max_torque", 1000, 900)).complete
    assert "its torque is on; switch it off first" in stand.text
    assert stand.now("max_torque", ("jaw",)) == {"jaw": 1000}
