"""One servo under torque: torque is off at the end, even after a signal or an overload."""

import signal

import pytest
from tool_stand import ROBOT, ToolStand

from rena_ros.bus.line import Line
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.torque_hold import hold_torque

JAW = ROBOT.servos[ROBOT.index["jaw"]]


@pytest.fixture
def stand(monkeypatch):
    return ToolStand(monkeypatch)


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
    class OverloadUntilGoal(VirtualPort):
        """Servos with an overload that ends as soon as a goal crosses the wire."""

        def write(self, data):
            goals = bank.goals.count
            sent_s = super().write(data)
            if bank.goals.count > goals:
                bank.clear("overload")
            return sent_s

    bank, here = stand.bank, stand.bank.positions.tolist()
    with hold_torque(Line(OverloadUntilGoal(bank)), JAW, 200):
        bank.goals.take()
        bank.inject("overload", "jaw")
    assert not bank.torque.any() and bank.positions.tolist() == here
    assert [goals.ticks[ROBOT.index["jaw"]] for goals in bank.goals.take()] == [here[ROBOT.index["jaw"]]]
