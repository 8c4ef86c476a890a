"""Motion: limits for the whole way, no jumps whatever the targets, antagonists one at a time, known durations."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruckig import RuckigError

from rena_ros.control.motion import EASE_SCALE, JERK_TIME_S, Motion
from rena_ros.control.stream import HOLD_S
from rena_ros.control.track import BURST_S
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import RAD_PER_TICK

ROBOT = load_robot()
COUNT = len(ROBOT.names)
JAW, NECK, PUCKER, UP, DOWN = (
    ROBOT.index[name] for name in ("jaw", "neck_yaw", "pucker", "corner_left_up", "corner_left_down")
)
STEP_S = 0.002
orders = st.lists(
    st.tuples(st.sampled_from(["follow", "move", "slow", "ease"]), st.integers(0, 2**32), st.integers(1, 60)),
    min_size=1,
    max_size=12,
)


def random_target(seed):
    rng = np.random.default_rng(seed)
    goals = rng.choice([0.0, 1.0, rng.random()], COUNT)
    return ROBOT.limit(ROBOT.names, ROBOT.positions(goals), np.zeros(COUNT)).positions


def one_joint(name, goal):
    moved = np.arange(COUNT) == ROBOT.index[name]
    return np.where(moved, ROBOT.positions(np.full(COUNT, goal)), 0.0)


def path_of(motion, times_s):
    """Update the motion at these times; return its positions, rad (k, n)."""
    path = []
    for now_s in times_s:
        motion.update(now_s)
        path.append(motion.at(now_s))
    return np.array(path)


def run(order, motion, now_s):
    kind, seed, steps = order
    if kind == "follow":
        motion.follow(random_target(seed), now_s)
    elif kind == "ease":
        motion.ease_to_neutral(now_s)
    else:
        motion.move(random_target(seed), now_s, EASE_SCALE if kind == "slow" else 1.0)
    times_s = now_s + STEP_S * np.arange(1, steps + 1)
    return path_of(motion, times_s), times_s[-1]


@settings(max_examples=60, deadline=None)
@given(orders)
def test_limits_of_position_speed_and_acceleration_hold_for_any_sequence_of_targets(some_orders):
    motion, now_s, path = Motion(ROBOT, np.zeros(COUNT), 0.0), 0.0, [np.zeros(COUNT)] * 3
    for order in some_orders:
        more, now_s = run(order, motion, now_s)
        path.extend(more)
    path = np.array(path)
    speed = np.diff(path, axis=0) / STEP_S
    acceleration = np.diff(speed, axis=0) / STEP_S
    assert (path >= ROBOT.lower).all() and (path <= ROBOT.upper).all()
    assert (np.abs(speed) <= ROBOT.max_speed_rad_s * (1 + 1e-6)).all()
    assert (np.abs(acceleration) <= ROBOT.max_acceleration_rad_s2 * (1 + 1e-6)).all()
    for a, b in ROBOT.antagonist_pairs:
        assert (np.minimum(np.abs(path[:, a]), np.abs(path[:, b])) <= 2 * RAD_PER_TICK).all()


def test_a_rest_to_rest_move_takes_the_time_of_a_jerk_limited_profile():
    # With acceleration and speed limits both reached, T = d/v + v/a + a/j; a/j is JERK_TIME_S.
    motion = Motion(ROBOT, one_joint("neck_yaw", 0.0), 0.0)
    target = one_joint("neck_yaw", 1.0)
    motion.move(target, 0.0)
    speed, acceleration = ROBOT.max_speed_rad_s[NECK], ROBOT.max_acceleration_rad_s2[NECK]
    way = ROBOT.upper[NECK] - ROBOT.lower[NECK]
    duration_s = way / speed + speed / acceleration + JERK_TIME_S
    assert motion.at(duration_s - 1e-3)[NECK] < target[NECK] - 1e-7
    assert motion.at(duration_s)[NECK] == pytest.approx(target[NECK], abs=1e-12)
    assert motion.at(duration_s + 1)[NECK] == pytest.approx(target[NECK])
    assert motion.at(duration_s / 2)[NECK] == pytest.approx(0, abs=1e-6)  # symmetric around its middle


def test_easing_has_the_documented_fraction_of_the_speed_limit():
    motion = Motion(ROBOT, one_joint("jaw", 1.0), 0.0)
    motion.ease_to_neutral(0.0)
    path = np.array([motion.at(t) for t in np.arange(0, 2, 0.001)])
    assert np.abs(np.diff(path[:, JAW])).max() * 1e3 == pytest.approx(EASE_SCALE * ROBOT.max_speed_rad_s[JAW], rel=1e-3)
    assert np.abs(path[-1]).max() == pytest.approx(0, abs=1e-9)


def test_neutral_is_reached_from_anywhere_in_less_than_half_a_second():
    # Together with half a second without commands, that is within one second of the last command.
    for goal in (0.0, 1.0):
        motion = Motion(ROBOT, ROBOT.positions(np.full(COUNT, goal)), 0.0)
        motion.ease_to_neutral(0.0)
        assert np.abs(motion.at(0.47)).max() < RAD_PER_TICK / 2


def test_sent_goals_are_not_taken_back():
    # A new trajectory begins where the last goal sent left off, however soon after it.
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    motion.move(one_joint("jaw", 1.0), 0.0)
    then = motion.at(0.11)
    motion.mark_sent(0.11)
    motion.move(one_joint("jaw", 0.0), 0.10)
    np.testing.assert_allclose(motion.at(0.11), then, atol=1e-12)
    assert motion.at(0.3)[ROBOT.index["jaw"]] < motion.at(0.12)[ROBOT.index["jaw"]]


def test_placed_joints_go_on_from_there_within_their_limits():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    motion.move(one_joint("neck_yaw", 1.0), 0.0)
    others = motion.at(0.1)
    which = np.arange(COUNT) == JAW
    motion.place(which, np.full(COUNT, 9.9), 0.1)
    assert motion.at(0.1)[JAW] == ROBOT.upper[JAW]
    np.testing.assert_allclose(motion.at(0.1)[~which], others[~which], atol=1e-12)
    path = np.array([motion.at(t) for t in np.arange(0.1, 1.0, STEP_S)])
    assert (np.abs(np.diff(path, axis=0)) <= ROBOT.max_speed_rad_s * STEP_S * (1 + 1e-6)).all()
    assert path[-1, JAW] == pytest.approx(0, abs=1e-9) and path[-1, NECK] == pytest.approx(ROBOT.upper[NECK])


def test_a_held_joint_stays_and_its_antagonist_waits():
    motion = Motion(ROBOT, one_joint("corner_left_up", 1.0), 0.0)
    motion.hold(np.arange(COUNT) == UP, 0.0)
    motion.move(one_joint("corner_left_down", 1.0), 0.0)
    path_of(motion, np.arange(0.0, 1.0, 0.01))
    assert motion.at(1.0)[UP] == ROBOT.upper[UP] and motion.at(1.0)[DOWN] == 0
    motion.place(np.arange(COUNT) == UP, one_joint("corner_left_up", 1.0), 1.0)
    path_of(motion, np.arange(1.0, 2.5, 0.01))
    assert motion.at(2.5)[UP] == pytest.approx(0, abs=1e-9) and motion.at(2.5)[DOWN] == pytest.approx(ROBOT.upper[DOWN])


def test_starting_points_without_a_trajectory_stop_no_joint(monkeypatch):
    # 2 acceleration^3 / jerk^2 from the target, with a rounding error as acceleration.
    eye = ROBOT.index["eye_right_yaw"]
    target = ROBOT.upper[eye]
    away = target - 2 * 120.0**3 / 6000.0**2
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    failed, plain = [], motion._ruckig.calculate

    class Planner:
        def calculate(self, plan, trajectory):
            try:
                return plain(plan, trajectory)
            except RuckigError:
                failed.append(plan.current_position[eye])
                raise

    monkeypatch.setattr(motion, "_ruckig", Planner())
    for k in range(-8, 9):
        state = [np.zeros(COUNT).tolist() for _ in range(3)]
        state[0][eye], state[2][eye] = away + k * np.spacing(away), float.fromhex("-0x1.8b074695a7abap-44")
        monkeypatch.setattr(motion, "_state", lambda time_s, state=state: tuple(state))
        motion.move(one_joint("eye_right_yaw", 1.0), 0.0)
        monkeypatch.undo()
        monkeypatch.setattr(motion, "_ruckig", Planner())
        assert motion.at(1.0)[eye] == pytest.approx(target) and motion.at(0.0)[eye] == pytest.approx(away)
    assert failed  # else this test tests nothing


def test_without_a_new_trajectory_the_old_one_goes_on_until_there_is_one(monkeypatch):
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    motion.move(one_joint("jaw", 0.5), 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(motion, "_trajectory_to", lambda target, state: None)
        motion.move(one_joint("jaw", 1.0), 0.05)
        motion.update(0.06)
        assert motion.at(1.0)[JAW] == pytest.approx(0.5 * ROBOT.upper[JAW])
        motion.place(np.arange(COUNT) == JAW, np.full(COUNT, 0.2), 0.07)
        assert motion.at(0.07)[JAW] == motion.at(1.0)[JAW] == 0.2
    motion.update(0.08)
    assert motion.at(1.0)[JAW] == pytest.approx(ROBOT.upper[JAW])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 10.0])
def test_an_invalid_target_is_refused_by_name_and_changes_nothing(wrong):
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    motion.move(one_joint("jaw", 1.0), 0.0)
    before = motion.at(0.1)
    target = np.zeros(COUNT)
    target[ROBOT.index["pucker"]] = wrong
    for go_to in (motion.move, motion.follow):
        with pytest.raises(ValueError, match="pucker"):
            go_to(target, 0.05)
    assert (motion.at(0.1) == before).all()


def sine_followed(method, amplitude, frequency_hz, lag_s):
    """Root mean square of what remains between the neck's way and a sine, ``lag_s`` earlier, sampled at 30 Hz."""

    def wanted(t):
        return amplitude * np.sin(2 * np.pi * frequency_hz * t)

    motion, error = Motion(ROBOT, np.zeros(COUNT), 0.0), []
    for t in np.arange(0, 3, 1 / 30):
        target = np.zeros(COUNT)
        target[NECK] = wanted(t)
        getattr(motion, method)(target, t)
        times_s = t + np.arange(0, 1 / 30, 0.005)
        if t > 1:
            error.extend(path_of(motion, times_s)[:, NECK] - wanted(times_s - lag_s))
        else:
            path_of(motion, times_s)
    return np.sqrt(np.mean(np.square(error)))


@pytest.mark.parametrize(("method", "least_s", "most_s"), [("follow", 0.0, 0.03), ("move", 0.05, 0.08)])
def test_a_stream_is_followed_twice_as_closely_as_its_targets_one_by_one(method, least_s, most_s):
    lags_s = np.arange(0, 0.1, 0.005)
    assert least_s <= lags_s[np.argmin([sine_followed(method, 0.3, 1, lag_s) for lag_s in lags_s])] <= most_s


def test_when_the_stream_ends_the_lead_is_taken_back():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    for k in range(10):
        motion.follow(one_joint("jaw", 0.05 * k), k / 30)
        path_of(motion, k / 30 + np.arange(0.001, 1 / 30, 0.005))
    led = path_of(motion, 0.3 + np.arange(1 / 30, HOLD_S, 0.005))
    assert led[-1, JAW] > one_joint("jaw", 0.48)[JAW]
    ended = path_of(motion, 0.3 + np.arange(HOLD_S, HOLD_S + 0.5, 0.01))
    np.testing.assert_allclose(ended[-1], one_joint("jaw", 0.45), atol=1e-9)


def test_an_antagonist_waits_until_the_other_is_at_neutral():
    motion = Motion(ROBOT, one_joint("corner_left_up", 1.0), 0.0)
    motion.move(one_joint("corner_left_down", 1.0), 0.0)
    path = path_of(motion, np.arange(0.005, 1.5, 0.005))
    released = int(np.argmax(path[:, UP] <= RAD_PER_TICK))
    assert released > 0 and (path[:released, DOWN] == 0).all()
    assert path[-1, DOWN] == pytest.approx(ROBOT.upper[DOWN])


def turn_around(robot, after_s):
    """Go up for ``after_s``, then down instead; return the speeds of the one and the positions of the other per ms."""
    motion = Motion(robot, np.zeros(COUNT), 0.0)
    motion.move(one_joint("corner_left_up", 1.0), 0.0)
    motion.update(after_s)
    motion.move(one_joint("corner_left_down", 1.0), after_s)
    path = path_of(motion, after_s + np.arange(0, 1.0, 0.001))
    assert path[-1, DOWN] == pytest.approx(ROBOT.upper[DOWN])
    return np.abs(np.diff(path[:, UP])) / 0.001, path[1:, DOWN]


def test_an_antagonist_does_not_start_while_the_other_still_moves():
    speed, waiting = turn_around(ROBOT, 0.3)  # on its way back the other passes the last tick at 0.3 rad/s
    assert speed[int(np.argmax(waiting > 0))] < 0.06


def test_an_antagonist_does_not_start_while_the_other_is_about_to_leave_neutral():
    # The other hardly moves and is within a tick of neutral, but still accelerates away from it.
    robot = replace(ROBOT, servos=tuple(replace(s, max_acceleration_rad_s2=300.0) for s in ROBOT.servos))
    speed, waiting = turn_around(robot, np.sqrt(2 * 0.04 / (300.0 / JERK_TIME_S)))
    assert speed.max() > 0.06 and (waiting[: int(np.argmax(speed)) + 1] == 0).all()


def test_aiming_ahead_does_not_lead_one_antagonist_through_neutral_while_the_other_pulls():
    # Both move to either side of neutral: the lead of a joint on its way back lies beyond neutral.
    pair = ("corner_left_up", "corner_left_down")
    servos = tuple(replace(s, min_ticks=s.neutral_ticks - 300) if s.name in pair else s for s in ROBOT.servos)
    robot = replace(ROBOT, servos=servos)
    motion, path = Motion(robot, np.zeros(COUNT), 0.0), []
    for k, goals in enumerate([(0.1, 0.0), (0.2, 0.0), (0.1, 0.0), (0.0, 0.1), (0.0, 0.2)]):
        target = np.zeros(COUNT)
        target[[UP, DOWN]] = goals
        motion.follow(target, 0.03 * k)
        path.extend(np.abs(path_of(motion, 0.03 * k + np.arange(0.001, 0.0305, 0.001))[:, [UP, DOWN]]))
    assert (np.min(path, axis=1) <= RAD_PER_TICK).all() and np.max(path) > 0.1


def test_placing_a_joint_does_not_take_back_goals_of_the_others():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    motion.move(one_joint("neck_yaw", 1.0), 0.0)
    then = motion.at(0.11)
    motion.mark_sent(0.11)
    motion.move(one_joint("neck_yaw", 0.0), 0.102)
    motion.place(np.arange(COUNT) == JAW, one_joint("jaw", 0.5), 0.104)
    assert motion.at(0.11)[NECK] == pytest.approx(then[NECK], abs=1e-12)
    assert motion.at(0.11)[JAW] == pytest.approx(0.5 * ROBOT.upper[JAW])


def test_held_joints_stay_where_they_are_after_a_pause():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    motion.move(one_joint("jaw", 1.0) + one_joint("pucker", 1.0), 0.0)
    held = []
    for joint, now_s in ((JAW, 0.1), (PUCKER, 0.15)):
        motion.mark_sent(now_s)
        held.append(motion.at(now_s)[joint])
        motion.hold(np.arange(COUNT) == joint, now_s)
    motion.restart_from_sent(0.4)
    motion.move(one_joint("neck_yaw", 1.0), 0.4)
    for now_s in np.arange(0.4, 1.5, 0.01):
        motion.update(now_s)
        motion.mark_sent(now_s)
    assert 0 < held[0] < held[1] < ROBOT.upper[PUCKER]
    assert motion.at(1.5)[[JAW, PUCKER]] == pytest.approx(held) and motion.at(1.5)[NECK] > 0.4


def wave(t, hz=1.0):
    """A point of a smooth motion of the neck: positions and velocities of all joints."""
    moved = np.arange(COUNT) == NECK
    w = 2 * np.pi * hz
    return np.where(moved, 0.2 * (1 - np.cos(w * t)), 0.0), np.where(moved, 0.2 * w * np.sin(w * t), 0.0)


def test_a_motion_planned_before_is_followed_exactly():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    for t in np.arange(0.01, 0.51, 0.01):
        position, velocity = wave(t)
        assert motion.track(position, velocity, t)
        motion.mark_sent(t + 0.01)
        motion.update(t + 0.005)
        np.testing.assert_array_equal(motion.at(t + 0.01), position)


@pytest.mark.parametrize("end_s", [0.1, 0.25, 0.45])
def test_when_the_points_of_a_motion_cease_the_goals_brake_within_the_limits_and_stay(end_s):
    motion, sent = Motion(ROBOT, np.zeros(COUNT), 0.0), []
    for t in np.arange(0.01, end_s + 0.3, 0.01):
        if t <= end_s:
            assert motion.track(*wave(t), t)
        motion.update(t)
        goals = motion.at(t + 0.01)
        if not sent or (goals != sent[-1][1]).any():  # unchanged goals are not sent
            sent.append((t, goals))
            motion.mark_sent(t + 0.01)
    times, goals = np.array([at_s for at_s, _ in sent]), np.array([goals for _, goals in sent])[:, NECK]
    position, velocity = (values[NECK] for values in wave(end_s))
    braked = position + velocity * abs(velocity) / (2 * ROBOT.max_acceleration_rad_s2[NECK])
    assert goals[-1] == pytest.approx(braked, abs=1e-9) and motion.target[NECK] == pytest.approx(braked)
    steps = np.diff(times)
    speed = np.diff(goals) / steps
    change = np.abs(np.diff(speed)) / ((steps[1:] + steps[:-1]) / 2)
    assert (change <= 1.02 * ROBOT.max_acceleration_rad_s2[NECK]).all()


def test_after_a_tracked_motion_the_next_target_is_reached_from_its_velocity():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    for t in np.arange(0.01, 0.26, 0.01):  # to the fastest moment
        motion.track(*wave(t), t)
        motion.mark_sent(t + 0.01)
    motion.move(one_joint("neck_yaw", 0.9), t + 0.01)
    path = path_of(motion, t + 0.02 + np.arange(0, 0.1, 0.001))[:, NECK]
    speed = np.diff(path) / 0.001
    assert speed[0] == pytest.approx(wave(t)[1][NECK], rel=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: (one_joint("neck_yaw", 1.0), np.zeros(COUNT)),  # a jump at rest
        lambda: (one_joint("neck_yaw", 0.6), one_joint("neck_yaw", 1.0) * 100),  # too fast
        lambda: (np.zeros(COUNT), 3 * one_joint("neck_yaw", 1.0)),  # a velocity out of nothing
        lambda: (ROBOT.upper, 0.5 * ROBOT.max_speed_rad_s),  # no room to stop
    ],
)
def test_a_point_that_breaks_a_limit_is_not_tracked_and_changes_nothing(wrong):
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    assert not motion.track(*wrong(), 0.01)
    np.testing.assert_array_equal(motion.target, np.zeros(COUNT))
    np.testing.assert_array_equal(path_of(motion, [0.02, 1.0]), np.zeros((2, COUNT)))


def test_a_held_joint_is_not_tracked_away():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    motion.hold(np.arange(COUNT) == NECK, 0.0)
    assert not motion.track(*wave(0.05), 0.01)


def test_a_zigzag_whose_velocity_never_turns_is_not_tracked():
    motion, neck = Motion(ROBOT, np.zeros(COUNT), 0.0), one_joint("neck_yaw", 1.0)
    for t in np.arange(0.01, 0.26, 0.01):  # to the fastest moment
        position, velocity = wave(t)
        assert motion.track(position, velocity, t)
        motion.mark_sent(t + 0.01)
    assert motion.track(position + 0.01 * neck, velocity, 0.26)
    motion.mark_sent(0.27)
    assert not motion.track(position, velocity, 0.27)


def test_an_antagonist_at_neutral_with_a_velocity_does_not_leave_it_when_another_motion_begins():
    motion = Motion(ROBOT, np.zeros(COUNT), 0.0)
    up, down = ROBOT.index["corner_left_up"], ROBOT.index["corner_left_down"]
    velocity = np.zeros(COUNT)
    velocity[down] = 0.04
    for k in range(1, 20):
        position = np.zeros(COUNT)
        position[up], velocity[up] = 0.01 * k, 1.0
        motion.track(position, np.where(np.arange(COUNT) == down, 0.0, velocity) if k < 19 else velocity, 0.01 * k)
        motion.mark_sent(0.01 * k + 0.01)
    motion.move(one_joint("corner_left_up", 0.3), 0.195)
    path = path_of(motion, np.arange(0.205, 0.5, 0.005))
    assert np.abs(path[:, down]).max() <= RAD_PER_TICK
    assert path[:, up].min() > 0.1


@pytest.mark.parametrize("seed", range(5))
def test_points_that_come_too_fast_are_tracked_no_faster_than_the_limits_permit(seed):
    motion, rng, path = Motion(ROBOT, np.zeros(COUNT), 0.0), np.random.default_rng(seed), [(0.0, 0.0)]
    now_s = phase_s = 0.0
    for _ in range(400):
        now_s += rng.choice([0.0005, 0.01])
        phase_s += rng.uniform(0, 0.02)
        if motion.track(*wave(phase_s, 1.5), now_s):
            motion.mark_sent(now_s + 0.01)
            path.append((now_s, motion.at(now_s + 0.01)[NECK]))
    times, goals = np.array(path).T
    assert len(path) > 30
    for k in range(1, len(path)):
        passed_s, moved = times[k:] - times[:-k], np.abs(goals[k:] - goals[:-k])
        assert (moved <= 1.02 * ROBOT.max_speed_rad_s[NECK] * (passed_s + BURST_S + 0.01) + 2 * k * RAD_PER_TICK).all()
