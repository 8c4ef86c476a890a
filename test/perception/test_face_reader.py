"""FaceReader with the real MediaPipe on drawn faces: readings, the followed person, start and end of the process."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import mediapipe
import numpy as np
import pytest
from mediapipe.tasks.python import BaseOptions, vision

from rena_ros.perception.face_reader import (
    COEFFICIENT_NAMES,
    READING_NAMES,
    FaceReader,
    head_angles,
)
from rena_ros.perception.model_file import find_face_model
from rena_ros.perception.startup_log import without_startup_log
from rena_ros.robot.file import load_robot
from rena_ros.twin.actuators import goals_of
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()
NOSE_TIP, FOREHEAD, CHIN, RIGHT_EAR, LEFT_EAR = 1, 10, 152, 234, 454
FILM = Path(__file__).resolve().parents[3] / "shared" / "data" / "performer.mp4"
GREY = 96


@pytest.fixture(scope="module")
def twin():
    return TwinFace(ROBOT)


@pytest.fixture(scope="module")
def single():
    """A reader of single images."""
    with FaceReader(video=False) as reader:
        yield reader


def drawn(twin: TwinFace, **goals: float) -> np.ndarray:
    """The twin at neutral, except for some goals."""
    return twin.render(goals_of(ROBOT, goals))


SMILE = {"corner_left_up": 1.0, "corner_right_up": 1.0, "jaw": 0.3}


def beside(*faces: tuple[np.ndarray, float]) -> np.ndarray:
    """Scaled faces side by side, on a picture of 1280x480."""
    picture = np.full((480, 1280, 3), GREY, np.uint8)
    for place, (face, scale) in enumerate(faces):
        small = cv2.resize(face[:, 80:560], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = (480 - small.shape[0]) // 2, 640 * place + (640 - small.shape[1]) // 2
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    return picture


def reference(pictures: list[np.ndarray]) -> list:
    """Results of MediaPipe, called directly, for single pictures with a single face."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(find_face_model())),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        return [landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, picture)) for picture in pictures]


def assert_agrees(reading, result, atol: float = 1e-6) -> None:
    scores = [category.score for category in result.face_blendshapes[0]]
    points = [(point.x, point.y, point.z) for point in result.face_landmarks[0]]
    np.testing.assert_allclose(reading.coefficients, scores, atol=atol)
    np.testing.assert_allclose(reading.landmarks, points, atol=atol)
    assert [category.category_name for category in result.face_blendshapes[0]] == list(COEFFICIENT_NAMES)


@pytest.mark.parametrize(("engine", "atol"), [("litert", 2e-3), ("mediapipe", 1e-6)])
def test_a_sequence_of_frames_reads_as_the_single_images_do(twin, engine, atol):
    """No lag, no smoothing: an abrupt change is complete in its own frame."""
    pictures = [drawn(twin), drawn(twin, **SMILE), drawn(twin, lid_left=1.0, neck_yaw=0.8), drawn(twin)]
    with FaceReader(engine=engine) as reader:
        readings = [reader.read(picture, 33 * i) for i, picture in enumerate(pictures)]
    for reading, result in zip(readings, reference(pictures), strict=True):
        assert_agrees(reading, result, atol)
        assert reading.faces == 1
        assert reading.coefficients.dtype == reading.landmarks.dtype == np.float32


def test_features_are_in_the_order_of_their_names(twin, single):
    reading = single.read(drawn(twin, **SMILE))
    features = dict(zip(READING_NAMES, reading.features, strict=True))
    assert features["mouthSmileLeft"] > 0.5 and features["mouthSmileRight"] > 0.5
    assert features["head_yaw"] == np.float32(reading.head_yaw)
    assert features["head_roll"] == np.float32(reading.head_roll)


def test_left_is_the_left_of_the_subject(twin, single):
    blink = dict(zip(READING_NAMES, single.read(drawn(twin, lid_left=1.0)).features, strict=True))
    assert blink["eyeBlinkLeft"] > blink["eyeBlinkRight"] + 0.2


def test_head_angles_of_known_rotations():
    """The reference: elementary rotations multiplied in REP 103 axes, intrinsic yaw, pitch, roll."""
    to_rep = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])  # forward, left, up from MediaPipe's x, y, z
    rng = np.random.default_rng(5)
    for yaw, pitch, roll in rng.uniform(-1.2, 1.2, (50, 3)):
        about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        about_y = np.array([[np.cos(pitch), 0, np.sin(pitch)], [0, 1, 0], [-np.sin(pitch), 0, np.cos(pitch)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
        matrix = np.eye(4)
        matrix[:3, :3] = to_rep.T @ (about_z @ about_y @ about_x) @ to_rep
        np.testing.assert_allclose(head_angles(matrix), (yaw, pitch, roll), atol=1e-9)


def test_roll_follows_a_rotated_picture(twin, single):
    """A counter-clockwise rotation tilts the head to the picture's left, the subject's right shoulder."""
    face = drawn(twin)
    rolls = []
    for degrees in (-15, 15):
        turn = cv2.getRotationMatrix2D((320, 240), degrees, 1)  # positive is counter-clockwise
        reading = single.read(cv2.warpAffine(face, turn, (640, 480), borderValue=(GREY, GREY, GREY)))
        rolls.append(np.degrees(reading.head_roll))
    assert rolls == pytest.approx([-15, 15], abs=3)


@pytest.mark.parametrize(
    ("servo", "angle", "moved"),
    [
        # Yaw to the subject's left moves the nose to the right in the picture, relative to the middle of the ears.
        ("neck_yaw", "head_yaw", lambda p: p[NOSE_TIP, 0] - (p[LEFT_EAR, 0] + p[RIGHT_EAR, 0]) / 2),
        # Pitch down moves the nose down in the picture (y grows downwards).
        ("neck_pitch", "head_pitch", lambda p: p[NOSE_TIP, 1] - (p[LEFT_EAR, 1] + p[RIGHT_EAR, 1]) / 2),
        # Roll towards the right shoulder moves the forehead to the left in the picture, relative to the chin.
        ("neck_roll", "head_roll", lambda p: p[CHIN, 0] - p[FOREHEAD, 0]),
    ],
)
def test_head_pose_signs(twin, single, servo, angle, moved):
    """The sign of the angle agrees with the geometry of the picture and with the neck servo."""
    low, high = (single.read(drawn(twin, **{servo: goal})) for goal in (0.2, 0.8))
    assert moved(high.landmarks) > moved(low.landmarks) + 0.02
    turned = getattr(high, angle) - getattr(low, angle)
    i = ROBOT.index[servo]
    assert turned == pytest.approx(0.6 * (ROBOT.upper[i] - ROBOT.lower[i]), rel=0.3)


def test_mirror_reads_the_flipped_picture(twin, single):
    face = drawn(twin, lid_left=1.0, neck_yaw=0.7)
    with FaceReader(video=False, mirror=True) as mirrored:
        reading, flipped = mirrored.read(face), single.read(np.ascontiguousarray(face[:, ::-1]))
    np.testing.assert_array_equal(reading.features, flipped.features)
    assert reading.head_yaw < 0 < single.read(face).head_yaw
    # The landmarks are those of the picture as given.
    np.testing.assert_allclose(reading.landmarks[:, 0], 1 - flipped.landmarks[:, 0])


def test_a_picture_without_a_face_gives_no_reading(single):
    assert single.read(np.full((480, 640, 3), GREY, np.uint8)) is None
    assert single.faces == 0


def test_the_largest_face_is_read_and_then_followed(twin, single):
    smiling, plain = drawn(twin, **SMILE), drawn(twin)
    smile = COEFFICIENT_NAMES.index("mouthSmileLeft")
    sizes = np.linspace(0.6, 1.0, 6)
    with FaceReader() as reader:
        # The smiling face on the left shrinks while the plain face on the right outgrows it.
        pictures = [beside((smiling, 1.6 - size), (plain, size)) for size in sizes]
        followed = [reader.read(picture, 33 * i) for i, picture in enumerate(pictures)]
        assert [reading.faces for reading in followed] == [2] * 6
        assert min(reading.coefficients[smile] for reading in followed) > 0.4
        assert max(reading.landmarks[NOSE_TIP, 0] for reading in followed) < 0.5
        # A reader of single images follows no person: it reads the larger face.
        assert single.read(pictures[-1]).landmarks[NOSE_TIP, 0] > 0.5
        # The followed face disappears: no face is read for a moment, then the other one.
        alone = beside((np.full_like(plain, GREY), 1.0), (plain, 1.0))
        assert reader.read(alone, 200) is None
        assert reader.faces == 1
        assert reader.read(alone, 2000).landmarks[NOSE_TIP, 0] > 0.5
        # The other one is still followed when the first comes back larger.
        assert reader.read(beside((smiling, 1.0), (plain, 0.8)), 2033).landmarks[NOSE_TIP, 0] > 0.5


def test_a_clip_that_starts_again_forgets_the_followed_person(twin):
    smiling, plain = drawn(twin, **SMILE), drawn(twin)
    with FaceReader() as reader:
        assert reader.read(beside((smiling, 0.75), (plain, 0.85)), 5000).landmarks[NOSE_TIP, 0] > 0.5
        # Two frames with the same stamp are not a new start.
        assert reader.read(beside((smiling, 0.85), (plain, 0.75)), 5000).landmarks[NOSE_TIP, 0] > 0.5
        assert reader.read(beside((smiling, 0.85), (plain, 0.75)), 40).landmarks[NOSE_TIP, 0] < 0.5


def test_another_array_than_a_frame_is_refused(single):
    for wrong in (np.zeros((480, 640), np.uint8), np.zeros((480, 640, 3), np.float32), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match="expected a frame"):
            single.read(wrong)


def test_a_face_model_of_any_name_is_loaded(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9 \xf0\x9f\x98\x80.task")
    path.symlink_to(find_face_model())
    with contextlib.closing(FaceReader(path.as_uri())) as reader:
        assert reader.read(np.zeros((48, 64, 3), np.uint8)) is None


def test_a_closed_reader_refuses_to_read(twin):
    reader = FaceReader()
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(drawn(twin), 0)


def test_mediapipes_structs_are_read_as_its_objects_are(twin):
    picture = drawn(twin, **SMILE)
    with FaceReader(engine="mediapipe") as reader, FaceReader(engine="mediapipe") as public:
        assert reader._faces._reads_structs
        public._faces._reads_structs = False  # as with any other release
        expected, found = public.read(picture), reader.read(picture)
    np.testing.assert_array_equal(found.features, expected.features)
    np.testing.assert_array_equal(found.landmarks, expected.landmarks)


@pytest.mark.parametrize("engine", ["litert", "mediapipe"])
def test_a_process_prints_nothing_of_its_own_even_when_the_reader_is_never_closed(engine):
    code = f"""
import numpy
from rena_ros.perception.face_reader import FaceReader
reader = FaceReader(engine="{engine}")
print(reader.read(numpy.zeros((48, 64, 3), numpy.uint8), 0))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")


def test_only_the_known_startup_lines_are_dropped(capfd):
    with without_startup_log():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nE0000 something is wrong\n")
    assert capfd.readouterr().err == "E0000 something is wrong\n"


@pytest.mark.skipif(not FILM.exists(), reason=f"{FILM.name}, the film of a real person, is not in this place")
def test_a_film_of_a_real_person_reads_as_mediapipe_reads_it():
    capture, pictures = cv2.VideoCapture(str(FILM)), []
    while len(pictures) < 24 and capture.grab():
        if capture.get(cv2.CAP_PROP_POS_FRAMES) % 20 == 1:
            pictures.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    with FaceReader(engine="mediapipe") as reader:
        for i, (picture, result) in enumerate(zip(pictures, reference(pictures), strict=True)):
            assert_agrees(reader.read(picture, 800 * i), result)
    assert len(pictures) == 24
