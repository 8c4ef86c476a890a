"""The mesh of an eyeball: the front of a sphere with a cornea, facing +z."""

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.twin.asset import EYE_RADIUS

RINGS = 16
SPOKES = 28
EDGE = np.radians(80.0)  # angle from the axis at the edge of the texture; the rest is never visible
CORNEA = np.radians(29.0)
BULGE = 0.025  # of the radius


def eyeball() -> tuple[FloatArray, FloatArray, IntArray]:
    """Return points float32 (n, 3) relative to the centre, texture coordinates (n, 2), triangles int32 (t, 3)."""
    angle = np.linspace(0, 1, RINGS + 1)[1:] * EDGE
    turn = np.arange(SPOKES) * (2 * np.pi / SPOKES)
    polar, spoke = (grid.ravel() for grid in np.meshgrid(angle, turn, indexing="ij"))
    polar, spoke = np.append(0.0, polar), np.append(0.0, spoke)
    inside = np.clip(1 - (polar / CORNEA) ** 2, 0, 1)
    radius = EYE_RADIUS * (1 + BULGE * inside * inside * (3 - 2 * inside))
    across = np.sin(polar)
    points = np.stack([across * np.cos(spoke), -across * np.sin(spoke), np.cos(polar)], 1) * radius[:, None]
    uv = 0.5 + 0.5 * (polar / EDGE)[:, None] * np.stack([np.cos(spoke), np.sin(spoke)], 1)
    triangles = []
    for s in range(SPOKES):
        n = (s + 1) % SPOKES
        triangles.append([0, 1 + n, 1 + s])
        for r in range(RINGS - 1):
            a, b = 1 + r * SPOKES, 1 + (r + 1) * SPOKES
            triangles += [[a + s, a + n, b + s], [a + n, b + n, b + s]]
    return points.astype(np.float32), uv, np.array(triangles, np.int32)
