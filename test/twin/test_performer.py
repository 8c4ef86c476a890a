"""The performer: valid goals at every moment, and a face that perception finds from start to end."""

from itertools import pairwise

import numpy as np
import pytest

from rena_ros.perception.face_reader import READING_NAMES, FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.twin.performer import CHAPTERS, DURATION_S, SCRIPT, Performer, performance

ROBOT = load_robot()
READING = {name: i for i, name in enumerate(READING_NAMES)}
RATE_HZ = 30


def test_goals_are_valid_at_every_moment_and_the_end_meets_the_start():
    goals = np.array([performance(t, ROBOT) for t in np.arange(0, DURATION_S, 1 / RATE_HZ)])
    assert goals.shape == (len(goals), 25) and goals.dtype == np.float32
    assert goals.min() >= 0 and goals.max() <= 1
    assert np.abs(goals[0] - ROBOT.neutral_goals).max() < 1e-6
    assert np.abs(performance(DURATION_S - 1e-6, ROBOT) - goals[0]).max() < 0.01
    assert np.array_equal(performance(DURATION_S + 5.0, ROBOT), performance(5.0, ROBOT))


def test_the_performance_starts_at_rest():
    resting = np.array([performance(t, ROBOT) for t in np.arange(0, 3, 0.05)])
    others = [i for i, servo in enumerate(ROBOT.servos) if servo.region != "lids"]
    assert np.median(np.abs(resting - ROBOT.neutral_goals).max(0)[others]) < 0.06
    assert np.abs(np.median(resting, 0) - ROBOT.neutral_goals).max() < 0.06


def test_chapters_are_in_order_and_their_faces_fit_the_robot():
    starts = [start for _, start in CHAPTERS]
    assert starts == sorted(starts) and starts[-1] < DURATION_S
    assert all(a.start_s + a.ease_s <= b.start_s for a, b in pairwise(SCRIPT))
    wanted = {"rest", "joy", "surprise", "sorrow", "anger", "wink", "turn left", "nod", "abrupt grin"}
    assert wanted <= {name for name, _ in CHAPTERS}
    # antagonists never pull together, so the limiter hardly changes the performance
    for t in np.arange(0, DURATION_S, 0.2):
        wanted = ROBOT.positions(performance(t, ROBOT))
        limited = ROBOT.limit(list(ROBOT.names), wanted.tolist(), np.zeros(25)).positions
        assert np.abs(ROBOT.goals(limited) - ROBOT.goals(wanted)).max() < 0.06


def test_a_time_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="time"):
        performance(float("nan"), ROBOT)


def test_the_face_is_found_in_every_frame_and_its_expressions_are_read():
    times = np.arange(0.05, DURATION_S, 0.4)
    performer = Performer()
    with FaceReader(video=False) as reader:
        readings = [reader.read(performer.frame(t), 0) for t in times]
        assert np.array_equal(performer.frame(4.2), performer.frame(4.2))
        wink = reader.read(performer.frame(16.6), 0)
    assert all(readings)
    read = np.array([reading.features for reading in readings])
    for name, least in (("mouthSmileLeft", 0.6), ("jawOpen", 0.3), ("browInnerUp", 0.3), ("mouthFrownRight", 0.15)):
        assert np.ptp(read[:, READING[name]]) > least, name
    assert np.degrees(np.ptp(read[:, READING["head_yaw"]])) > 30
    assert np.degrees(np.ptp(read[:, READING["head_pitch"]])) > 12
    left, right = (wink.coefficients[READING[f"eyeBlink{side}"]] for side in ("Left", "Right"))
    assert left > right + 0.3
