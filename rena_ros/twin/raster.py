"""Triangles to pixels: visibility and colour, on one thread, in a fixed order of operations.

Every pixel has four samples. A sample holds one 32-bit key: the depth in the upper bits, the number of the triangle in
the lower bits. The smallest key belongs to the nearest triangle, in any order of drawing. Colours are computed
afterwards, once per pixel (once per surface where surfaces meet).
"""

import numba
import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.twin.asset import Part

TRIANGLE_BITS = np.uint32(14)
TRIANGLE_MASK = np.uint32((1 << 14) - 1)
DEPTH_STEPS = (1 << 18) - 2
EMPTY = np.uint32(0xFFFFFFFF)
APART = np.uint32(1600)  # depth steps from which two surfaces in one pixel are coloured separately
SUB = 256  # steps per pixel; corners are rounded to them, so that shared edges coincide
SAMPLES = ((96, 32), (224, 96), (32, 160), (160, 224))  # rotated grid, x and y in steps
SAMPLES_X = tuple(x / SUB for x, _ in SAMPLES)
SAMPLES_Y = tuple(y / SUB for _, y in SAMPLES)
CUT = (0.2, 0.4, 0.6, 0.8)  # opacity from which a cut-out surface covers each sample
TONES = 4096
SMALL = 80 * SUB  # up to this width and height of a triangle, its edge functions stay within +-2**30
LANES = 8  # samples per vector operation
SPAN = 352  # samples in a row of a small triangle, rounded up to LANES, at most
EYE, MOUTH, TONGUE = int(Part.EYE), int(Part.MOUTH), int(Part.TONGUE)
F, I32 = np.float32, np.int32
# The reflection of the lamp in the eye: x and y of the normal at its centre, and its radius
GLINT_X, GLINT_Y, GLINT_SIZE = 0.26, 0.36, 0.15

# Makes the four samples of a pixel one vector operation; must be set before the first compilation.
numba.config.SLP_VECTORIZE = 1
_jit = numba.njit(cache=True, error_model="numpy", nogil=True)  # the performer is drawn while a face is read


@_jit  # One function, as `colour` below.
def rasterise(  # noqa: C901
    screen, triangles, vertex_point, bounds, part, cut_from, uv, opacity, near, far, keys, setup, width, edge, plane
):
    """Find the nearest triangle of each sample.

    ``screen`` float32 (n, 3): x, y in pixels, and depth. ``triangles`` int32 (t, 3): vertex numbers. ``part`` (t,):
    part of each triangle. Those from number ``cut_from`` on are cut out by ``opacity``, float32 (h, w), at ``uv``,
    and are visible from both sides. ``bounds`` int64 (2, 4): first and last column and row of the picture, and of the
    opening between the lips; the parts inside the mouth are visible only there. Updates ``keys`` uint32
    (height * width * 4 + LANES), initially EMPTY. ``edge`` int32 and ``plane`` float32 are ``row_space``. Writes
    ``setup`` float32 (t, 6): the weights of corners 1 and 2 as affine functions of the pixel.
    """
    scale = F(DEPTH_STEPS / (far - near))
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = SAMPLES
    for t in range(len(triangles)):
        p0, p1, p2 = vertex_point[triangles[t, 0]], vertex_point[triangles[t, 1]], vertex_point[triangles[t, 2]]
        x0, y0 = np.int64(np.rint(screen[p0, 0] * SUB)), np.int64(np.rint(screen[p0, 1] * SUB))
        x1, y1 = np.int64(np.rint(screen[p1, 0] * SUB)), np.int64(np.rint(screen[p1, 1] * SUB))
        x2, y2 = np.int64(np.rint(screen[p2, 0] * SUB)), np.int64(np.rint(screen[p2, 1] * SUB))
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0 or (area > 0 and t < cut_from):  # y points down, so a positive area is seen from behind
            continue
        sign = np.int64(1) if area > 0 else np.int64(-1)
        within = bounds[1 if MOUTH <= part[t] <= TONGUE else 0]
        min_x, max_x = min(x0, x1, x2), max(x0, x1, x2)
        min_y, max_y = min(y0, y1, y2), max(y0, y1, y2)
        left, right = max(within[0], min_x >> 8), min(within[1], max_x >> 8)
        top, bottom = max(within[2], min_y >> 8), min(within[3], max_y >> 8)
        if left > right or top > bottom:
            continue
        inverse = 1.0 / area
        b_x, b_y = (y2 - y0) * inverse * SUB, -(x2 - x0) * inverse * SUB
        c_x, c_y = -(y1 - y0) * inverse * SUB, (x1 - x0) * inverse * SUB
        b_0, c_0 = -(x0 * b_x + y0 * b_y) / SUB, -(x0 * c_x + y0 * c_y) / SUB
        setup[t, 0], setup[t, 1], setup[t, 2] = b_x, b_y, b_0
        setup[t, 3], setup[t, 4], setup[t, 5] = c_x, c_y, c_0
        z0, z1, z2 = screen[p0, 2], screen[p1, 2], screen[p2, 2]
        zx, zy = F((z1 - z0) * b_x + (z2 - z0) * c_x) * scale, F((z1 - z0) * b_y + (z2 - z0) * c_y) * scale
        z_0 = F(z0 + (z1 - z0) * b_0 + (z2 - z0) * c_0 - near) * scale
        if z_0 + zx * left + zy * top < 0 or z_0 + zx * right + zy * bottom < 0:
            continue
        # edge functions, >= 0 inside; u* and v* are their changes per step in x and y
        u0, v0 = -(y2 - y1) * sign, (x2 - x1) * sign
        u1, v1 = -(y0 - y2) * sign, (x0 - x2) * sign
        u2, v2 = -(y1 - y0) * sign, (x1 - x0) * sign
        row0 = u0 * (left * SUB - x1) + v0 * (top * SUB - y1)
        row1 = u1 * (left * SUB - x2) + v1 * (top * SUB - y2)
        row2 = u2 * (left * SUB - x0) + v2 * (top * SUB - y0)
        a0, a1, a2 = u0 * ax + v0 * ay, u1 * ax + v1 * ay, u2 * ax + v2 * ay
        b0, b1, b2 = u0 * bx + v0 * by, u1 * bx + v1 * by, u2 * bx + v2 * by
        c0, c1, c2 = u0 * cx + v0 * cy, u1 * cx + v1 * cy, u2 * cx + v2 * cy
        d0, d1, d2 = u0 * dx + v0 * dy, u1 * dx + v1 * dy, u2 * dx + v2 * dy
        za, zb = zx * F(ax / SUB) + zy * F(ay / SUB), zx * F(bx / SUB) + zy * F(by / SUB)
        zc, zd = zx * F(cx / SUB) + zy * F(cy / SUB), zx * F(dx / SUB) + zy * F(dy / SUB)
        number = np.uint32(t)
        cut = t >= cut_from
        if not cut and max_x - min_x < SMALL and max_y - min_y < SMALL:
            # One row of samples, worked out once, serves all rows: only a constant is added, in 32 bits.
            count = 4 * (right - left + 1)
            lanes = (count + LANES - 1) // LANES * LANES
            for p in range(right - left + 1):
                i, j, k = 4 * p, SPAN + 4 * p, 2 * SPAN + 4 * p
                e0, e1, e2 = u0 * SUB * p, u1 * SUB * p, u2 * SUB * p
                edge[i], edge[i + 1], edge[i + 2], edge[i + 3] = e0 + a0, e0 + b0, e0 + c0, e0 + d0
                edge[j], edge[j + 1], edge[j + 2], edge[j + 3] = e1 + a1, e1 + b1, e1 + c1, e1 + d1
                edge[k], edge[k + 1], edge[k + 2], edge[k + 3] = e2 + a2, e2 + b2, e2 + c2, e2 + d2
                z = z_0 + zx * F(I32(left + p))
                plane[i], plane[i + 1], plane[i + 2], plane[i + 3] = z, z, z, z
                plane[j], plane[j + 1], plane[j + 2], plane[j + 3] = za, zb, zc, zd
            for i in range(count, lanes):
                edge[i] = -(1 << 30)  # outside, whatever is added
            f0, f1, f2 = I32(row0), I32(row1), I32(row2)
            g0, g1, g2 = I32(v0 * SUB), I32(v1 * SUB), I32(v2 * SUB)
            for py in range(top, bottom + 1):
                at = np.uint64((py * width + left) * 4)
                zr = zy * F(I32(py))
                for i in range(lanes):
                    # all bits set where a sample lies outside, which makes its key EMPTY
                    outside = I32(
                        I32(I32(f0 + edge[i]) | I32(f1 + edge[i + SPAN]) | I32(f2 + edge[i + 2 * SPAN])) >> I32(31)
                    )
                    depth = I32(plane[i] + zr + plane[i + SPAN])
                    key = np.uint32(I32(depth << I32(14))) | number | np.uint32(outside)
                    here = at + np.uint64(i)
                    keys[here] = min(keys[here], np.uint32(key))
                f0, f1, f2 = I32(f0 + g0), I32(f1 + g1), I32(f2 + g2)
            continue
        best0, best1, best2 = max(a0, b0, c0, d0), max(a1, b1, c1, d1), max(a2, b2, c2, d2)
        for py in range(top, bottom + 1):
            e0, e1, e2 = row0, row1, row2
            entered = False
            for px in range(left, right + 1):
                if (e0 + best0) | (e1 + best1) | (e2 + best2) >= 0:
                    z = z_0 + zx * F(px) + zy * F(py)
                    # all bits set where a sample lies outside, which makes its key EMPTY
                    out_a = np.uint32(((e0 + a0) | (e1 + a1) | (e2 + a2)) >> 63)
                    out_b = np.uint32(((e0 + b0) | (e1 + b1) | (e2 + b2)) >> 63)
                    out_c = np.uint32(((e0 + c0) | (e1 + c1) | (e2 + c2)) >> 63)
                    out_d = np.uint32(((e0 + d0) | (e1 + d1) | (e2 + d2)) >> 63)
                    if cut:
                        covered = _opacity(opacity, uv, triangles, t, b_0, b_x, b_y, c_0, c_x, c_y, px, py)
                        out_a |= EMPTY if covered < CUT[0] else np.uint32(0)
                        out_b |= EMPTY if covered < CUT[2] else np.uint32(0)
                        out_c |= EMPTY if covered < CUT[1] else np.uint32(0)
                        out_d |= EMPTY if covered < CUT[3] else np.uint32(0)
                    entered = True
                    at = np.uint64((py * width + px) * 4)
                    key_a = (np.uint32(np.int32(z + za)) << TRIANGLE_BITS) | number | out_a
                    key_b = (np.uint32(np.int32(z + zb)) << TRIANGLE_BITS) | number | out_b
                    key_c = (np.uint32(np.int32(z + zc)) << TRIANGLE_BITS) | number | out_c
                    key_d = (np.uint32(np.int32(z + zd)) << TRIANGLE_BITS) | number | out_d
                    keys[at] = min(keys[at], key_a)
                    keys[at + np.uint64(1)] = min(keys[at + np.uint64(1)], key_b)
                    keys[at + np.uint64(2)] = min(keys[at + np.uint64(2)], key_c)
                    keys[at + np.uint64(3)] = min(keys[at + np.uint64(3)], key_d)
                elif entered:
                    break
                e0 += u0 * SUB
                e1 += u1 * SUB
                e2 += u2 * SUB
            row0 += v0 * SUB
            row1 += v1 * SUB
            row2 += v2 * SUB


def row_space() -> tuple[IntArray, FloatArray]:
    """Return the work space of ``rasterise`` for one row: three edge functions int32, two parts of depth float32."""
    return np.zeros(3 * SPAN, np.int32), np.zeros(2 * SPAN, np.float32)


@numba.njit(cache=True, error_model="numpy", inline="never")
def _opacity(opacity, uv, triangles, t, b_0, b_x, b_y, c_0, c_x, c_y, px, py):
    """Return the opacity of a cut-out triangle in the middle of a pixel."""
    height, width = opacity.shape
    b = b_0 + b_x * (px + 0.5) + b_y * (py + 0.5)
    c = c_0 + c_x * (px + 0.5) + c_y * (py + 0.5)
    i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    u = uv[i, 0] * (1 - b - c) + uv[j, 0] * b + uv[k, 0] * c
    v = uv[i, 1] * (1 - b - c) + uv[j, 1] * b + uv[k, 1] * c
    return opacity[min(max(int(v * height), 0), height - 1), min(max(int(u * width), 0), width - 1)]


@_jit
def _planes(t, setup, triangles, lit, planes):
    """Write row t of ``planes``: columns of ``lit`` as affine functions of the pixel: per x, per y, at the origin."""
    i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    for q in range(8):
        along_b, along_c = lit[j, q] - lit[i, q], lit[k, q] - lit[i, q]
        planes[t, q] = along_b * setup[t, 0] + along_c * setup[t, 3]
        planes[t, 8 + q] = along_b * setup[t, 1] + along_c * setup[t, 4]
        planes[t, 16 + q] = lit[i, q] + along_b * setup[t, 2] + along_c * setup[t, 5]


@_jit  # One function: with the shading of a sample as a function of its own, the same pixels take a quarter longer.
def colour(keys, setup, triangles, part, lit, texture, linear, tone, planes, ready, out):  # noqa: C901
    """Colour the picture ``out``, uint8 (h, w, 3), in place; at first it holds the backdrop.

    ``lit`` float32 (v, 8): texture coordinates, RGB of the light on the vertex, its highlight, and for eyes x and y of
    the normal. ``texture`` uint8 (side, side, 4). ``linear`` (1025,): quarter steps of sRGB -> linear. ``tone`` uint8
    (TONES,): linear [0, 2) -> sRGB. ``planes`` float32 (t, 24) and ``ready`` uint8 (t,) are work space.
    """
    height, width = out.shape[:2]
    ready.fill(0)
    offset_x, offset_y = np.empty(4, np.float32), np.empty(4, np.float32)
    for s in range(4):
        offset_x[s], offset_y[s] = SAMPLES_X[s], SAMPLES_Y[s]
    side = F(texture.shape[0])
    stops = F(TONES / 2)
    end = F(TONES - 1)
    for py in range(height):
        for px in range(width):
            at = np.uint64((py * width + px) * 4)
            k0, k1 = keys[at], keys[at + np.uint64(1)]
            k2, k3 = keys[at + np.uint64(2)], keys[at + np.uint64(3)]
            nearest = min(k0, k1, k2, k3)
            if nearest == EMPTY:
                continue
            whole = (k0 ^ k1 | k0 ^ k2 | k0 ^ k3) & TRIANGLE_MASK == 0
            if not whole:
                furthest = max(k0, k1, k2, k3)
                if furthest != EMPTY and (furthest >> TRIANGLE_BITS) - (nearest >> TRIANGLE_BITS) < APART:
                    kind = part[k0 & TRIANGLE_MASK]
                    whole = kind == part[k1 & TRIANGLE_MASK]
                    whole &= kind == part[k2 & TRIANGLE_MASK]
                    whole &= kind == part[k3 & TRIANGLE_MASK]
            red, green, blue = 0, 0, 0
            r, g, b_ = 0, 0, 0
            previous = EMPTY
            for s in range(1 if whole else 4):
                key = keys[at + np.uint64(s)]
                if key == EMPTY:
                    red += out[py, px, 0]
                    green += out[py, px, 1]
                    blue += out[py, px, 2]
                    continue
                t = key & TRIANGLE_MASK
                if t != previous:
                    previous = t
                    if not ready[t]:
                        ready[t] = 1
                        _planes(t, setup, triangles, lit, planes)
                    # at the sample: the middle of the pixel may lie outside a narrow triangle
                    x, y = F(px) + offset_x[s], F(py) + offset_y[s]
                    u = planes[t, 0] * x + planes[t, 8] * y + planes[t, 16]
                    v = planes[t, 1] * x + planes[t, 9] * y + planes[t, 17]
                    lr = planes[t, 2] * x + planes[t, 10] * y + planes[t, 18]
                    lg = planes[t, 3] * x + planes[t, 11] * y + planes[t, 19]
                    lb = planes[t, 4] * x + planes[t, 12] * y + planes[t, 20]
                    shine = planes[t, 5] * x + planes[t, 13] * y + planes[t, 21]
                    u = min(max(u * side - F(0.5), F(0)), side - F(1.01))
                    v = min(max(v * side - F(0.5), F(0)), side - F(1.01))
                    nu, nv = np.int32(u), np.int32(v)
                    fu, fv = u - F(nu), v - F(nv)
                    iu, iv = np.uint32(nu), np.uint32(nv)
                    iu1, iv1 = iu + np.uint32(1), iv + np.uint32(1)
                    w00, w10 = (F(1) - fu) * (F(1) - fv), fu * (F(1) - fv)
                    w01, w11 = (F(1) - fu) * fv, fu * fv
                    tr = w00 * texture[iv, iu, 0] + w10 * texture[iv, iu1, 0]
                    tr += w01 * texture[iv1, iu, 0] + w11 * texture[iv1, iu1, 0]
                    tg = w00 * texture[iv, iu, 1] + w10 * texture[iv, iu1, 1]
                    tg += w01 * texture[iv1, iu, 1] + w11 * texture[iv1, iu1, 1]
                    tb = w00 * texture[iv, iu, 2] + w10 * texture[iv, iu1, 2]
                    tb += w01 * texture[iv1, iu, 2] + w11 * texture[iv1, iu1, 2]
                    if part[t] == EYE:
                        nx = planes[t, 6] * x + planes[t, 14] * y + planes[t, 22] - F(GLINT_X)
                        ny = planes[t, 7] * x + planes[t, 15] * y + planes[t, 23] - F(GLINT_Y)
                        near = (nx * nx + ny * ny) * F(1 / (GLINT_SIZE * GLINT_SIZE))
                        shine *= max(F(0), F(1) - near * near)
                    lr = linear[np.uint32(np.int32(tr * F(4) + F(0.5)))] * lr + shine
                    lg = linear[np.uint32(np.int32(tg * F(4) + F(0.5)))] * lg + shine
                    lb = linear[np.uint32(np.int32(tb * F(4) + F(0.5)))] * lb + shine
                    r = tone[np.uint32(np.int32(min(max(lr * stops, F(0)), end)))]
                    g = tone[np.uint32(np.int32(min(max(lg * stops, F(0)), end)))]
                    b_ = tone[np.uint32(np.int32(min(max(lb * stops, F(0)), end)))]
                red += r
                green += g
                blue += b_
            if whole:
                out[py, px, 0], out[py, px, 1], out[py, px, 2] = r, g, b_
            else:
                out[py, px, 0], out[py, px, 1] = (red + 2) >> 2, (green + 2) >> 2
                out[py, px, 2] = (blue + 2) >> 2
