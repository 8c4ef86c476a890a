"""Which samples a run sees, and which it never sees."""

from dataclasses import replace

import numpy as np
import pytest
from report_stand import write_dataset

from rena_ros.base.errors import RenaError
from rena_ros.datasets.dataset import load_dataset
from rena_ros.report.parts import later_halves, load_data, training_samples, with_adapted
from rena_ros.report.plan import OWN, PEOPLE, Protocol

PROTOCOL = Protocol(pool=300, test=100)


def goals_of(parts):
    return [np.concatenate([dataset.goals for dataset in datasets]) for datasets in parts]


def test_training_never_sees_the_test_part_and_keeps_the_validation_part(own, tmp_path):
    more = write_dataset(tmp_path / "more", 200, 4)
    data, whole, further = load_data(PROTOCOL, own, [more]), load_dataset(own), load_dataset(more)
    assert len(data.own) == 500
    np.testing.assert_array_equal(data.measured["test"].goals, whole.goals[-100:])
    for size in (300, 200):
        training, validation = goals_of(training_samples(data, PROTOCOL, OWN, size))
        np.testing.assert_array_equal(training, whole.goals[: size * 9 // 10])
        np.testing.assert_array_equal(validation, whole.goals[size * 9 // 10 : size])
    training, validation = goals_of(training_samples(data, PROTOCOL, OWN, 450))
    np.testing.assert_array_equal(training, np.concatenate((whole.goals[:270], further.goals[:150])))
    np.testing.assert_array_equal(validation, whole.goals[270:300])


def test_people_join_the_own_face_in_both_parts(own, tmp_path):
    people = write_dataset(tmp_path / "people", 200, 5, (11, 12))
    data, whole, others = load_data(PROTOCOL, own, identities=people), load_dataset(own), load_dataset(people)
    np.testing.assert_array_equal(data.measured["known identities"].goals, others.goals[160:])
    parts = training_samples(data, PROTOCOL, PEOPLE, 460)
    training, validation = goals_of(parts)
    np.testing.assert_array_equal(training, np.concatenate((whole.goals[:270], others.goals[:144])))
    np.testing.assert_array_equal(validation, np.concatenate((whole.goals[270:300], others.goals[144:160])))
    assert [set(part.identities.tolist()) for part in parts[0]] == [{0}, {11, 12}]


def test_an_identity_that_is_trained_on_is_no_stranger(own, tmp_path):
    people = write_dataset(tmp_path / "people", 100, 5, (11, 12))
    strangers = write_dataset(tmp_path / "strangers", 100, 6, (12, 13))
    with pytest.raises(RenaError, match="shows identity 12, which"):
        load_data(PROTOCOL, own, identities=people, strangers=strangers)


def test_adapted_readings_at_rest_are_the_robots_own(own, tmp_path):
    """The neutral face of an identity, as a sample, becomes the robot's neutral face; other parts stay."""
    strangers = load_dataset(write_dataset(tmp_path / "strangers", 100, 6, (12, 13)))
    robot_rest = np.full(55, 0.3, np.float32)
    at_rest = replace(strangers, features=strangers.rest_features.clip(0.02, 0.7))
    at_rest = replace(at_rest, rest_features=at_rest.features)
    found = with_adapted({"test": strangers, "unknown identities": at_rest}, robot_rest)
    assert list(found) == ["unknown identities, adapted"]
    np.testing.assert_allclose(found["unknown identities, adapted"].features, np.full((100, 55), 0.3), atol=1e-6)


def test_known_identities_are_measured_on_the_later_half_of_their_turns():
    turns = np.repeat([4, 9, 7], 6)
    assert np.flatnonzero(later_halves(turns, 6)).tolist() == [9, 10, 11, 15, 16, 17]
    assert np.flatnonzero(later_halves(np.array([1, 2, 1, 2]), 2)).tolist() == [2, 3]
    assert later_halves(np.repeat([1, 2], 3), 100).tolist() == [False, False, True] * 2
