"""What differs between a drawn robot and a real one on a bench: light, camera, mount, and servos that are not ideal.

All of it follows from a random generator that the caller makes from the dataset's seed and the sample's number, so a
dataset can be made again. The sizes are chosen to be plausible for a webcam and a small servo, not measured on a robot.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray, FloatArray
from rena_ros.twin.body import Body
from rena_ros.twin.scene import View

GAIN_SD, OFFSET_SD = 0.02, 0.01  # of single servos, one body per shard; offset in goals
BACKLASH = 0.006  # goals: the horn stops anywhere within this of where the servo reports it, by gear play and deadband
DISTANCE_SD, SHIFT_SD, ROLL_SD = 0.25, 0.12, 0.02  # camera and mount, one per shard: dm, dm, rad
SHAKE = 0.15  # share of these by which single samples differ
EXPOSURE_SD, GAMMA_SD, BALANCE_SD = 0.12, 0.08, 0.03  # natural logarithms of factors
NOISE_SD = (1.0, 5.0)  # of a pixel, in 8-bit steps: from good light to poor
BLUR_SD = (0.0, 0.8)  # pixels of a picture of 480 lines
JPEG_QUALITY = (55, 95)


def unit_body(body: Body, rng: np.random.Generator) -> Body:
    """Return one unit of a body: every servo moves a little more or less, and its neutral is a little off."""
    n = len(body.gain)
    gain, offset = body.gain * (1 + rng.normal(0, GAIN_SD, n)), body.offset + rng.normal(0, OFFSET_SD, n)
    return replace(body, gain=gain, offset=offset)


def with_backlash(goals: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return where the horns are, (n,) in [0, 1], when the servos report ``goals`` (n,)."""
    moved: FloatArray = np.clip(goals + rng.uniform(-BACKLASH, BACKLASH, goals.shape), 0, 1)
    return moved


def moved_view(view: View, rng: np.random.Generator, share: float = 1.0) -> View:
    """Return the view of a camera that was put up a little differently; ``share`` of the usual difference."""
    distance, height, aside = share * np.array([DISTANCE_SD, SHIFT_SD, SHIFT_SD]) * rng.normal(0, 1, 3)
    roll = share * ROLL_SD * rng.normal()
    return View(view.distance + distance, view.height + height, view.aside + aside, view.roll + roll)


@dataclass(frozen=True)
class Webcam:
    """A webcam in some light. ``table``: what it makes of the 256 levels of each colour, float64 (256, 3).

    ``blur_px``: of a picture of 480 lines. ``noise``: standard deviation of a pixel, in 8-bit steps. ``quality``: JPEG.
    """

    table: FloatArray
    blur_px: float
    noise: float
    quality: int

    def photographed(self, picture: ByteArray, roll: tuple[int, int]) -> ByteArray:
        """Return a picture, uint8 RGB (h, w, 3), as the webcam delivers it; another ``roll`` is other noise."""
        shown = np.stack([self.table[:, k].astype(np.float32)[picture[..., k]] for k in range(3)], axis=2)
        if (blur := self.blur_px * len(picture) / 480) > 0.2:
            shown = cv2.GaussianBlur(shown, (0, 0), blur)
        # One sheet of noise, rolled: drawing 900,000 normal numbers would take longer than drawing the face.
        shown += np.float32(self.noise) * np.roll(_noise(shown.shape), roll, (0, 1))
        pixels = np.clip(shown, 0, 255).astype(np.uint8)
        ok, encoded = cv2.imencode(
            ".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        )
        if not ok:
            raise RuntimeError("this OpenCV cannot write JPEG")
        return np.ascontiguousarray(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def draw_webcam(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Webcam, tuple[int, int]]:
    """Return a webcam, and the roll of its noise in a picture of ``shape`` (h, w)."""
    exposure, gamma = np.exp(rng.normal(0, EXPOSURE_SD)), np.exp(rng.normal(0, GAMMA_SD))
    balance = np.exp(rng.normal(0, BALANCE_SD, 3))
    levels = np.arange(256) / 255
    table = np.clip(255 * exposure * balance * levels[:, None] ** gamma, 0, 255)
    blur_px, noise, roll = rng.uniform(*BLUR_SD), rng.uniform(*NOISE_SD), draw_roll(rng, shape)
    return Webcam(table, float(blur_px), float(noise), int(rng.integers(*JPEG_QUALITY))), roll


def draw_roll(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[int, int]:
    """Return how the sheet of noise lies over a picture of ``shape`` (h, w)."""
    down, right = rng.integers(0, shape)
    return int(down), int(right)


def through_camera(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Return a picture, uint8 RGB (h, w, 3), as some webcam delivers it: exposure, colour, blur, noise, JPEG."""
    webcam, roll = draw_webcam(rng, (picture.shape[0], picture.shape[1]))
    return webcam.photographed(picture, roll)


_sheets: dict[tuple[int, ...], FloatArray] = {}


def _noise(shape: tuple[int, ...]) -> FloatArray:
    if shape not in _sheets:
        _sheets[shape] = np.random.default_rng(0).standard_normal(shape, np.float32)
    return _sheets[shape]
