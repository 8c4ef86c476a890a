"""Eq. 13 to 16 against loops written from the formulas, and the figures of a whole sequence."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.measures import goal_track, motion
from rena_ros.measures.film import FilmTracks, motion_scores

FRAMES, POINTS, SERVOS = 31, 5, 4


@pytest.fixture
def film():
    """A person who smiles and falls back, and a robot that follows roughly."""
    rng = np.random.default_rng(0)
    face = rng.normal(size=(POINTS, 3))
    peak = np.sin(np.linspace(0, math.pi, FRAMES))[:, None, None]
    person = face + 0.2 * peak * rng.normal(size=(POINTS, 3))
    robot = 0.8 * person + rng.normal(scale=0.01, size=person.shape)
    goals = np.clip(np.cumsum(rng.normal(scale=0.05, size=(FRAMES, SERVOS)), axis=0) + 0.5, 0, 1)
    return FilmTracks(person, robot, goals)


def distance(track, k, i, initial) -> float:
    return math.sqrt((track[k, i, 0] - initial[i, 0]) ** 2 + (track[k, i, 1] - initial[i, 1]) ** 2)


def term_of_eq_13(person, robot, b, k, i, initial=None) -> float:
    of_person, of_robot = initial or (person[0], robot[0])
    return math.exp(-((distance(person, k, i, of_person) - distance(robot, k, i, of_robot)) ** 2) / b)


def term_of_eq_15(person, robot, b, k, i) -> float:
    step = distance(person, k, i, person[0]) - distance(person, k - 1, i, person[0])
    step_of_robot = distance(robot, k, i, robot[0]) - distance(robot, k - 1, i, robot[0])
    return math.exp(-((step - step_of_robot) ** 2) / b)


def mean_of(term, moments, *arguments) -> float:
    """1/n of the sum over points of 1/L of the sum over moments."""
    return sum(sum(term(*arguments, k, i) for k in moments) / len(moments) for i in range(POINTS)) / POINTS


def test_space_and_time_similarity_are_eq_13_and_15(film):
    person, robot = motion.displacements(film.person, film.person[0]), motion.displacements(film.robot, film.robot[0])
    space = mean_of(term_of_eq_13, range(1, FRAMES), film.person, film.robot, 0.01)
    time = mean_of(term_of_eq_15, range(1, FRAMES), film.person, film.robot, 0.002)
    assert motion.space_similarity(person[1:], robot[1:], 0.01) == pytest.approx(space)
    assert motion.time_similarity(person, robot, 0.002) == pytest.approx(time)
    assert motion.space_similarity(person, person) == motion.time_similarity(person, person) == 1


def test_smoothness_is_eq_14_and_16(film):
    goals = film.goals.tolist()
    moments = range(2, FRAMES)
    hopped = [[0] * SERVOS for _ in moments]
    for row, k in enumerate(moments):
        for j in range(SERVOS):
            growth = abs(goals[k][j] - goals[k - 1][j]) - abs(goals[k - 1][j] - goals[k - 2][j])
            hopped[row][j] = 1 if growth > 0.05 else 0
    mean = sum(map(sum, hopped)) / (len(hopped) * SERVOS)
    assert 0 < mean < 1
    assert motion.smoothness(film.goals, 0.05) == pytest.approx(1 - mean)
    np.testing.assert_allclose(motion.hops(film.goals, 0.05), np.mean(hopped, axis=0))


def test_a_servo_hops_where_it_starts_abruptly_not_where_it_stops():
    one = np.array([[0.2], [0.2], [0.6], [0.6], [0.6]])  # Eq. 16 as printed
    assert motion.hops(one)[0] == pytest.approx(1 / 3)
    assert motion.smoothness(np.linspace(0, 1, 6)[:, None]) == 1  # fast, but even


def test_the_constants_mean_what_their_reasons_say():
    assert motion.fit(np.array([motion.HALF_SPACE]), motion.B_SPACE)[0] == pytest.approx(0.5)
    assert motion.fit(np.array([motion.HALF_TIME]), motion.B_TIME)[0] == pytest.approx(0.5)


def test_the_figures_of_a_sequence(film):
    found = motion_scores(film, np.full(SERVOS, 0.5))
    moments, still = range(1, FRAMES), np.broadcast_to(film.robot[0], film.robot.shape)
    assert found.space == pytest.approx(mean_of(term_of_eq_13, moments, film.person, film.robot, motion.B_SPACE))
    assert found.time == pytest.approx(mean_of(term_of_eq_15, moments, film.person, film.robot, motion.B_TIME))
    assert found.space_still == pytest.approx(mean_of(term_of_eq_13, moments, film.person, still, motion.B_SPACE))
    assert found.time_still == pytest.approx(mean_of(term_of_eq_15, moments, film.person, still, motion.B_TIME))
    assert found.space > found.space_still
    assert (found.frames, found.compared, found.uncovered) == (FRAMES, FRAMES, 0)
    assert found.space_by_second == pytest.approx([found.space])  # 30 frames after the initial one: L


def test_frames_without_a_face_are_left_out_and_counted(film):
    person, robot = film.person.copy(), film.robot.copy()
    person[10], robot[20] = np.nan, np.nan
    found = motion_scores(replace(film, person=person, robot=robot), np.full(SERVOS, 0.5))
    frames = [k for k in range(1, FRAMES) if k not in (10, 20)]
    steps = [k for k in range(1, FRAMES) if k not in (10, 11, 20, 21)]
    assert found.space == pytest.approx(mean_of(term_of_eq_13, frames, film.person, film.robot, motion.B_SPACE))
    assert found.time == pytest.approx(mean_of(term_of_eq_15, steps, film.person, film.robot, motion.B_TIME))
    assert found.compared == FRAMES - 2 and found.uncovered == pytest.approx(2 / FRAMES)


def test_steps_of_another_frame_rate_are_scaled_to_30_frames_a_second(film):
    person, robot = motion.displacements(film.person, film.person[0]), motion.displacements(film.robot, film.robot[0])
    steps = np.diff(person, axis=0) - np.diff(robot, axis=0)
    assert motion.time_similarity(person, robot, 0.002, 15) == pytest.approx(np.exp(-((steps / 2) ** 2) / 0.002).mean())


def test_given_neutral_faces_count_from_the_first_frame(film):
    rest = film.person[0] + 0.05, film.robot[0] + 0.05
    found = motion_scores(replace(film, person_initial=rest[0], robot_initial=rest[1]), np.full(SERVOS, 0.5))
    space = mean_of(lambda *a: term_of_eq_13(*a, rest), range(FRAMES), film.person, film.robot, motion.B_SPACE)
    assert found.space == pytest.approx(space)


def test_saturation_leaves_out_a_servo_at_rest():
    neutral = np.array([0.0, 0.5, 1.0])
    goals = np.array([[0.0, 0.0, 1.0], [0.0, 0.5, 1.0], [1.0, 0.996, 0.0], [-0.02, 0.5, 1.02]])
    np.testing.assert_array_equal(goal_track.saturated(goals, neutral), [2 / 4, 2 / 4, 2 / 4])
    np.testing.assert_array_equal(goal_track.saturated(goals[:2], neutral), [0, 1 / 2, 0])


def test_jitter_is_the_mean_step(film):
    goals = film.goals.tolist()
    mean = [sum(abs(goals[k][j] - goals[k - 1][j]) for k in range(1, FRAMES)) / (FRAMES - 1) for j in range(SERVOS)]
    np.testing.assert_allclose(goal_track.jitter(film.goals), mean)


def test_the_figures_fit_into_json(film):
    person = film.person.copy()
    person[1:] = np.nan
    with pytest.raises(RenaError, match="never seen in"):
        motion_scores(replace(film, person=person), np.full(SERVOS, 0.5))
    person = np.concatenate((film.person, np.full((30, POINTS, 3), np.nan), film.person))
    twice = FilmTracks(person, np.concatenate((film.robot,) * 3)[: len(person)], np.zeros((len(person), SERVOS)))
    found = json.loads(json.dumps(motion_scores(twice, np.zeros(SERVOS)).as_dict("abcd"), allow_nan=False))
    assert found["space_by_second"][1] is None and found["uncovered"] == pytest.approx(30 / 92)
    assert found["jitter"] == dict.fromkeys("abcd", 0) and found["mean_saturated"] == 0


def test_too_short_a_sequence_is_refused(film):
    short = replace(film, person=film.person[:2], robot=film.robot[:2], goals=film.goals[:2])
    with pytest.raises(RenaError, match="2 frames are too few"):
        motion_scores(short, np.full(SERVOS, 0.5))
