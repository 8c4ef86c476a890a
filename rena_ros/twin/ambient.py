"""Ambient light: the share of the sky that each vertex of the resting head sees. Used only to bake the asset."""

import numba
import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.twin.asset import EYE_RADIUS, Part
from rena_ros.twin.layout import Mesh

DIRECTIONS = 256
SIZE = 384  # pixels of each depth map
SPAN = 4.4  # mesh units across one depth map
BIAS = 0.035  # mesh units that a visible point may lie behind the depth map
# Light inside the mouth fades towards the throat: part -> (z where it is dark, z where it is brightest, its maximum)
INSIDE = {Part.TEETH: (1.18, 1.47, 0.8), Part.TONGUE: (0.95, 1.5, 0.3), Part.MOUTH: (1.0, 1.55, 0.22)}
MIDDLE = np.array([0.0, 7.0, 0.3])  # point of the mesh in the middle of each depth map


def sky_light(points: FloatArray, mesh: Mesh, eyes: FloatArray) -> FloatArray:
    """Return the cosine-weighted share of unobstructed directions of each vertex, float64 (v,) in [0, 1].

    ``points`` (n, 3): those of the mesh in one look; ``eyes`` (2, 3). Both in mesh units.
    """
    vertex_point, vertex_part = mesh.vertex_point, mesh.vertex_part
    solid = mesh.triangles[vertex_part[mesh.triangles[:, 0]] != Part.LASH]
    corners = vertex_point[solid]
    normals = np.zeros_like(points)
    face = np.cross(points[corners[:, 1]] - points[corners[:, 0]], points[corners[:, 2]] - points[corners[:, 0]])
    for k in range(3):
        np.add.at(normals, corners[:, k], face)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    seen, total = np.zeros(len(points)), np.zeros(len(points))
    for direction in _sphere(DIRECTIONS):
        right, up, _ = np.linalg.svd(direction[None])[2][[1, 2, 0]]
        frame = np.stack([right, up, direction])
        view = (points - MIDDLE) @ frame.T
        depth = _depth_map(view[corners] * (SIZE / SPAN) + (SIZE / 2, SIZE / 2, 0), SIZE)
        for eye in eyes:
            _stamp_ball(depth, (eye - MIDDLE) @ frame.T * (SIZE / SPAN), EYE_RADIUS * SIZE / SPAN)
        x = np.clip((view[:, 0] * SIZE / SPAN + SIZE / 2).astype(int), 0, SIZE - 1)
        y = np.clip((view[:, 1] * SIZE / SPAN + SIZE / 2).astype(int), 0, SIZE - 1)
        weight = np.maximum(normals @ direction, 0)
        seen += weight * (view[:, 2] + BIAS >= depth[y, x] * SPAN / SIZE)
        total += weight
    light = (seen / np.maximum(total, 1e-9))[vertex_point]
    for part, (dark, full, most) in INSIDE.items():
        here = vertex_part == part
        light[here] = most * np.clip((points[vertex_point[here], 2] - dark) / (full - dark), 0.04, 1)
    light[vertex_part == Part.LASH] = 0.6
    return light


def _sphere(count: int) -> FloatArray:
    """Return evenly distributed unit vectors, (count, 3): a Fibonacci lattice."""
    k = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * k / count), np.pi * (1 + 5**0.5) * k
    return np.stack([np.cos(turn) * np.sin(polar), np.cos(polar), np.sin(turn) * np.sin(polar)], 1)


def _stamp_ball(depth: FloatArray, centre: FloatArray, radius: float) -> None:
    """Draw a ball into a depth map; all in pixels, ``centre`` relative to the middle of the map."""
    y, x = np.ogrid[:SIZE, :SIZE]
    height = radius**2 - (x - SIZE / 2 - centre[0]) ** 2 - (y - SIZE / 2 - centre[1]) ** 2
    inside = height > 0
    depth[inside] = np.maximum(depth[inside], centre[2] + np.sqrt(height[inside]))


@numba.njit(cache=True)
def _depth_map(corners: FloatArray, size: int) -> FloatArray:
    """Return the largest z of the triangles (t, 3, 3) in each pixel, (size, size); -1e9 where there is none."""
    depth = np.full((size, size), -1e9)
    for t in range(len(corners)):
        x0, y0, x1, y1 = corners[t, 0, 0], corners[t, 0, 1], corners[t, 1, 0], corners[t, 1, 1]
        x2, y2 = corners[t, 2, 0], corners[t, 2, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        for y in range(max(0, int(min(y0, y1, y2))), min(size, int(max(y0, y1, y2)) + 1)):
            for x in range(max(0, int(min(x0, x1, x2))), min(size, int(max(x0, x1, x2)) + 1)):
                b = ((x + 0.5 - x0) * (y2 - y0) - (x2 - x0) * (y + 0.5 - y0)) / area
                c = ((x1 - x0) * (y + 0.5 - y0) - (x + 0.5 - x0) * (y1 - y0)) / area
                if b >= 0 and c >= 0 and b + c <= 1:
                    z = corners[t, 0, 2] * (1 - b - c) + corners[t, 1, 2] * b + corners[t, 2, 2] * c
                    depth[y, x] = max(depth[y, x], z)
    return depth
