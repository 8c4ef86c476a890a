"""The torque_state on emulated servos in virtual time: who is driven, whose torque is known, who is asked again."""

from dataclasses import replace

import numpy as np
import pytest
from servo_stand import COUNT, ROBOT, ServoStand

from rena_ros.bus.registers import REGISTERS, Status
from rena_ros.control.torque_state import BLIND_S, TorqueState

JAW = ROBOT.index["jaw"]
ONLY_JAW = np.arange(COUNT) == JAW


class SwitchedStand(ServoStand):
    """A stand whose bus switches torque.

    ``after``: what happens after the n-th switching (from 1); ``switched``: the servos of each switching.
    """

    def __init__(self):
        super().__init__()
        self.bus = self.open_bus()
        self.bus.read_return_delays()
        self.torque_state = TorqueState(ROBOT)
        self.after, self.switched = {}, []
        self._set_torque, self.bus.set_torque = self.bus.set_torque, self._observed

    def _observed(self, on, names):
        self.switched.append(tuple(names))
        failures = self._set_torque(on, names)
        self.after.get(len(self.switched), lambda: None)()
        return failures

    def switch_on(self):
        assert self.torque_state.switch_on(self.bus)[0].all() and self.torque_state.driven.all()

    def update(self, **changes):
        """Update the torque state from the registers, with some values replaced; return what it was given."""
        health = replace(self.bus.read_health(), **changes)
        self.torque_state.update(health)
        return health


@pytest.fixture
def stand():
    return SwitchedStand()


def test_who_came_on_without_saying_where_it_is_is_not_driven_and_named(stand):
    stand.after[1] = lambda: stand.bank.inject("truncated", "jaw")
    taken, _ = stand.torque_state.switch_on(stand.bus)
    assert stand.bank.torque.all()
    assert (taken == ~ONLY_JAW).all() and (stand.torque_state.driven == ~ONLY_JAW).all()
    assert stand.torque_state.refusals == {"jaw": "its position could not be read after its torque went on"}


def test_one_answer_that_is_lost_after_torque_on_is_asked_for_again(stand):
    stand.after[1] = lambda: stand.bank.inject("truncated", "jaw", for_s=0.01)
    taken, state = stand.torque_state.switch_on(stand.bus)
    assert taken.all() and state.position_known.all() and stand.torque_state.refusals == {}


@pytest.mark.parametrize("on", [True, False])
def test_one_that_missed_its_switching_is_asked_once_more(stand, on):
    if not on:
        stand.switch_on()
    stand.switched.clear()
    stand.bank.inject("dead", "jaw")
    stand.after[1] = stand.bank.clear
    if on:
        stand.switch_on()
    else:
        assert stand.torque_state.switch_off(stand.bus) == {}
    assert stand.switched[1:] == [("jaw",)] and (stand.bank.torque == on).all()


def test_when_most_are_silent_nobody_is_asked_once_more(stand):
    stand.bank.inject("dead", *ROBOT.names[:13])
    assert len(stand.torque_state.switch_off(stand.bus)) == 13 and len(stand.switched) == 1


def test_who_was_bare_and_was_switched_on_again_is_bare_no_more(stand):
    stand.switch_on()
    stand.update(lost_speed_limit=ONLY_JAW)
    assert (stand.torque_state.driven == ~ONLY_JAW).all()
    taken, _ = stand.torque_state.switch_on(stand.bus)
    assert (taken == ONLY_JAW).all() and stand.torque_state.driven.all()
    stand.torque_state.retry_torque_off(stand.bus)
    assert stand.bank.torque.all() and len(stand.switched) == 2


def test_why_it_failed_is_forgotten_once_it_is_seen_to_have_worked(stand):
    stand.switch_on()
    stand.bank.inject("truncated", "jaw")  # it hears, but nobody understands what it answers
    assert set(stand.torque_state.switch_off(stand.bus)) == {"jaw"} and not stand.bank.torque.any()
    stand.update()
    assert set(stand.torque_state.refusals) == {"jaw"}
    stand.bank.clear()
    stand.update()
    assert stand.torque_state.refusals == {}


def test_nothing_is_known_of_servos_whose_port_is_gone(stand):
    stand.switch_on()
    stand.bank.inject("torque_lost", "jaw")
    stand.update()
    assert (stand.torque_state.lost == ONLY_JAW).all()
    stand.torque_state.invalidate()
    assert (
        (stand.torque_state.register == -1).all()
        and not stand.torque_state.driven.any()
        and not stand.torque_state.lost.any()
    )
    stand.torque_state.switch_off(stand.bus)
    stand.update(torque=np.where(ONLY_JAW, 1, 0).astype(np.int8))
    assert (stand.torque_state.refusing == ONLY_JAW).all()
    stand.torque_state.invalidate()
    assert not stand.torque_state.refusing.any()


def held(stand):
    """The jaw has been silent, and is held; the newest state."""
    stand.switch_on()
    state = stand.bus.read_state()
    long_ago = np.where(ONLY_JAW, state.stamp_s - BLIND_S - 0.01, state.seen_s)
    assert (stand.torque_state.mark_silent(replace(state, seen_s=long_ago, fresh=~ONLY_JAW)) == ONLY_JAW).all()
    return state


def test_after_a_silence_it_is_driven_again_with_torque_and_a_position(stand):
    state = held(stand)
    assert (stand.torque_state.driven == ~ONLY_JAW).all()
    assert (stand.torque_state.resume(stand.update(), state) == ONLY_JAW).all() and stand.torque_state.driven.all()


@pytest.mark.parametrize("what", ["not heard of lately", "encoder fault", "torque not known", "torque gone"])
def test_after_a_silence_it_is_not_driven_again_without(stand, what):
    state, health = held(stand), {}
    if what == "not heard of lately":
        state = replace(state, seen_s=np.where(ONLY_JAW, state.stamp_s - 0.3, state.seen_s), fresh=~ONLY_JAW)
    elif what == "encoder fault":
        state = replace(state, status=np.where(ONLY_JAW, int(Status.ENCODER), state.status))
    else:
        health["torque"] = np.where(ONLY_JAW, -1 if what == "torque not known" else 0, 1).astype(np.int8)
    assert not stand.torque_state.resume(stand.update(**health), state).any()
    assert (stand.torque_state.driven == ~ONLY_JAW).all()


def test_torque_that_an_earlier_program_left_on_drives_nobody(stand):
    stand.bus.line.write(ROBOT.servos[JAW].id, REGISTERS["torque_enable"].address, b"\1")
    stand.update()
    assert (stand.torque_state.left_on == ONLY_JAW).all() and not stand.torque_state.driven.any()
