"""People and nuisance in a collection: who wears the servos when, and what of a bench is imitated."""

import json

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.cli import main
from rena_ros.collecting import fast, nuisance
from rena_ros.collecting.appearance import OWN, Appearance
from rena_ros.datasets.dataset import load_dataset
from rena_ros.robot.file import load_robot
from rena_ros.twin.body import as_filed
from rena_ros.twin.scene import View

ROBOT = load_robot()


def test_people_take_turns():
    appearance = Appearance(people=3, first_person=10)
    assert [appearance.identity(k * 100) for k in range(5)] == [10, 11, 12, 10, 11]
    assert appearance.identity(99) == 10 and appearance.look(100) == "person-11"
    assert Appearance().identity(500) == OWN and Appearance().look(500) is None and not Appearance().varies


def test_nuisance_is_the_same_when_it_is_drawn_again():
    appearance = Appearance(nuisance=True, seed=5)
    draws = [appearance.of_sample(*which).random() for which in ((7, 0), (7, 0), (7, 1), (8, 0))]
    assert draws[0] == draws[1] and len(set(draws)) == 3
    assert appearance.of_turn(0).random() == appearance.of_turn(99).random() != appearance.of_turn(100).random()
    assert Appearance().of_sample(7, 0) is None


def test_servos_differ_by_their_spread():
    bodies = [nuisance.unit_body(as_filed(ROBOT), np.random.default_rng(k)) for k in range(80)]
    gains, offsets = np.array([b.gain for b in bodies]), np.array([b.offset for b in bodies])
    assert gains.std() == pytest.approx(nuisance.GAIN_SD, rel=0.1) and gains.mean() == pytest.approx(1, abs=0.003)
    assert offsets.std() == pytest.approx(nuisance.OFFSET_SD, rel=0.1)
    goals = np.linspace(0, 1, 25)
    moved = nuisance.with_backlash(goals, np.random.default_rng(0))
    assert 0 < np.abs(moved - goals).max() <= nuisance.BACKLASH and moved.min() >= 0 and moved.max() <= 1


def test_a_camera_is_put_up_a_little_differently():
    plain = View()
    views = [nuisance.moved_view(plain, np.random.default_rng(k)) for k in range(300)]
    assert np.std([v.distance for v in views]) == pytest.approx(nuisance.DISTANCE_SD, rel=0.15)
    assert np.mean([v.height for v in views]) == pytest.approx(plain.height, abs=0.03)
    assert nuisance.moved_view(plain, np.random.default_rng(0), 0.0) == plain


def test_the_camera_changes_light_noise_and_detail_but_not_the_picture():
    y, x = np.mgrid[:240, :320]
    picture = np.stack([128 + 60 * np.sin(x / 25), 128 + 60 * np.cos(y / 31), 90 + 0 * x], axis=2).astype(np.uint8)
    seen = [nuisance.through_camera(picture, np.random.default_rng(k)) for k in range(12)]
    means = [one.mean() for one in seen]
    assert np.std(means) > 5, "exposures differ"
    for one in seen:
        assert one.shape == picture.shape and one.dtype == np.uint8
        assert np.corrcoef(one[..., 0].ravel(), picture[..., 0].ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(seen[3], nuisance.through_camera(picture, np.random.default_rng(3)))


def collect(directory, *options):
    return main(["collect", "--fast", "--workers", "1", "--seed", "4", "--out", str(directory), *options])


def test_a_dataset_says_whose_face_it_shows_and_how_it_rests(tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "SHARD_SIZE", 2)
    assert collect(tmp_path / "a", "--samples", "4", "--people", "2", "--first-person", "31", "--nuisance") == 0
    dataset = load_dataset(tmp_path / "a")
    assert dataset.identities.tolist() == [31, 31, 32, 32]
    assert (dataset.rest_features[0] == dataset.rest_features[1]).all()
    assert np.abs(dataset.rest_landmarks[1] - dataset.rest_landmarks[2]).max() > 0.01
    meta = json.loads((tmp_path / "a/meta.json").read_text())
    assert meta["people"]["first"] == 31 and meta["nuisance"] is True
    assert np.shape(meta["robot_rest_landmarks"]) == (478, 3)
    with pytest.raises(RenaError, match="another recipe"):
        fast.begin(tmp_path / "a", {**meta, "people": {**meta["people"], "first": 33}})


@pytest.mark.parametrize("options", [("--people", "0"), ("--first-person", "3")])
def test_impossible_people_are_refused_before_anything_is_written(tmp_path, options, capsys):
    assert collect(tmp_path / "b", "--samples", "4", *options) == 2
    assert "people" in capsys.readouterr().err and not (tmp_path / "b").exists()
