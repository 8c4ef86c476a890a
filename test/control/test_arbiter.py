"""The arbiter: which of several sources commands the robot."""

import numpy as np
import pytest
from servo_stand import ROBOT, ServoStand

from rena_ros.control.arbiter import NO_SOURCE, SOURCES, Arbiter
from rena_ros.control.motion import JERK_TIME_S
from rena_ros.robot.model import RAD_PER_TICK

JAW = ROBOT.index["jaw"]
PAIRS = [(low, high) for i, low in enumerate(SOURCES) for high in SOURCES[i + 1 :]]


def send(arbiter, source, now_s):
    """A command that the limiter accepts; returns whether it is followed."""
    admitted = arbiter.admits(source, now_s)
    if admitted:
        arbiter.follow(source, now_s)
    return admitted


def test_the_sources_are_the_policy_a_take_and_an_operator_in_rising_priority():
    assert SOURCES == ("mimic", "take", "operator")


@pytest.mark.parametrize(("low", "high"), PAIRS)
def test_a_higher_source_takes_over_at_once_and_a_lower_one_after_its_silence(low, high):
    arbiter = Arbiter(timeout_s=0.5)
    assert arbiter.owner(0.0) == NO_SOURCE
    assert send(arbiter, low, 0.0) and arbiter.owner(0.0) == low
    assert send(arbiter, high, 0.01) and arbiter.owner(0.01) == high
    followed = [send(arbiter, low, 0.02 * k) for k in range(1, 50)]
    assert followed == [0.02 * k > 0.51 for k in range(1, 50)]
    assert arbiter.owner(0.98) == low
    assert arbiter.ignored == dict.fromkeys(SOURCES, 0) | {low: 25}  # at 20, 40 .. 500 ms
    assert arbiter.owner(1.49) == NO_SOURCE


def test_of_two_waiting_sources_the_higher_one_is_next_though_the_lower_commands_first():
    arbiter = Arbiter(timeout_s=0.5)
    send(arbiter, "operator", 0.0)
    assert not send(arbiter, "take", 0.495) and not send(arbiter, "mimic", 0.5)
    assert arbiter.owner(0.505) == "take" and not send(arbiter, "mimic", 0.51)
    assert send(arbiter, "take", 0.515) and not send(arbiter, "mimic", 0.53)


def test_a_waiting_source_with_malformed_commands_does_not_keep_a_lower_one_waiting():
    arbiter = Arbiter(timeout_s=0.5)
    send(arbiter, "operator", 0.0)
    send(arbiter, "take", 0.495)
    assert arbiter.admits("take", 0.515)
    arbiter.refuse("take")
    assert send(arbiter, "mimic", 0.52)


@pytest.mark.parametrize(("low", "high"), PAIRS)
def test_a_refused_command_does_not_take_over(low, high):
    arbiter = Arbiter(timeout_s=0.5)
    for k in range(50):
        assert send(arbiter, low, 0.02 * k)
        assert arbiter.admits(high, 0.02 * k)
        arbiter.refuse(high)
        assert arbiter.owner(0.02 * k) == low
    assert sum(arbiter.ignored.values()) == 0


def test_the_timeout_may_change():
    arbiter = Arbiter(timeout_s=0.5)
    send(arbiter, "operator", 0.0)
    arbiter.timeout_s = 2.0
    assert not send(arbiter, "mimic", 1.9) and send(arbiter, "mimic", 2.1)


@pytest.mark.parametrize("period_s", [0.51, 1.0, 3.0, 9.0])
def test_a_source_that_is_slower_than_its_timeout_is_found_at_its_third_command(period_s):
    arbiter = Arbiter(timeout_s=0.5)
    for k in range(5):
        send(arbiter, "operator", k * period_s)
        found = arbiter.slow_period_s("operator", k * period_s + 0.1)
        assert found == (pytest.approx(period_s) if k >= 2 else None)
    assert arbiter.slow_period_s("operator", 7 * period_s) is None  # it has ceased


def test_a_pause_is_not_a_slow_source():
    arbiter, now_s = Arbiter(timeout_s=0.5), 0.0
    for gap_s in (0.02, 0.02, 1.0, 0.02, 0.5, 20.0, 20.0, 20.0, 0.02):
        now_s += gap_s
        send(arbiter, "operator", now_s)
        assert arbiter.slow_period_s("operator", now_s) is None


def test_a_change_of_the_source_starts_a_new_stream_for_the_motion():
    # The way from one source's last command to the other's first is no speed with which to aim beyond that.
    ends = []
    for new_stream in (False, True):
        stand = ServoStand().with_gate()
        stand.torque_on()
        for jaw in np.arange(0, 0.3, 0.03):
            stand.command(jaw=jaw)
            stand.live(0.03)
        begun = stand.goal_frames()[-1, JAW]
        stand.gate.command(["jaw"], [0.3], stand.now_s, new_stream)
        stand.live(0.3)
        ends.append(stand.goal_frames()[:, JAW].max())
    stop_rad = 1 / (2 * 80) + 1 * JERK_TIME_S / 2  # the way in which the jaw stops from 1 rad/s, at 80 rad/s2
    assert ends[0] > ends[1] and ends[1] - begun <= stop_rad / RAD_PER_TICK + 2
