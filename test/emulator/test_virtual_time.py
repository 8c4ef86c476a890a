"""Timers in virtual time: when callbacks are called, in which order, and what a late timer does."""

import pytest

from rena_ros.emulator.virtual_time import VirtualTimers


def timers_with(bank, **periods_s):
    """Timers that record their name and the time of the call."""
    timers, calls = VirtualTimers(bank), []
    for name, period_s in periods_s.items():
        timers.add(period_s, lambda name=name: calls.append((name, round(bank.now_s, 9))))
    return timers, calls


def test_calls_come_in_the_order_of_the_clock_and_then_of_adding(bank):
    timers, calls = timers_with(bank, slow=0.5, fast=0.25)
    timers.run(0.75)
    assert calls == [("fast", 0.25), ("slow", 0.5), ("fast", 0.5), ("fast", 0.75)]
    assert bank.now_s == 0.75


def test_a_timer_is_called_once_per_period_however_time_is_divided(bank):
    timers, calls = timers_with(bank, tick=0.01)
    for _ in range(3000):
        timers.run(0.0007)
    assert len(calls) == pytest.approx(210, abs=1) and len(set(calls)) == len(calls)


def test_a_late_timer_is_called_once_for_all_calls_it_missed(bank):
    timers, calls = timers_with(bank, tick=0.25)
    bank.advance(1.125)
    timers.run(0.25)
    assert calls == [("tick", 1.125), ("tick", 1.25)]


def test_a_stream_is_called_at_once_and_fifty_times_a_second(bank):
    timers, called_s = VirtualTimers(bank), []
    timers.run(1.0, lambda: called_s.append(bank.now_s))
    assert len(called_s) in (50, 51) and called_s[0] == 0.0 and bank.now_s == pytest.approx(1.0)


def test_an_error_of_a_callback_ends_the_run(bank):
    timers = VirtualTimers(bank)
    timers.add(0.25, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        timers.run(1.0)
    assert bank.now_s == 0.25
