"""The LiteRT engine reads what MediaPipe reads: a film, drawn faces, several people, cuts, faces at the edge."""

from pathlib import Path

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.bench.face_engines import compared
from rena_ros.bench.face_scenes import scenes
from rena_ros.perception import engines
from rena_ros.perception.engines import chosen_engine
from rena_ros.perception.face_reader import FaceReader
from rena_ros.perception.face_rect import FaceRect, around, in_picture, merged, tilt
from rena_ros.perception.head_matrix import CanonicalFace, head_matrix

FILM = Path(__file__).resolve().parents[3] / "shared" / "data" / "performer.mp4"


# Limits of 99.9 % of the coefficients' differences, and of the head's angles in degrees. With 1 % of its samples moved
# by 1 of 255, MediaPipe is .017 and .12 from itself.
@pytest.mark.parametrize(
    ("scene", "frames", "coefficient", "angle_deg"),
    [
        ("film", 150, 0.005, 0.05),
        ("performer", 60, 0.005, 0.05),
        ("robot", 200, 0.005, 0.05),
        ("jumps", 60, 0.01, 0.2),
        ("leaves", 80, 0.03, 0.2),
        ("trio", 60, 0.03, 0.2),
    ],
)
def test_litert_reads_what_mediapipe_reads(scene, frames, coefficient, angle_deg):
    pytest.importorskip("mediapipe")
    if scene == "film" and not FILM.exists():
        pytest.skip(f"{FILM.name}, the film of a real person, is not in this place")
    made = scenes(FILM if scene == "film" else None, frames)[scene]()
    with FaceReader(engine="mediapipe") as reference, FaceReader(engine="litert") as reader:
        found = compared(made, reference, reader)
    figures = found.as_dict()
    assert found.frames == frames and figures["counts_differ"] == 0 and len(found.coefficients) > frames / 3
    assert figures["coefficient_999"] < coefficient
    assert figures["angle_999_deg"] < angle_deg


def test_the_comparison_notices_a_difference():
    pytest.importorskip("mediapipe")
    made = scenes(None, 8)["performer"]()
    with FaceReader(engine="mediapipe") as reference, FaceReader(engine="litert", mirror=True) as reader:
        figures = compared(made, reference, reader).as_dict()
    assert figures["coefficient_999"] > 0.05 and figures["angle_999_deg"] > 1


def test_auto_takes_litert_and_says_what_is_missing(monkeypatch):
    assert chosen_engine("auto") == "litert"
    missing = {"ai_edge_litert"}
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None if name in missing else name)
    assert chosen_engine("auto") == "mediapipe"
    with pytest.raises(RenaError, match="ai-edge-litert is not installed"):
        chosen_engine("litert")
    missing.add("mediapipe")
    with pytest.raises(RenaError, match="ai-edge-litert or mediapipe is not installed"):
        chosen_engine("auto")
    with pytest.raises(RenaError, match="no engine cuda reads faces"):
        chosen_engine("cuda")


def test_a_later_rect_takes_the_place_of_those_that_it_overlaps():
    tracked, detected = FaceRect(0.5, 0.5, 0.2, 0.2, 0.1), FaceRect(0.51, 0.5, 0.2, 0.2)
    other = FaceRect(0.2, 0.5, 0.1, 0.1)
    assert merged([tracked, other, detected], 3) == [other, detected]
    assert merged([tracked, other], 1) == [tracked]
    assert tracked.overlap(FaceRect(0.6, 0.5, 0.2, 0.2)) == pytest.approx(1 / 3)
    assert tracked.overlap(FaceRect(0.8, 0.5, 0.2, 0.2)) == 0


def test_landmarks_of_a_turned_rect_lie_where_the_rect_shows_them():
    # The rect's middle, and the ends of its half axes, turned by 90 degrees clockwise in a picture of 400 x 200 px.
    points = np.array([(128, 128, 0), (256, 128, 25.6), (128, 256, 0)], np.float32)
    placed = in_picture(points, FaceRect(0.5, 0.5, 0.25, 0.5, np.pi / 2), 400, 200)
    np.testing.assert_allclose(placed[:, :2] * (400, 200), [(200, 100), (200, 150), (150, 100)], atol=1e-4)
    assert placed[1, 2] == pytest.approx(0.1 * 0.5)  # 100 px are half the picture's height
    assert tilt(0, 1) == pytest.approx(np.pi / 2) and tilt(-1, 0) == pytest.approx(-np.pi)


def test_the_next_rect_holds_the_face():
    landmarks = np.tile(np.array([0.5, 0.5, 0], np.float32), (478, 1))
    landmarks[33, :2], landmarks[263, :2] = (0.4, 0.5), (0.6, 0.5)
    rect = around(landmarks, 640, 480)
    assert (rect.x, rect.y, rect.rotation) == pytest.approx((0.5, 0.5, 0))
    assert rect.width * 640 == pytest.approx(rect.height * 480) == pytest.approx(0.2 * 640 * 1.5)


def test_the_head_matrix_recovers_a_pose():
    """The reference: a rigid face, seen by the pinhole camera of 63 degrees that MediaPipe assumes."""
    rng = np.random.default_rng(3)
    points = rng.normal(0, 4, (468, 3)) * (1, 1, 0.4)
    face = CanonicalFace(points, np.arange(468), np.ones(468))
    yaw, width, height = 0.3, 640, 480
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    seen = points @ turn.T + (1.0, -2.0, -60.0)
    focal = height / 2 / np.tan(np.radians(63 / 2))
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:468, 0] = (width / 2 - focal * seen[:, 0] / seen[:, 2]) / width
    landmarks[:468, 1] = (height / 2 + focal * seen[:, 1] / seen[:, 2]) / height
    landmarks[:468, 2] = (seen[:, 2].mean() - seen[:, 2]) * focal / 60 / width  # weak perspective, as the network's z
    matrix = head_matrix(face, landmarks, width, height)
    assert np.degrees(np.arctan2(matrix[0, 2], matrix[2, 2])) == pytest.approx(np.degrees(yaw), abs=1.5)
    np.testing.assert_allclose(matrix[:3, 3], (1, -2, -60), rtol=0.05, atol=0.2)


@pytest.mark.parametrize("data", [b"\x0a\xff", b"\x1f", b"", b"\x0a\x05abc"])
def test_another_canonical_face_is_refused(data):
    with pytest.raises(RenaError, match="canonical face"):
        CanonicalFace.parse(data)
