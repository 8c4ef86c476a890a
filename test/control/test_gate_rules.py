"""The gate's rules of time (after torque on, after a pause, from outside the limits), and how it closes its ports."""

import numpy as np
import pytest
from servo_stand import COUNT, PERIOD_S, ROBOT, ServoStand, neutral_but, ticks_of

from rena_ros.bus.port import PortLost
from rena_ros.bus.registers import REGISTERS
from rena_ros.robot.model import RAD_PER_TICK

JAW, NECK = ROBOT.index["jaw"], ROBOT.index["neck_yaw"]


def top_speed(stand):
    """Take the goals; return the highest speed to which they sent a servo, as a fraction of its limit."""
    speed = stand.check_goals().top_speed
    stand.bank.goals.take()
    return speed


def test_commands_in_the_first_second_after_torque_on_are_followed_at_half_the_speed():
    stand = ServoStand().with_gate()
    assert stand.gate.set_torque(True) == {}
    stand.live(0.5, neck_yaw=-0.5)
    stand.live(0.45, neck_yaw=0.5)
    assert 0.4 < top_speed(stand) <= 0.5
    stand.live(0.6, neck_yaw=0.5)
    top_speed(stand)
    stand.live(0.6, neck_yaw=-0.5)
    assert 0.8 < top_speed(stand) <= 1.0


def test_torque_on_starts_the_way_to_neutral_at_once():
    stand = ServoStand(neutral_but(jaw=2348)).with_gate()
    assert stand.gate.set_torque(True) == {}
    stand.live(0.3)
    assert stand.bank.goals.frames[-1].ticks[JAW] < 2248


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


def test_a_port_that_vanished_is_closed(stand):
    stand.pull_the_cable()
    assert [port.closed for port in stand.ports] == [True]


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


def test_a_port_that_release_opens_again_is_closed_too(stand):
    stand.gate.drop_port()
    assert stand.gate.release() == {} and not np.any(stand.bank.torque)
    assert [port.closed for port in stand.ports] == [True, True]
