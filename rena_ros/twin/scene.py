"""The surroundings of the face: a blurred wall, the lamps, the camera, and the tables from light to pixel values."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.twin.raster import TONES

Wall = tuple[tuple[float, float, float], tuple[float, float, float]]  # bright and dark sRGB, 0 to 255
# Direction and linear RGB of each lamp: key, fill, back; then sky and ground.
LAMPS = (
    (0.50, 0.55, 0.85, 0.86, 0.80, 0.72),
    (-0.85, 0.10, 0.55, 0.20, 0.23, 0.28),
    (-0.75, 0.35, -0.55, 0.32, 0.34, 0.38),
    (0, 1, 0, 0.32, 0.34, 0.38),
    (0, -1, 0, 0.16, 0.13, 0.11),
)
GREY: Wall = ((104, 116, 128), (66, 74, 82))


@dataclass(frozen=True)
class View:
    """Where the camera stands: distance, height and sideways shift in mesh units (dm), roll in rad."""

    distance: float = 8.0
    height: float = 7.08
    aside: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Scene:
    """The surroundings of one face. ``lamps``: float32 (k, 6), direction of length 1 and linear RGB, as LAMPS."""

    wall: Wall = GREY
    lamps: FloatArray = field(default_factory=lambda: _unit_directions(np.array(LAMPS, np.float32)))
    view: View = field(default_factory=View)


def scene_of_look(look: str) -> Scene:
    """Return the surroundings of the robot ("rena") or of the performer."""
    return Scene(((150, 136, 118), (96, 84, 74))) if look == "performer" else Scene()


def scene_of(seed: int) -> Scene:
    """Return surroundings drawn from a seed: the key lamp from another side, brighter or dimmer, another wall."""
    rng = np.random.default_rng([seed, 1])
    lamps = np.array(LAMPS, np.float32)
    if rng.random() < 0.5:
        lamps[:, 0] *= -1
    lamps[:3, :3] += rng.normal(0, 0.2, (3, 3)).astype(np.float32)
    lamps[:, 3:] *= rng.uniform(0.7, 1.25, (len(lamps), 1)).astype(np.float32)
    lamps[:, 3:] *= rng.uniform(0.92, 1.08, 3).astype(np.float32)
    bright = rng.uniform(50, 190) + rng.uniform(-18, 18, 3)
    dark = bright * rng.uniform(0.5, 0.8)
    r, g, b = (float(value) for value in bright)
    return Scene(((r, g, b), (float(dark[0]), float(dark[1]), float(dark[2]))), _unit_directions(lamps))


def _unit_directions(lamps: FloatArray) -> FloatArray:
    lamps[:, :3] /= np.linalg.norm(lamps[:, :3], axis=1, keepdims=True)
    return lamps


def backdrop(wall: Wall, width: int, height: int) -> ByteArray:
    """Paint a blurred wall, uint8 RGB (height, width, 3)."""
    bright, dark = (np.array(colour, np.float32) for colour in wall)
    y, x = np.mgrid[:480, :640].astype(np.float32)
    x, y = x / 640, y / 480
    glow = np.exp(-(((x - 0.25) / 0.5) ** 2 + ((y - 0.75) / 0.6) ** 2))
    edge = 1 / (1 + np.exp(-(x - 0.72 + 0.1 * y) * 26))
    lit = np.clip(0.25 + 0.75 * glow - 0.35 * edge * (1 - y), 0, 1)[..., None]
    wall = dark + (bright - dark) * lit
    vignette = 1 - 0.22 * np.clip(((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5, 0, 1)[..., None]
    picture = np.clip(wall * vignette, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def tone_tables() -> tuple[FloatArray, ByteArray]:
    """Return two tables: sRGB 0..255 in quarter steps -> linear (1025,); linear [0, 2) in TONES steps -> sRGB."""
    srgb = np.arange(1025) / 1020
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    light = (np.arange(TONES) + 0.5) * 2 / TONES
    knee = 0.75  # above this value highlights are compressed instead of clipped
    light = np.where(light > knee, knee + (1 - knee) * (1 - np.exp(-(light - knee) / (1 - knee))), light)
    tone = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return linear.astype(np.float32), np.rint(np.minimum(tone, 255)).astype(np.uint8)
