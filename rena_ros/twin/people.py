"""People by number: heads of other proportions, skin, hair and light, drawn from a seed for a model that knows people.

A look is named "rena", "performer", or "person-N" for the person of seed N. Every look moves with the same face units,
so the goals that make an expression are the same on each; only the face that shows it differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from rena_ros.base.arrays import Array, ByteArray, FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.twin.asset import LOOKS, SWATCHES, UNIT, Head, Part, load_head
from rena_ros.twin.scene import Scene, scene_of, scene_of_look

PATH = Path(__file__).resolve().with_name("people.npz")
PREFIX = "person-"
MACRO_SHARE = (0.45, 0.9)  # of the distance from the base mesh to a mixture of the grown-up corners
DETAIL_SD, DETAIL_MOST = 0.35, 0.9  # of the targets with two ends
SIDE_SD = 0.06  # by which the left and the right differ
FORM_MOST = 0.6  # of one form of the head, as "head-oval"
EYE_SHIFT = 0.3  # of the targets that move or resize the whole eye: the lids' units are made for the base eyes
_WHOLE_EYE = ("eyes/@-eye-scale", "eyes/@-eye-trans", "eyes/@-eye-height2")


@dataclass(frozen=True)
class Person:
    """What is drawn of one person.

    ``weights``: target -> weight above 0. ``mixture``: share of the performer's painting (brows, stubble) in the skin,
    0 to 1. ``darkness``: exponent of the skin's lightness, above 1 darker. ``tint`` and ``iris``: factors of the
    channels of the skin and of the iris, float64 (3,).
    """

    seed: int
    weights: Mapping[str, float]
    mixture: float
    darkness: float
    tint: FloatArray
    iris: FloatArray


def person_number(look: str) -> int | None:
    """Return the seed in a look's name, None for "rena" and "performer".

    Raises ValueError for a name that is no look.
    """
    if look in LOOKS:
        return None
    number = look.removeprefix(PREFIX)
    if look.startswith(PREFIX) and number.isascii() and number.isdecimal():
        return int(number)
    raise ValueError(f"look must be {', '.join(LOOKS)} or {PREFIX}N (a person by number), not {look!r}")


def person(seed: int) -> Person:
    """Return the person of a seed, >= 0; the same seed always gives the same one."""
    pairs, forms, macros = _names()
    rng = np.random.default_rng([seed, 0])
    share = rng.uniform(*MACRO_SHARE) * rng.dirichlet(np.full(len(macros), 0.35))
    weights = dict(zip(macros, share.tolist(), strict=True))
    for name, ends in pairs.items():
        weight = float(np.clip(rng.normal(0, DETAIL_SD), -DETAIL_MOST, DETAIL_MOST))
        weight *= EYE_SHIFT if name in _WHOLE_EYE else 1.0
        for side in ("l", "r") if "@" in name else ("",):
            own = weight + (float(rng.normal(0, SIDE_SD)) if side else 0.0)
            weights[f"{name.replace('@', side)}-{ends[own > 0]}"] = abs(own)
    weights[str(rng.choice(forms))] = float(rng.uniform(0, FORM_MOST))
    darkness = float(rng.uniform(0.7, 2.4))
    tint = np.array([1.0, rng.uniform(0.94, 1.06), rng.uniform(0.88, 1.12)])
    iris = np.clip(rng.uniform(0.5, 1.2) * rng.uniform(0.75, 1.3, 3), 0.3, 1.5)
    return Person(seed, weights, float(rng.uniform(0, 1)), darkness, tint, iris)


def head_of(look: str) -> Head:
    """Return the head of a look: the baked one, or that of a person. Raises ValueError for a name that is no look."""
    number = person_number(look)
    return load_head(look) if number is None else person_head(person(number))


def scene_for(look: str) -> Scene:
    """Return the surroundings of a look. Raises ValueError for a name that is no look."""
    number = person_number(look)
    return scene_of_look(look) if number is None else scene_of(number)


def person_head(one: Person) -> Head:
    """Return the head of a person: the base mesh, shaped, in colours between those of the two baked looks."""
    base, other, plain = _baked()
    targets = _targets()
    eyes = targets["eyes/base"].astype(np.float64)  # (2, k, 3)
    points = np.concatenate([plain.points.astype(np.float64), eyes.reshape(-1, 3)])
    for name, weight in one.weights.items():
        points[targets[f"{name}/index"]] += weight * UNIT * targets[f"{name}/delta"]
    count = len(plain.points)
    shaped = points[count:].reshape(eyes.shape)
    size, size_before = (np.mean(np.ptp(balls, axis=1)) for balls in (shaped, eyes))
    between, between_before = (np.mean(_middles(balls), axis=0) for balls in (shaped, eyes))
    points = (points - between) * size_before / size + between_before
    return replace(
        base,
        points=points[:count].astype(np.float32),
        light=(base.light * (1 - one.mixture) + other.light * one.mixture).astype(np.float32),
        eyes=_middles(points[count:].reshape(eyes.shape)).astype(np.float32),
        texture=_painted(base.texture, other.texture, one),
    )


def _middles(balls: FloatArray) -> FloatArray:
    """Return the middle of the bounding box of each eyeball, (2, k, 3) -> (2, 3)."""
    middles: FloatArray = (balls.min(1) + balls.max(1)) / 2
    return middles


def _painted(first: ByteArray, second: ByteArray, one: Person) -> ByteArray:
    """Mix two paintings, uint8 RGBA, and give skin and irises this person's colours; teeth and mouth keep theirs."""
    mixed = first + (second.astype(np.float32) - first) * np.float32(one.mixture)
    painted = mixed.copy()
    light = mixed[..., :3].mean(axis=2, keepdims=True) / 255  # a power of each channel alone would turn dark skin red
    painted[..., :3] = mixed[..., :3] * light ** (one.darkness - 1) * one.tint
    side = len(first)
    for part, (left, top, width, height) in SWATCHES.items():
        if part == Part.SHIRT:
            continue  # holds the colour of the neck, too
        rows, columns = (slice(int(a * side), int((a + b) * side) + 1) for a, b in ((top, height), (left, width)))
        painted[rows, columns, :3] = mixed[rows, columns, :3]
        if part == Part.EYE:
            painted[rows, columns, :3] = _tinted(mixed[rows, columns, :3], one.iris)
    return np.clip(painted, 0, 255).astype(np.uint8)


def _tinted(eye: FloatArray, factor: FloatArray) -> FloatArray:
    """Tint the iris of an eye's painting (h, w, 3); the white around it stays."""
    y, x = np.mgrid[: eye.shape[0], : eye.shape[1]]
    radius = np.hypot((x + 0.5) / eye.shape[1] - 0.5, (y + 0.5) / eye.shape[0] - 0.5) * 2
    inside = np.clip((0.335 - radius) / 0.03 + 0.5, 0, 1)[..., None]
    tinted: FloatArray = eye * (1 + inside * (factor - 1))
    return tinted


@cache
def _baked() -> tuple[Head, Head, Head]:
    """Return the two baked looks, and the base mesh."""
    return load_head("rena"), load_head("performer"), load_head("rena", shaped=False)


@cache
def _targets() -> dict[str, Array]:
    try:
        with np.load(PATH) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise RenaError(f"cannot read the drawn people {PATH}: {error}; install Rena again") from error


@cache
def _names() -> tuple[dict[str, tuple[str, str]], tuple[str, ...], tuple[str, ...]]:
    """Return the pairs of targets, "@" for a side, with both ends; the forms of the head; the grown-up corners."""
    names = [name.removesuffix("/index") for name in _targets() if name.endswith("/index")]
    macros = tuple(name for name in names if name.startswith("macrodetails/"))
    pairs: dict[str, tuple[str, str]] = {}
    paired: set[str] = set()
    for name in names:
        for low, high in _ENDS:
            other = f"{name.removesuffix('-' + low)}-{high}"
            if name.endswith(f"-{low}") and other in names:
                pairs[name.removesuffix(f"-{low}").replace("/l-", "/@-").replace("/r-", "/@-")] = (low, high)
                paired |= {name, other}
    return pairs, tuple(name for name in names if name not in paired and name not in macros), macros


_ENDS = (("decr", "incr"), ("down", "up"), ("in", "out"))
