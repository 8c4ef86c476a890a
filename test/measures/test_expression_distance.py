"""Eq. 11 and 12 against loops written from the formulas."""

import math

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.measures.expression import landmark_distance, pixel_distance, structural_similarity


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (6, 5, 3), np.uint8)
    noise = rng.integers(-90, 90, first.shape)
    return first, np.clip(first + noise, 0, 255).astype(np.uint8)


def loop_of_eq_11(a, b) -> float:
    x, y = ([value / 255 for value in picture.ravel().tolist()] for picture in (a, b))
    n = len(x)
    mean_x, mean_y = sum(x) / n, sum(y) / n
    var_x = sum((v - mean_x) ** 2 for v in x) / n
    var_y = sum((v - mean_y) ** 2 for v in y) / n
    both = sum((v - mean_x) * (w - mean_y) for v, w in zip(x, y, strict=True)) / n
    above = (2 * mean_x * mean_y + 0.01) * (2 * both + 0.03)
    return above / ((mean_x**2 + mean_y**2 + 0.01) * (var_x + var_y + 0.03))


def test_the_similarity_is_eq_11(pictures):
    assert structural_similarity(*pictures) == pytest.approx(loop_of_eq_11(*pictures))
    assert structural_similarity(pictures[0], pictures[0]) == pytest.approx(1)


def test_a_negative_is_less_similar_than_noise(pictures):
    negative = 255 - pictures[0]
    assert structural_similarity(pictures[0], negative) == pytest.approx(loop_of_eq_11(pictures[0], negative))
    assert structural_similarity(pictures[0], negative) < 0 < structural_similarity(*pictures)


def test_the_pixel_distance_is_the_share_of_full_scale(pictures):
    total = sum(abs(a - b) / 255 for a, b in zip(*(p.ravel().tolist() for p in pictures), strict=True))
    assert pixel_distance(*pictures) == pytest.approx(total / (6 * 5 * 3))
    black = np.zeros((2, 2, 3), np.uint8)
    assert pixel_distance(black, black + 255) == 1


def test_the_landmark_distance_is_eq_12():
    intended, shown = np.random.default_rng(1).normal(size=(2, 4, 63, 3)).astype(np.float32)
    found = landmark_distance(intended, shown)
    for row in range(4):
        total = 0.0
        for i in range(63):
            (x, y, _), (x_shown, y_shown, _) = intended[row, i].tolist(), shown[row, i].tolist()
            total += math.sqrt((x - x_shown) ** 2 + (y - y_shown) ** 2)
        assert found[row] == pytest.approx(total / 63, rel=1e-6)
    assert landmark_distance(intended[0], intended[0]) == 0
    moved = intended[0] + np.array([3, 4, 100], np.float32)
    assert landmark_distance(intended[0], moved) == pytest.approx(5, rel=1e-5)


def test_different_sizes_are_refused(pictures):
    for measure in (structural_similarity, pixel_distance):
        with pytest.raises(RenaError, match=r"6, 5, 3.*6, 4, 3.*scale"):
            measure(pictures[0], pictures[1][:, :4])
    with pytest.raises(RenaError, match="same points"):
        landmark_distance(np.zeros((63, 2)), np.zeros((478, 2)))
