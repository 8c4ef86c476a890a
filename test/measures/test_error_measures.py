"""Errors of goals against loops by the definition, and the CED curve against scipy."""

import numpy as np
import pytest
from scipy import stats

from rena_ros.base.errors import RenaError
from rena_ros.measures.errors import area_below, mae, rmse, rmse_by_region, rmse_over, share_below
from rena_ros.robot.file import load_robot

REGIONS = [servo.region for servo in load_robot().servos]


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.random((2, 7, 25)).astype(np.float32)


def test_the_rmse_overall_per_servo_and_per_sample():
    predicted, goals = np.zeros((2, 25), np.float32), np.zeros((2, 25), np.float32)
    goals[0, 3] = 0.6
    assert rmse(predicted, goals) == pytest.approx(np.sqrt(0.36 / 50))
    assert rmse_over(0, predicted, goals)[3] == pytest.approx(np.sqrt(0.36 / 2))
    np.testing.assert_allclose(rmse_over(1, predicted, goals), [np.sqrt(0.36 / 25), 0], rtol=1e-6)


def test_the_mean_absolute_error(pair):
    total = sum(abs(float(a) - float(b)) for a, b in zip(*(x.ravel() for x in pair), strict=True))
    assert mae(*pair) == pytest.approx(total / (7 * 25))


def test_the_rmse_of_a_region_is_that_of_its_servos(pair):
    found = rmse_by_region(*pair, REGIONS)
    assert list(found) == ["brows", "eyes", "lids", "mouth", "head"]
    for region, error in found.items():
        columns = [i for i in range(25) if REGIONS[i] == region]
        squares = [(float(pair[0][row, i]) - float(pair[1][row, i])) ** 2 for row in range(7) for i in columns]
        assert error == pytest.approx((sum(squares) / len(squares)) ** 0.5)


def test_regions_of_another_robot_are_refused(pair):
    with pytest.raises(RenaError, match=r"25 servos.*24"):
        rmse_by_region(*pair, REGIONS[:-1])


def test_the_ced_curve_is_the_empirical_distribution_of_the_errors():
    errors = np.random.default_rng(1).gamma(4, 0.01, 200)
    errors[:20] = errors[20:40]  # ties
    limits = np.concatenate((np.linspace(0, 0.2, 57), errors[:9]))
    np.testing.assert_allclose(share_below(errors, limits), stats.ecdf(errors).cdf.evaluate(limits))


def test_the_area_is_the_integral_of_the_curve():
    errors = np.random.default_rng(2).gamma(4, 0.01, 50)
    limit, cells = 0.06, 60_000
    middles = (np.arange(cells) + 0.5) * limit / cells
    assert area_below(errors, limit) == pytest.approx(share_below(errors, middles).mean(), abs=1e-5)
    assert area_below(np.zeros(3), limit) == 1
    assert area_below(np.array([0.07, 1.0]), limit) == 0


def test_a_sample_without_a_finite_error_lies_below_no_limit():
    errors = np.array([0.01, np.nan, 0.03, np.nan])
    np.testing.assert_array_equal(share_below(errors, np.array([0.02, 1.0])), [0.25, 0.5])
    assert area_below(errors, 0.04) == pytest.approx((0.75 + 0.25) / 4)


def test_no_samples_have_no_curve():
    with pytest.raises(RenaError, match="no samples"):
        share_below(np.array([]), np.array([0.1]))
