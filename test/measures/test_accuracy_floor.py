"""The floor against Kalman's gain, scipy and simulation, with servos that nothing shows."""

import numpy as np
import pytest
from scipy import linalg, optimize

from rena_ros.base.errors import RenaError
from rena_ros.measures.floor import jacobians, noise_covariance, servo_floor

READINGS, SERVOS = 6, 4


@pytest.fixture
def geometry():
    """Jacobians of three samples, noise (covariance), goals' standard deviations."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(READINGS, READINGS))
    return (
        rng.normal(size=(3, READINGS, SERVOS)),
        0.01 * mixing @ mixing.T + 0.01 * np.eye(READINGS),
        rng.random(SERVOS),
    )


def by_the_gain(jacobian, noise, prior):
    """P - P Jᵀ (J P Jᵀ + R)⁻¹ J P: the error covariance of the best linear estimate, in the other of its two forms."""
    gain = prior @ jacobian.T @ linalg.inv(jacobian @ prior @ jacobian.T + noise)
    return prior - gain @ jacobian @ prior


def test_the_floor_is_the_error_of_the_best_linear_estimate(geometry):
    many, noise, prior = geometry
    variances = [np.diag(by_the_gain(one, noise, np.diag(prior**2))) for one in many]
    found = servo_floor(many, noise, prior)
    np.testing.assert_allclose(found.per_servo, np.sqrt(np.mean(variances, axis=0)))
    assert found.overall == pytest.approx(np.sqrt(np.mean(variances)))
    assert (found.per_servo < prior).all()


def test_servos_that_move_together_share_what_is_seen(geometry):
    many, noise, _ = geometry
    prior = np.diag([0.04, 0.04, 0.09, 0.01])
    prior[0, 1] = prior[1, 0] = 0.04  # the same goal for both: a singular covariance
    found = servo_floor(many, noise, prior)
    variances = [np.diag(by_the_gain(one, noise, prior)) for one in many]
    np.testing.assert_allclose(found.per_servo, np.sqrt(np.mean(variances, axis=0)))
    np.testing.assert_allclose(found.prior, [0.2, 0.2, 0.3, 0.1])
    assert found.per_servo[0] == pytest.approx(found.per_servo[1])
    assert found.per_servo[0] < servo_floor(many, noise, np.sqrt(np.diag(prior))).per_servo[0]


def test_an_estimate_by_least_squares_reaches_the_floor(geometry):
    """5,000 drawn faces, each estimated from its noisy reading as ridge regression with the known covariances does."""
    (jacobian, *_), noise, prior = geometry
    rng = np.random.default_rng(1)
    goals = rng.normal(scale=prior, size=(5000, SERVOS))
    seen = goals @ jacobian.T + rng.multivariate_normal(np.zeros(READINGS), noise, 5000)
    white = linalg.inv(linalg.sqrtm(noise).real)
    stacked = np.vstack((white @ jacobian, np.diag(1 / prior)))
    estimates = linalg.lstsq(stacked, np.vstack((white @ seen.T, np.zeros((SERVOS, 5000)))))[0].T
    errors = np.sqrt(np.mean((estimates - goals) ** 2, axis=0))
    np.testing.assert_allclose(servo_floor(jacobian[None], noise, prior).per_servo, errors, rtol=0.04)


def test_a_servo_that_cannot_be_seen_keeps_its_spread(geometry):
    many, noise, prior = geometry
    many[:, :, 2] = 0
    found = servo_floor(many, noise, prior)
    assert found.per_servo[2] == pytest.approx(prior[2]) and found.unseen[2] == pytest.approx(1)
    assert (found.unseen[[0, 1, 3]] < 1).all()


def test_two_servos_with_one_effect_cannot_be_told_apart():
    """Only their sum is seen: what is left of each is half the variance, of the difference that nothing shows."""
    found = servo_floor(np.ones((1, 1, 2)), np.array([1e-6]), np.array([0.2, 0.2]))
    np.testing.assert_allclose(found.per_servo, 0.2 / np.sqrt(2), rtol=1e-6)


def test_a_servo_seen_in_half_of_the_samples_counts_with_both():
    """Gaze behind closed lids."""
    found = servo_floor(np.array([[[1.0]], [[0.0]]]), np.array([1e-9]), np.array([0.3]))
    assert found.per_servo[0] == pytest.approx(np.sqrt(0.3**2 / 2))


def test_a_servo_that_never_moves_has_no_error_and_counts_as_unseen():
    found = servo_floor(np.ones((1, 1, 1)), np.array([0.1]), np.array([0.0]))
    assert found.per_servo[0] == 0 and found.unseen[0] == 1


def test_the_noise_of_jacobians_passes_for_sight_as_much_as_the_module_says():
    """Differences over .1 of 115 noisy readings that a servo does not move at all."""
    differences = 0.01 * np.sqrt(2) / 0.1 * np.random.default_rng(2).normal(size=(400, 115, 1))
    assert servo_floor(differences, np.full(115, 0.01), np.array([0.3])).per_servo[0] == pytest.approx(0.0066, rel=0.02)


def bent_face(goals):
    return np.stack([np.sin(goals[:, 0]) * goals[:, 1], np.exp(goals[:, 2]), goals[:, 3] ** 2], axis=1)


def test_the_jacobian_is_that_of_another_differentiation():
    goals = np.array([[0.5, 0.4, 0.3, 0.6], [0.2, 0.9, 0.7, 0.1]])
    found = jacobians(bent_face, goals, step=1e-4)
    for row, at in zip(found, goals, strict=True):
        np.testing.assert_allclose(row, optimize.approx_fprime(at, lambda one: bent_face(one[None])[0]), atol=1e-6)


def test_no_trial_leaves_the_limits_and_their_slope_stays_right():
    asked = []

    def read(goals):
        asked.append(goals)
        return goals @ np.arange(8.0).reshape(4, 2)

    found = jacobians(read, np.array([[0.0, 1.0, 0.02, 0.99]]))
    np.testing.assert_allclose(found[0], np.arange(8.0).reshape(4, 2).T)
    assert np.min(asked) >= 0 and np.max(asked) <= 1


def test_a_face_that_is_not_found_is_named():
    def read(goals):
        return np.where(goals[:, :1] > 0.5, np.nan, 0.0)

    with pytest.raises(RenaError, match="sample 1"):
        jacobians(read, np.array([[0.2], [0.8]]))


def test_the_noise_is_pooled_over_faces():
    rng = np.random.default_rng(3)
    repeated = rng.normal(size=(5, 7, 3)) + 100 * rng.normal(size=(5, 1, 3))
    expected = np.mean([np.cov(one, rowvar=False) for one in repeated], axis=0)
    np.testing.assert_allclose(noise_covariance(repeated), expected)


def test_noise_that_says_nothing_is_refused(geometry):
    many, noise, prior = geometry
    with pytest.raises(RenaError, match="reading 1 has no noise"):
        servo_floor(many, np.array([0.1, 0, 0.1, 0.1, 0.1, 0.1]), prior)
    with pytest.raises(RenaError, match="singular"):
        servo_floor(many, noise_covariance(np.random.default_rng(0).normal(size=(1, 3, READINGS))), prior)
    with pytest.raises(RenaError, match="twice"):
        noise_covariance(np.zeros((4, 1, 3)))
    with pytest.raises(ValueError, match="do not fit"):
        servo_floor(many, noise, prior[:-1])
