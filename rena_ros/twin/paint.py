"""Paints skin, lips, brows, hair and irises in texture space, from seeded noise. Used only to bake the asset."""

import cv2
import numpy as np
from scipy.spatial import cKDTree

from rena_ros.base.arrays import Array, ByteArray, FloatArray
from rena_ros.twin import layout
from rena_ros.twin.asset import SWATCHES, Part
from rena_ros.twin.looks import Palette

SEED = 2
IRIS_SIZE = 256
IRIS_EDGE = 0.335  # radius of the iris; 1 is the edge of the texture, 80 deg from the axis of the eye
PUPIL = 0.125


class Canvas:
    """The pixels of the skin texture.

    ``at`` (h, w, 3): their positions on the mesh. ``masks``: name -> (h, w) in [0, 1]. ``empty`` bool (h, w): pixels
    outside the head; they have the values of the nearest pixel of the head. ``lash_roots`` (k, 3): points of the mesh.
    """

    def __init__(self, points: FloatArray, mesh: layout.Mesh, uv: FloatArray, masks: dict[str, FloatArray]) -> None:
        """``points``: of the mesh in one look. ``uv`` (v, 2): in the skin texture. ``masks``: in MakeHuman's."""
        outside = mesh.vertex_part[mesh.triangles[:, 0]] == Part.SKIN
        corners = mesh.triangles[outside]
        at_corners = points[mesh.vertex_point[corners]]
        attributes = np.concatenate([at_corners, layout.makehuman(mesh.corner_uv[outside])], 2)
        # Back to front, so that the outside of the ear covers the folds behind it.
        order = np.argsort(attributes[:, :, 2].mean(1))
        filled = layout.spread(uv[corners][order], attributes[order], layout.SIZE)
        self.empty = np.isnan(filled[..., 0])
        empty = self.empty.astype(np.uint8)
        nearest = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
        places = np.argwhere(~self.empty)
        lookup = np.zeros(nearest.max() + 1, int)
        lookup[nearest[tuple(places.T)]] = np.arange(len(places))
        filled = filled[tuple(places[lookup[nearest]].transpose(2, 0, 1))]
        self.at = filled[..., :3]
        self.masks = {n: cv2.GaussianBlur(layout.sample(m, filled[..., 3:]), (0, 0), 1.2) for n, m in masks.items()}
        lash, skin = (np.unique(mesh.vertex_point[mesh.vertex_part == part]) for part in (Part.LASH, Part.SKIN))
        distance = cKDTree(points[skin]).query(points[lash])[0]
        self.lash_roots = points[lash[distance < np.quantile(distance, 0.4)]]
        self.rng = np.random.default_rng(SEED)

    def noise(self, blur: float) -> FloatArray:
        """Draw smooth noise (h, w), standard deviation 1, with details of about ``blur`` pixels."""
        field = np.asarray(cv2.GaussianBlur(self.rng.standard_normal((layout.SIZE, layout.SIZE)), (0, 0), blur))
        return field / field.std()

    def near(self, place: FloatArray | tuple[float, float, float], width: tuple[float, float, float]) -> FloatArray:
        """Return a Gaussian spot (h, w) on both sides: 1 at ``place`` (|x|, y, z), standard deviations ``width``."""
        mirrored = np.concatenate([np.abs(self.at[..., :1]), self.at[..., 1:]], -1)
        spot: FloatArray = np.exp(-0.5 * (((mirrored - place) / width) ** 2).sum(-1))
        return spot


def texture(canvas: Canvas, palette: Palette, eyes: FloatArray) -> ByteArray:
    """Paint the texture of one look, uint8 RGB (SIZE, SIZE, 3): the skin, and swatches for the other parts.

    ``eyes`` (2, 3): their centres, mesh units.
    """
    at, eye = canvas.at, eyes[0]
    picture = np.ones((layout.SIZE, layout.SIZE, 3)) * palette.skin
    blotch = 0.6 * canvas.noise(28) + 0.4 * canvas.noise(9)
    picture += blotch[..., None] * (1.5, 2.6, 2.8)
    picture += (0.5 * canvas.noise(1.0) + 0.5 * canvas.noise(2.2))[..., None] * (3.2, 3.6, 3.6)
    x, y = at[..., 0], at[..., 1]
    blush = 0.5 * canvas.near(eye + np.array([0.22, -0.42, 0.05]), (0.25, 0.2, 0.4))
    blush += 0.4 * canvas.near((0, 6.9, 1.75), (0.14, 0.12, 0.25)) + 0.55 * canvas.masks["ears"]
    blush += 0.2 * canvas.near((0, 6.25, 1.4), (0.2, 0.12, 0.3))
    picture = _mix(picture, palette.blush, blush * 0.8)
    lids = canvas.masks["eyelids"] * (np.abs(y - eye[1]) < 0.25)
    socket = canvas.near(eye + np.array([0, 0.02, 0.1]), (0.23, 0.13, 0.3))
    picture = _mix(picture, palette.shade, 0.30 * lids + 0.28 * socket)
    picture = _freckles(canvas, picture, palette, eye)
    picture = _mix(picture, (74, 66, 66), palette.stubble * _beard(canvas, eye))
    picture = _lips(canvas, picture, palette)
    line = cKDTree(canvas.lash_roots).query(at.reshape(-1, 3))[0].reshape(x.shape)
    picture = _mix(picture, (46, 30, 28), 0.85 * np.exp(-0.5 * (line / 0.013) ** 2))
    picture = _hair(canvas, picture, palette)
    picture = _brows(canvas, picture, palette, eye)
    return _swatches(np.clip(picture, 0, 255).astype(np.uint8), palette)


def _mix(picture: FloatArray, colour: FloatArray | tuple[float, ...], amount: Array) -> FloatArray:
    share: FloatArray = np.clip(amount, 0, 1)[..., None]
    return picture * (1 - share) + np.asarray(colour, float) * share


def _freckles(canvas: Canvas, picture: FloatArray, palette: Palette, eye: FloatArray) -> FloatArray:
    spots: Array = np.zeros(picture.shape[:2])
    for _ in range(palette.freckles):
        place = np.array([canvas.rng.normal(0, 0.33), eye[1] - 0.3 + canvas.rng.normal(0, 0.13), 1.5])
        px = layout.project(place[None])[0] * layout.SIZE
        centre, radius = (int(px[0] * 16), int(px[1] * 16)), int(canvas.rng.uniform(8, 22))
        cv2.circle(spots, centre, radius, (canvas.rng.uniform(0.1, 0.3),), -1, cv2.LINE_AA, 4)
    spots = cv2.GaussianBlur(spots, (0, 0), 0.8)
    return _mix(picture, palette.shade, spots)


def _beard(canvas: Canvas, eye: FloatArray) -> FloatArray:
    x, y, z = (canvas.at[..., k] for k in range(3))
    jaw = np.clip((6.92 - 0.10 * np.cos(4 * x) - y) / 0.16, 0, 1) * np.clip((y - 6.0) / 0.12, 0, 1)
    jaw *= np.clip((z - 0.25) / 0.35, 0, 1)
    cheek = np.exp(-0.5 * (((np.abs(x) - 0.5) / 0.2) ** 2 + ((y - 6.85) / 0.14) ** 2))
    grain = 0.55 + 0.45 * np.clip(canvas.noise(0.8), -1, 1)
    return jaw * (1 - 0.9 * cheek) * grain


def _lips(canvas: Canvas, picture: FloatArray, palette: Palette) -> FloatArray:
    mask = np.clip(canvas.masks["lips"] * 1.25, 0, 1) ** 1.2
    creases = cv2.GaussianBlur(canvas.rng.standard_normal((1, layout.SIZE)), (0, 0), 1.3)
    creases = creases / creases.std() * 0.022 + 0.02 * canvas.noise(1.5)
    lip = np.array(palette.lip, float) * (1 + creases[..., None])
    return _mix(picture, lip, 0.92 * mask)


def _hair(canvas: Canvas, picture: FloatArray, palette: Palette) -> FloatArray:
    x, y, z = (canvas.at[..., k] for k in range(3))
    # The hairline runs over the forehead, down the temples in front of the ears, and around them to the nape.
    side = np.clip((np.abs(x) - 0.45) / 0.4, 0, 1)
    front = palette.hairline + 0.05 * np.cos(9 * x) * (1 - side) - 0.10 * side
    behind = np.clip((0.85 - z) / 0.35, 0, 1)
    edge = front * (1 - behind) + (7.32 - 0.55 * np.clip((-0.1 - z) / 0.5, 0, 1)) * behind
    strands = _strands(canvas)
    inside = (y - edge) / 0.06 + 0.5 * strands
    shade = 1 + 0.16 * strands + 0.06 * canvas.noise(10)
    return _mix(picture, np.array(palette.hair, float) * shade[..., None], 0.97 / (1 + np.exp(-5 * inside)))


def _strands(canvas: Canvas) -> FloatArray:
    """Draw noise (h, w) that is smeared in the direction in which hair grows, away from the crown."""
    crown = layout.project(np.array([[0.0, 8.45, -0.3]]))[0] * layout.SIZE
    grid_y, grid_x = np.mgrid[: layout.SIZE, : layout.SIZE]
    way_x, way_y = grid_x - crown[0], grid_y - crown[1]
    length = np.maximum(np.hypot(way_x, way_y), 1)
    way_x, way_y = way_x / length, way_y / length
    grain = canvas.rng.standard_normal((layout.SIZE, layout.SIZE)).astype(np.float32)
    total = np.zeros_like(grain)
    for step in range(-5, 6):
        x, y = (grid_x + step * way_x).astype(np.float32), (grid_y + step * way_y).astype(np.float32)
        total += cv2.remap(grain, x, y, cv2.INTER_LINEAR)
    return np.clip(total / total.std(), -2, 2)


def _surface(canvas: Canvas, xy: FloatArray) -> FloatArray:
    """Return the texture pixels (n, 2) of the points on the front of the face at xy (n, 2), mesh units."""
    front = (canvas.at[..., 2] > 0.5) & ~canvas.empty
    rows = np.argwhere(front)
    tree = cKDTree(canvas.at[front][:, :2])
    distance, found = tree.query(xy, k=4)
    weight = 1 / (distance + 1e-6)
    weight /= weight.sum(1, keepdims=True)
    return (rows[found][..., ::-1] * weight[..., None]).sum(1)


def _brows(canvas: Canvas, picture: FloatArray, palette: Palette, eye: FloatArray) -> FloatArray:
    scale = 2
    hair: Array = np.zeros((layout.SIZE * scale, layout.SIZE * scale), np.float32)
    line = np.array(palette.brow_line)
    along = np.linspace(0, 1, len(line))
    for side in (1, -1):  # the same on both sides: of two different brows, one reads as moved
        canvas.rng = np.random.default_rng(SEED)
        count = 420
        t = np.sort(canvas.rng.uniform(0, 1, count))
        x, y, thick = (np.interp(t, along, line[:, k]) for k in range(3))
        offset = canvas.rng.uniform(-1, 1, count)
        lean = np.interp(t, [0, 0.15, 0.5, 1], [1.45, 0.95, 0.45, -0.25]) - 0.35 * offset
        lean += canvas.rng.normal(0, 0.12, count)
        length = np.interp(t, [0, 0.3, 1], [0.055, 0.085, 0.06]) * canvas.rng.uniform(0.7, 1.15, count)
        root = np.stack([x, y + offset * thick + eye[1]], 1)
        tip = root + np.stack([np.cos(lean), np.sin(lean)], 1) * length[:, None]
        ends = np.stack([root, tip], 1).reshape(-1, 2) * (side, 1)
        px = (_surface(canvas, ends).reshape(-1, 2, 2) + 0.5) * scale * 16
        for stroke, strength in zip(px.astype(int), canvas.rng.uniform(0.5, 1, count), strict=True):
            cv2.line(hair, tuple(stroke[0].tolist()), tuple(stroke[1].tolist()), (float(strength),), 2, cv2.LINE_AA, 4)
    hair = cv2.GaussianBlur(cv2.resize(hair, (layout.SIZE, layout.SIZE), interpolation=cv2.INTER_AREA), (0, 0), 0.5)
    under = cv2.GaussianBlur(hair, (0, 0), 3)
    return _mix(_mix(picture, palette.brow, 0.35 * under), palette.brow, 0.9 * hair)


def _swatches(picture: ByteArray, palette: Palette) -> ByteArray:
    """Paint the swatches into the picture, in place."""
    colours = {Part.MOUTH: (126, 52, 52), Part.TONGUE: (186, 96, 96), Part.LASH: (36, 24, 22)}
    tile: Array
    for part, (left, top, width, height) in SWATCHES.items():
        left, top, width, height = (round(v * layout.SIZE) for v in (left, top, width, height))
        if part == Part.EYE:
            tile = iris(palette, width)
        elif part == Part.TEETH:
            tile = _teeth(width, height)
        elif part == Part.SHIRT:
            tile = np.where(np.arange(height)[:, None, None] < height / 2, palette.skin, palette.shirt)
            hem = np.abs(np.arange(height) / height - 0.56) < 0.012
            tile = np.broadcast_to(tile * np.where(hem, 0.7, 1.0)[:, None, None], (height, width, 3))
        else:
            tile = np.broadcast_to(colours[part], (height, width, 3))
        edge = ((min(top, 4), 4), (min(left, 4), 4), (0, 0))
        tile = np.pad(tile, edge, mode="edge")
        place = picture[top - edge[0][0] :, left - edge[1][0] :][: tile.shape[0], : tile.shape[1]]
        place[:] = np.clip(tile, 0, 255).astype(np.uint8)[: place.shape[0], : place.shape[1]]
    return picture


def _teeth(width: int, height: int) -> FloatArray:
    """Paint the teeth of both rows, the dental arch from left to right."""
    x = np.linspace(0, 14, width, endpoint=False)
    gap = np.exp(-0.5 * ((x - np.rint(x)) / 0.06) ** 2)
    return np.ones((height, 1, 1)) * (222, 212, 194) * (1 - 0.30 * gap)[None, :, None]


def iris(palette: Palette, size: int) -> ByteArray:
    """Paint the texture of the eyeball, uint8 RGB (size, size, 3): middle on the axis, edge 80 deg from it."""
    rng = np.random.default_rng(SEED)
    y, x = (np.mgrid[:IRIS_SIZE, :IRIS_SIZE] + 0.5) / IRIS_SIZE - 0.5
    radius, turn = np.hypot(x, y) * 2, np.arctan2(y, x)
    white = np.ones((IRIS_SIZE, IRIS_SIZE, 3)) * (226, 220, 214)
    white = _mix(white, (206, 150, 138), np.clip((radius - 0.55) / 0.6, 0, 0.7))
    veins = np.zeros((IRIS_SIZE, IRIS_SIZE), np.float32)
    for _ in range(26):
        angle, r = rng.uniform(0, 2 * np.pi), 1.0
        path = []
        while r > rng.uniform(0.42, 0.6):
            path.append(
                [(0.5 + r / 2 * np.cos(angle)) * IRIS_SIZE * 16, (0.5 + r / 2 * np.sin(angle)) * IRIS_SIZE * 16]
            )
            angle, r = angle + rng.normal(0, 0.05), r - 0.03
        cv2.polylines(veins, [np.array(path, np.int32)], False, (rng.uniform(0.15, 0.4),), 1, cv2.LINE_AA, 4)
    white = _mix(white, (190, 96, 92), veins)
    fibres = np.zeros_like(radius)
    for wave in rng.integers(9, 70, 24):
        fibres += rng.normal() * np.cos(wave * turn + rng.uniform(0, 6.3) + 3 * radius * rng.normal()) / 4.9
    inner = (radius - PUPIL) / (IRIS_EDGE - PUPIL)
    colour = np.array(palette.iris) * (1 + 0.16 * fibres)[..., None] * (1.25 - 0.35 * np.clip(inner, 0, 1))[..., None]
    colour = _mix(colour, palette.iris_rim, np.clip((inner - 0.62) / 0.38, 0, 1) ** 1.5)
    colour = _mix(colour, np.array(palette.iris) * (1.15, 0.95, 0.7), 0.5 * np.exp(-0.5 * ((inner - 0.12) / 0.12) ** 2))
    picture = _mix(white, colour, np.clip((IRIS_EDGE - radius) / 0.02 + 0.5, 0, 1))
    picture = _mix(picture, (10, 8, 8), np.clip((PUPIL - radius) / 0.015 + 0.5, 0, 1))
    painted = np.clip(picture, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(painted, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def lashes() -> ByteArray:
    """Paint the opacity of a strip of lashes, uint8 (64, 256), roots at the lower edge.

    A single hair would be finer than a pixel; instead, the strip becomes thinner towards an uneven edge.
    """
    rng = np.random.default_rng(SEED)
    uneven = cv2.GaussianBlur(rng.standard_normal((1, 256)), (0, 0), 2.5)
    length = 0.8 + 0.13 * np.clip(uneven / uneven.std(), -1.5, 1.5)
    height = (63.5 - np.arange(64)[:, None]) / 64
    return (np.clip(1.15 - (height / length) ** 2.2, 0, 1) * 255).astype(np.uint8)
