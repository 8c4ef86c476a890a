"""Errors of goals: overall, by servo, by region, and their distribution over samples (Fig. 7 of the paper).

All are in units of the goal range, so .044 is the 4.4 % of the paper. Figures of a model that diverged (NaN) are NaN.
"""

from collections.abc import Sequence

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError


def rmse(predicted: FloatArray, goals: FloatArray) -> float:
    """Return the root mean squared error over all samples and servos, (n, 25) each, in units of the goal range.

    The paper's error rate: the root of its mean squared test loss (section V.B: .0020 is 4.4 %).
    """
    return float(np.sqrt(np.mean(np.square(predicted - goals, dtype=np.float64))))


def rmse_over(axis: int, predicted: FloatArray, goals: FloatArray) -> FloatArray:
    """Return the root mean squared errors over one axis: 0, of each servo, float64 (25,); 1, of each sample, (n,)."""
    errors: FloatArray = np.sqrt(np.mean(np.square(predicted - goals, dtype=np.float64), axis=axis))
    return errors


def mae(predicted: FloatArray, goals: FloatArray) -> float:
    """Return the mean absolute error over all samples and servos, (n, 25) each, in units of the goal range."""
    return float(np.mean(np.abs(np.subtract(predicted, goals, dtype=np.float64))))


def rmse_by_region(predicted: FloatArray, goals: FloatArray, regions: Sequence[str]) -> dict[str, float]:
    """Return the RMSE over all samples and the servos of one region, for each region in the order of its first servo.

    ``predicted``, ``goals``: (n, s); ``regions``: the region of each of the s servos, as in the robot file
    (``[servo.region for servo in robot.servos]``). Raises RenaError where their numbers differ.
    """
    if goals.shape[-1] != len(regions):
        raise RenaError(
            f"the goals are those of {goals.shape[-1]} servos, the robot file has {len(regions)}; "
            "name the robot file that belongs to the data"
        )
    place = np.array(regions)
    return {region: rmse(predicted[:, place == region], goals[:, place == region]) for region in dict.fromkeys(regions)}


def share_below(errors: FloatArray, limits: FloatArray) -> FloatArray:
    """Return the CED curve of Fig. 7: the share of samples whose error is at most each limit, float64 (k,) in [0, 1].

    ``errors``: (n,), of each sample, such as ``rmse_over(1, …)``; ``limits``: (k,), in the same unit, in any order.
    The paper plots it against "different error levels" and says neither the error of a sample nor the range; here it
    is the RMSE over a sample's servos. An error of NaN is below no limit. Raises RenaError where there are no samples.
    """
    ordered = np.sort(_some(errors))  # NaN last
    return np.searchsorted(ordered, limits, side="right") / len(ordered)


def area_below(errors: FloatArray, limit: float) -> float:
    """Return the area under the CED curve from 0 to ``limit``, divided by ``limit``: 1, no error at all; 0, all above.

    Exact for the step curve of ``share_below``: the mean over samples of max(0, 1 - error / limit). ``errors``: (n,),
    not negative; ``limit`` above 0. Raises RenaError where there are no samples.
    """
    if not limit > 0:
        raise ValueError(f"the limit must be above 0, not {limit}")
    return float(np.mean(np.nan_to_num(np.clip(1 - _some(errors) / limit, 0, None), nan=0.0)))


def _some(errors: FloatArray) -> FloatArray:
    if len(errors) == 0:
        raise RenaError("there are no samples to measure; collect some, or keep more for the test")
    return np.asarray(errors, np.float64)
