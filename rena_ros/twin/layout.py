"""The place of each vertex of the head in the skin texture, and texture look-ups. Used only to bake the asset."""

from dataclasses import dataclass

import numba
import numpy as np

from rena_ros.base.arrays import Array, FloatArray, IntArray
from rena_ros.twin.asset import SWATCHES, Part

SIZE = 1024  # side of the skin texture, pixels
CENTRE = np.array([0.0, 7.05, 0.3])  # the texture shows the head as seen from this point, the face in the middle
LOWER_LASHES = 1.9  # length of the upper lashes relative to the lower ones
COLLAR_SPAN = 0.3  # height that the swatch of the shirt covers above and below the collar, mesh units


@dataclass
class Mesh:
    """The cropped head at rest; ``bake`` makes it. Points and vertices as in ``asset.Head``."""

    points: FloatArray  # (n, 3)
    kept: IntArray  # (n,) indices of the points in the full mesh
    vertex_point: IntArray  # (v,)
    vertex_part: IntArray  # (v,)
    triangles: IntArray  # (t, 3) vertex numbers
    corner_uv: FloatArray  # (t, 3, 2) MakeHuman's texture coordinates


def project(points: FloatArray) -> FloatArray:
    """Return texture coordinates (n, 2), v downwards, of points on the head (n, 3), inside a disc of radius .5.

    The projection is azimuthal around the axis out of the face; the middle (eyes, mouth) is enlarged.
    """
    direction = points - CENTRE
    direction[:, 2] -= 2.0 * np.maximum(0, 6.0 - points[:, 1])  # otherwise chin and chest would cover the neck
    across = np.hypot(direction[:, 0], direction[:, 1])
    angle = np.arctan2(across, direction[:, 2]) / np.pi
    radius = 0.5 * np.minimum(1, angle / 0.83) ** 0.75
    across = np.maximum(across, 1e-9)
    return np.stack([0.5 + radius * direction[:, 0] / across, 0.5 - radius * direction[:, 1] / across], 1)


def texture_coordinates(mesh: Mesh) -> FloatArray:
    """Return the texture coordinates of every vertex, float64 (v, 2) in [0, 1], v downwards."""
    points, vertex_part = mesh.points[mesh.vertex_point], mesh.vertex_part
    own = np.zeros((len(points), 2))
    own[mesh.triangles.ravel()] = mesh.corner_uv.reshape(-1, 2)
    uv = project(points)
    for part in (Part.MOUTH, Part.TEETH, Part.TONGUE):
        left, top, width, height = SWATCHES[part]
        here = vertex_part == part
        low, span = own[here].min(0), np.ptp(own[here], axis=0)
        uv[here] = (left, top) + (own[here] - low) / span * (width, height)
    left, top, width, height = SWATCHES[Part.SHIRT]
    here = vertex_part == Part.SHIRT
    below = np.clip(0.5 + below_collar(points[here]) / (2 * COLLAR_SPAN), 0.02, 0.98)
    uv[here] = np.stack([np.full(here.sum(), left + width / 2), top + height * below], 1)
    strip_of = (points[:, 0] > 0).astype(int) * 2 + (own[:, 1] > 0.955)
    for strip in range(4):
        here = (vertex_part == Part.LASH) & (strip_of == strip)
        low, span = own[here].min(0), np.ptp(own[here], axis=0)
        uv[here] = (own[here] - low) / span
        # in MakeHuman's layout the tips of the upper lashes come first; the lower lashes are shorter
        uv[here, 1] = 1 - uv[here, 1] if strip % 2 == 0 else np.maximum(0, 1 - LOWER_LASHES * (1 - uv[here, 1]))
    return uv


def below_collar(points: FloatArray) -> FloatArray:
    """Return how far points (..., 3) lie below the collar of the shirt, mesh units; negative above it."""
    below = 5.86 - 0.3 * np.clip(points[..., 2], 0, 1) - points[..., 1]
    shoulder = 0.5 * (np.abs(points[..., 0]) - 0.9)  # keeps the collar at the neck
    return np.where(points[..., 1] < 6.0, np.maximum(below, shoulder), below)


def makehuman(uv: FloatArray) -> FloatArray:
    """Convert MakeHuman's texture coordinates (..., 2), v upwards, to v downwards."""
    return np.stack([uv[..., 0], 1 - uv[..., 1]], -1)


def sample(picture: Array, uv: FloatArray) -> Array:
    """Return the nearest pixels of a picture (h, w, ...) at uv (..., 2) in [0, 1], v downwards."""
    height, width = picture.shape[:2]
    x = np.clip((uv[..., 0] * width).astype(int), 0, width - 1)
    y = np.clip((uv[..., 1] * height).astype(int), 0, height - 1)
    return picture[y, x]


@numba.njit(cache=True)
def spread(uv: FloatArray, attributes: FloatArray, size: int) -> FloatArray:
    """Fill triangles in texture space; return (size, size, k), NaN where there is no triangle.

    ``uv`` (t, 3, 2): texture coordinates of the corners. ``attributes`` (t, 3, k): interpolated between the corners.
    """
    out = np.full((size, size, attributes.shape[2]), np.nan)
    for t in range(len(uv)):
        x0, y0 = uv[t, 0, 0] * size - 0.5, uv[t, 0, 1] * size - 0.5
        x1, y1 = uv[t, 1, 0] * size - 0.5, uv[t, 1, 1] * size - 0.5
        x2, y2 = uv[t, 2, 0] * size - 0.5, uv[t, 2, 1] * size - 0.5
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        for y in range(max(0, int(min(y0, y1, y2)) - 1), min(size, int(max(y0, y1, y2)) + 2)):
            for x in range(max(0, int(min(x0, x1, x2)) - 1), min(size, int(max(x0, x1, x2)) + 2)):
                b = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
                c = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
                a = 1 - b - c
                if min(a, b, c) >= -0.02:
                    for k in range(attributes.shape[2]):
                        out[y, x, k] = a * attributes[t, 0, k] + b * attributes[t, 1, k] + c * attributes[t, 2, k]
    return out
