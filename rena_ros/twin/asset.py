"""The baked head, which ``bake`` writes and ``face`` draws."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray, IntArray
from rena_ros.base.errors import RenaError

PATH = Path(__file__).resolve().with_name("face.npz")
LOOKS = ("rena", "performer")
UNIT = 1e-4  # one step of the quantised coordinates, in mesh units (1 mesh unit = 1 dm)
ORIGIN = np.array([0.0, 7.0, 0.0])  # quantised positions are relative to this point of the mesh
EYE_RADIUS = 0.1495


class Part(IntEnum):
    """The part of the head that a triangle belongs to."""

    SKIN = 0
    MOUTH = 1
    TEETH = 2
    TONGUE = 3
    LASH = 4
    EYE = 5
    SHIRT = 6


# Regions in the corners of the texture, outside the disc of the head: (left, top, width, height) in [0, 1].
SWATCHES = {
    Part.MOUTH: (0.004, 0.004, 0.06, 0.06),
    Part.SHIRT: (0.072, 0.004, 0.03, 0.12),
    Part.TEETH: (0.88, 0.004, 0.115, 0.06),
    Part.LASH: (0.88, 0.08, 0.03, 0.03),
    Part.TONGUE: (0.004, 0.93, 0.06, 0.06),
    Part.EYE: (0.868, 0.868, 0.128, 0.128),
}


@dataclass(frozen=True)
class Head:
    """One look of the baked head, in mesh units: x to the subject's left, y up, z out of the face.

    ``points`` float32 (n, 3). ``vertex_point`` int32 (v,): the point of each vertex; vertices with different texture
    coordinates may share a point. ``vertex_part`` int32 (v,). ``uv`` float32 (v, 2) in [0, 1], v downwards.
    ``triangles`` int32 (t, 3): vertex numbers. ``light`` float32 (v,) in [0, 1]: share of the sky that a vertex of the
    neutral face sees. ``units``: face unit -> (moved points int64 (m,), displacement float32 (m, 3)). ``eyes`` float32
    (2, 3): centres, left first. ``texture`` uint8 RGBA: all colours. ``lash`` uint8 (h, w): opacity.
    """

    points: FloatArray
    vertex_point: IntArray
    vertex_part: IntArray
    uv: FloatArray
    triangles: IntArray
    light: FloatArray
    units: dict[str, tuple[IntArray, FloatArray]]
    eyes: FloatArray
    texture: ByteArray
    lash: ByteArray


def load_head(look: str, shaped: bool = True) -> Head:
    """Load one look of the asset, or with ``shaped`` False its colours on the base mesh, whose eyes it keeps.

    Raises ValueError for an unknown look, RenaError when the asset cannot be read.
    """
    if look not in LOOKS:
        raise ValueError(f"look must be one of {', '.join(LOOKS)}, not {look!r}")
    try:
        with np.load(PATH) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise RenaError(f"cannot read the drawn face {PATH}: {error}; install Rena again") from error
    points = arrays["points"] * UNIT + ORIGIN
    if shaped:
        points[arrays[f"{look}/shape/index"]] += arrays[f"{look}/shape/delta"] * UNIT
    units = {
        name.split("/")[1]: (arrays[name].astype(np.int64), (arrays[name[:-5] + "delta"] * UNIT).astype(np.float32))
        for name in arrays
        if name.startswith("unit/") and name.endswith("/index")
    }
    return Head(
        points=points.astype(np.float32),
        vertex_point=arrays["vertex_point"].astype(np.int32),
        vertex_part=arrays["vertex_part"].astype(np.int32),
        uv=(arrays["uv"] / 65535).astype(np.float32),
        triangles=arrays["triangles"].astype(np.int32),
        light=(arrays[f"{look}/light"] / 255).astype(np.float32),
        units=units,
        eyes=arrays[f"{look}/eyes"],
        texture=_picture(arrays[f"{look}/texture"]),
        lash=_picture(arrays["lash"])[..., 0].copy(),
    )


def _picture(encoded: ByteArray) -> ByteArray:
    return np.asarray(cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGBA), np.uint8)
