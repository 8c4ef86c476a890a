"""Head poses beyond the range of a model: the shipped one on sweeps and on turned faces, and models without an edge."""

import dataclasses

import numpy as np
import pytest

from rena_ros.behaviour.policy import Policy
from rena_ros.behaviour.pose_range import NECK, measure_pose_range
from rena_ros.perception.face_reader import FaceReader
from rena_ros.perception.landmark_frame import aligned
from rena_ros.robot.file import load_robot
from rena_ros.twin import face
from rena_ros.twin.actuators import goals_of

ROBOT = load_robot()
JOY = {"corner_left_up": 0.9, "corner_right_up": 0.9, "jaw": 0.3}


@pytest.fixture(scope="module")
def policy():
    return Policy(robot=ROBOT)


def answers_at_rest(policy: Policy, features: np.ndarray) -> np.ndarray:
    """Goals of the robot's own face, whose landmarks stay as they are at rest."""
    return policy.batch(features, np.repeat(policy.robot_neutral.landmarks[None], len(features), axis=0))


def turn_back(goals: np.ndarray) -> float:
    """By how much a sweep falls behind where it has been."""
    return float((np.maximum.accumulate(goals) - goals).max())


def sweep(rest: np.ndarray, axis: int) -> np.ndarray:
    features = np.repeat(rest[None], 121, axis=0)
    features[:, 52 + axis] = np.deg2rad(np.arange(-60, 61))
    return features


@pytest.mark.parametrize(("axis", "servo"), list(enumerate(NECK)))
def test_the_neck_of_the_shipped_model_follows_to_60_degrees_without_turning_back(policy, axis, servo):
    goals = answers_at_rest(policy, sweep(policy.robot_rest, axis))[:, ROBOT.index[servo]]
    assert turn_back(goals) < 0.001
    assert goals[0] < 0.05 and goals[-1] > 0.95


@pytest.mark.parametrize("axis", range(3))
def test_beyond_the_edge_the_whole_face_holds(policy, axis):
    """And within the robot's own range nothing is held."""
    features = sweep(policy.robot_rest, axis)
    goals = answers_at_rest(policy, features)
    np.testing.assert_allclose(goals[:10], goals[[0] * 10], atol=1e-6)
    np.testing.assert_allclose(goals[-10:], goals[[-1] * 10], atol=1e-6)
    held = policy.pose_range.hold(features)
    i = ROBOT.index[NECK[axis]]
    turn = features[:, 52 + axis] - policy.robot_rest[52 + axis]
    inside = (turn > ROBOT.lower[i]) & (turn < ROBOT.upper[i])
    np.testing.assert_array_equal(held[inside], features[inside])


@pytest.mark.parametrize("look", ["rena", "performer"])
def test_the_neck_follows_a_smiling_face_that_turns_away(policy, look, monkeypatch):
    """The drawn head is turned beyond its neck's range; its coefficients change with the view."""
    as_drawn, drawn = face.pose, face.TwinFace(ROBOT, look=look)
    answers = []
    with FaceReader(video=False) as reader:
        for degrees in range(-55, 60, 5):
            neck = np.deg2rad([degrees, 0, 0])
            monkeypatch.setattr(
                face, "pose", lambda robot, goals, neck=neck: dataclasses.replace(as_drawn(robot, goals), neck=neck)
            )
            reading = reader.read(drawn.render(goals_of(ROBOT, JOY)))
            goals = policy(reading.features, aligned(reading.landmarks[None], drawn.width / drawn.height)[0])
            answers.append(goals[ROBOT.index["neck_yaw"]])
    assert turn_back(np.array(answers)) < 0.03  # 2 degrees; it was up to 0.08, and 0.19 for pitch
    assert answers[0] < 0.05 and answers[-1] > 0.95


def test_beyond_its_range_the_neck_goes_to_its_end_whatever_the_model_answers():
    """Yaw and pitch follow the head, roll runs against it; far out all of them turn back."""

    def run(features: np.ndarray) -> np.ndarray:
        goals = np.full((len(features), 25), 0.5, np.float32)
        goals[:, [ROBOT.index[name] for name in NECK]] += np.sin(3 * features[:, 52:]) * [0.4, 0.4, -0.4]
        return goals

    found = measure_pose_range(run, np.zeros(55, np.float32), ROBOT)
    limits = np.array([ROBOT.upper[ROBOT.index[name]] for name in NECK])
    np.testing.assert_allclose([found.low, found.high], [-1.1 * limits, 1.1 * limits], rtol=1e-6)
    np.testing.assert_array_equal(found.ends, [[0, 0, 1], [1, 1, 0]])
    features = np.zeros((1, 55), np.float32)
    features[:, 52:] = np.add(limits, [0.2, -0.05, 0.2])
    led = found.lead(run(found.hold(features)), features)[0]
    assert led[ROBOT.index["neck_yaw"]] == 1 and led[ROBOT.index["neck_roll"]] == 0
    assert led[ROBOT.index["neck_pitch"]] == run(features)[0, ROBOT.index["neck_pitch"]]  # within its range


def test_a_neck_that_does_not_follow_the_head_is_left_alone():
    found = measure_pose_range(lambda f: np.full((len(f), 25), 0.5), np.zeros(55, np.float32), ROBOT)
    features = np.full((1, 55), 3.0, np.float32)
    np.testing.assert_array_equal(found.hold(features), features)
    np.testing.assert_array_equal(found.lead(np.full((1, 25), 0.5), features), np.full((1, 25), 0.5))


def test_a_robot_without_a_neck_is_left_alone():
    servos = tuple(servo for servo in ROBOT.servos if servo.name not in NECK)
    found = measure_pose_range(
        lambda features: np.full((len(features), 22), 0.5),
        np.zeros(55, np.float32),
        dataclasses.replace(ROBOT, servos=servos),
    )
    features = np.full((1, 55), 3.0, np.float32)
    np.testing.assert_array_equal(found.hold(features), features)
    np.testing.assert_array_equal(found.lead(np.full((1, 22), 0.5), features), np.full((1, 22), 0.5))
