"""What goals look like: the twin that shows the same goals as intended, and one that does not."""

from dataclasses import replace

import numpy as np
import pytest

from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.report.cells import Results
from rena_ros.report.drawn import Mirror, limited
from rena_ros.report.kinds import ModelKind
from rena_ros.report.page_shown import shown_faces, shown_films
from rena_ros.report.shown import averaged, held, on_film, table_two
from rena_ros.robot.file import load_robot

ROBOT = load_robot()


@pytest.fixture(scope="module")
def mirror():
    return Mirror(ROBOT)


def moving(frames):
    """Goals of a jaw that opens and closes."""
    goals = np.repeat(ROBOT.neutral_goals[None], frames, axis=0)
    goals[:, ROBOT.names.index("jaw")] = 0.4 - 0.4 * np.cos(np.linspace(0, 2 * np.pi, frames))
    return goals


def test_goals_that_are_met_give_equal_faces(mirror):
    goals = moving(4)
    same = table_two(goals, goals, mirror)
    assert same["faces"] == 4 and same["without_a_face"] == 0
    assert (same["structural_similarity"], same["pixel_distance"]) == (pytest.approx(1), 0)
    assert same["landmark_distance"] == 0
    apart = table_two(goals, np.roll(goals, 2, axis=0), mirror)
    assert apart["structural_similarity"] < 1 and apart["pixel_distance"] > 0 and apart["landmark_distance"] > 0.005


def test_a_robot_that_mirrors_itself_is_alike_and_one_that_rests_is_not(mirror):
    goals, times_s = moving(12), np.arange(12) / 30
    person = mirror.film(times_s, goals)
    found = on_film(person, goals, mirror)
    assert found["frames"] == found["compared"] == 12
    assert (found["space"], found["time"]) == (pytest.approx(1), pytest.approx(1))
    assert found["mean_r"] == pytest.approx(1) and found["channels"]["jawOpen"] == pytest.approx(1)
    still = on_film(person, np.repeat(ROBOT.neutral_goals[None], 12, axis=0), mirror)
    assert still["space"] < found["space"] and still["mean_r"] < 0.9
    text = "\n".join(shown_films(Results((), {}, {"kan": found}), {"kan": ModelKind("KAN", "kan")}))
    assert "| KAN | 100.0 | 100.0 | " in text and " | 1.000 | " in text


def test_a_drawn_person_goes_from_neutral_to_a_peak_and_back(mirror):
    peak = ROBOT.neutral_goals.copy()
    peak[ROBOT.names.index("jaw")] = 0.9
    (track,) = mirror.acted(peak[None], 7)
    jaw = track.features[:, READING_NAMES.index("jawOpen")]
    assert jaw.argmax() == 3 and jaw[3] > 0.3 and jaw[[0, 6]].max() < 0.1
    assert track.rate_hz == pytest.approx(30) and mirror.acted(peak[None], 7)[0] is track


def test_several_films_are_averaged():
    one = {"space": 0.8, "mean_r": 0.5, "channels": {"jawOpen": 0.9, "mouthPucker": 0.1}, "frames": 60, "compared": 60}
    other = {"space": 0.6, "mean_r": None, "channels": {"jawOpen": 0.7}, "frames": 60, "compared": 59}
    found = averaged([one, other])
    assert found["space"] == pytest.approx(0.7) and found["mean_r"] == 0.5 and found["frames"] == 120
    assert found["channels"] == {"jawOpen": 0.8, "mouthPucker": 0.1}
    assert averaged([one]) == one and averaged([]) == {}


def test_what_passes_the_limiter_is_a_face_of_the_robot():
    neutral = ROBOT.neutral_goals
    np.testing.assert_allclose(limited(np.array([neutral, neutral]), ROBOT)[1], neutral, atol=1e-6)
    up, down = ROBOT.names.index("corner_left_up"), ROBOT.names.index("corner_left_down")
    pulled = neutral.copy()
    pulled[[up, down]] = 0.9, 0.9
    passed = limited(pulled[None], ROBOT)[0]
    assert min(abs(passed[up] - neutral[up]), abs(passed[down] - neutral[down])) < 1e-6  # antagonists never both pull


def test_goals_are_held_while_nobody_is_seen():
    goals, seen = np.array([[0.2], [0.7]]), np.array([False, True, False, False, True])
    assert held(goals, seen, np.array([0.5])).ravel().tolist() == [0.5, 0.2, 0.2, 0.2, 0.7]


def test_models_that_diverged_have_no_row():
    kinds = {"kan": ModelKind("KAN", "kan"), "mlp": ModelKind("MLP", "mlp")}
    face = {"faces": 3, "structural_similarity": 0.9, "pixel_distance": 0.01, "landmark_distance": 0.02}
    results = Results((), {"kan": face, "mlp": {}}, {"mlp": {}})
    text = "\n".join(shown_faces(results, kinds))
    assert "| KAN | 0.9000 | 1.000 | 0.0200 |" in text and "| MLP" not in text
    assert list(shown_films(results, kinds)) == [] == list(shown_faces(replace(results, faces={}), kinds))
