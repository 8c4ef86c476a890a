"""The two looks of the drawn head: shape (MakeHuman targets) and colours (sRGB, 0..255)."""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """Colours of one look.

    ``brow_line``: points (x, y above the eye, half the thickness) from the inner end of the brow, mesh units.
    """

    skin: Colour
    blush: Colour
    shade: Colour  # lids and below the eyes
    lip: Colour
    brow: Colour
    hair: Colour
    hairline: float  # height of the hairline above the forehead, mesh units
    stubble: float  # 0..1
    freckles: int
    iris: Colour
    iris_rim: Colour
    shirt: Colour
    brow_line: tuple[tuple[float, float, float], ...]


PALETTES = {
    "rena": Palette(
        skin=(214, 168, 142),
        blush=(214, 128, 112),
        shade=(172, 118, 104),
        lip=(182, 96, 98),
        brow=(72, 48, 34),
        hair=(70, 50, 38),
        hairline=7.98,
        stubble=0.0,
        freckles=140,
        iris=(96, 104, 84),
        iris_rim=(40, 46, 42),
        shirt=(58, 66, 78),
        brow_line=(
            (0.13, 0.15, 0.025),
            (0.25, 0.172, 0.026),
            (0.36, 0.19, 0.021),
            (0.44, 0.182, 0.014),
            (0.495, 0.162, 0.007),
        ),
    ),
    "performer": Palette(
        skin=(176, 122, 92),
        blush=(170, 94, 76),
        shade=(126, 80, 62),
        lip=(148, 84, 78),
        brow=(34, 24, 20),
        hair=(26, 20, 18),
        hairline=7.92,
        stubble=0.55,
        freckles=0,
        iris=(108, 70, 38),
        iris_rim=(46, 28, 18),
        shirt=(122, 58, 48),
        brow_line=(
            (0.11, 0.135, 0.036),
            (0.25, 0.155, 0.038),
            (0.36, 0.17, 0.032),
            (0.45, 0.16, 0.023),
            (0.515, 0.135, 0.011),
        ),
    ),
}
# look -> MakeHuman target (without .target.gz) -> weight
SHAPES: dict[str, dict[str, float]] = {
    "rena": {"macrodetails/caucasian-female-young": 0.5},
    "performer": {"macrodetails/caucasian-male-young": 0.8, "head/head-square": 0.5, "nose/nose-scale-vert-incr": 0.3},
}
