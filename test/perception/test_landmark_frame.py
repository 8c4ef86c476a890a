"""Landmarks in the frame of the face, against scipy, and against faces that are turned, moved and mirrored."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rena_ros.perception.face_reader import FaceReader
from rena_ros.perception.landmark_frame import RIGID, aligned, mirrored
from rena_ros.robot.file import load_robot
from rena_ros.twin.actuators import goals_of
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()
ASPECT = 640 / 480


@pytest.fixture(scope="module")
def faces():
    """Landmarks of the robot at neutral, with the head turned, with a wink of the left eye, and of the right one."""
    face = TwinFace(ROBOT)
    shown = ({}, {"neck_yaw": 0.7}, {"lid_left": 1.0}, {"lid_right": 1.0})
    with FaceReader(video=False) as reader:
        readings = [reader.read(face.render(goals_of(ROBOT, goals).astype(np.float32))) for goals in shown]
    return np.array([reading.landmarks for reading in readings])


def test_it_is_the_best_rotation_and_scale_by_scipy(faces):
    for landmarks, placed in zip(faces, aligned(faces, ASPECT), strict=True):
        points = landmarks * (ASPECT, 1, ASPECT)
        places = np.array(list(RIGID.values()))
        rigid, centre = points[list(RIGID)], points[list(RIGID)].mean(0)
        turn, _ = Rotation.align_vectors(places - places.mean(0), rigid - centre)
        turned = turn.apply(rigid - centre)
        scale = (turned * (places - places.mean(0))).sum() / (turned**2).sum()  # least squares
        np.testing.assert_allclose(placed, scale * turn.apply(points - centre) + places.mean(0), atol=1e-5)


def test_place_size_and_turn_of_the_head_are_gone(faces):
    points = faces[:1] * (ASPECT, 1, ASPECT)
    moved = 0.7 * Rotation.from_euler("xyz", (0.3, -0.5, 0.2)).apply(points[0]) + (0.2, -0.1, 0.4)
    np.testing.assert_allclose(aligned(moved[None], 1.0), aligned(faces[:1], ASPECT), atol=1e-5)


def test_what_remains_of_a_turned_head_is_small_beside_a_wink(faces):
    neutral, turned, wink, _ = aligned(faces, ASPECT)
    lid = 386  # middle of the upper lid of the subject's left eye
    assert abs(wink[lid, 1] - neutral[lid, 1]) > 3 * abs(turned[lid, 1] - neutral[lid, 1])


def test_the_mirror_image_of_a_wink_is_the_other_wink(faces):
    neutral, _, left, right = aligned(faces, ASPECT)
    np.testing.assert_array_equal(mirrored(mirrored(left[None])), left[None])
    other_lid = 159
    assert abs(mirrored(left[None])[0, other_lid, 1] - right[other_lid, 1]) < 0.03
    assert abs(neutral[other_lid, 1] - right[other_lid, 1]) > 0.06
    assert np.abs(mirrored(neutral[None])[0] - neutral).max() < 0.06


def test_a_row_that_is_not_finite_stays_so_alone(faces):
    broken = faces[:2].copy()
    broken[0, 3, 1] = np.nan
    placed = aligned(broken, ASPECT)
    assert np.isnan(placed[0]).all() and np.isfinite(placed[1]).all()


@pytest.mark.parametrize(("shape", "aspect"), [((478, 3), 1.0), ((1, 468, 3), 1.0), ((1, 478, 3), 0.0)])
def test_other_shapes_are_refused(shape, aspect):
    with pytest.raises(ValueError, match=r"expected landmarks|aspect"):
        aligned(np.zeros(shape), aspect)
