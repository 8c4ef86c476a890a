"""The gate on emulated servos in virtual time: what reaches the wire of what was commanded, and what does not."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servo_stand import COUNT, PERIOD_S, ROBOT, ServoStand, ticks_of

from rena_ros.base.errors import RenaError
from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.bus.protocol import Instruction
from rena_ros.control.gate import GENTLE_S, KEEP_ALIVE_S, MIN_GAP_S
from rena_ros.control.torque_state import BLIND_S
from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.robot.model import RAD_PER_TICK

JAW, NECK, UP, DOWN = (ROBOT.index[name] for name in ("jaw", "neck_yaw", "corner_left_up", "corner_left_down"))


@pytest.fixture
def stand():
    return ServoStand().with_gate()


def test_connecting_moves_nothing_and_leaves_torque_as_it_is():
    stand = ServoStand()
    stand.bank.receive(b"\xff\xff\xfe\x04\x03\x28\x01\xd1")  # torque on, all servos
    stand.with_gate()
    stand.live(1.5)
    assert stand.bank.torque.all() and stand.bank.goals.count == 0
    assert stand.gate.torque_state.left_on.all() and not stand.gate.torque_state.driven.any()
    assert stand.gate.release() == {} and not stand.bank.torque.any()


def test_without_torque_commands_are_refused_and_nothing_is_written(stand):
    assert "torque is off" in stand.command(jaw=0.1).refusal
    stand.live(1.0)
    assert stand.bank.goals.count == 0 and "torque is off" in stand.gate.neutral(stand.now_s)


def test_torque_on_starts_where_the_servos_are_and_eases_to_neutral():
    away = ROBOT.neutral_ticks + 100 * (ROBOT.max_ticks > ROBOT.neutral_ticks + 100)
    stand, check = ServoStand(away).with_gate(), GoalCheck(ROBOT)
    assert stand.gate.set_torque(True) == {}
    assert (stand.bank.positions == away).all()
    stand.live(GENTLE_S + 0.5)
    log = list(stand.bank.goals.frames)
    check.add(log)
    assert check.limits + check.speed + check.acceleration == 0 and len(log) > 30
    assert check.top_speed <= 0.5
    assert (log[-1].ticks == ROBOT.neutral_ticks).all()


def test_a_command_is_written_at_once_and_followed_to_its_end(stand):
    stand.torque_on()
    outcome = stand.command(jaw=0.4)
    assert outcome.last_byte_s == stand.now_s and outcome.refusal is None
    assert len(stand.goal_frames()) == 1
    stand.live(0.4)
    path = stand.goal_frames()
    others = np.arange(COUNT) != JAW
    assert path[-1][JAW] == ticks_of("jaw", 0.4) and (path[:, others] == ROBOT.neutral_ticks[others]).all()


def test_what_does_not_change_is_repeated_only_now_and_then(stand):
    stand.torque_on()
    stand.live(2.0)
    assert 2.0 / KEEP_ALIVE_S - 2 <= len(stand.goal_frames()) <= 2.0 / KEEP_ALIVE_S + 1


def test_a_flood_of_commands_is_no_flood_of_goals(stand):
    stand.torque_on()
    start_s, count = stand.now_s, 0
    while stand.now_s < start_s + 0.1:
        stand.command(jaw=0.1 + 0.2 * (count % 2))
        stand.bank.advance(0.0002)
        count += 1
    assert count > 300 and len(stand.goal_frames()) <= 0.1 / MIN_GAP_S + 1
    stand.live(0.4)
    assert stand.goal_frames()[-1][JAW] == ticks_of("jaw", 0.1 + 0.2 * ((count - 1) % 2))  # the last one counts


def test_without_further_commands_it_holds_then_is_at_neutral_within_a_second():
    stand = ServoStand().with_gate()
    stand.torque_on()
    ends = ROBOT.limit(ROBOT.names, np.where(-ROBOT.lower > ROBOT.upper, ROBOT.lower, ROBOT.upper), np.zeros(COUNT))
    stand.live(1.0, **dict(zip(ROBOT.names, ends.positions, strict=True)))
    begun_s = stand.now_s
    stand.live(0.45)
    assert (stand.goal_frames()[-1] == ROBOT.to_ticks(ends.positions)).all()
    stand.live(1.0 - (stand.now_s - begun_s))
    assert (stand.goal_frames()[-1] == ROBOT.neutral_ticks).all()


def test_after_a_longer_silence_torque_is_released_if_so_wished():
    stand = ServoStand().with_gate(release_after_s=2.0)
    stand.torque_on()
    stand.live(0.2, jaw=0.3)
    stand.live(2.3)
    assert stand.bank.torque.all() and stand.gate.torque
    stand.live(0.5)
    assert not stand.bank.torque.any() and "no command for" in stand.command(jaw=0.3).refusal


@pytest.mark.parametrize(
    ("names", "positions", "why"),
    [
        ([], [], "no joint"),
        (["jaw"], [math.nan], "jaw: nan"),
        (["jaw"], [-math.inf], "jaw: -inf"),
        (["nose"], [0.1], "nose is not a joint of this robot .position 0.1"),
        (["jaw", "jaw"], [0.1, 0.2], r"jaw is named twice .0.1, 0.2"),
        (["jaw"], [], "1 names but 0 positions, the first name is jaw"),
        # In this order: what is not finite is said before what is not known.
        (["nose", "jaw"], [0.1, math.nan], "jaw: nan"),
        (["x" * 5000], [0.1], r"^x{40}… is not"),
        (["ja\nw"], [0.1], r"^ja\?w is not"),
    ],
)
def test_a_malformed_command_is_refused_by_name_and_value_and_moves_nothing(stand, names, positions, why):
    stand.torque_on()
    refusal = stand.gate.command(names, positions, stand.now_s).refusal
    assert re.search(why, refusal)
    stand.live(0.3)
    assert (stand.goal_frames() == ROBOT.neutral_ticks).all() and stand.gate.commands.refused == 1


names = st.sampled_from((*ROBOT.names, "nose", ""))
uneven = st.tuples(st.lists(names, max_size=30), st.lists(st.floats(), max_size=30))
matching = st.dictionaries(names, st.floats(), max_size=25)
within = st.dictionaries(st.sampled_from(ROBOT.names), st.floats(-1, 1), min_size=1)
commands = st.one_of(uneven, st.one_of(matching, within).map(lambda command: (list(command), list(command.values()))))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(commands, st.floats(0, 0.1)), min_size=1, max_size=10))
def test_whatever_is_commanded_what_crosses_the_wire_keeps_the_rules(some_commands):
    stand, check = ServoStand().with_gate(), GoalCheck(ROBOT)
    assert stand.gate.set_torque(True) == {}
    for (some_names, positions), pause_s in some_commands:
        stand.gate.command(some_names, positions, stand.now_s)
        stand.live(pause_s)
    stand.live(0.1)
    check.add(stand.bank.goals.frames)
    assert check.violations == 0, check.examples


def test_stop_is_latched_until_reset_and_then_still_limp(stand):
    stand.torque_on()
    stand.live(0.2, jaw=0.3)
    assert stand.gate.stop() == {} and not stand.bank.torque.any()
    stand.goal_frames()
    assert "stopped" in stand.command(jaw=0.3).refusal and "stopped" in stand.gate.neutral(stand.now_s)
    with pytest.raises(RenaError, match="reset"):
        stand.gate.set_torque(True)
    stand.gate.reset()
    assert "torque is off" in stand.command(jaw=0.3).refusal
    stand.live(1.5)
    assert stand.bank.goals.count and len(stand.goal_frames()) == 0 and not stand.bank.torque.any()
    assert stand.gate.set_torque(True) == {} and stand.bank.torque.all()


def test_overloaded_servos_do_not_keep_the_others_on_and_are_asked_again(stand):
    stand.torque_on()
    three = {"jaw", "pucker", "neck_yaw"}
    stand.bank.inject("overload", *three)
    assert set(stand.gate.stop()) == three
    assert {ROBOT.names[i] for i in np.flatnonzero(stand.bank.torque)} == three
    stand.live(2.1)
    assert {ROBOT.names[i] for i in np.flatnonzero(stand.gate.torque_state.refusing)} == three
    assert set(stand.gate.torque_state.refusals) == three
    stand.bank.clear("overload")
    stand.live(1.1)
    assert (
        not stand.bank.torque.any()
        and not stand.gate.torque_state.refusing.any()
        and not stand.gate.torque_state.refusals
    )


def test_stop_while_disconnected_holds_at_the_reconnection(stand):
    stand.torque_on()
    stand.bank.inject("unplugged")
    with pytest.raises(PortLost):
        stand.live(0.1)
    stand.gate.drop_port()
    assert stand.gate.stop() == {} and stand.bank.torque.all()  # they cannot be reached
    with pytest.raises(PortMissing):
        stand.gate.connect()
    stand.bank.clear("unplugged")
    stand.gate.connect()
    assert not stand.bank.torque.any() and "stopped" in stand.command(jaw=0.1).refusal


def test_a_pulled_cable_leaves_it_limp_until_torque_is_asked_for_again(stand):
    stand.torque_on()
    stand.bank.inject("unplugged")
    with pytest.raises(PortLost):
        stand.live(0.1)
    stand.gate.drop_port()
    assert not stand.gate.torque and "not connected" in stand.command(jaw=0.1).refusal
    assert stand.gate.tick(stand.now_s) is None
    stand.bank.clear("unplugged")
    stand.gate.connect()
    assert not stand.bank.torque.any() and "the port was lost" in stand.command(jaw=0.1).refusal
    assert stand.gate.set_torque(True) == {} and stand.bank.torque.all()
    assert stand.gate.release() == {} and not stand.bank.torque.any()


def test_torque_that_is_gone_is_noticed_and_taken_up_again_only_when_asked(stand):
    stand.torque_on()
    stand.live(0.5, jaw=0.3)
    stand.bank.inject("torque_lost", "jaw")
    stand.live(1.1, jaw=0.3)
    assert stand.gate.torque_state.lost[JAW] and stand.gate.torque_state.lost.sum() == 1
    stand.goal_frames()
    stand.live(0.5, jaw=0.3)
    assert (stand.goal_frames()[:, JAW] == -1).all() and not stand.bank.torque[JAW]
    where = stand.bank.positions[JAW]
    assert stand.gate.set_torque(True) == {} and stand.bank.torque.all()
    assert abs(stand.bank.positions[JAW] - where) <= 1
    stand.live(1.0)
    assert stand.goal_frames()[-1][JAW] == 2048


def test_a_servo_that_says_nothing_at_torque_on_gets_no_goals_and_moves_only_when_asked_for_again():
    away = ROBOT.neutral_ticks.copy()
    away[JAW] += 150
    stand = ServoStand(away).with_gate()
    stand.bank.inject("dead", "jaw")
    assert set(stand.gate.set_torque(True)) == {"jaw"}
    stand.live(2.0)
    stand.bank.clear()
    stand.live(2.0)
    path = stand.goal_frames()
    assert (path[:, JAW] == -1).all() and (path[-1][np.arange(COUNT) != JAW] >= 0).all()
    assert stand.bank.positions[JAW] == 2198 and not stand.bank.torque[JAW]
    check = GoalCheck(ROBOT)
    assert stand.gate.set_torque(True) == {}
    stand.live(1.0)
    check.add(stand.bank.goals.frames)
    assert check.violations == 0 and stand.goal_frames()[-1][JAW] == 2048


def test_a_servo_that_does_not_know_where_it_is_gets_no_torque():
    stand = ServoStand().with_gate()
    stand.bank.inject("encoder", "jaw")
    failures = stand.gate.set_torque(True)
    assert set(failures) == {"jaw"} and "encoder" in failures["jaw"]
    stand.live(1.0)
    assert not stand.bank.torque[JAW] and (stand.goal_frames()[:, JAW] == -1).all()
    state = stand.gate.read(stand.now_s)
    assert state.fresh.all() and np.flatnonzero(~state.position_known).tolist() == [JAW]


def test_a_servo_that_was_silent_goes_on_from_where_it_stands(stand):
    stand.torque_on()
    stand.live(0.5, jaw=0.4)
    stand.bank.inject("dead", "jaw")
    stand.live(BLIND_S + 0.3, jaw=0.4)
    stand.goal_frames()
    stand.live(1.0, jaw=0.1)
    assert (stand.goal_frames()[:, JAW] == -1).all()
    stand.bank.clear()
    stand.live(1.6, jaw=0.1)
    jaw = stand.goal_frames()[:, JAW]
    back = jaw[jaw >= 0]
    assert abs(back[0] - ticks_of("jaw", 0.4)) <= 3 and back[-1] == ticks_of("jaw", 0.1)
    assert (np.abs(np.diff(back)) <= ROBOT.max_speed_rad_s[JAW] / RAD_PER_TICK * PERIOD_S + 1).all()


def test_a_servo_that_lost_its_power_comes_back_limp_and_then_without_a_jump(stand):
    stand.torque_on()
    stand.live(0.5, jaw=0.4)
    others = [name for name in ROBOT.names if name != "jaw"]
    stand.bank.attach(*others)
    stand.live(1.0, jaw=0.1)
    stand.bank.attach(*ROBOT.names)
    stand.goal_frames()
    stand.live(2.0, jaw=0.1)
    assert (stand.goal_frames()[:, JAW] == -1).all() and stand.gate.torque_state.lost[JAW]
    check = GoalCheck(ROBOT)
    assert stand.gate.set_torque(True) == {}
    stand.live(1.5, jaw=0.1)
    log = list(stand.bank.goals.frames)
    check.add(log)
    assert check.speed + check.limits == 0
    assert abs(log[0].ticks[JAW] - ticks_of("jaw", 0.4)) <= 3 and log[-1].ticks[JAW] == ticks_of("jaw", 0.1)


def test_the_antagonist_of_a_servo_that_cannot_be_reached_waits(stand):
    stand.torque_on()
    up = ROBOT.upper[UP]
    stand.live(0.5, corner_left_up=up)
    stand.bank.inject("dead", "corner_left_up")
    stand.live(BLIND_S + 0.2, corner_left_up=up)
    stand.goal_frames()
    swap = {"corner_left_up": 0.0, "corner_left_down": ROBOT.upper[DOWN]}
    stand.live(0.6, **swap)
    assert (stand.goal_frames()[:, DOWN] == ROBOT.neutral_ticks[DOWN]).all()
    stand.bank.clear()
    stand.live(2.2, **swap)
    assert stand.goal_frames()[-1][DOWN] == ROBOT.max_ticks[DOWN]


@pytest.mark.parametrize("faults", [["dead"], ["reject"], ["stuck", "corrupt"], ["encoder"]])
def test_the_antagonist_of_one_that_did_not_hear_to_let_go_waits(stand, faults):
    stand.torque_on()
    stand.live(1.0, corner_left_up=0.6)
    for fault in faults:
        stand.bank.inject(fault, "corner_left_up")
    swap = {"corner_left_up": 0.0, "corner_left_down": 0.5}
    stand.live(3.0, **swap)
    up, down = stand.bank.positions[[UP, DOWN]] - ROBOT.neutral_ticks[[UP, DOWN]]
    assert up > 300 and stand.bank.torque[UP] and abs(down) < 2
    stand.bank.clear()
    stand.live(3.0, **swap)
    up, down = stand.bank.positions[[UP, DOWN]] - ROBOT.neutral_ticks[[UP, DOWN]]
    assert abs(up) < 2 and abs(down) > 300


def test_the_antagonist_of_a_servo_that_came_back_limp_does_not_wait(stand):
    stand.torque_on()
    swap = {"corner_left_up": 0.0, "corner_left_down": ROBOT.upper[DOWN]}
    stand.live(0.5, corner_left_up=ROBOT.upper[UP])
    stand.bank.attach(*(name for name in ROBOT.names if name != "corner_left_up"))
    stand.live(BLIND_S + 0.2, corner_left_up=ROBOT.upper[UP])
    stand.goal_frames()
    stand.bank.attach(*ROBOT.names)
    stand.live(2.5, **swap)
    path = stand.goal_frames()
    assert stand.gate.torque_state.lost[UP] and (path[:, UP] == -1).all()
    assert path[0][DOWN] == ROBOT.neutral_ticks[DOWN] and path[-1][DOWN] == ROBOT.max_ticks[DOWN]


def test_the_antagonist_of_a_jammed_servo_waits_until_its_horn_has_let_go(stand):
    stand.torque_on()
    swap = {"corner_left_up": 0.0, "corner_left_down": ROBOT.upper[DOWN]}
    stand.live(0.5, corner_left_up=ROBOT.upper[UP])
    stand.bank.inject("stuck", "corner_left_up")
    stand.goal_frames()
    stand.live(0.8, **swap)
    path = stand.goal_frames()
    assert path[-1][UP] == ROBOT.neutral_ticks[UP] and (path[:, DOWN] == ROBOT.neutral_ticks[DOWN]).all()
    stand.bank.clear()
    stand.live(1.0, **swap)
    assert stand.goal_frames()[-1][DOWN] == ROBOT.max_ticks[DOWN]


def test_a_servo_that_loses_its_sense_of_where_it_is_gets_no_more_goals_until_it_is_back(stand):
    stand.torque_on()
    stand.live(0.5, jaw=0.3)
    stand.bank.inject("encoder", "jaw")
    stand.live(0.1)
    stand.goal_frames()
    stand.live(0.5, jaw=0.5)
    assert (stand.goal_frames()[:, JAW] == -1).all()
    stand.bank.clear()
    stand.live(2.0, jaw=0.5)
    assert stand.goal_frames()[-1][JAW] == ticks_of("jaw", 0.5)


@pytest.mark.parametrize(("silent", "limit_s"), [(COUNT, 0.6), (12, 0.6), (3, 0.6)])
def test_a_stop_does_not_wait_long_for_dead_servos(stand, silent, limit_s):
    stand.torque_on()
    stand.bank.inject("dead", *ROBOT.names[:silent])
    began_s = stand.now_s
    assert set(stand.gate.stop()) == set(ROBOT.names[:silent])
    assert stand.now_s - began_s < limit_s  # virtual time: what the patience adds up to
    assert not stand.bank.torque[silent:].any()


def test_an_overloaded_servo_gets_new_goals_only(stand):
    stand.torque_on()
    stand.live(0.5, jaw=0.4)
    stand.bank.inject("overload", "jaw")
    stand.live(0.1, jaw=0.4)
    stand.goal_frames()
    stand.live(0.45, jaw=0.4, neck_yaw=0.3)
    path = stand.goal_frames()
    assert (path[:, JAW] == -1).all() and path[-1][NECK] > ROBOT.neutral_ticks[NECK] + 100
    stand.live(0.5, jaw=0.3)
    jaw = stand.goal_frames()[:, JAW]
    assert jaw[jaw >= 0][-1] == ticks_of("jaw", 0.3)


def test_a_silent_servo_is_switched_off_when_it_is_back_after_a_stop(stand):
    stand.torque_on()
    stand.bank.inject("dead", "jaw")
    stand.live(0.3)
    assert set(stand.gate.stop()) == {"jaw"} and stand.bank.torque[JAW]
    stand.live(1.1)
    assert not stand.gate.torque_state.refusing.any()  # nothing is known of it
    stand.bank.clear()
    stand.live(2.1)
    assert not stand.bank.torque.any() and not stand.gate.torque_state.refusals


def test_torque_on_in_the_middle_of_a_movement_changes_nothing_for_those_that_hold(stand):
    stand.torque_on()
    stand.bank.inject("torque_lost", "pucker")
    stand.live(1.0, jaw=0.4)
    check = GoalCheck(ROBOT)
    stand.goal_frames()
    stand.command(neck_yaw=0.4)
    stand.live(0.1)
    assert stand.gate.set_torque(True) == {}
    stand.live(0.1)
    log = list(stand.bank.goals.frames)
    check.add(log)
    assert check.violations == 0, check.examples
    alone = {i for goals in log if goals.frame[4] != Instruction.SYNC_WRITE for i in np.flatnonzero(goals.ticks >= 0)}
    assert alone == {ROBOT.index["pucker"]}
    assert log[-1].ticks[NECK] > ROBOT.neutral_ticks[NECK] + 50


def after_a_pause_that_ends_with_torque_on(stand):
    """The computer was busy, and of what has come in meanwhile the service is served first."""
    stand.bank.inject("torque_lost", "pucker")
    stand.live(2.5, jaw=0.0)

    def pause():
        stand.bank.advance(0.3)
        assert stand.gate.set_torque(True) == {}

    return pause


def after_a_pause_that_ends_with_a_servo_coming_back(stand):
    """The computer was busy, and of the timers that are late the one of ``check_torque`` rings first."""
    stand.bank.inject("dead", "pucker", for_s=0.7)
    stand.live(0.9, jaw=0.0)
    assert stand.gate.torque_state.silent.sum() == 1

    def pause():
        stand.bank.advance(0.3)
        stand.gate.check_torque(stand.now_s)
        assert not stand.gate.torque_state.silent.any()

    return pause


@pytest.mark.parametrize(
    "prepare", [after_a_pause_that_ends_with_torque_on, after_a_pause_that_ends_with_a_servo_coming_back]
)
def test_a_pause_in_which_somebody_is_taken_up_is_no_jump_for_the_others(stand, prepare):
    stand.torque_on()
    pause = prepare(stand)
    stand.command(jaw=0.6)
    stand.live(0.05)
    before, start_s = stand.goal_frames()[-1][JAW], stand.now_s
    pause()
    assert stand.now_s - start_s > 0.2
    stand.live(0.02)
    fastest = ROBOT.max_speed_rad_s[JAW] * PERIOD_S / RAD_PER_TICK
    assert 0 <= stand.goal_frames()[0][JAW] - before <= fastest + 1
    stand.live(0.8, jaw=0.6)
    assert stand.goal_frames()[-1][JAW] == ROBOT.neutral_ticks[JAW] + round(0.6 / RAD_PER_TICK)


def test_a_servo_beyond_its_limits_is_brought_in_slowly():
    away = ROBOT.neutral_ticks.copy()
    away[NECK] = 4000
    stand = ServoStand(away).with_gate()
    assert stand.gate.set_torque(True) == {}
    places, quarter = [], 0.25 * 1.2 * ROBOT.max_speed_rad_s[NECK] / RAD_PER_TICK
    while stand.now_s < 4.0:
        stand.live(PERIOD_S)
        places.append((stand.now_s, int(stand.bank.positions[NECK])))
    # A way of more than two seconds: longer than commands are followed slowly after torque on.
    outside = np.array([(time_s, place) for time_s, place in places if place > ROBOT.max_ticks[NECK] + 4])
    assert outside[-1, 0] - outside[0, 0] > 2.5
    assert (-np.diff(outside[:, 1]) <= quarter * np.diff(outside[:, 0]) + 1).all()
    stand.live(2.0)
    assert stand.bank.positions[NECK] == 2048
    stand.live(0.3, neck_yaw=0.5)
    assert stand.bank.positions[NECK] - 2048 > 1.3 * quarter * 0.3  # as fast as all again


def test_release_switches_torque_off_even_if_one_servo_does_not_answer(stand):
    stand.torque_on()
    stand.bank.inject("truncated", "eye_left_yaw")
    assert set(stand.gate.release()) == {"eye_left_yaw"}
    assert not stand.bank.torque.any()  # it did hear, it only could not answer


def test_a_port_that_is_back_when_leaving_is_used_to_switch_torque_off(stand):
    stand.torque_on()
    stand.bank.inject("unplugged")
    with pytest.raises(PortLost):
        stand.gate.read(stand.now_s)
    stand.gate.drop_port()
    assert stand.gate.release() is None and stand.bank.torque.all()  # it is not back yet
    stand.bank.clear()
    assert stand.gate.release() == {} and not stand.bank.torque.any() and stand.gate.bus is None


def test_who_could_not_be_taken_up_does_not_keep_its_torque(stand, monkeypatch):
    switch = stand.gate.bus.set_torque

    def then_none_knows_where_it_is(on, names):
        failures = switch(on, names)
        stand.bank.inject("encoder")
        return failures

    with monkeypatch.context() as patched:
        patched.setattr(stand.gate.bus, "set_torque", then_none_knows_where_it_is)
        assert set(stand.gate.set_torque(True)) == set(ROBOT.names)
    assert stand.bank.torque.all() and not stand.gate.torque
    stand.live(1.1)
    assert not stand.bank.torque.any() and stand.bank.goals.count == COUNT  # those of switching on


def test_a_torque_register_in_another_mode_is_neither_on_nor_off(stand):
    stand.torque_on()
    stand.bank.set_register("neck_yaw", "torque_enable", 2)  # as another program might write it
    stand.live(1.1)
    assert stand.gate.torque_state.lost[NECK] and not stand.gate.torque_state.driven[NECK]
    stand.gate.stop()
    stand.bank.set_register("neck_yaw", "torque_enable", 2)
    stand.gate.check_torque(stand.now_s)
    assert not stand.gate.torque_state.refusing.any() and stand.bank.read_register("neck_yaw", "torque_enable") == 0


def test_a_servo_whose_power_failed_for_a_moment_does_not_stay_on_without_its_speed_limit(stand):
    stand.torque_on()
    stand.bank.power_cycle("jaw")
    stand.bank.set_register("jaw", "torque_enable", 1)  # STS servos are said to do this themselves at the next goal
    stand.live(1.1, jaw=0.3)
    assert not stand.bank.torque[JAW] and stand.bank.torque.sum() == COUNT - 1
    assert stand.gate.torque_state.lost[JAW] and not stand.gate.torque_state.driven[JAW]
    stand.goal_frames()
    stand.live(1.1, jaw=0.3)
    assert (stand.goal_frames()[:, JAW] == -1).all()
    assert stand.gate.set_torque(True) == {} and stand.bank.torque.all()
    stand.live(1.1, jaw=0.3)
    assert stand.gate.torque_state.driven.all() and stand.goal_frames()[-1][JAW] > ROBOT.neutral_ticks[JAW] + 100
