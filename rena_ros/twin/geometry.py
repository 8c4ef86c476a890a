"""Numba kernels for the points of the face: deform, clear the eyes, turn with the neck, project, light."""

import numba
import numpy as np

from rena_ros.twin.asset import Part

F = np.float32
TEETH, EYE = int(Part.TEETH), int(Part.EYE)
WRAP = (0.34, 0.17, 0.12)  # how far light reaches into a shadow, R, G, B: in skin red reaches furthest
RIM = 0.10  # additional light of a surface that is seen edge-on

_jit = numba.njit(cache=True, error_model="numpy", nogil=True)  # the performer is drawn while a face is read


@_jit
def deform(rest, weights, starts, moved, delta, points):
    """Set points to rest + sum of weights[k] * channel k; channel k is rows starts[k]:starts[k + 1] of moved, delta."""
    points[:] = rest
    for k in range(len(weights)):
        w = F(weights[k])
        if w != 0:
            for j in range(starts[k], starts[k + 1]):
                i = moved[j]
                points[i, 0] += w * delta[j, 0]
                points[i, 1] += w * delta[j, 1]
                points[i, 2] += w * delta[j, 2]


@_jit
def clear_eye(points, near, eye, radius):
    """Push those of the points ``near`` that lie inside the eye outwards to ``radius`` from its centre ``eye``."""
    for i in near:
        x, y, z = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        distance = np.sqrt(x * x + y * y + z * z)
        if distance < radius:
            s = radius / distance
            points[i, 0], points[i, 1], points[i, 2] = eye[0] + x * s, eye[1] + y * s, eye[2] + z * s


@_jit
def turn(points, share, rotations, pivot):
    """Turn each point about the pivot by its share, [0, 1], of the rotation of the neck.

    ``rotations`` float32 (k, 3, 3): the rotation of the neck in equal steps, from none to all of it.
    """
    steps = len(rotations) - 1
    for i in range(len(points)):
        if share[i] <= 0:
            continue
        k = min(int(share[i] * steps), steps - 1)
        f = share[i] * F(steps) - F(k)
        a, b = rotations[k], rotations[k + 1]
        x, y, z = points[i, 0] - pivot[0], points[i, 1] - pivot[1], points[i, 2] - pivot[2]
        for r in range(3):
            before = a[r, 0] * x + a[r, 1] * y + a[r, 2] * z
            after = b[r, 0] * x + b[r, 1] * y + b[r, 2] * z
            points[i, r] = pivot[r] + before * (F(1) - f) + after * f


@_jit
def smooth_normals(points, corners, normals):
    """Write the unit normals of all points; ``corners`` (t, 3): points of each triangle. Weighted by area."""
    normals[:] = 0
    for t in range(len(corners)):
        a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    for i in range(len(normals)):
        s = F(1) / np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2 + F(1e-20))
        normals[i, 0] *= s
        normals[i, 1] *= s
        normals[i, 2] *= s


@_jit
def project(points, focal, distance, level, width, height, screen):
    """Write ``screen``: x and y in pixels, and depth, for a camera at z = ``distance``, y = ``level``."""
    for i in range(len(points)):
        depth = distance - points[i, 2]
        screen[i, 0] = F(0.5) * F(width) + focal * points[i, 0] / depth
        screen[i, 1] = F(0.5) * F(height) - focal * (points[i, 1] - level) / depth
        screen[i, 2] = depth


@_jit
def light(normals, vertex_point, part, sky, gloss, lamps, lit):
    """Write columns 2..7 of ``lit`` (v, 8): light RGB, highlight, x and y of the normal.

    ``lamps`` float32 (k, 6): direction and linear RGB of each; the first is the key lamp, the last two sky and ground.
    ``sky`` (v,): share of the sky that a vertex sees. ``gloss`` (v,): strength of its highlight.
    """
    last = len(lamps) - 2
    hx, hy, hz = lamps[0, 0], lamps[0, 1], lamps[0, 2] + F(1)  # halfway between the key lamp and the camera
    half = F(1) / np.sqrt(hx * hx + hy * hy + hz * hz)
    hx, hy, hz = hx * half, hy * half, hz * half
    for v in range(len(vertex_point)):
        p = vertex_point[v]
        nx, ny, nz = normals[p, 0], normals[p, 1], normals[p, 2]
        if part[v] == TEETH:  # flat light: with shading, these simple teeth look like fangs
            nx, ny, nz = F(0), F(0.1), F(0.99)
        elif part[v] == EYE:  # softer than the shading of a ball, because light enters an eyeball
            nx, ny, nz = nx * F(0.5), ny * F(0.5), F(0.5) + nz * F(0.5)
        open_ = F(0.25) + F(0.75) * sky[v]
        up = F(0.5) + F(0.5) * ny
        spark = max(F(0), nx * hx + ny * hy + nz * hz)
        spark = spark * spark
        spark = spark * spark
        spark = spark * spark
        spark = spark * spark
        edge = F(1) - max(F(0), nz)
        rim = F(RIM) * edge * edge * edge
        for k in range(3):
            total = F(0)
            wrap = F(WRAP[k])
            for i in range(last):
                toward = nx * lamps[i, 0] + ny * lamps[i, 1] + nz * lamps[i, 2]
                total += lamps[i, 3 + k] * max(F(0), (toward + wrap) / (F(1) + wrap))
            around = lamps[last, 3 + k] * up + lamps[last + 1, 3 + k] * (F(1) - up) + rim
            lit[v, 2 + k] = total * open_ + around * sky[v]
        lit[v, 5] = gloss[v] if part[v] == EYE else gloss[v] * spark * open_
        lit[v, 6], lit[v, 7] = normals[p, 0], normals[p, 1]
