"""The drawn robot: servo goals -> the picture of a camera in front of Rena. No GL, no display.

Reasons for a rasteriser in numba instead of Panda3D's software display (p3tinydisplay), the alternative:

- appearance: four samples per pixel smooth every edge, above all lashes and irises; light is added in linear RGB, with
  highlights and red light that passes through skin. tinydisplay has one sample, and its colours only darken a texture;
  drawing at four times the size and shrinking gives the same edges, but not the same light.
- speed at 640x480, one thread, other cores busy: 6 to 8 ms per frame, everything included. tinydisplay draws the
  same triangles, with unfiltered texture and given vertex colours, in 3.1 ms, with four samples in 6.0 ms; shrinking
  and 0.8 ms for deformation and light would be added.
- size: numba and llvmlite 165 MB installed, 46 MB to download; Panda3D 114 MB.
- repeatability: the same goals give the same pixels, because no sum depends on the number of threads or on a driver.

Its cost is compilation, 6 to 12 s once per machine, ahead with ``python -m rena_ros.twin``; later starts take 0.7 s.
"""

import math

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray, IntArray
from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot
from rena_ros.twin import geometry, raster
from rena_ros.twin.actuators import BASE, Pose, pose, sculpt
from rena_ros.twin.asset import EYE_RADIUS, SWATCHES, Head, Part
from rena_ros.twin.eyeball import eyeball
from rena_ros.twin.people import head_of, scene_for
from rena_ros.twin.scene import View, backdrop, tone_tables

FOCAL = 1150.0 / 480  # in heights of the picture
NEAR, FAR = 4.5, 10.5
NECK_PIVOT = np.array([0.0, 6.35, 0.1], np.float32)
NECK_STEPS = 8
TEXELS = 640  # side of the texture for a picture of 480 lines
LID_CLEARANCE = 1.035  # in radii of the eye
LASH_CLEARANCE = 1.075
RIM_MARGIN = 4.0  # around the opening between the lips, pixels of a picture of 480 lines
GLOSS = {Part.SKIN: 0.05, Part.MOUTH: 0.02, Part.TEETH: 0.04, Part.TONGUE: 0.04, Part.EYE: 0.9}  # the others: none


class TwinFace:
    """Draws one look of the face. Not thread-safe; several instances may live in one process."""

    def __init__(self, robot: Robot | None = None, width: int = 640, height: int = 480, look: str = "rena"):
        """``look``: "rena", "performer" or "person-N". A machine's first picture waits for the kernels to compile."""
        self.robot = robot or load_robot()
        self.width, self.height = width, height
        self._head = head = head_of(look)
        scene = scene_for(look)
        self.view = scene.view
        self._build_mesh(head)
        self._build_motion(head)
        self._backdrop = backdrop(scene.wall, width, height)
        self._lamps = scene.lamps
        # about as fine as the picture: a finer texture would flicker, and not fit into the processor's caches
        side = min(len(head.texture), TEXELS * height // 480)
        self._texture = cv2.resize(head.texture, (side, side), interpolation=cv2.INTER_AREA)
        self._linear, self._tone = tone_tables()
        self._keys = np.empty(height * width * 4 + raster.LANES, np.uint32)
        self._row_space = raster.row_space()
        self._setup = np.empty((len(self._triangles), 6), np.float32)
        self._planes = np.empty((len(self._triangles), 24), np.float32)
        self._ready = np.empty(len(self._triangles), np.uint8)

    def render(self, goals: FloatArray) -> ByteArray:
        """Draw goals (25,) in [0, 1], order of ``robot.names``; return uint8 RGB (height, width, 3), C-contiguous.

        The same goals always give the same pixels. Raises ValueError for another shape, and for a goal that is not
        finite or outside [0, 1].
        """
        shown = pose(self.robot, self._checked(goals))
        points = np.empty_like(self._rest)
        geometry.deform(self._rest, shown.weights, *self._channels, points)
        sky = self._sky.copy()
        for side, eye in enumerate(self._head.eyes):
            geometry.clear_eye(points, self._lids[side], eye, np.float32(LID_CLEARANCE * EYE_RADIUS))
            geometry.clear_eye(points, self._lashes[side], eye, np.float32(LASH_CLEARANCE * EYE_RADIUS))
            self._place_eye(side, shown, points, sky)
        self._darken_mouth(points, sky)
        geometry.turn(points, self._share, _rotations(shown.neck), NECK_PIVOT)
        normals, screen = np.empty_like(points), np.empty_like(points)
        geometry.smooth_normals(points, self._corners, normals)
        lit = self._lit.copy()
        geometry.light(normals, self._vertex_point, self._vertex_part, sky, self._gloss, self._lamps, lit)
        self._project(points, self.view, screen)
        return self._draw(screen, lit)

    def _project(self, points: FloatArray, view: View, screen: FloatArray) -> None:
        """Write ``screen`` (n, 3): where a camera at ``view`` sees the points."""
        if view.aside or view.roll:
            cos, sin = np.float32(math.cos(view.roll)), np.float32(math.sin(view.roll))
            x, y = points[:, 0] - np.float32(view.aside), points[:, 1] - np.float32(view.height)
            points[:, 0], points[:, 1] = cos * x - sin * y, sin * x + cos * y + np.float32(view.height)
        focal, distance, level = (np.float32(v) for v in (FOCAL * self.height, view.distance, view.height))
        geometry.project(points, focal, distance, level, self.width, self.height, screen)

    def _draw(self, screen: FloatArray, lit: FloatArray) -> ByteArray:
        self._keys.fill(raster.EMPTY)
        places = self._triangles, self._vertex_point, self._bounds(screen)
        cut = self._part, self._cut_from, self._uv, self._opacity
        raster.rasterise(screen, *places, *cut, NEAR, FAR, self._keys, self._setup, self.width, *self._row_space)
        picture = self._backdrop.copy()
        surfaces, tables = (self._setup, self._triangles, self._part), (self._texture, self._linear, self._tone)
        raster.colour(self._keys, *surfaces, lit, *tables, self._planes, self._ready, picture)
        return picture

    def _bounds(self, screen: FloatArray) -> IntArray:
        """Return first and last column and row of the picture, and of the opening between the lips, int64 (2, 4)."""
        rim, margin = screen[self._rim, :2], RIM_MARGIN * self.height / 480
        left, top = np.maximum(0, rim.min(0) - margin)
        right, bottom = np.minimum((self.width - 1, self.height - 1), rim.max(0) + margin)
        return np.array([(0, self.width - 1, 0, self.height - 1), (left, right, top, bottom)], np.int64)

    def _checked(self, goals: FloatArray) -> FloatArray:
        goals = np.asarray(goals, np.float64)
        if goals.shape != (len(self.robot.names),):
            raise ValueError(f"expected {len(self.robot.names)} goals, got shape {goals.shape}")
        bad = np.flatnonzero(~((goals >= 0) & (goals <= 1)))
        if bad.size:
            raise ValueError(f"{self.robot.names[bad[0]]}: goal {goals[bad[0]]} is not in [0, 1]")
        return goals

    def _build_mesh(self, head: Head) -> None:
        """Build one list of triangles: the solid parts, both eyeballs, and last the lashes, which are cut out."""
        self._ball, ball_uv, ball_triangles = eyeball()
        n, v, k = len(head.points), len(head.vertex_point), len(self._ball)
        parts = head.vertex_part[head.triangles[:, 0]]
        lash = parts == Part.LASH
        eyes = np.concatenate([ball_triangles + v, ball_triangles + v + k])
        self._cut_from = int(np.count_nonzero(~lash)) + len(eyes)
        self._triangles = np.concatenate([head.triangles[~lash], eyes, head.triangles[lash]]).astype(np.int32)
        self._part = np.concatenate([parts[~lash], np.full(len(eyes), Part.EYE), parts[lash]]).astype(np.uint8)
        self._vertex_point = np.concatenate([head.vertex_point, n + np.arange(2 * k)]).astype(np.int32)
        self._vertex_part = np.concatenate([head.vertex_part, np.full(2 * k, Part.EYE)]).astype(np.int64)
        self._corners = self._vertex_point[self._triangles[: self._cut_from]]
        self._gloss = np.array([GLOSS.get(Part(part), 0.0) for part in self._vertex_part], np.float32)
        self._sky = np.concatenate([head.light, np.ones(2 * k)]).astype(np.float32)
        self._lit = np.zeros((len(self._vertex_point), 8), np.float32)
        left, top, across, down = SWATCHES[Part.EYE]
        ball_uv = (left, top) + ball_uv * (across, down)
        self._uv = np.concatenate([head.uv, ball_uv, ball_uv]).astype(np.float32)
        self._lit[:, :2] = self._uv
        left, top, across, down = SWATCHES[Part.LASH]
        self._lit[self._vertex_part == Part.LASH, :2] = left + across / 2, top + down / 2
        self._opacity = (head.lash / 255).astype(np.float32)
        self._eye_points = (slice(n, n + k), slice(n + k, n + 2 * k))
        self._eye_vertices = (slice(v, v + k), slice(v + k, v + 2 * k))
        self._mouth = np.flatnonzero(np.isin(self._vertex_part, (Part.TEETH, Part.TONGUE, Part.MOUTH)))

    def _build_motion(self, head: Head) -> None:
        """Find the points that move: with the channels, with the neck, around the eyes and between the lips."""
        rest = head.points.astype(np.float64)
        for unit, weight in BASE.items():
            index, delta = head.units[unit]
            rest[index] += weight * delta
        channels = sculpt(head.units, head.points)
        moved = [np.flatnonzero(np.abs(dense).max(1) > 1e-6) for dense in channels]
        delta = np.concatenate([dense[m] for dense, m in zip(channels, moved, strict=True)]).astype(np.float32)
        self._channels = (np.cumsum([0, *map(len, moved)]), np.concatenate(moved), delta)
        eyeballs = np.zeros((2 * len(self._ball), 3))
        self._rest = np.concatenate([rest, eyeballs]).astype(np.float32)
        share = np.clip((rest[:, 1] + 0.35 * np.maximum(rest[:, 2], 0) - 5.55) / 0.85, 0, 1)
        self._share = np.concatenate([share**2 * (3 - 2 * share), eyeballs[:, 0] + 1]).astype(np.float32)
        skin, mouth, lashes = (head.vertex_point[head.vertex_part == p] for p in (Part.SKIN, Part.MOUTH, Part.LASH))
        self._rim = inner = np.intersect1d(skin, mouth)
        inner = inner[np.abs(rest[inner, 0]) < 0.02]
        self._lips = inner[np.argmax(rest[inner, 1])], inner[np.argmin(rest[inner, 1])]
        self._lids, self._lashes, self._upper_lashes = [], [], []
        for eye in head.eyes:
            near = np.flatnonzero(np.linalg.norm(rest - eye, axis=1) < 2.2 * EYE_RADIUS)
            self._lids.append(np.intersect1d(near, skin))
            self._lashes.append(np.intersect1d(near, lashes))
            self._upper_lashes.append(self._lashes[-1][rest[self._lashes[-1], 1] > eye[1] - 0.005])

    def _place_eye(self, side: int, shown: Pose, points: FloatArray, sky: FloatArray) -> None:
        """Write the turned eyeball into ``points``, and the shadow of the upper lid on it into ``sky``."""
        yaw, pitch = shown.gaze[side]
        turned = np.einsum("ij,kj->ki", _rotation(yaw, pitch, 0.0), self._ball) + self._head.eyes[side]
        points[self._eye_points[side]] = turned
        lid = points[self._upper_lashes[side], 1].min()
        sky[self._eye_vertices[side]] = 0.3 + 0.65 * np.clip((lid - turned[:, 1]) / 0.06, 0, 1)

    def _darken_mouth(self, points: FloatArray, sky: FloatArray) -> None:
        """Darken the inside of the mouth in ``sky`` as the lips close."""
        upper, lower = self._lips
        gap = points[upper, 1] - points[lower, 1]
        sky[self._mouth] *= 0.25 + 0.75 * min(max((gap - 0.01) / 0.12, 0.0), 1.0)


def _rotation(yaw: float, pitch: float, roll: float) -> FloatArray:
    """Return a rotation in mesh axes, float64 (3, 3), of angles in rad with the signs of ``Pose.neck``."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    return np.array(
        [
            [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
            [cp * sr, cp * cr, -sp],
            [cy * sp * sr - sy * cr, cy * sp * cr + sy * sr, cy * cp],
        ]
    )


def _rotations(neck: FloatArray) -> FloatArray:
    """Return the rotation of the neck in equal steps, float32 (NECK_STEPS + 1, 3, 3), from none to all of it."""
    yaw, pitch, roll = neck.tolist()
    steps = [k / NECK_STEPS for k in range(NECK_STEPS + 1)]
    return np.array([_rotation(yaw * s, pitch * s, roll * s) for s in steps], np.float32)
