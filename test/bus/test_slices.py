"""Reads in slices: what they return, and what servos that do not reply cost."""

import numpy as np
import pytest
from servo_stand import NAMES, ROBOT, ServoStand

from rena_ros.bus.slices import SLICE_SERVOS, complete

WHOLE_S = (33 + 25 * 14) * 10e-6  # a request and its replies, 10 bits a byte
OVERHEAD_S = 8 * 10e-6  # of each further request
CYCLE_S = 0.02


@pytest.fixture
def stand():
    """Servos at different positions, and a bus to them."""
    stand = ServoStand(np.random.default_rng(1).integers(ROBOT.min_ticks, ROBOT.max_ticks + 1))
    stand.bus = stand.open_bus()
    stand.bus.read_return_delays()
    stand.sent.clear()
    return stand


def pauses_of(work):
    """Run a read; return how often it paused, and its result."""
    pauses = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            return pauses, end.value
        pauses += 1


def read(stand):
    """Read the states in slices; return the seconds that took, and the state."""
    start_s = stand.now_s
    state = complete(stand.bus.state_slices(SLICE_SERVOS))
    return stand.now_s - start_s, state


def test_a_read_in_slices_returns_what_a_read_with_one_request_does(stand):
    whole = stand.bus.read_state()
    start_s = stand.now_s
    pauses, state = pauses_of(stand.bus.state_slices(SLICE_SERVOS))
    for name in ("ticks", "speed", "load", "voltage_v", "temperature_c", "status", "fresh"):
        assert (getattr(state, name) == getattr(whole, name)).all() and state.fresh.all()
    assert pauses == 2 and [len(packet.params) - 2 for packet in stand.sent] == [25, 9, 9, 7]
    assert b"".join(packet.params[2:] for packet in stand.sent[1:]) == bytes(ROBOT.ids.tolist())
    assert stand.bus.counters.reads == 2
    assert stand.now_s - start_s == pytest.approx(WHOLE_S + 2 * OVERHEAD_S, abs=3e-4)
    assert state.middle_s == pytest.approx((start_s + state.stamp_s) / 2, abs=1e-4)


def test_torque_registers_in_slices_are_those_of_one_request(stand):
    stand.bus.set_torque(True)
    stand.bank.inject("torque_lost", "jaw")
    whole = stand.bus.read_health()
    pauses, health = pauses_of(stand.bus.health_slices(SLICE_SERVOS))
    assert pauses == 5 and health.fresh.all() and health.torque.sum() == 24
    for name in ("torque", "lost_speed_limit", "moving", "current_a"):
        assert (getattr(health, name) == getattr(whole, name)).all()


@pytest.mark.parametrize("index", [0, 8, 17, 24])
def test_a_dead_servo_costs_one_deadline_wherever_it_is(stand, index):
    stand.bank.inject("dead", NAMES[index])
    took = []
    for _ in range(50):
        took_s, state = read(stand)
        took.append(took_s)
        assert np.flatnonzero(~state.fresh).tolist() == [index]
        stand.bank.advance(CYCLE_S)
    assert max(took[1:]) <= 2 * WHOLE_S and stand.bus.silent == (NAMES[index],)


def test_a_silent_line_costs_two_deadlines_not_one_for_each_slice(stand):
    stand.bank.inject("dead")
    took_s, state = read(stand)
    assert not state.fresh.any() and len(stand.sent) == 2
    assert took_s < 2 * (WHOLE_S + 0.012)
    stand.bank.clear()
    stand.bank.advance(1.1)
    assert read(stand)[1].fresh.all() and stand.bus.silent == ()


def test_a_servo_that_was_silent_replies_first_in_its_slice_when_it_is_back(stand):
    stand.bank.inject("dead", NAMES[12], for_s=0.5)
    for _ in range(100):
        took_s, state = read(stand)
        stand.bank.advance(CYCLE_S)
    assert state.fresh.all() and stand.bus.silent == ()
    assert took_s == pytest.approx(WHOLE_S + 2 * OVERHEAD_S, abs=3e-4)
