"""The surroundings of the face: a blurred wall, the lamps, and the tables from light to pixel values."""

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.twin.raster import TONES

WALLS = {"rena": ((104, 116, 128), (66, 74, 82)), "performer": ((150, 136, 118), (96, 84, 74))}


def backdrop(look: str, width: int, height: int) -> ByteArray:
    """Paint a blurred wall, uint8 RGB (height, width, 3)."""
    bright, dark = (np.array(colour, np.float32) for colour in WALLS[look])
    y, x = np.mgrid[:480, :640].astype(np.float32)
    x, y = x / 640, y / 480
    glow = np.exp(-(((x - 0.25) / 0.5) ** 2 + ((y - 0.75) / 0.6) ** 2))
    edge = 1 / (1 + np.exp(-(x - 0.72 + 0.1 * y) * 26))
    lit = np.clip(0.25 + 0.75 * glow - 0.35 * edge * (1 - y), 0, 1)[..., None]
    wall = dark + (bright - dark) * lit
    vignette = 1 - 0.22 * np.clip(((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5, 0, 1)[..., None]
    picture = np.clip(wall * vignette, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def lamps() -> FloatArray:
    """Return direction and linear RGB of each lamp, float32 (k, 6): key, fill, back; then sky and ground."""
    values = [
        (0.50, 0.55, 0.85, 0.86, 0.80, 0.72),
        (-0.85, 0.10, 0.55, 0.20, 0.23, 0.28),
        (-0.75, 0.35, -0.55, 0.32, 0.34, 0.38),
        (0, 1, 0, 0.32, 0.34, 0.38),
        (0, -1, 0, 0.16, 0.13, 0.11),
    ]
    rows = np.array(values, np.float32)
    rows[:, :3] /= np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
    return rows


def tone_tables() -> tuple[FloatArray, ByteArray]:
    """Return two tables: sRGB 0..255 in quarter steps -> linear (1025,); linear [0, 2) in TONES steps -> sRGB."""
    srgb = np.arange(1025) / 1020
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    light = (np.arange(TONES) + 0.5) * 2 / TONES
    knee = 0.75  # above this value highlights are compressed instead of clipped
    light = np.where(light > knee, knee + (1 - knee) * (1 - np.exp(-(light - knee) / (1 - knee))), light)
    tone = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return linear.astype(np.float32), np.rint(np.minimum(tone, 255)).astype(np.uint8)
