"""People by number: the same one each time, different from each other, and a face that MediaPipe finds and reads."""

import numpy as np
import pytest

from rena_ros.perception.face_reader import READING_NAMES, FaceReader
from rena_ros.robot.file import load_robot
from rena_ros.twin.actuators import goals_of
from rena_ros.twin.asset import UNIT
from rena_ros.twin.bake import EYES
from rena_ros.twin.bake_people import PAIRS, SHAPES, target_names
from rena_ros.twin.body import load_body
from rena_ros.twin.face import TwinFace
from rena_ros.twin.people import PATH, head_of, person, person_number, scene_for

ROBOT = load_robot()
NUMBERS = (1, 2, 3)


def test_a_person_is_the_same_each_time_and_no_two_are_alike():
    first, again, other = (person(seed) for seed in (7, 7, 8))
    assert first.weights == again.weights and first.darkness == again.darkness
    assert first.weights != other.weights and first.darkness != other.darkness
    np.testing.assert_array_equal(head_of("person-7").points, head_of("person-7").points)
    difference = np.linalg.norm(head_of("person-7").points - head_of("person-8").points, axis=1)
    assert difference.mean() > 0.02, "mesh units: 2 mm"


def test_the_file_holds_every_target_and_a_person_mixes_only_these():
    with np.load(PATH) as file:
        baked = {name.removesuffix("/index") for name in file.files if name.endswith("/index")}
    assert baked == set(target_names())
    used = set().union(*(person(seed).weights for seed in range(40)))
    assert used <= baked and len(used) > 0.9 * len(baked)
    per_person = [sum(name.startswith("macrodetails/") for name in person(k).weights) for k in NUMBERS]
    assert per_person == [12] * 3
    sides = sum(2 if "@" in name else 1 for name in PAIRS)
    assert len(person(1).weights) == 12 + sides + 1 and sum(name in SHAPES for name in person(1).weights) == 1


def test_eyes_keep_their_size_and_middle_because_lids_are_made_for_them():
    with np.load(PATH) as file:
        base = file["eyes/base"]
    middle = (base.min(1) + base.max(1)).mean(0) / 2
    assert len(EYES) == len(base) == 2
    for number in NUMBERS:
        np.testing.assert_allclose(head_of(f"person-{number}").eyes.mean(0), middle, atol=10 * UNIT)


def test_the_light_and_the_wall_are_the_persons_own():
    scenes = [scene_for(f"person-{number}") for number in NUMBERS]
    assert len({scene.wall for scene in scenes}) == 3
    for scene in scenes:
        np.testing.assert_allclose(np.linalg.norm(scene.lamps[:, :3], axis=1), 1, atol=1e-6)
        assert (scene.lamps[:, 3:] > 0).all()


@pytest.mark.parametrize("look", ["person-", "person--1", "person-1.5", "nobody", "person-٣", ""])
def test_a_name_that_is_no_look_is_refused(look):
    with pytest.raises(ValueError, match="look must be"):
        person_number(look)


def test_a_body_file_may_name_a_person(tmp_path):
    path = tmp_path / "body.yaml"
    path.write_text("look: person-12\n")
    assert load_body(path, ROBOT).look == "person-12"


def test_the_face_reader_finds_people_and_reads_what_the_servos_show():
    smile = goals_of(ROBOT, {"corner_{}_up": 0.9, "corner_{}_back": 0.4}).astype(np.float32)
    jaw = goals_of(ROBOT, {"jaw": 0.9}).astype(np.float32)
    mouth_smile, jaw_open = READING_NAMES.index("mouthSmileLeft"), READING_NAMES.index("jawOpen")
    with FaceReader(video=False) as reader:
        for number in NUMBERS:
            face = TwinFace(ROBOT, look=f"person-{number}")
            rest, smiling, open_ = (reader.read(face.render(g)) for g in (ROBOT.neutral_goals, smile, jaw))
            assert rest is not None and smiling is not None and open_ is not None
            assert smiling.features[mouth_smile] > rest.features[mouth_smile] + 0.1
            assert open_.features[jaw_open] > rest.features[jaw_open] + 0.2
