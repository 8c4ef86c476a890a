"""TorqueState on emulated servos in virtual time: which servos are driven, lost, refusing or switched again."""

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


def test_a_servo_whose_position_is_unknown_after_torque_on_is_named_and_not_driven(stand):
    stand.after[1] = lambda: stand.bank.inject("truncated", "jaw")
    newly_driven, _ = stand.torque_state.switch_on(stand.bus)
    assert stand.bank.torque.all()
    assert (newly_driven == ~ONLY_JAW).all() and (stand.torque_state.driven == ~ONLY_JAW).all()
    assert stand.torque_state.refusals == {"jaw": "its position could not be read after its torque went on"}


def test_a_position_that_is_lost_after_torque_on_is_read_again(stand):
    stand.after[1] = lambda: stand.bank.inject("truncated", "jaw", for_s=0.01)
    newly_driven, state = stand.torque_state.switch_on(stand.bus)
    assert newly_driven.all() and state.position_known.all() and stand.torque_state.refusals == {}


@pytest.mark.parametrize("on", [True, False])
def test_a_servo_that_missed_its_switching_is_switched_once_more(stand, on):
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


def test_no_servo_is_switched_once_more_when_most_are_silent(stand):
    stand.bank.inject("dead", *ROBOT.names[:13])
    assert len(stand.torque_state.switch_off(stand.bus)) == 13 and len(stand.switched) == 1


def test_switching_on_restores_a_lost_speed_limit(stand):
    stand.switch_on()
    stand.update(lost_speed_limit=ONLY_JAW)
    assert (stand.torque_state.driven == ~ONLY_JAW).all()
    newly_driven, _ = stand.torque_state.switch_on(stand.bus)
    assert (newly_driven == ONLY_JAW).all() and stand.torque_state.driven.all()
    stand.torque_state.retry_torque_off(stand.bus)
    assert stand.bank.torque.all() and len(stand.switched) == 2


def test_a_refusal_is_dropped_when_the_register_shows_success(stand):
    stand.switch_on()
    stand.bank.inject("truncated", "jaw")  # it receives requests, but its replies are unreadable
    assert set(stand.torque_state.switch_off(stand.bus)) == {"jaw"} and not stand.bank.torque.any()
    stand.update()
    assert set(stand.torque_state.refusals) == {"jaw"}
    stand.bank.clear()
    stand.update()
    assert stand.torque_state.refusals == {}


def test_every_register_is_unknown_after_the_port_is_gone(stand):
    stand.switch_on()
    stand.bank.inject("torque_lost", "jaw")
    stand.update()
    assert (stand.torque_state.lost == ONLY_JAW).all()
    stand.torque_state.invalidate()
    assert (stand.torque_state.register == -1).all()
    assert not stand.torque_state.driven.any() and not stand.torque_state.lost.any()
    stand.torque_state.switch_off(stand.bus)
    stand.update(torque=np.where(ONLY_JAW, 1, 0).astype(np.int8))
    assert (stand.torque_state.refusing == ONLY_JAW).all()
    stand.torque_state.invalidate()
    assert not stand.torque_state.refusing.any()


def silence_the_jaw(stand):
    """The jaw has been silent, and is held; the newest state."""
    stand.switch_on()
    state = stand.bus.read_state()
    long_ago = np.where(ONLY_JAW, state.stamp_s - BLIND_S - 0.01, state.seen_s)
    assert (stand.torque_state.mark_silent(replace(state, seen_s=long_ago, fresh=~ONLY_JAW)) == ONLY_JAW).all()
    return state


def test_a_silent_servo_is_driven_again_with_torque_and_a_position(stand):
    state = silence_the_jaw(stand)
    assert (stand.torque_state.driven == ~ONLY_JAW).all()
    assert (stand.torque_state.resume(stand.update(), state) == ONLY_JAW).all() and stand.torque_state.driven.all()


@pytest.mark.parametrize("what", ["no recent reply", "encoder fault", "torque not known", "torque gone"])
def test_a_silent_servo_is_not_driven_again_without_torque_and_position(stand, what):
    state, health = silence_the_jaw(stand), {}
    if what == "no recent reply":
        state = replace(state, seen_s=np.where(ONLY_JAW, state.stamp_s - 0.3, state.seen_s), fresh=~ONLY_JAW)
    elif what == "encoder fault":
        state = replace(state, status=np.where(ONLY_JAW, int(Status.ENCODER), state.status))
    else:
        health["torque"] = np.where(ONLY_JAW, -1 if what == "torque not known" else 0, 1).astype(np.int8)
    assert not stand.torque_state.resume(stand.update(**health), state).any()
    assert (stand.torque_state.driven == ~ONLY_JAW).all()


def test_a_servo_whose_torque_was_left_on_is_not_driven(stand):
    stand.bus.line.write(ROBOT.servos[JAW].id, REGISTERS["torque_enable"].address, b"\1")
    stand.update()
    assert (stand.torque_state.left_on == ONLY_JAW).all() and not stand.torque_state.driven.any()
