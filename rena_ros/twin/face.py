"""The drawn robot: servo goals -> the picture a camera in front of Rena would take. No GL, no display.

Why an own rasteriser in numba and not Panda3D's software display (p3tinydisplay), the other candidate:

- looks: the four samples per pixel here smooth every edge, lashes and irises above all, and light is added up in
  linear RGB with highlights and skin that lets red through; tinydisplay has one sample, and colours that only darken
  a texture. Drawing it four times as large and shrinking it gives its edges the same quality, not its light;
- speed at 640x480, one thread, neighbours busy: here 7.0-7.6 ms a frame, everything included. The same triangles in
  tinydisplay, with unfiltered texture and ready-made vertex colours: 3.1 ms, at four samples 6.0 ms, to which shrinking
  and the 0.8 ms of deforming and lighting would come;
- size: numba and llvmlite 165 MB installed, 46 MB to download; Panda3D 114 MB;
- certainty: the same goals give the same pixels because no sum here depends on a thread count or a driver.

The price is compiling: 6 to 12 s once per machine (``python -m rena_ros.twin`` does it ahead); later starts take 0.7 s.
"""

import math

import cv2
import numpy as np

from rena_ros.robot.file import load_robot
from rena_ros.robot.model import Robot
from rena_ros.twin import geometry, raster
from rena_ros.twin.actuators import BASE, Pose, pose, sculpt
from rena_ros.twin.asset import EYE_RADIUS, SWATCHES, Head, Part, load_head
from rena_ros.twin.eyeball import eyeball
from rena_ros.twin.scene import backdrop, lamps, tone_tables

FOCAL = 1150.0 / 480  # of the picture's height
DISTANCE = 8.0
CAMERA_HEIGHT = 7.08
NEAR, FAR = 4.5, 10.5
NECK_PIVOT = np.array([0.0, 6.35, 0.1], np.float32)
NECK_STEPS = 8
TEXELS = 640  # the texture's side at 480 lines
LID_CLEARANCE = 1.035  # of the eye's radius
LASH_CLEARANCE = 1.075
RIM_MARGIN = 4.0  # pixels at 480 lines, around the lips' opening
GLOSS = {
    Part.SKIN: 0.05,
    Part.MOUTH: 0.02,
    Part.TEETH: 0.04,
    Part.TONGUE: 0.04,
    Part.LASH: 0.0,
    Part.EYE: 0.9,
    Part.SHIRT: 0.0,
}


class TwinFace:
    """Draws one look of the face. Not thread-safe; several instances may live in one process."""

    def __init__(self, robot: Robot | None = None, width: int = 640, height: int = 480, look: str = "rena"):
        """``look``: "rena" or "performer". A machine's first picture waits some seconds for the kernels to compile."""
        self.robot = robot or load_robot()
        self.width, self.height = width, height
        self._head = head = load_head(look)
        self._build_mesh(head)
        self._build_motion(head)
        self._camera = (np.float32(FOCAL * height), np.float32(DISTANCE), np.float32(CAMERA_HEIGHT))
        self._backdrop = backdrop(look, width, height)
        self._lamps = lamps()
        # about as fine as the picture: a finer texture would flicker, and miss the processor's caches
        side = min(len(head.texture), TEXELS * height // 480)
        self._texture = cv2.resize(head.texture, (side, side), interpolation=cv2.INTER_AREA)
        self._linear, self._tone = tone_tables()
        self._keys = np.empty(height * width * 4, np.uint32)
        self._setup = np.empty((len(self._triangles), 6), np.float32)
        self._planes = np.empty((len(self._triangles), 24), np.float32)
        self._ready = np.empty(len(self._triangles), np.uint8)

    def __enter__(self) -> "TwinFace":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to release; here so that a face can be used like every other device."""

    def render(self, goals: np.ndarray) -> np.ndarray:
        """Goals (25,) in [0, 1], in the order of ``robot.names`` -> uint8 RGB (height, width, 3), C-contiguous.

        The same goals always give the same pixels. Raises ValueError for another shape, and for values that are not
        finite or outside [0, 1].
        """
        asked = pose(self.robot, self._checked(goals))
        points = np.empty_like(self._rest)
        geometry.deform(self._rest, asked.weights, *self._channels, points)
        sky = self._sky.copy()
        for side, eye in enumerate(self._head.eyes):
            geometry.clear_eye(points, self._lids[side], eye, np.float32(LID_CLEARANCE * EYE_RADIUS))
            geometry.clear_eye(points, self._lashes[side], eye, np.float32(LASH_CLEARANCE * EYE_RADIUS))
            self._place_eye(side, asked, points, sky)
        self._darken_mouth(points, sky)
        geometry.turn(points, self._share, _rotations(asked.neck), NECK_PIVOT)
        normals, screen = np.empty_like(points), np.empty_like(points)
        geometry.smooth_normals(points, self._corners, normals)
        lit = self._lit.copy()
        geometry.light(normals, self._vertex_point, self._vertex_part, sky, self._gloss, self._lamps, lit)
        geometry.project(points, *self._camera, self.width, self.height, screen)
        return self._draw(screen, lit)

    def _draw(self, screen: np.ndarray, lit: np.ndarray) -> np.ndarray:
        self._keys.fill(raster.EMPTY)
        raster.rasterise(
            screen,
            self._triangles,
            self._vertex_point,
            self._bounds(screen),
            self._part,
            self._cut_from,
            self._uv,
            self._opacity,
            NEAR,
            FAR,
            self._keys,
            self._setup,
            self.width,
        )
        picture = self._backdrop.copy()
        raster.colour(
            self._keys,
            self._setup,
            self._triangles,
            self._part,
            lit,
            self._texture,
            self._linear,
            self._tone,
            self._planes,
            self._ready,
            picture,
        )
        return picture

    def _bounds(self, screen: np.ndarray) -> np.ndarray:
        """First and last column and row of the picture, and of the lips' opening in it, int64 (2, 4)."""
        rim, margin = screen[self._rim, :2], RIM_MARGIN * self.height / 480
        left, top = np.maximum(0, rim.min(0) - margin)
        right, bottom = np.minimum((self.width - 1, self.height - 1), rim.max(0) + margin)
        return np.array([(0, self.width - 1, 0, self.height - 1), (left, right, top, bottom)], np.int64)

    def _checked(self, goals: np.ndarray) -> np.ndarray:
        goals = np.asarray(goals, np.float64)
        if goals.shape != (len(self.robot.names),):
            raise ValueError(f"expected {len(self.robot.names)} goals, got shape {goals.shape}")
        bad = np.flatnonzero(~((goals >= 0) & (goals <= 1)))
        if bad.size:
            raise ValueError(f"{self.robot.names[bad[0]]}: goal {goals[bad[0]]} is not in [0, 1]")
        return goals

    def _build_mesh(self, head: Head) -> None:
        """One list of triangles: the solid parts, both eyeballs, and last the lashes, which are cut out."""
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
        self._gloss = np.array([GLOSS[Part(part)] for part in self._vertex_part], np.float32)
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
        inner = np.intersect1d(
            head.vertex_point[head.vertex_part == Part.SKIN], head.vertex_point[head.vertex_part == Part.MOUTH]
        )
        self._rim = inner
        inner = inner[np.abs(rest[inner, 0]) < 0.02]
        self._lips = inner[np.argmax(rest[inner, 1])], inner[np.argmin(rest[inner, 1])]
        skin = head.vertex_point[head.vertex_part == Part.SKIN]
        lashes = head.vertex_point[head.vertex_part == Part.LASH]
        self._lids, self._lashes, self._upper_lashes = [], [], []
        for eye in head.eyes:
            near = np.flatnonzero(np.linalg.norm(rest - eye, axis=1) < 2.2 * EYE_RADIUS)
            self._lids.append(np.intersect1d(near, skin))
            self._lashes.append(np.intersect1d(near, lashes))
            self._upper_lashes.append(self._lashes[-1][rest[self._lashes[-1], 1] > eye[1] - 0.005])

    def _place_eye(self, side: int, asked: Pose, points: np.ndarray, sky: np.ndarray) -> None:
        """Write the turned eyeball into points, and the upper lid's shadow on it into sky."""
        yaw, pitch = asked.gaze[side]
        turned = np.einsum("ij,kj->ki", _rotation(yaw, pitch, 0.0), self._ball) + self._head.eyes[side]
        points[self._eye_points[side]] = turned
        lid = points[self._upper_lashes[side], 1].min()
        sky[self._eye_vertices[side]] = 0.3 + 0.65 * np.clip((lid - turned[:, 1]) / 0.06, 0, 1)

    def _darken_mouth(self, points: np.ndarray, sky: np.ndarray) -> None:
        """Lips that are nearly closed leave the mouth dark."""
        upper, lower = self._lips
        gap = points[upper, 1] - points[lower, 1]
        sky[self._mouth] *= 0.25 + 0.75 * min(max((gap - 0.01) / 0.12, 0.0), 1.0)


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation float64 (3, 3) in mesh axes: yaw + to the subject's left, pitch + down, roll + to its right shoulder."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    return np.array(
        [
            [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
            [cp * sr, cp * cr, -sp],
            [cy * sp * sr - sy * cr, cy * sp * cr + sy * sr, cy * cp],
        ]
    )


def _rotations(neck: np.ndarray) -> np.ndarray:
    """The neck's rotation float32 (NECK_STEPS + 1, 3, 3), from none to all."""
    yaw, pitch, roll = neck.tolist()
    steps = [k / NECK_STEPS for k in range(NECK_STEPS + 1)]
    return np.array([_rotation(yaw * s, pitch * s, roll * s) for s in steps], np.float32)
