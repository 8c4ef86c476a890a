"""Landmarks in the frame of the face: where the head is, how it is turned and how large it is drawn is taken out.

Each face is moved, turned and scaled (Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", 1991) so that twenty points that hardly move with expressions come to lie on those of a usual face.
"""

import numpy as np

from rena_ros.base.arrays import FloatArray

POINTS = 478  # of MediaPipe's face mesh, irises included
OUTER_EYE_CORNERS = (33, 263)
# Landmark -> its place. The origin is between the outer eye corners, x to the right in the picture, y down, z away from
# the camera; the unit is the distance between these corners. The mean of 240 drawn people's neutral faces (twin.people,
# persons 1 to 120 and 201 to 320) and their mirror images, as MediaPipe reads them.
RIGID: dict[int, tuple[float, float, float]] = {
    10: (0.0, -0.599, -0.262),  # forehead, from the top to between the brows
    151: (0.0, -0.417, -0.288),
    9: (0.0, -0.228, -0.300),
    8: (0.0, -0.126, -0.273),
    168: (0.0, -0.023, -0.259),  # bridge of the nose
    6: (0.0, 0.074, -0.300),
    197: (0.0, 0.159, -0.352),
    195: (0.0, 0.236, -0.406),
    127: (-0.782, 0.039, 0.582),  # temples
    356: (0.782, 0.039, 0.582),
    162: (-0.772, -0.134, 0.445),
    389: (0.772, -0.134, 0.445),
    54: (-0.678, -0.402, 0.124),
    284: (0.678, -0.402, 0.124),
    67: (-0.403, -0.564, -0.166),
    297: (0.403, -0.564, -0.166),
    33: (-0.500, 0.0, 0.0),  # corners of the eyes
    263: (0.500, 0.0, 0.0),
    133: (-0.183, 0.037, -0.062),
    362: (0.183, 0.037, -0.062),
}
_INDEX = np.array(list(RIGID))
_CENTRE = np.mean(list(RIGID.values()), axis=0)
_PLACES = np.array(list(RIGID.values())) - _CENTRE
_MIRRORED_RUNS = (  # first landmark of one side, its counterpart, and how many that follow pair likewise
    *((3, 248, 1), (7, 249, 1), (20, 250, 74), (95, 324, 56), (153, 380, 11), (165, 391, 3), (169, 394, 6)),
    *((176, 400, 19), (196, 419, 1), (198, 420, 1), (201, 421, 47)),
    *((468, 473, 1), (469, 476, 1), (470, 475, 1), (471, 474, 1), (472, 477, 1)),  # irises
)


def aligned(landmarks: FloatArray, aspect: float) -> FloatArray:
    """Return landmarks in the frame of the face, float32 (n, 478, 3), in distances of the outer eye corners.

    ``landmarks`` (n, 478, 3): normalised coordinates of the picture as MediaPipe gives them, x and z in widths, y in
    heights. ``aspect``: width / height of the picture. Not finite rows stay so, as a whole. Raises ValueError for
    another shape, or an aspect that is not above 0.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (POINTS, 3):
        raise ValueError(f"expected landmarks of shape (n, {POINTS}, 3), got {landmarks.shape}")
    if not 0 < aspect < np.inf:
        raise ValueError(f"the aspect of a picture must be above 0, not {aspect}")
    points = landmarks.astype(np.float64) * (aspect, 1.0, aspect)
    finite = np.isfinite(points).all(axis=(1, 2))
    placed = np.full(points.shape, np.nan)
    placed[finite] = _placed(points[finite])
    return placed.astype(np.float32)


def _placed(points: FloatArray) -> FloatArray:
    rigid = points[:, _INDEX]
    centre = rigid.mean(axis=1, keepdims=True)
    rigid = rigid - centre
    left, spread, right = np.linalg.svd(np.swapaxes(rigid, 1, 2) @ _PLACES)
    flip = np.ones_like(spread)
    flip[:, 2] = np.sign(np.linalg.det(left) * np.linalg.det(right))  # a rotation, never a mirror image
    turn = (left * flip[:, None, :]) @ right
    scale = (spread * flip).sum(axis=1) / np.maximum((rigid**2).sum(axis=(1, 2)), 1e-12)
    placed: FloatArray = (points - centre) @ turn * scale[:, None, None] + _CENTRE
    return placed


def mirrored(landmarks: FloatArray) -> FloatArray:
    """Return the mirror image of aligned landmarks (n, 478, 3), same shape: sides swapped, x negated."""
    image = landmarks[:, _COUNTERPARTS]
    image[..., 0] *= -1
    return image


def _counterparts() -> list[int]:
    """Return for each landmark that of the other side, or its own number where it lies in the middle."""
    numbers = list(range(POINTS))
    for first, other, count in _MIRRORED_RUNS:
        for k in range(count):
            numbers[first + k], numbers[other + k] = other + k, first + k
    return numbers


_COUNTERPARTS = _counterparts()
