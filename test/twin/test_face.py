"""The drawn robot: the same goals give the same pixels, invalid goals are refused, every servo is visible."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from rena_ros.perception.face_reader import READING_NAMES, FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.twin import raster
from rena_ros.twin.actuators import CHANNELS, GAZE_RAD, NECK_RAD, goals_of, pose
from rena_ros.twin.contact_sheet import EXPRESSIONS, contact_sheet
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()
READING = {name: i for i, name in enumerate(READING_NAMES)}
VISIBLE = 0.15  # change of a coefficient
VISIBLE_RAD = np.radians(8.0)


def posed(**goals: float) -> np.ndarray:
    return goals_of(ROBOT, goals)


@pytest.fixture(scope="module")
def face():
    return TwinFace(ROBOT)


@pytest.fixture(scope="module")
def read(face):
    """A function from goals to MediaPipe's reading of the picture, float32 (55,)."""
    with FaceReader(video=False) as reader:

        def read(goals: np.ndarray) -> np.ndarray:
            reading = reader.read(face.render(goals), 0)
            assert reading is not None, "MediaPipe finds no face"
            return reading.features

        yield read


def test_the_same_goals_give_the_same_pixels_after_any_other_picture(face):
    rng = np.random.default_rng(3)
    smile, other = rng.random((2, 25))
    first = face.render(smile)
    assert first.shape == (480, 640, 3) and first.dtype == np.uint8 and first.flags.c_contiguous
    assert not np.array_equal(face.render(other), first)
    assert np.array_equal(face.render(smile), first)
    TwinFace(ROBOT, look="performer").render(other)
    assert np.array_equal(TwinFace().render(smile), first)


def test_another_process_draws_the_same_pixels(face):
    code = (
        "import hashlib, numpy as np; from rena_ros.twin.face import TwinFace;"
        "print(hashlib.sha256(TwinFace().render(np.random.default_rng(4).random(25)).tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    here = hashlib.sha256(face.render(np.random.default_rng(4).random(25)).tobytes()).hexdigest()
    assert done.stdout.strip() == here


def test_a_returned_picture_is_not_overwritten(face):
    first = face.render(ROBOT.neutral_goals)
    copy = first.copy()
    face.render(posed(jaw=1.0))
    assert np.array_equal(first, copy)


WRONG_GOALS = [np.zeros(24), np.zeros((1, 25)), *(np.full(25, goal) for goal in (np.nan, 1.001, -0.001, np.inf))]


@pytest.mark.parametrize("goals", WRONG_GOALS)
def test_invalid_goals_are_refused(face, goals):
    with pytest.raises(ValueError, match="goal"):
        face.render(goals)


def test_an_unknown_look_is_refused():
    with pytest.raises(ValueError, match="look"):
        TwinFace(ROBOT, look="unknown")


def test_the_face_is_the_same_in_every_size(face):
    doubled = TwinFace(ROBOT, width=1280, height=960).render(ROBOT.neutral_goals)
    halved = doubled.reshape(480, 2, 640, 2, 3).mean((1, 3))
    assert np.abs(halved - face.render(ROBOT.neutral_goals)).mean() < 2.5


def test_neutral_goals_leave_the_face_at_rest():
    shown = pose(ROBOT, ROBOT.neutral_goals)
    assert max(np.abs(part).max() for part in (shown.weights, shown.gaze, shown.neck)) < 1e-6


def test_goals_turn_eyes_and_neck_by_their_full_angles():
    shown = pose(ROBOT, np.ones(25))
    assert shown.gaze == pytest.approx(np.full((2, 2), GAZE_RAD))
    assert shown.neck == pytest.approx(NECK_RAD)
    assert shown.weights[list(CHANNELS).index("lid_close_left")] == pytest.approx(1)


def test_each_servo_alone_is_visible_to_perception(read):
    rest = read(ROBOT.neutral_goals)
    print(f"\n{'servo':18} {'goal':>4}  largest changes (coefficients, rad)")
    invisible = []
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
            invisible.append(name)
    assert not invisible


# servos that move together -> the coefficient that must increase with them
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
def test_a_larger_goal_raises_its_coefficient(read, servo, coefficient):
    values = []
    for goal in (0.3, 0.55, 0.8):
        both = {servo.format(side): goal for side in ("left", "right")}
        values.append(np.mean([read(posed(**both))[READING[coefficient.format(side)]] for side in ("Left", "Right")]))
    assert values[0] < values[1] < values[2]


def test_sides_and_directions_are_those_of_the_subject(read):
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


def test_small_triangles_cover_the_same_samples_as_any_triangle(monkeypatch):
    goals = np.random.default_rng(5).random(25)
    face = TwinFace(ROBOT, 160, 120)
    fast = face.render(goals)
    monkeypatch.setattr(raster, "SMALL", 0)  # compiled without it: every triangle takes the 64-bit way
    slow = raster.numba.njit(error_model="numpy")(raster.rasterise.py_func)
    monkeypatch.setattr(raster, "rasterise", slow)
    np.testing.assert_array_equal(face.render(goals), fast)
