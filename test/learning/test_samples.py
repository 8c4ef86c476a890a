"""What training sees of a dataset: the readings a network asks for, and the neutral faces they are compared with."""

from dataclasses import replace

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.behaviour.policy import RestReading
from rena_ros.learning import samples as samples_module
from rena_ros.learning.readings import readings_of, with_robot_rest
from rena_ros.learning.samples import (
    fingerprint,
    robot_rest,
    samples_of,
    split_validation,
    with_mirror_images,
)
from rena_ros.perception.face_reader import READING_NAMES
from rena_ros.perception.landmark_frame import mirrored
from rena_ros.robot.file import load_robot

ALL = ("features", "landmarks", "rest_features", "rest_landmarks")


@pytest.fixture
def seen(monkeypatch):
    """The aspects that the alignment was asked for; here it only moves the points."""
    aspects = []

    def aligned(landmarks, aspect):
        aspects.append(aspect)
        return (landmarks + 1).astype(np.float32)

    monkeypatch.setattr(samples_module, "aligned", aligned)
    return aspects


@pytest.fixture
def filmed(dataset):
    landmarks = np.random.default_rng(3).random((500, 478, 3), np.float32)
    return replace(dataset, landmarks=landmarks, meta={**dataset.meta, "image": {"width": 640, "height": 480}})


def test_a_network_gets_what_it_reads_and_no_more(filmed, seen):
    samples = samples_of(filmed)
    assert samples.features is filmed.features and samples.goals is filmed.goals
    assert samples.landmarks is samples.rest_features is samples.rest_landmarks is None
    assert seen == []
    samples = samples_of(filmed, ("features", "landmarks"))
    np.testing.assert_array_equal(samples.landmarks, filmed.landmarks + 1)
    assert samples.rest_features is None and seen == [pytest.approx(4 / 3)]
    readings = readings_of(samples, ("features", "landmarks"))
    np.testing.assert_array_equal(readings.landmarks.numpy(), samples.landmarks)
    assert readings.rest_features is None


def test_without_rests_every_sample_shows_the_robots_own_face(filmed, seen):
    samples = samples_of(filmed, ALL)
    np.testing.assert_array_equal(samples.rest_features, np.tile(np.float32(filmed.meta["robot_rest"]), (500, 1)))
    mean = filmed.landmarks.astype(float).mean(axis=0) + 1
    np.testing.assert_allclose(samples.rest_landmarks, np.broadcast_to(mean, (500, 478, 3)), atol=1e-4)
    neutral = np.random.default_rng(4).random((478, 3))
    filmed = replace(filmed, meta={**filmed.meta, "robot_rest_landmarks": neutral.tolist()})
    np.testing.assert_allclose(samples_of(filmed, ALL).rest_landmarks[7], neutral + 1, atol=1e-6)
    np.testing.assert_allclose(robot_rest(filmed, landmarks=True).landmarks, neutral + 1, atol=1e-6)


def test_rests_are_those_of_each_sample_and_can_be_replaced_by_the_robots(filmed, seen):
    rng = np.random.default_rng(5)
    rests = {"rest_features": rng.random((500, 55), np.float32)}
    rests["rest_landmarks"] = rng.random((500, 478, 3), np.float32)
    training, validation = split_validation(replace(filmed, **rests), 100, ALL)
    np.testing.assert_array_equal(training.rest_features, rests["rest_features"][:400])
    np.testing.assert_array_equal(validation.rest_landmarks, rests["rest_landmarks"][400:] + 1)
    rest = RestReading(np.full(55, 0.5, np.float32), np.full((478, 3), 2, np.float32))
    swapped = with_robot_rest(validation, rest)
    assert (swapped.rest_features == 0.5).all() and (swapped.rest_landmarks == 2).all()
    np.testing.assert_array_equal(swapped.landmarks, validation.landmarks)


def test_the_fingerprint_is_that_of_all_arrays(filmed, seen):
    samples = samples_of(filmed, ALL)
    spoilt = samples.landmarks.copy()
    spoilt[-1, -1, -1] += 1
    assert fingerprint(samples) == fingerprint(samples_of(filmed, ALL)) != fingerprint(samples_of(filmed))
    assert fingerprint(replace(samples, landmarks=spoilt)) != fingerprint(samples)


def test_a_dataset_that_lacks_what_the_network_reads_is_refused(filmed, seen):
    filmed.landmarks[7] = np.nan
    with pytest.raises(RenaError, match="sample 7 has no landmarks, which this model reads"):
        samples_of(filmed, ALL)
    assert samples_of(filmed).landmarks is None
    filmed.landmarks[7] = 0
    with pytest.raises(RenaError, match="does not say how large its pictures are"):
        samples_of(replace(filmed, meta={**filmed.meta, "image": None}), ALL)
    with pytest.raises(RenaError, match=r"robot_rest_landmarks of meta\.json are not 478 points"):
        samples_of(replace(filmed, meta={**filmed.meta, "robot_rest_landmarks": [[0.0]]}), ALL)
    rests = np.full((500, 55), 0.1, np.float32)
    rests[2, 4] = np.nan
    with pytest.raises(RenaError, match="the rest_features of sample 2 are not finite"):
        samples_of(replace(filmed, rest_features=rests), ("features", "rest_features"))


def test_mirror_images_are_those_of_all_that_the_samples_hold(filmed, seen):
    samples = replace(samples_of(filmed, ALL), rest_features=filmed.features[::-1])
    both = with_mirror_images(samples, READING_NAMES, load_robot().names)
    for name, array in vars(both).items():
        np.testing.assert_array_equal(array[:500], getattr(samples, name))
        if name == "identities":
            np.testing.assert_array_equal(array[500:], array[:500])
        else:
            assert (array[500:] != array[:500]).any()
    np.testing.assert_array_equal(both.rest_features[500:], both.features[500:][::-1])
    np.testing.assert_array_equal(both.landmarks[500:], mirrored(samples.landmarks))
    np.testing.assert_array_equal(both.rest_landmarks[500:], mirrored(samples.rest_landmarks))
    again = with_mirror_images(both.part(slice(500, None)), READING_NAMES, load_robot().names)
    for name in ("features", "landmarks", "goals"):
        np.testing.assert_allclose(getattr(again, name)[500:], getattr(samples, name), atol=1e-6)
