"""LandmarkPairing: both orders of arrival, what is lost, and what is kept."""

import numpy as np

from rena_ros.behaviour.landmark_pairing import LandmarkPairing

FEATURES, POINTS = np.arange(55.0), np.ones((478, 3))


def test_either_may_come_first():
    pairing = LandmarkPairing()
    assert pairing.reading(1, FEATURES) is None
    assert pairing.landmarks(1, POINTS) is FEATURES
    assert pairing.landmarks(2, POINTS) is None
    assert pairing.reading(2, FEATURES) is POINTS
    assert pairing.skipped == 0


def test_a_reading_without_its_landmarks_is_skipped_and_counted():
    pairing = LandmarkPairing()
    pairing.reading(1, FEATURES)
    pairing.reading(2, FEATURES)
    assert pairing.landmarks(1, POINTS) is None and pairing.landmarks(2, POINTS) is FEATURES
    assert pairing.skipped == 1
    pairing.reading(3, FEATURES)
    pairing.no_face()
    assert pairing.landmarks(3, POINTS) is None and pairing.skipped == 2


def test_old_landmarks_are_not_kept_for_ever():
    pairing = LandmarkPairing()
    for stamp in range(100):
        pairing.landmarks(stamp, POINTS)
    assert pairing.reading(0, FEATURES) is None and pairing.reading(99, FEATURES) is POINTS
