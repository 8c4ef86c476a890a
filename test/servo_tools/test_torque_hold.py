"""One servo under torque: torque is off at the end, even after a signal or an overload."""

import signal

import pytest
from tool_stand import ROBOT

from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.torque_hold import hold_torque

JAW = ROBOT.servos[ROBOT.index["jaw"]]


def test_a_signal_while_torque_is_released_waits_until_it_is_off(stand, asking):
    def release(signal_at=None):
        """Hold torque and release it; return the number of requests of the release. A signal arrives at one of them."""
        line = stand.line()
        with hold_torque(line, JAW, 200):
            began = stand.requests
            if signal_at is not None:
                stand.before_request[began + signal_at] = lambda: signal.raise_signal(asking)
        return stand.requests - began

    for at in range(1, release() + 1):
        with pytest.raises(KeyboardInterrupt):
            release(at)
        assert not stand.bank.torque.any(), f"held at request {at}"


def test_every_signal_to_end_raises_keyboard_interrupt(asking):
    signal.signal(asking, lambda *_: None)
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(asking)


def test_a_servo_that_releases_torque_only_after_a_new_goal_is_released(stand):
    bank, here, line = stand.bank, stand.bank.positions.tolist(), stand.line()
    write = line.port.write

    def write_and_end_the_overload_at_a_goal(data):
        goals = bank.goals.count
        sent_s = write(data)
        if bank.goals.count > goals:
            bank.clear("overload")
        return sent_s

    line.port.write = write_and_end_the_overload_at_a_goal
    with hold_torque(line, JAW, 200):
        bank.goals.take()
        bank.inject("overload", "jaw")
    assert not bank.torque.any() and bank.positions.tolist() == here
    assert [goals.ticks[ROBOT.index["jaw"]] for goals in bank.goals.take()] == [here[ROBOT.index["jaw"]]]
