"""The gate on emulated servos in virtual time: commands, torque, stop, pauses and the port."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servo_stand import COUNT, PERIOD_S, ROBOT, ServoStand, neutral_but, ticks_of

from rena_ros.base.errors import RenaError
from rena_ros.bus.port import PortLost, PortMissing
from rena_ros.bus.protocol import Instruction
from rena_ros.bus.registers import REGISTERS
from rena_ros.control.gate import GENTLE_S, MIN_GAP_S
from rena_ros.control.goal_writer import KEEP_ALIVE_S
from rena_ros.robot.model import RAD_PER_TICK

JAW, NECK = ROBOT.index["jaw"], ROBOT.index["neck_yaw"]


def test_connecting_moves_no_servo_and_leaves_torque_as_it_is():
    stand = ServoStand()
    stand.bank.receive(b"\xff\xff\xfe\x04\x03\x28\x01\xd1")  # torque on, all servos
    stand.with_gate()
    stand.live(1.5)
    assert stand.bank.torque.all() and stand.bank.goals.count == 0
    assert stand.gate.torque_state.left_on.all() and not stand.gate.torque_state.driven.any()
    assert stand.gate.release() == {} and not stand.bank.torque.any()


def test_without_torque_commands_are_refused_and_nothing_is_written():
    stand = ServoStand().with_gate()
    assert "torque is off" in stand.command(jaw=0.1).refusal
    stand.live(1.0)
    assert stand.bank.goals.count == 0 and "torque is off" in stand.gate.neutral(stand.now_s)


def test_torque_on_starts_where_the_servos_are_and_eases_to_neutral_at_once():
    away = ROBOT.neutral_ticks + 100 * (ROBOT.max_ticks > ROBOT.neutral_ticks + 100)
    away[JAW] = 2348
    stand = ServoStand(away).with_gate()
    assert stand.gate.set_torque(True) == {}
    assert (stand.bank.positions == away).all()
    stand.live(0.3)
    assert stand.bank.goals.frames[-1].ticks[JAW] < 2248
    stand.live(GENTLE_S + 0.2)
    log, check = list(stand.bank.goals.frames), stand.check_goals()
    assert check.limits + check.speed + check.acceleration == 0 and len(log) > 30
    assert check.top_speed <= 0.5 and (log[-1].ticks == ROBOT.neutral_ticks).all()


def test_a_command_is_written_at_once_and_followed_to_its_end(stand):
    outcome = stand.command(jaw=0.4)
    assert outcome.last_byte_s == stand.now_s and outcome.refusal is None
    assert len(stand.goal_frames()) == 1
    stand.live(0.4)
    path = stand.goal_frames()
    assert (path[-1] == neutral_but(jaw=ticks_of("jaw", 0.4))).all()
    assert (np.delete(path, JAW, axis=1) == np.delete(ROBOT.neutral_ticks, JAW)).all()


def test_unchanged_goals_are_repeated_four_times_a_second(stand):
    stand.live(2.0)
    assert 2.0 / KEEP_ALIVE_S - 2 <= len(stand.goal_frames()) <= 2.0 / KEEP_ALIVE_S + 1


def test_a_flood_of_commands_causes_no_flood_of_goals(stand):
    start_s, count = stand.now_s, 0
    while stand.now_s < start_s + 0.1:
        stand.command(jaw=0.1 + 0.2 * (count % 2))
        stand.bank.advance(0.0002)
        count += 1
    assert count > 300 and len(stand.goal_frames()) <= 0.1 / MIN_GAP_S + 1
    stand.live(0.4)
    assert stand.goal_frames()[-1][JAW] == ticks_of("jaw", 0.1 + 0.2 * ((count - 1) % 2))  # the last one counts


def test_without_commands_it_holds_and_is_at_neutral_within_a_second(stand):
    ends = ROBOT.limit(ROBOT.names, np.where(-ROBOT.lower > ROBOT.upper, ROBOT.lower, ROBOT.upper), np.zeros(COUNT))
    stand.live(1.0, **dict(zip(ROBOT.names, ends.positions, strict=True)))
    begun_s = stand.now_s
    stand.live(0.45)
    assert (stand.goal_frames()[-1] == ROBOT.to_ticks(ends.positions)).all()
    stand.live(1.0 - (stand.now_s - begun_s))
    assert (stand.goal_frames()[-1] == ROBOT.neutral_ticks).all()


def test_torque_is_released_after_the_release_time_without_commands():
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
        # A position that is not finite is reported before an unknown joint.
        (["nose", "jaw"], [0.1, math.nan], "jaw: nan"),
        (["x" * 5000], [0.1], r"^x{40}… is not"),
        (["ja\nw"], [0.1], r"^ja\?w is not"),
    ],
)
def test_a_malformed_command_is_refused_by_name_and_value_and_moves_no_servo(stand, names, positions, why):
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
def test_goals_on_the_wire_keep_the_rules_whatever_is_commanded(some_commands):
    stand = ServoStand().with_gate()
    assert stand.gate.set_torque(True) == {}
    for (some_names, positions), pause_s in some_commands:
        stand.gate.command(some_names, positions, stand.now_s)
        stand.live(pause_s)
    stand.live(0.1)
    check = stand.check_goals()
    assert check.violations == 0, check.examples


def test_stop_is_latched_until_reset_and_the_robot_is_still_limp_then(stand):
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


def test_a_stop_while_disconnected_takes_effect_at_the_reconnection(stand):
    stand.pull_the_cable()
    assert stand.gate.stop() == {} and stand.bank.torque.all()  # they cannot be reached
    with pytest.raises(PortMissing):
        stand.gate.connect()
    stand.bank.clear("unplugged")
    stand.gate.connect()
    assert not stand.bank.torque.any() and "stopped" in stand.command(jaw=0.1).refusal


def test_a_pulled_cable_leaves_the_robot_limp_until_set_torque(stand):
    stand.pull_the_cable()
    assert [port.closed for port in stand.ports] == [True]
    assert not stand.gate.torque and "not connected" in stand.command(jaw=0.1).refusal
    assert stand.gate.tick(stand.now_s) is None
    stand.bank.clear("unplugged")
    stand.gate.connect()
    assert not stand.bank.torque.any() and "the port was lost" in stand.command(jaw=0.1).refusal
    assert stand.gate.set_torque(True) == {} and stand.bank.torque.all()
    assert stand.gate.release() == {} and not stand.bank.torque.any()


def test_torque_on_during_a_movement_does_not_disturb_driven_servos(stand):
    stand.bank.inject("torque_lost", "pucker")
    stand.live(1.0, jaw=0.4)
    stand.goal_frames()
    stand.command(neck_yaw=0.4)
    stand.live(0.1)
    assert stand.gate.set_torque(True) == {}
    stand.live(0.1)
    log, check = list(stand.bank.goals.frames), stand.check_goals()
    assert check.violations == 0, check.examples
    alone = {i for goals in log if goals.frame[4] != Instruction.SYNC_WRITE for i in np.flatnonzero(goals.ticks >= 0)}
    assert alone == {ROBOT.index["pucker"]}
    assert log[-1].ticks[NECK] > ROBOT.neutral_ticks[NECK] + 50


def test_release_switches_torque_off_although_one_servo_does_not_reply(stand):
    stand.bank.inject("truncated", "eye_left_yaw")
    assert set(stand.gate.release()) == {"eye_left_yaw"}
    assert not stand.bank.torque.any()  # it received the request, only its reply is lost


def test_release_switches_torque_off_on_a_port_that_is_back(stand):
    stand.pull_the_cable()
    assert stand.gate.release() is None and stand.bank.torque.all()  # it is not back yet
    stand.bank.clear()
    assert stand.gate.release() == {} and not stand.bank.torque.any() and stand.gate.bus is None
    assert [port.closed for port in stand.ports] == [True, True]


def test_commands_in_the_first_second_after_torque_on_are_followed_at_half_the_speed():
    stand = ServoStand().with_gate()
    assert stand.gate.set_torque(True) == {}
    stand.live(0.5, neck_yaw=-0.5)
    stand.live(0.45, neck_yaw=0.5)
    assert 0.4 < stand.check_goals().top_speed <= 0.5
    stand.live(0.6, neck_yaw=0.5)
    stand.check_goals()
    stand.live(0.6, neck_yaw=-0.5)
    assert 0.8 < stand.check_goals().top_speed <= 1.0


@pytest.mark.parametrize("pause_s", [0.08, 0.24])
@pytest.mark.parametrize("first", ["tick", "command"])
def test_after_a_pause_goals_go_on_from_the_last_ones(stand, pause_s, first):
    stand.command(jaw=0.6)
    stand.live(0.05)
    last = stand.bank.goals.take()[-1].ticks[JAW]
    stand.bank.advance(pause_s)
    if first == "tick":
        stand.gate.tick(stand.now_s)
    else:
        stand.command(jaw=0.6)
    fastest = ROBOT.max_speed_rad_s[JAW] * PERIOD_S / RAD_PER_TICK
    assert 0 <= stand.bank.goals.frames[0].ticks[JAW] - last <= fastest + 1
    stand.live(0.5, jaw=0.6)
    assert stand.bank.goals.frames[-1].ticks[JAW] == ticks_of("jaw", 0.6)


def test_commands_are_refused_when_no_servo_is_driven(stand):
    stand.bank.inject("torque_lost")
    stand.live(1.1)
    assert stand.gate.torque and not stand.gate.torque_state.driven.any()
    assert "no servo is driven any more" in stand.command(jaw=0.1).refusal
    assert "no servo is driven any more" in stand.gate.neutral(stand.now_s)


def test_clamped_commands_are_counted(stand):
    assert stand.command(jaw=9.0).clamped == ("jaw",) and stand.command(jaw=0.1).clamped == ()
    assert (stand.gate.commands.clamped, stand.gate.commands.written) == (1, 2)


def test_a_servo_that_was_outside_its_limits_stays_slow_for_the_first_second():
    stand = ServoStand(neutral_but(jaw=ROBOT.max_ticks[JAW] + 20)).with_gate()
    speed = REGISTERS["goal_speed"]

    def speed_limit():
        reply = stand.gate.bus.line.read(ROBOT.servos[JAW].id, speed.address, speed.size)
        return int.from_bytes(reply.params, "little") * RAD_PER_TICK / ROBOT.max_speed_rad_s[JAW]

    assert stand.gate.set_torque(True) == {}
    stand.live(0.7)
    assert stand.bank.positions[JAW] <= ROBOT.max_ticks[JAW]
    stand.gate.check_torque(stand.now_s)
    assert speed_limit() < 0.5
    stand.live(0.4)
    stand.gate.check_torque(stand.now_s)
    assert speed_limit() >= 1.0


def test_a_port_that_vanishes_while_connecting_is_closed(stand):
    stand.gate.release()
    stand.bank.inject("unplugged", at_s=0.001)
    with pytest.raises(PortLost):
        stand.gate.connect()
    assert stand.gate.bus is None and [port.closed for port in stand.ports] == [True, True]
    stand.bank.clear()
    assert len(stand.gate.connect()) == COUNT and not stand.ports[-1].closed


@pytest.mark.parametrize("fails", [False, True])
def test_release_closes_the_port_even_if_it_vanishes_meanwhile(stand, fails):
    if fails:
        stand.bank.inject("unplugged", at_s=0.001)
    assert stand.gate.release() == (None if fails else {})
    assert stand.gate.bus is None and stand.gate.torque_off_pending == fails
    assert [port.closed for port in stand.ports] == [True]
