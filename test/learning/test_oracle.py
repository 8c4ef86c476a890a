"""The oracle of the robot's own face: it predicts the numbers of readings, and knows what it cannot see."""

from dataclasses import replace

import numpy as np
import pytest

from rena_ros.learning.oracle import Oracle
from rena_ros.learning.samples import samples_of


@pytest.fixture(scope="module")
def samples(dataset):
    """With landmarks that follow the goals."""
    plain, mixing = samples_of(dataset), np.random.default_rng(1).normal(0, 0.01, (25, 1434))
    return replace(plain, landmarks=(plain.goals @ mixing).reshape(-1, 478, 3).astype(np.float32))


def test_it_predicts_the_numbers_of_readings_from_goals(samples):
    oracle = Oracle(samples.part(slice(400)), seed=0, epochs=60)
    held_out = samples.part(slice(400, None))
    read = oracle.numbers(held_out)
    assert read.shape == (len(held_out), 55 + 60)
    coefficients = held_out.features[:, :52].astype(float)
    np.testing.assert_allclose(read[:, :52], np.log((coefficients + 0.003) / (1.003 - coefficients)), atol=1e-3)
    np.testing.assert_allclose(read[:, 52:55], held_out.features[:, 52:], atol=1e-6)
    missed = (oracle.shown(held_out.goals) - read).std(axis=0)
    assert np.median(missed[55:75] / read[:, 55:75].std(axis=0)) < 0.6
    assert np.median(missed[:55] / read[:, :55].std(axis=0)) < 0.6


def test_it_needs_landmarks(dataset):
    with pytest.raises(ValueError, match="landmarks"):
        Oracle(samples_of(dataset), seed=0)
