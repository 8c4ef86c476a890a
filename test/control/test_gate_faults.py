"""The gate on emulated servos in virtual time: servos that fail, fall silent or lose their torque."""

import numpy as np
import pytest
from servo_stand import COUNT, PERIOD_S, ROBOT, ServoStand, neutral_but, ticks_of

from rena_ros.control.torque_state import BLIND_S
from rena_ros.robot.model import RAD_PER_TICK

JAW, NECK, UP, DOWN = (ROBOT.index[name] for name in ("jaw", "neck_yaw", "corner_left_up", "corner_left_down"))
PULL_UP = {"corner_left_up": ROBOT.upper[UP]}
PULL_DOWN = {"corner_left_up": 0.0, "corner_left_down": ROBOT.upper[DOWN]}


def test_overloaded_servos_do_not_keep_the_others_on_and_are_switched_off_later(stand):
    three, torque_state = {"jaw", "pucker", "neck_yaw"}, stand.gate.torque_state
    stand.bank.inject("overload", *three)
    assert set(stand.gate.stop()) == three
    assert {ROBOT.names[i] for i in np.flatnonzero(stand.bank.torque)} == three
    stand.live(2.1)
    assert {ROBOT.names[i] for i in np.flatnonzero(torque_state.refusing)} == three == set(torque_state.refusals)
    stand.bank.clear("overload")
    stand.live(1.1)
    assert not stand.bank.torque.any() and not torque_state.refusing.any() and not torque_state.refusals


def test_lost_torque_is_noticed_and_comes_back_only_with_set_torque(stand):
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


def test_a_servo_that_is_dead_at_torque_on_gets_no_goals_until_the_next_set_torque():
    stand = ServoStand(neutral_but(jaw=2198)).with_gate()
    stand.bank.inject("dead", "jaw")
    assert set(stand.gate.set_torque(True)) == {"jaw"}
    stand.live(2.0)
    stand.bank.clear()
    stand.live(2.0)
    path = stand.goal_frames()
    assert (path[:, JAW] == -1).all() and (path[-1][np.arange(COUNT) != JAW] >= 0).all()
    assert stand.bank.positions[JAW] == 2198 and not stand.bank.torque[JAW]
    assert stand.gate.set_torque(True) == {}
    stand.live(1.0)
    assert stand.bank.goals.frames[-1].ticks[JAW] == 2048 and stand.check_goals().violations == 0


def test_a_servo_with_an_encoder_fault_gets_no_torque():
    stand = ServoStand().with_gate()
    stand.bank.inject("encoder", "jaw")
    failures = stand.gate.set_torque(True)
    assert set(failures) == {"jaw"} and "encoder" in failures["jaw"]
    stand.live(1.0)
    assert not stand.bank.torque[JAW] and (stand.goal_frames()[:, JAW] == -1).all()
    state = stand.gate.read()
    assert state.fresh.all() and np.flatnonzero(~state.position_known).tolist() == [JAW]


def test_a_servo_that_was_silent_goes_on_from_its_position(stand):
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


def test_a_servo_that_lost_its_power_comes_back_limp_and_starts_without_a_jump(stand):
    stand.live(0.5, jaw=0.4)
    stand.bank.set_attached(*(name for name in ROBOT.names if name != "jaw"))
    stand.live(1.0, jaw=0.1)
    stand.bank.set_attached(*ROBOT.names)
    stand.goal_frames()
    stand.live(2.0, jaw=0.1)
    assert (stand.goal_frames()[:, JAW] == -1).all() and stand.gate.torque_state.lost[JAW]
    assert stand.gate.set_torque(True) == {}
    stand.live(1.5, jaw=0.1)
    log, check = list(stand.bank.goals.frames), stand.check_goals()
    assert check.speed + check.limits == 0
    assert abs(log[0].ticks[JAW] - ticks_of("jaw", 0.4)) <= 3 and log[-1].ticks[JAW] == ticks_of("jaw", 0.1)


@pytest.mark.parametrize(
    ("faults", "before_s"),
    [(["dead"], 0), (["dead"], BLIND_S + 0.2), (["reject"], 0), (["stuck", "corrupt"], 0), (["encoder"], 0)],
)
def test_the_antagonist_of_a_servo_that_does_not_return_to_neutral_waits(stand, faults, before_s):
    stand.live(1.0, **PULL_UP)
    for fault in faults:
        stand.bank.inject(fault, "corner_left_up")
    stand.live(before_s, **PULL_UP)
    stand.goal_frames()
    stand.live(3.0, **PULL_DOWN)
    assert (stand.goal_frames()[:, DOWN] == ROBOT.neutral_ticks[DOWN]).all()
    up, down = stand.bank.positions[[UP, DOWN]] - ROBOT.neutral_ticks[[UP, DOWN]]
    assert up > 300 and stand.bank.torque[UP] and abs(down) < 2
    stand.bank.clear()
    stand.live(3.0, **PULL_DOWN)
    up, down = stand.bank.positions[[UP, DOWN]] - ROBOT.neutral_ticks[[UP, DOWN]]
    assert abs(up) < 2 and abs(down) > 300


def test_the_antagonist_of_a_servo_that_came_back_limp_does_not_wait(stand):
    stand.live(0.5, **PULL_UP)
    stand.bank.set_attached(*(name for name in ROBOT.names if name != "corner_left_up"))
    stand.live(BLIND_S + 0.2, **PULL_UP)
    stand.goal_frames()
    stand.bank.set_attached(*ROBOT.names)
    stand.live(2.5, **PULL_DOWN)
    path = stand.goal_frames()
    assert stand.gate.torque_state.lost[UP] and (path[:, UP] == -1).all()
    assert path[0][DOWN] == ROBOT.neutral_ticks[DOWN] and path[-1][DOWN] == ROBOT.max_ticks[DOWN]


def test_the_antagonist_of_a_jammed_servo_waits_until_its_horn_is_at_neutral(stand):
    stand.live(0.5, **PULL_UP)
    stand.bank.inject("stuck", "corner_left_up")
    stand.goal_frames()
    stand.live(0.8, **PULL_DOWN)
    path = stand.goal_frames()
    assert path[-1][UP] == ROBOT.neutral_ticks[UP] and (path[:, DOWN] == ROBOT.neutral_ticks[DOWN]).all()
    stand.bank.clear()
    stand.live(1.0, **PULL_DOWN)
    assert stand.goal_frames()[-1][DOWN] == ROBOT.max_ticks[DOWN]


def test_a_servo_gets_no_goals_while_it_has_an_encoder_fault(stand):
    stand.live(0.5, jaw=0.3)
    stand.bank.inject("encoder", "jaw")
    stand.live(0.1)
    stand.goal_frames()
    stand.live(0.5, jaw=0.5)
    assert (stand.goal_frames()[:, JAW] == -1).all()
    stand.bank.clear()
    stand.live(2.0, jaw=0.5)
    assert stand.goal_frames()[-1][JAW] == ticks_of("jaw", 0.5)


@pytest.mark.parametrize("silent", [COUNT, 12, 3])
def test_a_stop_does_not_wait_long_for_dead_servos(stand, silent):
    stand.bank.inject("dead", *ROBOT.names[:silent])
    began_s = stand.now_s
    assert set(stand.gate.stop()) == set(ROBOT.names[:silent])
    assert stand.now_s - began_s < 0.6  # virtual time: the sum of all deadlines
    assert not stand.bank.torque[silent:].any()


def test_an_overloaded_servo_gets_changed_goals_only(stand):
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
    stand.bank.inject("dead", "jaw")
    stand.live(0.3)
    assert set(stand.gate.stop()) == {"jaw"} and stand.bank.torque[JAW]
    stand.live(1.1)
    assert not stand.gate.torque_state.refusing.any()  # its register is unknown
    stand.bank.clear()
    stand.live(2.1)
    assert not stand.bank.torque.any() and not stand.gate.torque_state.refusals


def after_a_pause_that_ends_with_torque_on(stand):
    """After a pause (a busy computer), the service is the first callback."""
    stand.bank.inject("torque_lost", "pucker")
    stand.live(2.5, jaw=0.0)

    def pause():
        stand.bank.advance(0.3)
        assert stand.gate.set_torque(True) == {}

    return pause


def after_a_pause_that_ends_with_a_servo_coming_back(stand):
    """After a pause (a busy computer), the timer of ``check_torque`` is the first callback."""
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
def test_a_pause_that_ends_with_a_newly_driven_servo_makes_no_other_servo_jump(stand, prepare):
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


def test_a_servo_outside_its_limits_moves_inside_slowly():
    stand = ServoStand(neutral_but(neck_yaw=4000)).with_gate()
    assert stand.gate.set_torque(True) == {}
    places, quarter = [], 0.25 * 1.2 * ROBOT.max_speed_rad_s[NECK] / RAD_PER_TICK
    while stand.now_s < 4.0:
        stand.live(PERIOD_S)
        places.append((stand.now_s, stand.bank.positions[NECK]))
    # It takes more than two seconds, longer than GENTLE_S.
    outside = np.array([(time_s, place) for time_s, place in places if place > ROBOT.max_ticks[NECK] + 4])
    assert outside[-1, 0] - outside[0, 0] > 2.5
    assert (-np.diff(outside[:, 1]) <= quarter * np.diff(outside[:, 0]) + 1).all()
    stand.live(2.0)
    assert stand.bank.positions[NECK] == 2048
    stand.live(0.3, neck_yaw=0.5)
    assert stand.bank.positions[NECK] - 2048 > 1.3 * quarter * 0.3  # at full speed again


def test_servos_that_could_not_be_driven_do_not_keep_their_torque(monkeypatch):
    stand = ServoStand().with_gate()
    switch = stand.gate.bus.set_torque

    def switch_then_break_all_encoders(on, names):
        failures = switch(on, names)
        stand.bank.inject("encoder")
        return failures

    with monkeypatch.context() as patched:
        patched.setattr(stand.gate.bus, "set_torque", switch_then_break_all_encoders)
        assert set(stand.gate.set_torque(True)) == set(ROBOT.names)
    assert stand.bank.torque.all() and not stand.gate.torque
    stand.live(1.1)
    assert not stand.bank.torque.any() and stand.bank.goals.count == COUNT  # the goals of switching on


def test_a_torque_register_in_another_mode_is_neither_on_nor_off(stand):
    stand.bank.set_register("neck_yaw", "torque_enable", 2)  # as another program might write it
    stand.live(1.1)
    assert stand.gate.torque_state.lost[NECK] and not stand.gate.torque_state.driven[NECK]
    stand.gate.stop()
    stand.bank.set_register("neck_yaw", "torque_enable", 2)
    stand.gate.check_torque(stand.now_s)
    assert not stand.gate.torque_state.refusing.any() and stand.bank.read_register("neck_yaw", "torque_enable") == 0


def test_a_servo_that_lost_its_speed_limit_with_its_power_is_switched_off(stand):
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
