"""One servo under torque: let go at the end, though a signal or an overload comes in between."""

import signal

import pytest
from tool_stand import ROBOT, Stand, TouchyPort

from rena_ros.bus.line import Line
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.servo_tools.interrupts import interrupt_on_signals
from rena_ros.servo_tools.torque_hold import hold_torque

JAW = ROBOT.servos[ROBOT.index["jaw"]]


@pytest.fixture
def stand(monkeypatch):
    return Stand(monkeypatch)


def test_whatever_asks_to_end_while_it_lets_go_waits_until_the_torque_is_off(stand, asking):
    def held_until(touched):
        """How many requests the letting go took; ``touched``: at which of them somebody asks to end."""
        line = Line(TouchyPort(stand, 1_000_000))
        with hold_torque(line, JAW, 200):
            began = stand.requests
            stand.touch_at = touched and began + touched
        return stand.requests - began

    stand.touch = lambda: signal.raise_signal(asking)
    for at in range(1, held_until(None) + 1):
        with pytest.raises(KeyboardInterrupt):
            held_until(at)
        assert not stand.bank.torque.any(), f"held at request {at}"


def test_everything_that_asks_a_tool_to_end_is_a_ctrl_c(asking):
    signal.signal(asking, lambda *_: None)
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(asking)


def test_a_servo_that_lets_go_only_after_a_new_goal_is_let_go(stand):
    class Relenting(VirtualPort):
        """The overload is over as soon as a goal crosses the wire."""

        def write(self, data):
            goals = bank.goals.count
            sent_s = super().write(data)
            if bank.goals.count > goals:
                bank.clear("overload")
            return sent_s

    bank, here = stand.bank, stand.bank.positions.tolist()
    with hold_torque(Line(Relenting(bank)), JAW, 200):
        bank.goals.take()
        bank.inject("overload", "jaw")
    assert not bank.torque.any() and bank.positions.tolist() == here
    assert [goals.ticks[ROBOT.index["jaw"]] for goals in bank.goals.take()] == [here[ROBOT.index["jaw"]]]
