"""The floor: the error that remains, by servo, for an oracle that knows the true geometry and reads it with its noise.

Around each sample the reading is taken as linear in the goals, y = y_0 + J (g - g_0) + noise. Who knows J, the noise
covariance R and the covariance P of goals reaches, with the best linear estimate, the error covariance

    (Jᵀ R⁻¹ J + P⁻¹)⁻¹

which for Gaussian goals is the Bayesian Cramér-Rao bound (Van Trees 1968, section 2.4). A servo that no reading shows
keeps the spread of its goals: no model can know better, and so it is shown.

What it is not: an exact bound. Goals have limits and gather at neutral, and an estimator that uses this may lie
slightly below. The oracle knows J at the true goals; a model that must find it lies above. Noise is what the given
covariance holds: readings of one still face understate it where light, camera or identity change.

The floor is the mean of these covariances over samples. Take the Jacobians from something without noise: a forward
model, goals to readings, fitted to many samples, or the drawn geometry itself. Differences of noisy readings do not do:
noise looks like something seen, and with m readings and differences over 2 · STEP a servo that moves nothing would seem
to be known to about STEP √(2 / m), .7 % for 115 readings. The control is a servo without any effect: it must come out
unseen. A model fitted to goals of which two always move together cannot tell those two apart: give the covariance of
goals then, not their deviations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError

STEP = 0.05  # of goals, for differences: small against the bends of geometry
SINGULAR = 1e-8  # a correlation of noise with a smaller eigenvalue has directions that look noiseless by rounding


@dataclass(frozen=True)
class Floor:
    """What an oracle would reach, in units of the goal range.

    ``per_servo``: RMSE, float64 (s,); ``prior``: the standard deviation of each servo's goals, float64 (s,), its RMSE
    if nothing could be seen.
    """

    per_servo: FloatArray
    prior: FloatArray

    @property
    def overall(self) -> float:
        """The RMSE over all servos."""
        return float(np.sqrt(np.mean(np.square(self.per_servo))))

    @property
    def unseen(self) -> FloatArray:
        """The share of each servo's spread that no reading explains, float64 (s,) in [0, 1]: 1, it cannot be seen.

        1 also for a servo whose goals have no spread.
        """
        still = self.prior == 0
        return np.where(still, 1.0, self.per_servo / np.where(still, 1.0, self.prior))


def servo_floor(jacobians: FloatArray, noise: FloatArray, prior: FloatArray) -> Floor:
    """Return the floor over samples, the root of the mean over them of the error variance of each servo.

    ``jacobians``: (n, m, s), change of each of m readings per unit of goal at each of n samples (see ``jacobians``).
    ``noise``: of a reading, standard deviations (m,) or a covariance (m, m), in the units of a reading. ``prior``: of
    goals, standard deviations (s,) (servos taken as independent) or a covariance (s, s), which may be singular where
    servos move together: an oracle knows the strategy, too. Neighbouring landmarks err together: give some components
    of them, and a covariance. Raises RenaError where the noise is not positive definite: a reading without noise would
    know everything.
    """
    n, m, s = jacobians.shape
    if noise.shape not in ((m,), (m, m)) or prior.shape not in ((s,), (s, s)):
        raise ValueError(f"noise {noise.shape} and prior {prior.shape} do not fit Jacobians {jacobians.shape}")
    if n == 0:
        raise RenaError("there are no samples to take the floor of; give some")
    root = np.diag(prior) if prior.ndim == 1 else _root(prior)
    whitener = _whitener(noise)
    variance = np.mean([_error_variance(whitener @ one @ root, root) for one in jacobians], axis=0)
    spread: FloatArray = np.sqrt(np.square(root).sum(axis=1))
    return Floor(np.sqrt(variance), spread)


def jacobians(read: Callable[[FloatArray], FloatArray], goals: FloatArray, step: float = STEP) -> FloatArray:
    """Measure the change of readings per unit of each goal around samples, by differences; float64 (n, m, s).

    ``read``: goals (k, s) in [0, 1] -> readings (k, m), aligned landmarks or coefficients, without noise (a forward
    model); it is called once for each sample, with k = 2 s. ``goals``: (n, s). Each servo is moved by ``step`` both
    ways, and only as far as its limits permit. Raises RenaError where a reading is not finite.
    """
    found = []
    for i, centre in enumerate(np.asarray(goals, np.float64)):
        up, down = np.clip(centre + step, 0, 1), np.clip(centre - step, 0, 1)
        trials = np.repeat(centre[None], 2 * len(centre), axis=0)
        servos = np.arange(len(centre))
        trials[servos, servos], trials[len(centre) + servos, servos] = up, down
        readings = np.asarray(read(trials), np.float64)
        if not np.isfinite(readings).all():
            raise RenaError(f"around sample {i} a face could not be read, so its floor is unknown; leave it out")
        found.append(((readings[: len(centre)] - readings[len(centre) :]) / (up - down)[:, None]).T)
    return np.array(found)


def noise_covariance(repeated: FloatArray) -> FloatArray:
    """Return the covariance of repeated readings around their own means, pooled over faces, float64 (m, m).

    ``repeated``: (n, r, m), r >= 2 readings of each of n faces that differ by noise alone. It is singular, and of no
    use to ``servo_floor``, unless n (r - 1) is at least m; the roots of its diagonal are then the standard deviations.
    Raises RenaError for fewer than two readings of a face.
    """
    n, r, m = repeated.shape
    if n == 0 or r < 2:
        raise RenaError(f"{r} readings of each of {n} faces do not show noise; read each face twice at least")
    apart = (repeated - repeated.mean(axis=1, keepdims=True, dtype=np.float64)).reshape(n * r, m)
    covariance: FloatArray = apart.T @ apart / (n * (r - 1))
    return covariance


def _error_variance(seen: FloatArray, root: FloatArray) -> FloatArray:
    """Return the diagonal of (Jᵀ R⁻¹ J + P⁻¹)⁻¹, (s,), from the root S of P and from ``seen``, R^(-1/2) J S, (m, s).

    It is that of S (1 + Sᵀ Jᵀ R⁻¹ J S)⁻¹ Sᵀ, which holds for a singular P as well.
    """
    variance: FloatArray = np.einsum("ij,ji->i", root, np.linalg.solve(np.eye(len(root)) + seen.T @ seen, root.T))
    return variance


def _root(covariance: FloatArray) -> FloatArray:
    """Return S with S Sᵀ = covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    if values[0] < -1e-9 * max(values[-1], 1e-300):
        raise ValueError("the prior is not a covariance: it has negative eigenvalues")
    root: FloatArray = vectors * np.sqrt(values.clip(0))
    return root


def _whitener(noise: FloatArray) -> FloatArray:
    """Return W, float64 (m, m), with W R Wᵀ = 1."""
    std = noise.astype(np.float64) if noise.ndim == 1 else np.sqrt(np.diag(noise).astype(np.float64))
    if not (std > 0).all():
        raise RenaError(f"reading {int(np.argmin(std > 0))} has no noise; leave it out, or measure its noise")
    if noise.ndim == 1:
        return np.diag(1 / std)
    values, vectors = np.linalg.eigh(noise / np.outer(std, std))
    if not values[0] > SINGULAR:
        raise RenaError(
            "the noise covariance is singular: repeat more readings than a reading has numbers, "
            "or give standard deviations"
        )
    whitener: FloatArray = (vectors / np.sqrt(values)).T / std
    return whitener
