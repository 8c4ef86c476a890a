"""The drawn robot: the same goals give the same pixels, bad goals are refused, and every servo shows."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from rena_ros.perception.face_reader import READING_NAMES, FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.twin.actuators import CHANNELS, GAZE_RAD, NECK_RAD, pose
from rena_ros.twin.contact_sheet import EXPRESSIONS, contact_sheet, goals_of
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()
READING = {name: i for i, name in enumerate(READING_NAMES)}
VISIBLE = 0.15  # of a coefficient's range
VISIBLE_RAD = np.radians(8.0)


def posed(**goals: float) -> np.ndarray:
    values = ROBOT.neutral_goals.copy()
    for name, goal in goals.items():
        values[ROBOT.index[name]] = goal
    return values


@pytest.fixture(scope="module")
def face():
    with TwinFace(ROBOT) as face:
        yield face


@pytest.fixture(scope="module")
def read(face):
    """Goals -> what MediaPipe reads in the picture, float32 (55,)."""
    with FaceReader(video=False) as reader:

        def read(goals: np.ndarray) -> np.ndarray:
            reading = reader.read(face.render(goals), 0)
            assert reading is not None, "MediaPipe finds no face"
            return reading.features

        yield read


def test_the_same_goals_give_the_same_pixels_whatever_was_drawn_before(face):
    rng = np.random.default_rng(3)
    smile, other = rng.random((2, 25))
    first = face.render(smile)
    assert first.shape == (480, 640, 3)
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous
    assert not np.array_equal(face.render(other), first)
    assert np.array_equal(face.render(smile), first)
    with TwinFace(ROBOT, look="performer") as performer, TwinFace() as second:
        performer.render(other)
        assert np.array_equal(second.render(smile), first)


def test_another_process_draws_the_same_pixels(face):
    code = (
        "import hashlib, numpy as np; from rena_ros.twin.face import TwinFace;"
        "print(hashlib.sha256(TwinFace().render(np.random.default_rng(4).random(25)).tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    here = hashlib.sha256(face.render(np.random.default_rng(4).random(25)).tobytes()).hexdigest()
    assert done.stdout.strip() == here


def test_a_returned_picture_is_not_drawn_over(face):
    first = face.render(ROBOT.neutral_goals)
    copy = first.copy()
    face.render(posed(jaw=1.0))
    assert np.array_equal(first, copy)


@pytest.mark.parametrize(
    "goals",
    [
        np.zeros(24),
        np.zeros((1, 25)),
        np.full(25, np.nan),
        np.full(25, 1.001),
        np.full(25, -0.001),
        np.full(25, np.inf),
    ],
)
def test_bad_goals_are_refused(face, goals):
    with pytest.raises(ValueError, match="goal"):
        face.render(goals)


def test_an_unknown_look_is_refused():
    with pytest.raises(ValueError, match="look"):
        TwinFace(ROBOT, look="nobody")


def test_every_size_shows_the_same_face(face):
    with TwinFace(ROBOT, width=1280, height=960) as large:
        doubled = large.render(ROBOT.neutral_goals)
    halved = doubled.reshape(480, 2, 640, 2, 3).mean((1, 3))
    assert np.abs(halved - face.render(ROBOT.neutral_goals)).mean() < 2.5


def test_neutral_goals_pull_at_nothing():
    asked = pose(ROBOT, ROBOT.neutral_goals)
    assert np.abs(asked.weights).max() < 1e-6
    assert np.abs(asked.gaze).max() < 1e-6
    assert np.abs(asked.neck).max() < 1e-6


def test_goals_turn_eyes_and_neck_by_their_full_angles():
    asked = pose(ROBOT, np.ones(25))
    assert asked.gaze == pytest.approx(np.full((2, 2), GAZE_RAD))
    assert asked.neck == pytest.approx(NECK_RAD)
    assert asked.weights[list(CHANNELS).index("lid_close_left")] == pytest.approx(1)


def test_each_servo_alone_is_visible_to_perception(read):
    rest = read(ROBOT.neutral_goals)
    print(f"\n{'servo':18} {'goal':>4}  what it changes most (coefficients, rad)")
    unseen = []
    for name in ROBOT.names:
        best = 0.0
        for goal in (0.0, 1.0):
            if abs(goal - ROBOT.neutral_goals[ROBOT.index[name]]) < 0.01:
                continue
            change = read(posed(**{name: goal})) - rest
            share = np.abs(change) / np.where(np.arange(55) < 52, VISIBLE, VISIBLE_RAD)
            best = max(best, share.max())
            most = np.argsort(-share)[:3]
            print(f"{name:18} {goal:4.0f}  " + "  ".join(f"{READING_NAMES[i]} {change[i]:+.2f}" for i in most))
        if best < 1:
            unseen.append(name)
    assert not unseen


# servos that move together -> the coefficient that must rise with them
RISING = {
    "brow_{}_raise": "browOuterUp{}",
    "brow_{}_frown": "browDown{}",
    "lid_{}": "eyeBlink{}",
    "lip_upper_{}": "mouthUpperUp{}",
    "lip_lower_{}": "mouthLowerDown{}",
    "corner_{}_up": "mouthSmile{}",
    "corner_{}_back": "mouthStretch{}",
    "corner_{}_down": "mouthFrown{}",
    "eye_{}_pitch": "eyeLookDown{}",
    "jaw": "jawOpen",
    "pucker": "mouthPucker",
}


@pytest.mark.parametrize(("servo", "coefficient"), RISING.items())
def test_pulling_further_reads_as_more(read, servo, coefficient):
    values = []
    for goal in (0.3, 0.55, 0.8):
        both = {servo.format(side): goal for side in ("left", "right")}
        values.append(np.mean([read(posed(**both))[READING[coefficient.format(side)]] for side in ("Left", "Right")]))
    assert values[0] < values[1] < values[2]


def test_sides_and_directions_are_the_subjects_own(read):
    rest = read(ROBOT.neutral_goals)
    left, right = read(posed(lid_left=1.0)), read(posed(lid_right=1.0))
    blink_left, blink_right = READING["eyeBlinkLeft"], READING["eyeBlinkRight"]
    assert left[blink_left] - left[blink_right] > 0.3
    assert right[blink_right] - right[blink_left] > 0.3
    aside = read(posed(eye_left_yaw=0.9, eye_right_yaw=0.9))
    assert aside[READING["eyeLookOutLeft"]] > rest[READING["eyeLookOutLeft"]] + 0.3
    for servo, angle in (("neck_yaw", "head_yaw"), ("neck_pitch", "head_pitch"), ("neck_roll", "head_roll")):
        turned = read(posed(**{servo: 1.0}))[READING[angle]] - read(posed(**{servo: 0.0}))[READING[angle]]
        assert turned == pytest.approx(2 * NECK_RAD[("neck_yaw", "neck_pitch", "neck_roll").index(servo)], rel=0.25)


def test_contact_sheet_shows_twelve_different_faces():
    sheet = contact_sheet()
    tiles = sheet.reshape(3, 480, 4, 400, 3).swapaxes(1, 2).reshape(12, 480, 400, 3)
    assert len(EXPRESSIONS) == 12
    assert len({tile[60:].tobytes() for tile in tiles}) == 12
    assert (goals_of(ROBOT, EXPRESSIONS["neutral"]) == ROBOT.neutral_goals).all()
