"""Idle life: human rates, only lids and eyes, no jump when it ends."""

import numpy as np
import pytest

from rena_ros.base.resources import share_path
from rena_ros.behaviour.idle import FADE_S, IdleLife
from rena_ros.behaviour.whole_blinks import WholeBlinks
from rena_ros.robot.file import load_robot
from rena_ros.strategy.eyes import BLINKS_A_MINUTE

ROBOT = load_robot()
NEUTRAL = ROBOT.neutral_goals
LIDS = [ROBOT.index[f"lid_{side}"] for side in ("left", "right")]
EYES = [ROBOT.index[f"eye_{side}_{axis}"] for side in ("left", "right") for axis in ("yaw", "pitch")]
TICK_S = 0.02
# A blink closes by 1 - goal; least jerk peaks at 1.875 of the mean speed; the fastest closing takes 66 - 2 * 10 ms.
LARGEST_STEP = 1.875 * TICK_S / 0.046


def lived(seconds: float, alone=lambda t_s: True, seed: int = 0, tick_s=TICK_S) -> np.ndarray:
    life = IdleLife(ROBOT, seed)
    return np.array([life.live(NEUTRAL, t, alone(t)) for t in np.arange(0, seconds, tick_s)])


def test_an_hour_has_a_human_number_of_blinks_and_moves_lids_and_eyes_alone():
    hour = lived(3600, tick_s=0.05)
    assert hour.min() >= 0 and hour.max() <= 1
    assert np.delete(np.ptp(hour, axis=0), LIDS + EYES).max() == 0
    shut = hour[:, LIDS[0]] > NEUTRAL[LIDS[0]] + 0.25 * (1 - NEUTRAL[LIDS[0]])
    blinks = np.count_nonzero(np.diff(shut.astype(int)) == 1)
    # 60 / 17 s between blinks, standard deviation .6 of it: 1020 blinks an hour +- 19; the longer rest takes 2 %.
    assert blinks == pytest.approx(60 * BLINKS_A_MINUTE["rest"], rel=0.08)
    np.testing.assert_array_equal(hour[:, LIDS[0]] - NEUTRAL[LIDS[0]], hour[:, LIDS[1]] - NEUTRAL[LIDS[1]])
    assert np.ptp(hour[:, EYES], axis=0).min() > 0.05


def test_switching_it_off_at_any_time_makes_no_jump_and_ends_within_the_fade():
    for seed in range(60):
        off_s = 3 + 0.05 * seed
        goals = lived(off_s + 1, alone=lambda t, off_s=off_s: t < off_s, seed=seed)
        assert np.abs(np.diff(goals, axis=0))[:, LIDS].max() <= LARGEST_STEP
        after = np.arange(len(goals)) * TICK_S > off_s + FADE_S + 2 * TICK_S
        np.testing.assert_array_equal(goals[after], np.broadcast_to(NEUTRAL, goals[after].shape))


def test_goals_are_left_alone_while_a_person_is_present():
    life = IdleLife(ROBOT)
    assert life.live(NEUTRAL, 1.0, False) is NEUTRAL


def test_a_robot_without_lids_and_with_one_eye_moves_what_it_has(tmp_path):
    lines = share_path("config/rena.yaml").read_text().splitlines(keepends=True)
    path = tmp_path / "other.yaml"
    path.write_text("".join(line for line in lines if "name: lid_" not in line and "name: eye_right_" not in line))
    robot = load_robot(path)
    life = IdleLife(robot)
    goals = np.array([life.live(robot.neutral_goals, t, True) for t in np.arange(0, 20, TICK_S)])
    moving = {robot.names[i] for i in np.flatnonzero(np.ptp(goals, axis=0))}
    assert moving == {"eye_left_yaw", "eye_left_pitch"}
    assert set(life.missing) == {"lid_left", "lid_right", "eye_right_yaw", "eye_right_pitch"}
    blinks, closed = WholeBlinks(robot), np.full(55, 0.9)
    for t in np.arange(0, 1, TICK_S):
        blinks.close(robot.neutral_goals, np.zeros(55), t)
    assert blinks.close(robot.neutral_goals, closed, 1.0) is robot.neutral_goals
    assert set(blinks.missing) == {"lid_left", "lid_right"}
