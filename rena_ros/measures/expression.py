"""Table II of the paper: how far the face that is shown is from the one intended, in the picture and in landmarks.

What is unclear in the paper, and what is done here:

- **ID (Eq. 11) is no distance.** As printed it is one structural similarity of the whole picture: 1 for equal
  pictures, at most 1, and larger is better. Table II lists 6.47, 3.47 and 2.96 and calls the smallest the best. So the
  table was not made by the equation as printed, and no figure here can be laid beside its column ID. Two are given:
  ``structural_similarity``, Eq. 11 to the letter, and ``pixel_distance``, what the sentence below the table describes.
- **The normalisation**: "the image distance is normalized by the total number of pixel values (480, 640, 3), which
  range from 0 to 1". That fits a sum of differences divided by 480 · 640 · 3, not Eq. 11. It says neither whether
  differences are absolute or squared; here they are absolute, so the unit is the share of full scale.
- **C1 = .01 and C2 = .03** are used as they are, on pixel values of 0 to 1. (In the usual structural similarity these
  two numbers are squared; that would be .0001 and .0009.) Mean and variance are those of all height · width · 3 values;
  the usual one takes the mean over small windows.
- **LD (Eq. 12)**: "normalized by the 63 landmarks" is the 1/n of the equation. Which 63 they are is not said, nor the
  unit of a coordinate; ``landmark_distance`` takes whichever points it is given, in their unit.
- **Between whom**: the paper compares the robot with the person. Pixels of two people differ above all by who they
  are, by light and by background. Compare pictures of one face: the picture of a sample and the robot with the goals
  that the model gave for it.
"""

import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.base.errors import RenaError

C1, C2 = 0.01, 0.03  # "empirical constants" of Eq. 11
FULL_SCALE = 255.0


def structural_similarity(intended_rgb: ByteArray, shown_rgb: ByteArray) -> float:
    """Return Eq. 11 of two pictures, uint8 (height, width, 3) each: in [-1, 1], 1 for equal pictures.

    Pixel values are divided by 255; means, variances and the covariance go over all values of a picture, divided by
    their number. Raises RenaError where the sizes differ.
    """
    x, y = _values(intended_rgb, shown_rgb)
    mean_x, mean_y = x.mean(), y.mean()
    x, y = x - mean_x, y - mean_y
    level = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return float(level * (2 * np.mean(x * y) + C2) / (np.mean(x * x) + np.mean(y * y) + C2))


def pixel_distance(intended_rgb: ByteArray, shown_rgb: ByteArray) -> float:
    """Return the mean absolute difference of two pictures, uint8 (height, width, 3) each, as a share of full scale.

    In [0, 1]: the sum over all pixel values, each in [0, 1], divided by their number, as the text below Table II has
    it. Raises RenaError where the sizes differ.
    """
    x, y = _values(intended_rgb, shown_rgb)
    return float(np.mean(np.abs(x - y)))


def landmark_distance(intended: FloatArray, shown: FloatArray) -> FloatArray:
    """Return Eq. 12: the mean distance in the picture plane of corresponding points, float64 (...).

    ``intended``, ``shown``: landmarks (..., p, 2 or 3); only x and y count. With aligned landmarks
    (``perception.landmark_frame``) the unit is the distance between the outer corners of the eyes, and the pose and
    distance of the head do not count; with raw ones they do. A reading that holds NaN gives NaN. Raises RenaError
    where the shapes differ.
    """
    if intended.shape != shown.shape:
        raise RenaError(
            f"the intended face has landmarks {intended.shape}, the face shown {shown.shape}; "
            "choose the same points of both"
        )
    across = np.subtract(intended[..., :2], shown[..., :2], dtype=np.float64)
    distances: FloatArray = np.hypot(across[..., 0], across[..., 1]).mean(axis=-1)
    return distances


def _values(intended_rgb: ByteArray, shown_rgb: ByteArray) -> tuple[FloatArray, FloatArray]:
    """Return the values of both pictures in [0, 1], float64."""
    if intended_rgb.shape != shown_rgb.shape:
        raise RenaError(
            f"the intended picture is {intended_rgb.shape}, the one shown {shown_rgb.shape} (height, width, colours); "
            "scale one of them to the size of the other"
        )
    if intended_rgb.dtype != np.uint8 or shown_rgb.dtype != np.uint8:
        raise TypeError(f"pictures are uint8, not {intended_rgb.dtype} and {shown_rgb.dtype}")
    return intended_rgb / FULL_SCALE, shown_rgb / FULL_SCALE
