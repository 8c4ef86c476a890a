"""The baselines against their definitions in plain NumPy."""

import subprocess
import sys

import numpy as np
import pytest

from rena_ros.learning.baselines import BASELINES, make_baseline
from rena_ros.learning.samples import samples_of


@pytest.fixture(scope="module")
def parts(dataset):
    return samples_of(dataset.part(slice(0, 300))), samples_of(dataset.part(slice(300, 500)))


def goals_of(name, parts, seed=0) -> np.ndarray:
    training, test = parts
    found = np.asarray(make_baseline(name, seed).fit(training).predict(test))
    assert found.shape == test.goals.shape and found.min() >= 0 and found.max() <= 1
    return found


def test_the_mean_is_the_mean_of_training(parts):
    expected = parts[0].goals.astype(float).sum(axis=0) / 300
    np.testing.assert_allclose(goals_of("mean", parts), np.tile(expected, (200, 1)), rtol=1e-9)


def test_random_goals_are_those_of_training_samples_each_as_likely(parts):
    found = goals_of("random", parts)
    drawn = np.argmax((found[:, None] == parts[0].goals[None]).all(axis=2), axis=1)
    np.testing.assert_array_equal(parts[0].goals[drawn], found)
    assert len(set(drawn)) > 120  # 200 draws from 300 reach 146 on average
    np.testing.assert_array_equal(goals_of("random", parts), found)
    assert (goals_of("random", parts, seed=1) != found).any()


def test_the_nearest_neighbour_is_found_by_a_loop_as_well(parts):
    training, test = parts

    def inputs(features):
        clipped = features[:, :52].astype(float)
        return np.concatenate((np.log((clipped + 0.003) / (1.003 - clipped)), features[:, 52:]), axis=1)

    there = inputs(training.features)
    spread = there.std(axis=0)
    found = goals_of("nearest", parts)
    for row, reading in enumerate(inputs(test.features)[:40]):
        nearest = min(range(300), key=lambda i: (((there[i] - reading) / spread) ** 2).sum())
        np.testing.assert_allclose(found[row], training.goals[nearest])


def test_ridge_is_the_normal_equations_with_one_of_its_penalties(parts):
    training, test = parts
    centre, spread = training.features.astype(float).mean(axis=0), training.features.astype(float).std(axis=0)
    x, new = ((part.features - centre) / spread for part in parts)
    mean = training.goals.mean(axis=0, dtype=float)
    found, fits = goals_of("ridge", parts), []
    for alpha in np.logspace(-3, 5, 33):
        weights = np.linalg.solve(x.T @ x + alpha * np.eye(55), x.T @ (training.goals - mean))
        fits.append(np.abs(np.clip(new @ weights + mean, 0, 1) - found).max())
    assert min(fits) < 1e-6
    error = np.sqrt(np.mean((found - test.goals) ** 2))
    assert error < 0.8 * np.sqrt(np.mean((goals_of("mean", parts) - test.goals) ** 2))


def test_there_is_no_other_baseline_and_no_torch():
    with pytest.raises(KeyError):
        make_baseline("median")
    assert len(BASELINES) == 4
    code = "import sys, rena_ros.learning.baselines; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
