"""What differs between a drawn robot and a real one on a bench: light, camera, mount, and servos that are not ideal.

All of it follows from a random generator that the caller makes from the dataset's seed and the sample's number, so a
dataset can be made again. The sizes are chosen to be plausible for a webcam and a small servo, not measured on a robot.
"""

from dataclasses import replace

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


def through_camera(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Return a picture, uint8 RGB (h, w, 3), as a webcam delivers it: exposure, colour, blur, noise, JPEG."""
    exposure, gamma = np.exp(rng.normal(0, EXPOSURE_SD)), np.exp(rng.normal(0, GAMMA_SD))
    balance = np.exp(rng.normal(0, BALANCE_SD, 3))
    levels = np.arange(256) / 255
    table = np.clip(255 * exposure * balance * levels[:, None] ** gamma, 0, 255)  # (256, 3)
    shown = np.stack([table[:, k].astype(np.float32)[picture[..., k]] for k in range(3)], axis=2)
    if (blur := rng.uniform(*BLUR_SD) * len(picture) / 480) > 0.2:
        shown = cv2.GaussianBlur(shown, (0, 0), blur)
    # One sheet of noise, rolled: drawing 900,000 normal numbers would take longer than drawing the face.
    sheet = _noise(shown.shape)
    shown += np.float32(rng.uniform(*NOISE_SD)) * np.roll(sheet, tuple(rng.integers(0, shown.shape[:2])), (0, 1))
    pixels = np.clip(shown, 0, 255).astype(np.uint8)
    quality = int(rng.integers(*JPEG_QUALITY))
    ok, encoded = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RuntimeError("this OpenCV cannot write JPEG")
    return np.ascontiguousarray(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


_sheets: dict[tuple[int, ...], FloatArray] = {}


def _noise(shape: tuple[int, ...]) -> FloatArray:
    if shape not in _sheets:
        _sheets[shape] = np.random.default_rng(0).standard_normal(shape, np.float32)
    return _sheets[shape]
