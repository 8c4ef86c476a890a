"""A small fuzz run, and the check that it relies on."""

import dataclasses
import multiprocessing
import signal

import numpy as np
import pytest

from rena_ros.bench.fuzz import CommandMaker, fuzz
from rena_ros.bench.fuzz_command import worker_pool
from rena_ros.bus import protocol
from rena_ros.control.track import BURST_S
from rena_ros.emulator.goal_check import GoalCheck
from rena_ros.emulator.goal_log import GoalFrame
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK

ROBOT = load_robot()
COUNT = len(ROBOT.names)
JAW, UP, DOWN = (ROBOT.index[name] for name in ("jaw", "corner_left_up", "corner_left_down"))
SYNC_WRITE = protocol.sync_write([1], 42, np.zeros((1, 2), np.uint8))


def test_random_commands_cause_no_violation_on_the_wire(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    result = fuzz(800, seed=3)
    assert result.passed, result
    assert result.accepted > 400 and result.refused > 200 and result.goals > 10_000
    assert 0.9 < result.top_speed <= 1.0  # the commands drive the motion to its limits
    assert result.streamed > 100
    assert result.points > 100 and result.early_s <= BURST_S


def test_violations_of_a_node_with_other_limits_are_found(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")

    def fuzz_node_with(**limits):
        servos = tuple(
            dataclasses.replace(servo, **{name: change(servo) for name, change in limits.items()})
            for servo in ROBOT.servos
        )
        node_robot = dataclasses.replace(ROBOT, servos=servos)
        monkeypatch.setattr("rena_ros.nodes.servos.load_robot", lambda path: node_robot)
        return fuzz(300, seed=3)

    result = fuzz_node_with(antagonists=lambda servo: ())
    assert result.antagonists > 0 and result.limits == 0 and not result.passed
    result = fuzz_node_with(max_speed_rad_s=lambda servo: 1.2 * servo.max_speed_rad_s)
    assert result.speed > 0 and result.top_speed > 1.05 and not result.passed
    result = fuzz_node_with(max_acceleration_rad_s2=lambda servo: 2 * servo.max_acceleration_rad_s2)
    assert result.acceleration > 0 and result.speed == 0 and not result.passed


def goals(time_s, **changes):
    ticks = ROBOT.neutral_ticks.copy()
    for name, value in changes.items():
        ticks[ROBOT.index[name]] = value
    return GoalFrame(time_s, SYNC_WRITE, ticks)


@pytest.mark.parametrize(
    ("second", "broken"),
    [
        (goals(0.02), ""),
        (goals(0.02, jaw=2047), "limits"),
        (goals(0.02, jaw=2469), "limits speed"),
        (goals(0.02, corner_left_up=2049, corner_left_down=2050), ""),
        (goals(0.02, corner_left_up=2050, corner_left_down=2050), "antagonists"),
        # 4 rad/s are 26.08 ticks in 10 ms; one tick is rounding.
        (goals(0.02, jaw=2075), ""),
        (goals(0.02, jaw=2076), "speed"),
    ],
)
def test_the_check_finds_a_broken_rule(second, broken):
    check = GoalCheck(ROBOT)
    check.add([goals(0.01), second])
    found = [name for name in ("limits", "antagonists", "speed") if getattr(check, name)]
    assert found == broken.split()


def test_the_check_lets_late_points_catch_up_no_farther_than_given():
    # 26.08 ticks take 10 ms; 40 ms of motion within 10 ms are 30 ms early, and the next 10 ms at the limit stay so.
    check, caught_up = GoalCheck(ROBOT), [2100, 2205, 2231]
    check.add([goals(0.01 * k, jaw=ticks) for k, ticks in enumerate(caught_up)], early_s=0.03)
    assert check.violations == 0 and check.early_s == pytest.approx(0.03, abs=0.0005)
    check.add([goals(0.03, jaw=2270)], early_s=0.03)
    assert check.speed == 1


def test_the_check_finds_a_sudden_turn():
    # From +20 to -20 ticks in 10 ms each: 6.1 rad/s in 10 ms where 80 rad/s2 allow 0.8, and 2 ticks are rounding.
    check, turn = GoalCheck(ROBOT), [2100, 2120, 2100]
    check.add([goals(0.01 * k, jaw=ticks) for k, ticks in enumerate(turn)])
    assert check.acceleration == 1 and check.speed == 0 and "jaw too sudden" in check.examples[0]
    allowed = 80 / RAD_PER_TICK * 0.01 * 0.01 + 2
    check, turn = GoalCheck(ROBOT), [2100, 2120, 2120 + 20 - int(allowed)]
    check.add([goals(0.01 * k, jaw=ticks) for k, ticks in enumerate(turn)])
    assert check.violations == 0


def test_commands_of_every_shape_are_made():
    maker = CommandMaker(ROBOT, np.random.default_rng(0))
    made = [maker.make() for _ in range(2000)]
    for (names, positions), valid in made:
        expected = (
            bool(names)
            and len(names) == len(positions) == len(set(names))
            and set(names) <= set(ROBOT.names)
            and bool(np.isfinite(positions).all())
        )
        assert valid == expected
    invalid = [command for command, valid in made if not valid]
    assert any(not names for names, _ in invalid)
    assert any(len(names) != len(positions) for names, positions in invalid)
    assert any(np.isnan(positions).any() for _, positions in invalid)
    assert any(1e308 in positions for (_, positions), valid in made if valid)


def test_ctrl_c_does_not_reach_the_worker_processes_even_while_they_start():
    with worker_pool(multiprocessing.get_context("spawn"), 1) as pool:
        assert signal.SIGINT in pool.apply(signal.pthread_sigmask, (signal.SIG_BLOCK, ()))
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
