"""The roster on emulated servos in virtual time: who is driven, whose torque is known, who is asked again."""

from dataclasses import replace

import numpy as np
import pytest

from rena_ros.bus.bus import Bus
from rena_ros.bus.registers import REGISTERS, Status
from rena_ros.control.torque_state import BLIND_S, TorqueState
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.virtual_port import VirtualPort
from rena_ros.robot.file import load_robot

ROBOT = load_robot()
COUNT, JAW = len(ROBOT.names), ROBOT.index["jaw"]
ONLY_JAW = np.arange(COUNT) == JAW


class Stand:
    """``after``: something that happens when the n-th switching of torque (from 1) is through; ``asked``: who was
    asked, switching by switching."""

    def __init__(self):
        self.bank = ServoBank(ROBOT)
        self.bus = Bus(VirtualPort(self.bank), ROBOT)
        self.bus.read_return_delays()
        self.roster = TorqueState(ROBOT)
        self.after, self.asked = {}, []
        self._switch, self.bus.set_torque = self.bus.set_torque, self._watched

    def _watched(self, on, names):
        self.asked.append(tuple(names))
        failures = self._switch(on, names)
        self.after.get(len(self.asked), lambda: None)()
        return failures

    def on(self):
        assert self.roster.switch_on(self.bus)[0].all() and self.roster.driven.all()

    def note(self, **changes):
        """What the registers say, with something changed; as noted."""
        health = replace(self.bus.read_health(), **changes)
        self.roster.update(health)
        return health


@pytest.fixture
def stand():
    return Stand()


def test_who_came_on_without_saying_where_it_is_is_not_driven_and_named(stand):
    stand.after[1] = lambda: stand.bank.inject("truncated", "jaw")
    taken, _ = stand.roster.switch_on(stand.bus)
    assert stand.bank.torque.all()
    assert (taken == ~ONLY_JAW).all() and (stand.roster.driven == ~ONLY_JAW).all()
    assert stand.roster.refusals == {"jaw": "its position could not be read after its torque went on"}


def test_one_answer_that_is_lost_after_torque_on_is_asked_for_again(stand):
    stand.after[1] = lambda: stand.bank.inject("truncated", "jaw", for_s=0.01)
    taken, state = stand.roster.switch_on(stand.bus)
    assert taken.all() and state.position_known.all() and stand.roster.refusals == {}


@pytest.mark.parametrize("on", [True, False])
def test_one_that_missed_its_switching_is_asked_once_more(stand, on):
    if not on:
        stand.on()
    stand.asked.clear()
    stand.bank.inject("dead", "jaw")
    stand.after[1] = stand.bank.clear
    if on:
        stand.on()
    else:
        assert stand.roster.switch_off(stand.bus) == {}
    assert stand.asked[1:] == [("jaw",)] and (stand.bank.torque == on).all()


def test_when_most_are_silent_nobody_is_asked_once_more(stand):
    stand.bank.inject("dead", *ROBOT.names[:13])
    assert len(stand.roster.switch_off(stand.bus)) == 13 and len(stand.asked) == 1


def test_who_was_bare_and_was_switched_on_again_is_bare_no_more(stand):
    stand.on()
    stand.note(lost_speed_limit=ONLY_JAW)
    assert (stand.roster.driven == ~ONLY_JAW).all()
    taken, _ = stand.roster.switch_on(stand.bus)
    assert (taken == ONLY_JAW).all() and stand.roster.driven.all()
    stand.roster.retry_torque_off(stand.bus)
    assert stand.bank.torque.all() and len(stand.asked) == 2


def test_why_it_failed_is_forgotten_once_it_is_seen_to_have_worked(stand):
    stand.on()
    stand.bank.inject("truncated", "jaw")  # it hears, but nobody understands what it answers
    assert set(stand.roster.switch_off(stand.bus)) == {"jaw"} and not stand.bank.torque.any()
    stand.note()
    assert set(stand.roster.refusals) == {"jaw"}
    stand.bank.clear()
    stand.note()
    assert stand.roster.refusals == {}


def test_nothing_is_known_of_servos_whose_port_is_gone(stand):
    stand.on()
    stand.bank.inject("torque_lost", "jaw")
    stand.note()
    assert (stand.roster.lost == ONLY_JAW).all()
    stand.roster.invalidate()
    assert (stand.roster.register == -1).all() and not stand.roster.driven.any() and not stand.roster.lost.any()
    stand.roster.switch_off(stand.bus)
    stand.note(torque=np.where(ONLY_JAW, 1, 0).astype(np.int8))
    assert (stand.roster.refusing == ONLY_JAW).all()
    stand.roster.invalidate()
    assert not stand.roster.refusing.any()


def held(stand):
    """The jaw has been silent, and is held; the newest state."""
    stand.on()
    state = stand.bus.read_state()
    long_ago = np.where(ONLY_JAW, state.stamp_s - BLIND_S - 0.01, state.seen_s)
    assert (stand.roster.mark_silent(replace(state, seen_s=long_ago, fresh=~ONLY_JAW)) == ONLY_JAW).all()
    return state


def test_after_a_silence_it_is_driven_again_with_torque_and_a_position(stand):
    state = held(stand)
    assert (stand.roster.driven == ~ONLY_JAW).all()
    assert (stand.roster.resume(stand.note(), state) == ONLY_JAW).all() and stand.roster.driven.all()


@pytest.mark.parametrize("what", ["not heard of lately", "encoder fault", "torque not known", "torque gone"])
def test_after_a_silence_it_is_not_driven_again_without(stand, what):
    state, health = held(stand), {}
    if what == "not heard of lately":
        state = replace(state, seen_s=np.where(ONLY_JAW, state.stamp_s - 0.3, state.seen_s), fresh=~ONLY_JAW)
    elif what == "encoder fault":
        state = replace(state, status=np.where(ONLY_JAW, int(Status.ENCODER), state.status))
    else:
        health["torque"] = np.where(ONLY_JAW, -1 if what == "torque not known" else 0, 1).astype(np.int8)
    assert not stand.roster.resume(stand.note(**health), state).any()
    assert (stand.roster.driven == ~ONLY_JAW).all()


def test_torque_that_an_earlier_program_left_on_drives_nobody(stand):
    stand.bus.line.write(ROBOT.servos[JAW].id, REGISTERS["torque_enable"].address, b"\1")
    stand.note()
    assert (stand.roster.left_on == ONLY_JAW).all() and not stand.roster.driven.any()
